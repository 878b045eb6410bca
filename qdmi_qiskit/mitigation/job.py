"""Work that needs several steps, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus

from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.job import remember


class MitigatedJob(BasePrimitiveJob[PrimitiveResult[Any], JobStatus]):
    """Calibration where it is needed, then one call of the inner primitive."""

    def __init__(
        self,
        work: Callable[[MitigatedJob], PrimitiveResult[Any]],
        job_id: str | None = None,
    ) -> None:
        super().__init__(job_id or uuid4().hex)
        self.inner: list[Any] = []
        """The jobs of the inner primitive so far: calibration, then the pubs."""
        self._future: Future[PrimitiveResult[Any]] = Future()
        self._canceled = False
        remember(self)
        name = f"qdmi-mitigate-{self.job_id()[:8]}"
        threading.Thread(target=self._work, args=[work], name=name, daemon=True).start()

    def _work(self, work: Callable[[MitigatedJob], PrimitiveResult[Any]]) -> None:
        try:
            self._future.set_result(work(self))
        except BaseException as error:  # noqa: BLE001 - result() raises it
            self._future.set_exception(error)

    def sent(self, job: Any) -> Any:
        """Remember a job of the inner primitive, wait, and return its result."""
        self.inner.append(job)
        if self._canceled:
            with suppress(Exception):
                job.cancel()
            raise JobFailedError(f"job {self.job_id()} was canceled", job_id=self.job_id())
        return job.result()

    def result(self, timeout: float | None = None) -> PrimitiveResult[Any]:
        """Wait for the outcome, at most `timeout` seconds.

        Raises:
            TimeoutError: It is not there yet; the job goes on.
        """
        try:
            return self._future.result(timeout)
        except FutureTimeoutError:
            if self._future.done():
                raise
            raise TimeoutError(
                f"job {self.job_id()} is not final after {timeout} s; it goes on"
            ) from None

    def status(self) -> JobStatus:
        """Return the state in Qiskit's words; that of the inner job while it runs."""
        if self._future.done():
            if self._future.exception() is None:
                return JobStatus.DONE
            return JobStatus.CANCELLED if self._canceled else JobStatus.ERROR
        if not self.inner:
            return JobStatus.INITIALIZING
        status: Any = self.inner[-1].status()
        running = status is JobStatus.RUNNING or status is JobStatus.DONE or len(self.inner) > 1
        return JobStatus.RUNNING if running else JobStatus.QUEUED

    def done(self) -> bool:
        """Return whether the job ended with a result."""
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        """Return whether it is under way."""
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Return whether it was canceled."""
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        """Return whether it ended."""
        return self._future.done()

    def cancel(self) -> bool:
        """Ask the inner job to stop; nothing more is sent."""
        if self._future.done():
            return self.cancelled()
        self._canceled = True
        return all(job.cancel() is not False for job in self.inner[-1:])
