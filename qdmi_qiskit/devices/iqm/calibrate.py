"""Calibration runs: a site lets its machine calibrate itself.

They have endpoints of their own, older than API v1 and found at on-premises servers only.
Source: the paper, section III.C; QDMI-on-IQM 1.5, `iqm_api_config.cpp`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from qdmi_qiskit.devices.iqm.posted import STATUS
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import (
    JobFailedError,
    ProtocolError,
    SubmitUnknownError,
    UnsupportedError,
)
from qdmi_qiskit.model import JobStatus

_RUNS = "/cocos/api/v4/calibration/runs"
_LOOK = "ask the site whether a calibration is running before you start another"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0


class CalibrationRun:
    """A calibration under way. Its result is the id of a calibration set, not shots.

    Attributes:
        id: The server's.
    """

    def __init__(self, wire: Wire, run_id: str) -> None:
        """Follow a run."""
        self.id, self._wire = run_id, wire
        self._path = f"{_RUNS}/{quote(run_id, safe='')}"
        self._data: Mapping[str, Any] = {}
        self._status = JobStatus.SUBMITTED

    def __repr__(self) -> str:
        return f"<CalibrationRun {self.id}: {self._status.value}>"

    def status(self) -> JobStatus:
        """Ask the server."""
        if not self._status.final:
            data, _ = self._wire.get(f"{self._path}/status")
            self._data = data if isinstance(data, Mapping) else {}
            word = str(self._data.get("status")).strip().lower().replace(" ", "_")
            self._status = STATUS.get(word, self._status)
        return self._status

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until final or `timeout` seconds.

        Raises:
            TimeoutError: It is not final, and goes on.
        """
        end, pause = None if timeout is None else time.monotonic() + timeout, _FIRST_PAUSE
        while not self.status().final:
            left = _LONGEST_PAUSE if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"calibration {self.id} is not over after {timeout} s")
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, _LONGEST_PAUSE)
        return self._status

    def cancel(self) -> None:
        """Ask the machine to stop; no effect on a run that is over."""
        if not self._status.final:
            self._wire.post_again(f"{self._path}/abort", ignored=("illegal_job_status", 409))

    def result(self) -> str:
        """Wait, and return the id of the new calibration set.

        Raises:
            JobFailedError: There is none.
        """
        status = self.wait()
        outcome = self._data.get("result") or {}
        found = outcome.get("calibration_set_id")
        if status is JobStatus.DONE and outcome.get("success") is not False and found:
            return str(found)
        why = outcome.get("calibration_error") or status.value
        raise JobFailedError(f"calibration {self.id} made no set: {why}", job_id=self.id)


def started(wire: Wire, procedure: Mapping[str, Any]) -> CalibrationRun:
    """Start a run.

    Raises:
        UnsupportedError: The server runs no calibrations.
    """
    health, _ = wire.get("/cocos/health", optional=True)
    if health is None:
        raise UnsupportedError("this IQM server lets nobody calibrate: ask the site to")
    body = json.dumps({"procedure_config": dict(procedure)}).encode()
    answer = wire.submit(_RUNS, {}, body, _LOOK)
    if answer is None:
        raise SubmitUnknownError(f"the server gave no id of the calibration: {_LOOK}")
    if not isinstance(answer, Mapping) or not answer.get("id"):
        raise ProtocolError("the server started a calibration but gave no id: report it")
    return CalibrationRun(wire, str(answer["id"]))
