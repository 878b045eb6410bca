"""A job on an IQM server."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any
from urllib.parse import quote

from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.iqm.outcome import Reading, read, readings_from
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import JobStatus, Shots

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


class IQMJob(Job):
    """Circuits that run as one job. The server keeps it; so it is found again by id."""

    def __init__(
        self,
        wire: Wire,
        data: Mapping[str, Any],
        readings: Sequence[Reading] | None = None,
        calibration_set: str | None = None,
    ) -> None:
        """Follow a job.

        Args:
            wire: To the server.
            data: What the server last said of the job.
            readings: How to read its outcome; found out if not given.
            calibration_set: With which it should run.
        """
        self.id = str(data["id"])
        self._wire, self._readings, self._calibration_set = wire, readings, calibration_set
        self._path = f"jobs/{quote(self.id, safe='')}"
        self._lock = Lock()
        self._data: Mapping[str, Any] = data
        self._status = JobStatus.SUBMITTED
        self._outcome: tuple[Shots, ...] | None = None
        self._asked = 0.0
        self._learn(data)

    def __repr__(self) -> str:
        return f"<IQMJob {self.id}: {self._status.value}>"

    def _learn(self, data: Any) -> JobStatus:
        """Take note of what the server says; a final status stays."""
        if isinstance(data, Mapping) and data.get("id"):
            word = str(data.get("status"))
            status = STATUS.get(word.strip().lower().replace(" ", "_"))
            with self._lock:
                if self._status.final:
                    return self._status
                self._data, self._asked = data, time.monotonic()
                if status is None:
                    _log.warning("job %s: IQM's status %r is not known here", self.id, word)
                else:
                    self._status = status
            if self._status.final:
                self._compare_calibration()
        return self._status

    def _compare_calibration(self) -> None:
        used = self.metadata["calibration_set"]
        if used is not None and self._calibration_set not in (None, used):
            _log.warning(
                "job %s ran with calibration set %s, although %s was asked for",
                self.id,
                used,
                self._calibration_set,
            )

    @property
    def metadata(self) -> dict[str, Any]:
        """What the server last said beyond the status; asks nothing.

        `queue_position`, `progress` (of each stage, 0 to 1), `runtime` and `runtime_estimate` in
        seconds, `calibration_set`, `tag`, `messages`, `timeline`. None where it is not known.
        """
        data = self._data
        compilation = data.get("compilation") or {}
        stages = (data.get("execution") or {}).get("progress") or {}
        return {
            "queue_position": data.get("queue_position"),
            "progress": {name: _share(stage) for name, stage in stages.items()},
            "runtime": _seconds(data.get("runtime_ms")),
            "runtime_estimate": _seconds(compilation.get("execution_runtime_estimate_ms")),
            "calibration_set": compilation.get("calibration_set_id"),
            "tag": data.get("tag"),
            "messages": [_words(each) for each in data.get("messages") or ()],
            "timeline": list(data.get("timeline") or ()),
        }

    def status(self) -> JobStatus:
        if self._status.final or time.monotonic() - self._asked < _FRESH:
            return self._status
        return self._learn(self._wire.get(self._path)[0])

    def wait(self, timeout: float | None = None) -> JobStatus:
        end = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not self._status.final:
            left = _LONG_POLL if end is None else max(end - time.monotonic(), 0.0)
            begun = time.monotonic()
            self._poll(int(min(left, _LONG_POLL)))
            if self._status.final:
                break
            now = time.monotonic()
            if end is not None and now >= end:
                raise TimeoutError(f"job {self.id} is still {self._status.value} after {timeout} s")
            if now - begun < 1.0:  # a server that does not hold its answers back
                time.sleep(pause if end is None else min(pause, end - now))
                pause = min(2 * pause, _LONGEST_PAUSE)
        return self._status

    def _poll(self, seconds: int) -> None:
        query = {"wait_until_terminal": "true", "timeout_seconds": seconds} if seconds else None
        self._learn(self._wire.get(self._path, query, patience=seconds)[0])

    def cancel(self) -> None:
        if not self._status.final:
            ended = ("illegal_job_status", 409)
            self._learn(self._wire.post_again(f"{self._path}/cancel", ignored=ended)[0])

    def result(self) -> tuple[Shots, ...]:
        status = self.status()
        if status is not JobStatus.DONE:
            raise JobFailedError(f"job {self.id} {self._why(status)}", job_id=self.id)
        with self._lock:
            if self._outcome is None:
                outcome, _ = self._wire.get(f"{self._path}/artifacts/measurements")
                readings = self._readings
                if readings is None:
                    payload, _ = self._wire.get(f"{self._path}/payload", optional=True)
                    readings = readings_from(payload, outcome)
                self._outcome = read(outcome, readings)
            return self._outcome

    def _why(self, status: JobStatus) -> str:
        if status is JobStatus.CANCELED:
            return "was canceled"
        if status is not JobStatus.FAILED:
            return f"is {status.value}: wait() for it first"
        errors = [_words(each) for each in self._data.get("errors") or ()]
        messages = self.metadata["messages"]
        return f"failed on IQM: {'; '.join(errors or messages) or 'no reason given'}"


def _words(said: Any) -> str:
    if not isinstance(said, Mapping):
        return str(said)
    code = said.get("error_code")
    return f"{said.get('message')}{f' [{code}]' if code else ''}"


def _share(stage: Any) -> float | None:
    try:
        return float(stage["value"]) / float(stage["max_value"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None
