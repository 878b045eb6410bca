"""A quantum task of Braket as a job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qdmi_qiskit.answers import outcome_size, understood
from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.braket.action import cost
from qdmi_qiskit.devices.braket.faults import anonymous, code
from qdmi_qiskit.devices.braket.figures import number, table
from qdmi_qiskit.devices.braket.results import Found, Part, fetch
from qdmi_qiskit.devices.braket.states import TASK, position
from qdmi_qiskit.devices.braket.transport import Transport
from qdmi_qiskit.errors import JobFailedError, QdmiError, UnavailableError
from qdmi_qiskit.model import JobStatus, Price, Shots

_logger = logging.getLogger(__name__)
_PATIENCE = 60.0  # seconds of steady looks before they grow rarer
_SLOWEST = 5.0
_LOST_LOOKS = 5
_MORE = 256  # bits of a shot beyond those that were asked for


class BraketJob(Job):
    """One task, which may be a program set.

    Attributes:
        price: The device's, from which the task's is told; None: it is not known.
    """

    def __init__(
        self,
        transport: Transport,
        arn: str,
        *,
        layout: Sequence[Part] | None = None,
        shots: int | None = None,
        price: Price | None = None,
        interval: float = 1.0,
        steady: bool = False,
    ) -> None:
        """Follow a task.

        Args:
            transport: To the task's region.
            arn: The task's ARN.
            layout: Which outcome is which; None: it is read from the programs.
            shots: Of all its executables; None: the service says.
            price: The device's, as of now.
            interval: Seconds between two looks.
            steady: Keep to the interval however long it takes.
        """
        self.id = arn
        self._transport, self._layout = transport, layout
        self.price, self._shots = price, shots
        self._interval, self._steady = interval, steady
        self._lock = threading.Lock()
        self._task: dict[str, Any] = {}
        self._status = JobStatus.CREATED
        self._found: Found | None = None

    def __repr__(self) -> str:
        return f"<BraketJob {anonymous(self.id)}>"

    def status(self) -> JobStatus:
        if not self._status.final:
            self.look()
        return self._status

    def look(self) -> dict[str, Any]:
        """Return what the service says of the task now."""
        task = self._transport.call(
            "get_quantum_task",
            "asking for a task",
            quantumTaskArn=self.id,
            additionalAttributeNames=["QueueInfo"],
        )
        word = str(task.get("status") or "NOT_SET")
        status = TASK.get(word)
        if status is None:
            _logger.warning("task %s is in state %r, which says nothing", anonymous(self.id), word)
        else:
            self._task = task
            if not self._status.final:
                self._status = status
        return task

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known so far: the price by the device's list, times, queue, how shots came."""
        task, found = self._task, self._found
        shots = self._shots or int(number(task.get("shots")) or 0)
        price = self.price
        times = {"submitted_at": task.get("createdAt"), "ended_at": task.get("endedAt")}
        ahead = None if self._status.final else position(task)
        return {
            **({} if price is None else {"price": cost(price, shots), "currency": price.currency}),
            **{key: at.isoformat() for key, at in times.items() if isinstance(at, datetime)},
            **({} if ahead is None else {"queue_position": ahead}),
            **({} if found is None else {"synthetic": found.synthetic, **found.told}),
            **({"tags": dict(tags)} if (tags := table(task.get("tags"))) else {}),
        }

    def wait(self, timeout: float | None = None) -> JobStatus:
        start, pause, lost = time.monotonic(), self._interval, 0
        while True:
            try:
                status, lost = self.status(), 0
            except UnavailableError:  # a look that failed says nothing about the task
                lost += 1
                if lost >= _LOST_LOOKS:
                    raise
                status = self._status
            if status.final:
                return status
            passed = time.monotonic() - start
            if timeout is not None and passed >= timeout:
                raise TimeoutError(
                    f"task {anonymous(self.id)} is still {status.value} after {timeout} s"
                )
            time.sleep(pause if timeout is None else min(pause, timeout - passed))
            if passed > _PATIENCE and not self._steady:
                pause = min(1.5 * pause, max(_SLOWEST, self._interval))

    def cancel(self) -> None:
        """Ask the service to stop. It may complete the task all the same, and charge for it."""
        if self.status().final:
            return
        try:
            self._transport.call("cancel_quantum_task", "cancelling a task", quantumTaskArn=self.id)
        except QdmiError as error:
            if error.__cause__ is None or code(error.__cause__) != "ConflictException":
                raise

    def result(self) -> tuple[Shots, ...]:
        """Return one entry per task.

        A program set that failed or was canceled keeps what it finished: of an executable that did
        not finish no shot is valid, and `Shots.failures` says why.
        """
        with self._lock:
            if self._found is None:
                self._found = self._fetched()
        return self._found.shots

    def _fetched(self) -> Found:
        status = self.status()
        task = self._task or self.look()
        kind = str(table(task.get("actionMetadata")).get("actionType"))
        if status is JobStatus.DONE or (status.final and kind.endswith("program_set")):
            missing = None if status is JobStatus.DONE else self._why(status, task)
            try:
                found = self._read(task, missing)
            except QdmiError as error:
                if status is JobStatus.DONE or isinstance(error, UnavailableError):
                    raise
            else:
                if any(shots.valid is None or shots.valid.any() for shots in found.shots):
                    return found
                reasons = [reason for shots in found.shots for reason in shots.failures.values()]
                raise self._failed(status, task, "; ".join(dict.fromkeys(reasons)))
        raise self._failed(status, task, "")

    def _failed(self, status: JobStatus, task: dict[str, Any], reasons: str) -> JobFailedError:
        return JobFailedError(self._why(status, task, reasons), job_id=self.id)

    def _why(self, status: JobStatus, task: dict[str, Any], reasons: str = "") -> str:
        said = anonymous(task.get("failureReason") or reasons or "no reason given")
        what = "was canceled" if status is JobStatus.CANCELED else "failed"
        return f"task {anonymous(self.id)} {what}: {said}"

    def _read(self, task: dict[str, Any], missing: str | None) -> Found:
        with understood("what the service says of the task"):
            bucket, folder = str(task["outputS3Bucket"]), str(task["outputS3Directory"])
            counted = table(task.get("actionMetadata")).get("executableCount")
            executables = None if counted is None else int(counted)
            shots = int(task["shots"])
        widths = [len(part.columns) for part in self._layout or ()]
        most = outcome_size(shots, max(widths, default=0) + _MORE)
        return fetch(
            lambda path: self._transport.read(bucket, f"{folder}/{path}", most),
            self._layout,
            shots,
            executables,
            missing,
        )
