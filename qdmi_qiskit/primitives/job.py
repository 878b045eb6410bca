"""The job that both primitives return."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus as QiskitJobStatus

from qdmi_qiskit import telemetry
from qdmi_qiskit.drift import note_another
from qdmi_qiskit.job import QISKIT_STATUS, Begin, Resumable, remember
from qdmi_qiskit.journal import Ledger
from qdmi_qiskit.model import JobStatus


class PrimitiveJob(Resumable, BasePrimitiveJob[PrimitiveResult[Any], QiskitJobStatus]):
    """Work on a device, and what to make of its outcome."""

    def __init__(self, begin: Begin, ledger: Ledger | None = None) -> None:
        """Begin work.

        Args:
            begin: Starts it, and returns what makes pub results of its outcome.
            ledger: Its page in the journal, if there is one.
        """
        super().__init__(uuid4().hex if ledger is None else ledger.id)
        self._start(begin, ledger)
        remember(self)

    def result(
        self, timeout: float | None = None, *, partial: bool = False
    ) -> PrimitiveResult[Any]:
        """Wait for the outcome, at most `timeout` seconds.

        Args:
            timeout: Seconds.
            partial: Return what there is though some of it failed: a pub that lost points says so
                in `metadata["failures"]`, from the point to the device's reason.

        Returns:
            One result per pub; `metadata["device_jobs"]` is what the vendor told of each job.

        Raises:
            JobFailedError: The device ended a job without a result.
            TimeoutError: Some job is not final; all go on.
        """
        if self._result is not None:
            kept: PrimitiveResult[Any] = self._result
            return kept
        with self._coming_back():
            outcome = self._work.result(timeout, partial=partial)
            with telemetry.span("postprocess"):
                pubs = self._build(outcome, partial=partial)
        metadata: dict[str, Any] = {"version": 2, "device_jobs": self._work.device_jobs}
        for pub in pubs:
            note_another(pub.metadata, metadata["device_jobs"])
        result = PrimitiveResult(pubs, metadata=metadata)
        if not partial:
            self._result = result
            self._over()
        return result

    def status(self) -> QiskitJobStatus:
        """Return the state in Qiskit's words."""
        return QISKIT_STATUS[self._work.status()]

    def done(self) -> bool:
        """Return whether the job ended with a result."""
        return self._work.status() is JobStatus.DONE

    def running(self) -> bool:
        """Return whether the device executes the job now."""
        return self._work.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Return whether the job was canceled."""
        return self._work.status() is JobStatus.CANCELED

    def in_final_state(self) -> bool:
        """Return whether the state can no longer change."""
        return self._work.status().final

    def cancel(self) -> bool:
        """Ask the device to stop; a job that is final stays as it is.

        Returns:
            Whether the job is canceled now.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        if not self._work.status().final:
            self._work.cancel()
        return self._work.status() is JobStatus.CANCELED
