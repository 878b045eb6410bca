"""Tasks that run as one job: native runs of Aer, and what to make of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
from qiskit.providers import JobStatus as QiskitJobStatus

from qdmi_qiskit.bits import from_hex, lowest
from qdmi_qiskit.device import Job
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import JobStatus, Shots, Task

_STATUS = {
    QiskitJobStatus.INITIALIZING: JobStatus.QUEUED,
    QiskitJobStatus.QUEUED: JobStatus.QUEUED,
    QiskitJobStatus.VALIDATING: JobStatus.QUEUED,
    QiskitJobStatus.RUNNING: JobStatus.RUNNING,
    QiskitJobStatus.DONE: JobStatus.DONE,
    QiskitJobStatus.CANCELLED: JobStatus.CANCELED,
    QiskitJobStatus.ERROR: JobStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Part:
    """Native runs of Aer that belong together.

    Attributes:
        natives: What `AerSimulator.run` returned, one after the other.
        tasks: Which tasks of the job it serves.
        read: Makes their outcomes of the experiments of all results.
    """

    natives: tuple[Any, ...]
    tasks: tuple[int, ...]
    read: Callable[[Sequence[Any]], Sequence[Shots]]


class AerJob(Job):
    """Tasks that run in a thread of Aer's."""

    def __init__(self, parts: Sequence[Part], num_tasks: int) -> None:
        self.id = uuid4().hex
        self._parts, self._num_tasks = tuple(parts), num_tasks
        self._natives = [native for part in parts for native in part.natives]
        self._canceled = False
        self._outcome: tuple[Shots, ...] | None = None
        self._reading = threading.Lock()

    def status(self) -> JobStatus:
        if self._canceled:
            return JobStatus.CANCELED
        natives = self._natives
        if not natives:  # read already
            return JobStatus.DONE
        seen = {_status(native) for native in natives}
        for status in (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.RUNNING):
            if status in seen:
                return status
        if seen == {JobStatus.DONE}:
            return JobStatus.DONE
        return JobStatus.RUNNING if JobStatus.DONE in seen else JobStatus.QUEUED

    def wait(self, timeout: float | None = None) -> JobStatus:
        end = None if timeout is None else time.monotonic() + timeout
        for native in self._natives:
            if self._canceled:
                break
            try:
                native.result(None if end is None else max(end - time.monotonic(), 0.0))
            except FutureTimeoutError:
                raise TimeoutError(
                    f"job {self.id} is still {self.status().value} after {timeout} s"
                ) from None
            except Exception:  # noqa: BLE001, S110 - status() tells that it failed, result() why
                pass
        return self.status()

    def cancel(self) -> None:
        """Drop the job. Aer cannot stop a simulation that has begun; its outcome is discarded."""
        if not self.status().final:
            for native in self._natives:
                native.cancel()
            self._canceled = True

    def result(self) -> tuple[Shots, ...]:
        with self._reading:
            if self._outcome is None:
                found: dict[int, Shots] = {}
                for part in self._parts:
                    experiments = [e for n in part.natives for e in self._experiments(n)]
                    found.update(zip(part.tasks, part.read(experiments), strict=True))
                self._outcome = tuple(found[index] for index in range(self._num_tasks))
                self._parts, self._natives = (), []  # Aer's results take more than what was read
        return self._outcome

    def _experiments(self, native: Any) -> Sequence[Any]:
        if self._canceled:
            raise JobFailedError(f"job {self.id} was canceled", job_id=self.id)
        try:
            result = native.result()
        except Exception as error:
            raise JobFailedError(f"Aer failed on job {self.id}: {error}", job_id=self.id) from error
        if not result.success:
            raise JobFailedError(f"Aer failed on job {self.id}: {failure(result)}", job_id=self.id)
        experiments: Sequence[Any] = result.results
        return experiments


def _status(native: Any) -> JobStatus:
    status = _STATUS[native.status()]
    if status is JobStatus.DONE and not native.result().success:
        return JobStatus.FAILED
    return status


def failure(result: Any) -> str:
    """Return Aer's own words about a failed result."""
    words = [str(result.status), *(str(r.status) for r in result.results if not r.success)]
    return "; ".join(dict.fromkeys(words))


def read_memory(
    experiments: Sequence[Any], tasks: Sequence[Task], widths: Sequence[int]
) -> list[Shots]:
    """Make outcomes of shots that Aer drew itself.

    Args:
        experiments: One for each point of each task, in order.
        tasks: What was run.
        widths: Classical bits of each program as Aer got it, scratch bits on top.
    """
    rest = iter(experiments)
    found = []
    for task, width in zip(tasks, widths, strict=True):
        rows = [from_hex(next(rest).data.memory, width) for _ in range(task.points)]
        packed = rows[0][None] if len(rows) == 1 else np.stack(rows)
        wanted = task.num_bits
        found.append(Shots(packed if width == wanted else lowest(packed, wanted), wanted))
    return found
