"""Tasks that run as one job of ours: one native job, or one for each seed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdmi_qiskit.bits import num_bytes
from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.native.decode import Rows, packed
from qdmi_qiskit.devices.native.faults import failed, fault
from qdmi_qiskit.devices.native.handle import JobHandle
from qdmi_qiskit.devices.native.profiles import BitOrder
from qdmi_qiskit.devices.native.programs import job_id, outcome
from qdmi_qiskit.devices.native.release import release
from qdmi_qiskit.devices.native.words import JobProperty, Status
from qdmi_qiskit.errors import JobFailedError, ProtocolError, QdmiError, UnsupportedError
from qdmi_qiskit.model import JobStatus, Shots

_SLICE = 1
"""Seconds that one call waits: Python sees Ctrl-C between two calls only."""

_ORDER = (
    JobStatus.FAILED,
    JobStatus.CANCELED,
    JobStatus.CREATED,
    JobStatus.SUBMITTED,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
)


@dataclass(frozen=True)
class Wanted:
    """One program of a job.

    Attributes:
        shots: How many; None: as many as there are.
        num_bits: Classical bits; None: as many as there are.
        bits: The classical bit that each bit of the library is; None: the same.
    """

    shots: int | None
    num_bits: int | None
    bits: tuple[int, ...] | None = None


class Part:
    """One native job; frees itself."""

    def __init__(self, handle: JobHandle, wanted: Sequence[Wanted]) -> None:
        self.handle, self.wanted = handle, tuple(wanted)
        self.final: JobStatus | None = None
        self.programs: tuple[JobStatus | None, ...] = ()

    def __del__(self) -> None:
        release(self.handle)

    def status(self) -> JobStatus:
        """Ask; a final answer is kept."""
        if self.final is None:
            status = self.handle.check()
            if not status.final:
                return status
            if status is JobStatus.FAILED and len(self.wanted) > 1:
                self.programs = tuple(
                    self.handle.program_status(k) for k in range(len(self.wanted))
                )
            # QDMI calls a list failed if one program is; its siblings can be read.
            done = JobStatus.DONE in self.programs
            self.final = JobStatus.DONE if done else status
        return self.final

    def wait(self, seconds: int) -> bool:
        """Wait at most that long, and return whether the job ended; it may be too early."""
        code = self.handle.call("device_job_wait", seconds)
        # Before 1.4 a library may answer FATAL for a job that failed: ask what it is.
        if failed(code) and code not in (Status.ERROR_TIMEOUT, Status.ERROR_FATAL):
            raise fault(code, f"{self.handle.library} does not wait for its job")
        return code != Status.ERROR_TIMEOUT


class NativeJob(Job):
    """Programs that a library runs."""

    def __init__(
        self, parts: Sequence[Part], order: BitOrder, *, cancels: bool, here: bool
    ) -> None:
        self._parts, self._order = tuple(parts), order
        self._cancels, self._here = cancels, here
        self.id = "+".join(job_id(part.handle) for part in parts).strip("+") or _own_id()
        self._outcome: tuple[Shots, ...] | None = None
        self._reading = threading.Lock()
        self._position: int | None = None

    @property
    def metadata(self) -> Mapping[str, Any]:
        return {} if self._position is None else {"queue_position": self._position}

    def status(self) -> JobStatus:
        if self._outcome is not None:
            return JobStatus.DONE
        found = [part.status() for part in self._parts]
        if all(status is JobStatus.DONE for status in found):
            return JobStatus.DONE
        seen = {*found}
        if JobStatus.QUEUED in seen:
            with suppress(QdmiError):
                self._position = self._parts[0].handle.ask(JobProperty.QUEUEPOSITION)
        running = {status for status in seen if not status.final}
        if running:  # a failure is final only when nothing runs any more
            return JobStatus.RUNNING if len(seen) > 1 else running.pop()
        return next((status for status in _ORDER if status in seen), JobStatus.DONE)

    def wait(self, timeout: float | None = None) -> JobStatus:
        if not self._here:  # the library would ask its service as well, at a pace of its own
            return super().wait(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        for part in self._parts:
            _wait(part, end, lambda: self._late(timeout))
        return self.status()

    def _late(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(f"job {self.id} is still {self.status().value} after {timeout} s")

    def cancel(self) -> None:
        if not self._cancels:
            library = self._parts[0].handle.library
            raise UnsupportedError(f"{library} cannot cancel job {self.id}")
        if self._outcome is not None:
            return
        for part in self._parts:
            if part.status().final:
                continue
            code = part.handle.call("device_job_cancel")
            if failed(code) and not part.status().final:  # it may have ended meanwhile
                raise fault(code, f"{part.handle.library} does not cancel job {self.id}")

    def result(self) -> tuple[Shots, ...]:
        with self._reading:
            if self._outcome is None:
                self._outcome = tuple(each for part in self._parts for each in self._read(part))
                for part in self._parts:
                    part.handle.free()
        return self._outcome

    def _read(self, part: Part) -> list[Shots]:
        status = part.status()
        library = part.handle.library
        if not status.final:
            raise ProtocolError(f"job {self.id} is {status.value}: wait for it first")
        if status is not JobStatus.DONE:
            reason = "was canceled" if status is JobStatus.CANCELED else "failed"
            raise JobFailedError(
                f"{library}: job {self.id} {reason}; QDMI has no words for why, the library may "
                "have written them to stderr",
                job_id=self.id,
            )
        states = part.programs or (JobStatus.DONE,) * len(part.wanted)
        return [
            self._shots(part, k, wanted, state)
            for k, (wanted, state) in enumerate(zip(part.wanted, states, strict=True))
        ]

    def _shots(self, part: Part, index: int, wanted: Wanted, state: JobStatus | None) -> Shots:
        if state is not JobStatus.DONE:
            words = f"the library says this program is {state.value if state else 'unknown'}"
            number, bits = wanted.shots or 0, wanted.num_bits or 0
            empty = np.zeros((1, number, num_bytes(bits)), np.uint8)
            return Shots(empty, bits, np.zeros(1, np.int64), {0: words})
        width = wanted.num_bits if wanted.bits is None else len(wanted.bits)
        found = outcome(part.handle, index, width, wanted.shots)
        return _as_wanted(found, wanted, self._order, f"{part.handle.library}: {self.id}")


def _own_id() -> str:
    from uuid import uuid4  # only where the library gives none

    return uuid4().hex


def _as_wanted(found: Rows, wanted: Wanted, order: BitOrder, what: str) -> Shots:
    number = len(found) if wanted.shots is None else wanted.shots
    width = found.shape[1] if wanted.num_bits is None else wanted.num_bits
    if len(found) > number:
        raise ProtocolError(f"{what} has {len(found)} shots, {number} were asked: report it")
    rows = packed(found, wanted.bits, order, width)
    if len(found) == number:
        return Shots(rows[None], width)
    whole = np.zeros((1, number, rows.shape[1]), np.uint8)
    whole[0, : len(rows)] = rows
    return Shots(whole, width, np.array([len(rows)]))


def _wait(part: Part, end: float | None, late: Callable[[], TimeoutError]) -> None:
    pause = 0.001
    while part.final is None:
        left = None if end is None else end - time.monotonic()
        # QDMI counts whole seconds; what is left of less is slept away in small pieces.
        whole = left is None or left >= _SLICE
        ended = whole and part.wait(_SLICE)
        if part.status().final:
            return
        if left is not None and left <= 0:
            raise late()
        if ended or not whole:
            time.sleep(pause if left is None else min(pause, left))
            pause = min(2 * pause, 0.5)
