"""A job: circuits that run as one job of the server's, or as several if they are too large."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from qdmi_qiskit.answers import outcome_size, understood
from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.iqm.facts import joined
from qdmi_qiskit.devices.iqm.outcome import Lost, Reading, read, readings_from
from qdmi_qiskit.devices.iqm.posted import Posted
from qdmi_qiskit.errors import JobFailedError, ProtocolError
from qdmi_qiskit.model import JobStatus, Shots

SEPARATOR = ","
_LARGEST = 1 << 30  # bytes of an outcome of which nobody remembers what was asked for
_MORE = 128  # qubits that may be measured beside: to herald, to restart
_LEAST_FIRST = (
    *(JobStatus.FAILED, JobStatus.CANCELED, JobStatus.CREATED),
    *(JobStatus.SUBMITTED, JobStatus.QUEUED, JobStatus.RUNNING),
)


class IQMJob(Job):
    """Circuits that are one job here. The server keeps them; so they are found again by id.

    Attributes:
        id: The server's; if there are several, all of them with commas between.
    """

    def __init__(
        self,
        parts: Sequence[Posted],
        readings: Sequence[Reading] | None = None,
        drift: str = "",
    ) -> None:
        """Follow server jobs that belong together.

        Args:
            parts: In the order of their circuits.
            readings: How to read the outcome of all of them; found out if not given.
            drift: What was known of a newer calibration set when they were sent.
        """
        self.id = SEPARATOR.join(part.id for part in parts)
        self._parts, self._readings, self._drift = tuple(parts), readings, drift
        self._lock = Lock()
        self._outcome: tuple[Shots, ...] | None = None

    def __repr__(self) -> str:
        return f"<IQMJob {self.id}: {self._together().value}>"

    def _together(self) -> JobStatus:
        states = {part.status for part in self._parts}
        return next((state for state in _LEAST_FIRST if state in states), JobStatus.DONE)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the server last said; asks nothing.

        The standard keys and those of `facts`; `warnings`, where the job ran with another
        calibration set than it was compiled for, or the default one had moved on when it was
        sent; once the outcome was read, `valid_shots` of each circuit if heralding discarded any.
        Where there are several server jobs, each is in `parts`.
        """
        found = joined([{"id": part.id, **part.facts} for part in self._parts])
        if len(self._parts) == 1:
            del found["id"]
        warnings = [each for part in self._parts for each in part.warnings]
        if self._drift:
            warnings.append(self._drift)
        if warnings:
            found["warnings"] = list(dict.fromkeys(warnings))
        outcome = self._outcome or ()
        if any(shots.valid is not None for shots in outcome):
            found["valid_shots"] = [number for shots in outcome for number in _valid(shots)]
        return found

    def status(self) -> JobStatus:
        for part in self._parts:
            part.ask()
        return self._together()

    def wait(self, timeout: float | None = None) -> JobStatus:
        end = None if timeout is None else time.monotonic() + timeout
        for part in self._parts:
            if not part.wait(end):
                raise TimeoutError(
                    f"job {part.id} is still {part.status.value} after {timeout} s; it goes on"
                )
        return self._together()

    def cancel(self) -> None:
        for part in self._parts:
            part.cancel()

    def result(self) -> tuple[Shots, ...]:
        """Return one entry per task.

        Of several server jobs those that completed are kept, and of one that was canceled the
        circuits that the server has shots of, be they fewer than asked for (`Shots.valid`). Of the
        other circuits no shot is valid, and `Shots.failures` says why.
        """
        self.status()
        bad = [part for part in self._parts if part.status is not JobStatus.DONE]
        if any(not part.status.final for part in bad):
            raise _without(bad)
        with self._lock:
            if self._outcome is None:
                with understood(f"the outcome of job {self.id}"):
                    self._outcome = self._read()
            return self._outcome

    def _read(self) -> tuple[Shots, ...]:
        most = self._most()
        found = {
            part.id: _tables(part.measurements(most), part)
            for part in self._parts
            if part.status is JobStatus.DONE
        }
        done = bool(found)
        kept = {
            part.id: part.kept(most) for part in self._parts if part.status is JobStatus.CANCELED
        }
        if not done and all(each is None for each in kept.values()):
            raise _without(self._parts)
        sent: dict[str, Any] = {}
        if self._readings is None or len(found) < len(self._parts):
            sent = {part.id: part.payload() for part in self._parts}
        for part in self._parts:
            if part.id not in found:
                size = self._size(part, sent[part.id], found)
                found[part.id] = _remains(kept.get(part.id), part, size)
        tables = [table for part in self._parts for table in found[part.id]]
        lost = [table.reason for table in tables if isinstance(table, Lost)]
        if not done and len(lost) == len(tables):
            raise JobFailedError("; ".join(dict.fromkeys(lost)), job_id=self._parts[0].id)
        if self._readings is not None:
            return read(tables, self._readings)
        circuits: list[Any] = []
        shots: Any = None
        for part in self._parts:
            payload = sent[part.id] if isinstance(sent[part.id], Mapping) else {}
            listed: Any = payload.get("circuits")
            size = len(found[part.id])
            fits = isinstance(listed, list) and len(listed) == size
            circuits += listed if fits else [None] * size
            shots = payload.get("shots", shots)
        return read(tables, readings_from({"circuits": circuits, "shots": shots}, tables))

    def _most(self) -> int:
        """Return how many bytes an outcome may have, by what was asked for if that is known."""
        if self._readings is None or any(each.shots is None for each in self._readings):
            return _LARGEST
        bits = [
            each.points * (each.shots or 0) * (len(each.columns) + _MORE) for each in self._readings
        ]
        return outcome_size(sum(bits), 1)

    def _size(self, part: Posted, payload: Any, found: Mapping[str, Sequence[Any]]) -> int:
        """Return how many circuits a server job without an outcome has."""
        if part.circuits is not None:
            return part.circuits
        listed = payload.get("circuits") if isinstance(payload, Mapping) else None
        if isinstance(listed, list):
            return len(listed)
        if self._readings is not None and len(found) == len(self._parts) - 1:
            return sum(each.points for each in self._readings) - sum(map(len, found.values()))
        raise JobFailedError(f"{_why(part)}, and nobody knows its circuits", job_id=part.id)


def _why(part: Posted) -> str:
    return f"job {part.id} {part.why()}"


def _without(parts: Sequence[Posted]) -> JobFailedError:
    over = [part for part in parts if part.status.final] or parts
    return JobFailedError("; ".join(_why(part) for part in over), job_id=over[0].id)


def _remains(kept: Any, part: Posted, size: int) -> list[Any]:
    """Return what is left of each circuit of a job that did not complete.

    A table belongs to the circuit at its place in the list; of fewer tables than circuits nobody
    knows to which they belong, and keys do not tell circuits apart.
    """
    if kept is None:
        return [Lost(_why(part))] * size
    tables = _tables(kept, part)
    if len(tables) != size:
        why = f"{_why(part)}; outcomes of {len(tables)} of its {size} circuits are there, unnamed"
        return [Lost(why)] * size
    return [
        table if isinstance(table, Mapping) and any(table.values()) else Lost(_why(part))
        for table in tables
    ]


def _tables(found: Any, part: Posted) -> list[Any]:
    if not isinstance(found, list):
        raise ProtocolError(
            f"the server returned a {type(found).__name__} as the outcome of job {part.id}"
        )
    return found


def _valid(shots: Shots) -> list[int]:
    points, number = shots.bits.shape[:2]
    return [number] * points if shots.valid is None else shots.valid.tolist()
