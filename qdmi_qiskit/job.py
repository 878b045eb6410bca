"""Jobs of the Qiskit layer: a run, seen as a `JobV1`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from qiskit.providers import JobStatus as QiskitJobStatus
from qiskit.providers import JobV1

from qdmi_qiskit.errors import ConfigError, UnsupportedError
from qdmi_qiskit.model import JobStatus

if TYPE_CHECKING:
    from qiskit.providers import BackendV2
    from qiskit.result import Result

    from qdmi_qiskit.model import Shots
    from qdmi_qiskit.run import Run

QISKIT_STATUS = {
    JobStatus.CREATED: QiskitJobStatus.INITIALIZING,
    JobStatus.SUBMITTED: QiskitJobStatus.QUEUED,
    JobStatus.QUEUED: QiskitJobStatus.QUEUED,
    JobStatus.RUNNING: QiskitJobStatus.RUNNING,
    JobStatus.DONE: QiskitJobStatus.DONE,
    JobStatus.CANCELED: QiskitJobStatus.CANCELLED,
    JobStatus.FAILED: QiskitJobStatus.ERROR,
}
"""QDMI's seven states in Qiskit's words."""

_JOBS: WeakValueDictionary[str, Any] = WeakValueDictionary()


def remember(job: Any) -> None:
    """Make a job of this process findable by its id, for as long as somebody holds it."""
    _JOBS[job.job_id()] = job


def recall(job_id: str) -> Any:
    """Return a job of this process.

    Raises:
        ConfigError: There is none of that id, or nobody holds it any more.
    """
    try:
        return _JOBS[job_id]
    except KeyError:
        raise ConfigError(
            f"no job {job_id!r} in this process: keep the job object, or check the id"
        ) from None


class QDMIJob(JobV1):
    """What `QDMIBackend.run` returns. One job id, however many device jobs it took."""

    def __init__(
        self,
        backend: BackendV2,
        run: Run,
        build: Callable[[Run, Sequence[Shots]], Result],
    ) -> None:
        super().__init__(backend, run.key)
        self._run, self._build = run, build
        self._result: Result | None = None
        remember(self)

    @property
    def device_job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return self._run.job_ids

    def submit(self) -> NoReturn:
        """Refuse: `QDMIBackend.run` has submitted the job already."""
        raise UnsupportedError(
            f"job {self.job_id()} was submitted by backend.run(): call that again for another job"
        )

    def status(self) -> QiskitJobStatus:
        """Return the state in Qiskit's words."""
        return QISKIT_STATUS[self._run.status()]

    def qdmi_status(self) -> JobStatus:
        """Return the state in QDMI's words."""
        return self._run.status()

    def wait(self, timeout: float | None = None) -> QiskitJobStatus:
        """Block until final or `timeout` seconds; the job goes on either way.

        Raises:
            TimeoutError: The job is not final.
        """
        return QISKIT_STATUS[self._run.wait(timeout)]

    def result(self, timeout: float | None = None, *, partial: bool = False) -> Result:
        """Wait for the outcome, at most `timeout` seconds.

        Args:
            timeout: Seconds.
            partial: Return what there is though some device job failed: an experiment without an
                outcome has `success=False` and the reason as its status.

        Raises:
            JobFailedError: The device ended the job without a result.
            TimeoutError: The job is not final; it goes on.
        """
        if self._result is not None:
            return self._result
        result = self._build(self._run, self._run.result(timeout, partial=partial))
        if not partial:
            self._result = result
        return result

    def cancel(self) -> bool:
        """Ask the device to stop; a job that is final stays as it is.

        Returns:
            Whether the job is canceled now.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        if not self._run.status().final:
            self._run.cancel()
        return self._run.status() is JobStatus.CANCELED
