"""A job on an IQM server: what it says, how to wait for it, what it measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any
from urllib.parse import quote

from qdmi_qiskit.answers import LARGEST, understood
from qdmi_qiskit.devices.iqm.facts import facts, words
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import JobStatus

_log = logging.getLogger(__name__)

_RUNNING = (
    *("processing", "running", "accepted", "compiled", "pending_compilation"),
    *("validation_started", "validation_ended", "pending_execution"),
    *("fetch_calibration_started", "fetch_calibration_ended"),
    *("compilation_started", "compilation_ended"),
    *("save_sweep_metadata_started", "save_sweep_metadata_ended"),
    *("execution_started", "execution_ended"),
    *("post_processing_pending", "post_processing_started", "post_processing_ended"),
)
STATUS: Mapping[str, JobStatus] = {
    "created": JobStatus.SUBMITTED,
    "received": JobStatus.SUBMITTED,
    "queued": JobStatus.QUEUED,
    "waiting": JobStatus.QUEUED,
    **dict.fromkeys(_RUNNING, JobStatus.RUNNING),
    "ready": JobStatus.DONE,
    "completed": JobStatus.DONE,
    "aborted": JobStatus.CANCELED,
    "cancelled": JobStatus.CANCELED,
    "canceled": JobStatus.CANCELED,
    "failed": JobStatus.FAILED,
}
"""IQM's words in QDMI's. Source: the paper's Table III, and the five states of API v1."""

_LONG_POLL = 30  # seconds, the server's most
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_FRESH = 0.1  # seconds for which an answer holds: requests are limited, and loops are fast


class Posted:
    """One job of the server's. Safe to use from several threads."""

    def __init__(
        self,
        wire: Wire,
        data: Mapping[str, Any],
        calibration_set: str | None = None,
        circuits: int | None = None,
    ) -> None:
        """Follow a job.

        Args:
            wire: To the server.
            data: What the server last said of the job.
            calibration_set: With which it should run, if that is known.
            circuits: How many it has, if that is known.
        """
        with understood("what the server says of a job"):
            self.id = str(data["id"])
        self.circuits = circuits
        self._wire, self._calibration_set = wire, calibration_set
        self._path = f"jobs/{quote(self.id, safe='')}"
        self._lock = Lock()
        self._data: Mapping[str, Any] = data
        self._asked = 0.0
        self.status = JobStatus.SUBMITTED
        self._learn(data)

    def _learn(self, data: Any) -> JobStatus:
        """Take note of what the server says; a final status stays."""
        if isinstance(data, Mapping) and data.get("id"):
            word = str(data.get("status"))
            status = STATUS.get(word.strip().lower().replace(" ", "_"))
            with self._lock:
                if self.status.final:
                    return self.status
                self._data, self._asked = data, time.monotonic()
                if status is None:
                    _log.warning("job %s: IQM's status %r is not known here", self.id, word)
                else:
                    self.status = status
            if self.status.final and (other := self._other_set()):
                _log.warning("job %s %s", self.id, other)
        return self.status

    def _other_set(self) -> str:
        used = self.facts.get("calibration")
        if used is None or self._calibration_set in (None, used):
            return ""
        return f"ran with calibration set {used}, although {self._calibration_set} was asked for"

    @property
    def facts(self) -> dict[str, Any]:
        """What the server last said beyond the status; asks nothing."""
        with suppress(ProtocolError), understood("the state of a job"):
            return facts(self._data)
        return {}  # what nobody understands harms no job

    @property
    def warnings(self) -> list[str]:
        """What is not as it was asked for."""
        other = self._other_set()
        return [f"the job {other}"] if other else []

    def ask(self) -> JobStatus:
        """Return the status; asks the server unless it said so a moment ago."""
        if self.status.final or time.monotonic() - self._asked < _FRESH:
            return self.status
        return self._learn(self._wire.get(self._path)[0])

    def wait(self, end: float | None) -> bool:
        """Wait until the job is final, or the monotonic clock shows `end`; return whether it is."""
        pause = _FIRST_PAUSE
        while not self.status.final:
            left = _LONG_POLL if end is None else max(end - time.monotonic(), 0.0)
            begun = time.monotonic()
            self._poll(int(min(left, _LONG_POLL)))
            if self.status.final:
                break
            now = time.monotonic()
            if end is not None and now >= end:
                return False
            if now - begun < 1.0:  # a server that does not hold its answers back
                time.sleep(pause if end is None else min(pause, end - now))
                pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    def _poll(self, seconds: int) -> None:
        query = {"wait_until_terminal": "true", "timeout_seconds": seconds} if seconds else None
        self._learn(self._wire.get(self._path, query, patience=seconds)[0])

    def cancel(self) -> JobStatus:
        """Ask the server to stop; one that is over stays as it is."""
        if not self.status.final:
            ended = ("illegal_job_status", 409)
            self._learn(self._wire.post_again(f"{self._path}/cancel", ignored=ended)[0])
        return self.status

    def measurements(self, most: int = LARGEST) -> Any:
        """Return the outcome, a table for each circuit; refuse one of more than `most` bytes."""
        return self._wire.get(f"{self._path}/artifacts/measurements", most=most)[0]

    def kept(self, most: int = LARGEST) -> Any:
        """Return what a job measured before it was canceled, as far as the server keeps that.

        Asks once more how the job is: it may have gone on for a moment after the cancellation.

        Returns:
            As `measurements`; None if there is nothing.
        """
        said = self._wire.get(self._path, optional=True)[0]
        if isinstance(said, Mapping) and said.get("id"):
            with self._lock:
                self._data = said
        listed: Any = self._data.get("artifacts")
        kinds = [each.get("type") for each in listed or () if isinstance(each, Mapping)]
        if "measurements" not in kinds:
            return None
        path = f"{self._path}/artifacts/measurements"
        return self._wire.get(path, optional=True, most=most)[0]

    def payload(self) -> Any:
        """Return what was submitted; None where the server no longer has it."""
        return self._wire.get(f"{self._path}/payload", optional=True)[0]

    def why(self) -> str:
        """Return in a few words why there is no outcome."""
        if not self.status.final:
            return f"is {self.status.value}: wait() for it first"
        listed: Any = self._data.get("errors")
        errors = [words(each) for each in (listed if isinstance(listed, list) else ())]
        said = "; ".join(errors or self.facts.get("messages", ()))
        if self.status is JobStatus.CANCELED:
            return f"was canceled on IQM: {said}" if said else "was canceled"
        return f"failed on IQM: {said or 'no reason given'}"
