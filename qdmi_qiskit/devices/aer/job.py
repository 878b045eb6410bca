"""Tasks that run as one Aer job."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

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


class AerJob(Job):
    """Tasks that run as one Aer job, in a thread of Aer's."""

    def __init__(self, job: Any, tasks: Sequence[Task], widths: Sequence[int]) -> None:
        """Follow a job of Aer's.

        Args:
            job: What `AerSimulator.run` returned.
            tasks: What it runs.
            widths: Classical bits of each program as Aer got it, scratch bits on top.
        """
        self.id: str = job.job_id()
        self._job, self._tasks, self._widths = job, tasks, widths
        self._canceled = False

    def status(self) -> JobStatus:
        if self._canceled:
            return JobStatus.CANCELED
        status = _STATUS[self._job.status()]
        if status is JobStatus.DONE and not self._job.result().success:
            return JobStatus.FAILED
        return status

    def wait(self, timeout: float | None = None) -> JobStatus:
        if not self._canceled:
            try:
                self._job.result(timeout)
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
            self._job.cancel()
            self._canceled = True

    def result(self) -> tuple[Shots, ...]:
        if self._canceled:
            raise JobFailedError(f"job {self.id} was canceled", job_id=self.id)
        try:
            result = self._job.result()
        except Exception as error:
            raise JobFailedError(f"Aer failed on job {self.id}: {error}", job_id=self.id) from error
        if not result.success:
            raise JobFailedError(f"Aer failed on job {self.id}: {failure(result)}", job_id=self.id)
        experiments = iter(result.results)
        return tuple(
            _shots(task, width, experiments)
            for task, width in zip(self._tasks, self._widths, strict=True)
        )


def failure(result: Any) -> str:
    """Return Aer's own words about a failed result."""
    words = [str(result.status), *(str(r.status) for r in result.results if not r.success)]
    return "; ".join(dict.fromkeys(words))


def _shots(task: Task, width: int, experiments: Any) -> Shots:
    rows = [from_hex(next(experiments).data.memory, width) for _ in range(task.points)]
    packed = rows[0][None] if len(rows) == 1 else np.stack(rows)
    wanted = task.program.num_bits
    return Shots(packed if width == wanted else lowest(packed, wanted), wanted)
