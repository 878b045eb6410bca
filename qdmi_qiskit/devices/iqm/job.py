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

        Of several server jobs those that completed are kept: of the circuits of the others no shot
        is valid, and `Shots.failures` says why.
        """
        self.status()
        bad = [part for part in self._parts if part.status is not JobStatus.DONE]
        running = [part for part in bad if not part.status.final]
        if running or len(bad) == len(self._parts):
            over = [part for part in bad if part.status.final] or running
            said = "; ".join(_why(part) for part in over)
            raise JobFailedError(said, job_id=over[0].id)
        with self._lock:
            if self._outcome is None:
                with understood(f"the outcome of job {self.id}"):
                    self._outcome = self._read()
            return self._outcome

    def _read(self) -> tuple[Shots, ...]:
        most = self._most()
        found = {
            part.id: _tables(part, most) for part in self._parts if part.status is JobStatus.DONE
        }
        sent: dict[str, Any] = {}
        if self._readings is None or len(found) < len(self._parts):
            sent = {part.id: part.payload() for part in self._parts}
        for part in self._parts:
            if part.id not in found:
                found[part.id] = [Lost(_why(part))] * self._size(part, sent[part.id], found)
        tables = [table for part in self._parts for table in found[part.id]]
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


def _tables(part: Posted, most: int) -> list[Any]:
    found = part.measurements(most)
    if not isinstance(found, list):
        raise ProtocolError(
            f"the server returned a {type(found).__name__} as the outcome of job {part.id}"
        )
    return found


def _valid(shots: Shots) -> list[int]:
    points, number = shots.bits.shape[:2]
    return [number] * points if shots.valid is None else shots.valid.tolist()
