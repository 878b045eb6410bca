"""Calibration runs: the older endpoints by which a site lets a machine calibrate itself.

Source: QDMI-on-IQM 1.5 (`iqm_api_config.cpp`, `iqm_device.cpp` and its tests). They know one
machine only, which is the first here.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.calibration import Calibration
from qdmi_qiskit.testing.iqm_server.machine import Machine
from qdmi_qiskit.testing.iqm_server.replies import Refusal, Reply, reply

PREFIX = "/cocos/"
_RUNS = "api/v4/calibration/runs"


@dataclass(eq=False)
class Run:
    """One calibration run; it is over when somebody looks late enough."""

    config: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid4()))
    begun: float = field(default_factory=time.monotonic)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    found: Calibration | None = None
    aborted: bool = False

    def describe(self) -> dict[str, Any]:
        """Return what the server says of it."""
        status = "aborted" if self.aborted else "running" if self.found is None else "ready"
        result = None
        if self.found is not None:
            result = {
                "success": True,
                "calibration_set_id": str(self.found.id),
                "calibration_observations_tag": f"loopback_{self.found.number}",
                "calibration_error": None,
                "base_run_id": None,
            }
        return {
            "status": status,
            "result": result,
            "start_time": self.started.isoformat(),
            "end_time": None if self.ended is None else self.ended.isoformat(),
            "run_config": self.config,
        }


class CalibrationRuns:
    """The runs of a server."""

    def __init__(self, machine: Machine, behaviour: Behaviour) -> None:
        self._machine, self._behaviour = machine, behaviour
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """Return the answer to a request below `PREFIX`.

        Raises:
            Refusal: The request is refused, or calibration runs are.
        """
        path = path.removeprefix(PREFIX)
        if not self._behaviour.calibration_runs:
            raise Refusal(404, "not_found", "no calibration runs here")
        if (method, path) == ("GET", "health"):
            services = [{"name": "CoCoS", "status": "alive"}]
            return reply({"services": services, "warnings": []})
        if (method, path) == ("POST", _RUNS):
            return self._start(body)
        run_id, _, what = path.removeprefix(_RUNS + "/").partition("/")
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or (method, what) not in (("GET", "status"), ("POST", "abort")):
                raise Refusal(404, "not_found", f"no {method} {PREFIX}{path}")
            self._settle(run)
            if what == "abort":
                if run.ended is not None:
                    raise Refusal(403, "illegal_job_status", f"run {run_id} is over")
                run.aborted, run.ended = True, datetime.now(UTC)
            return reply(run.describe())

    def _start(self, body: bytes) -> Reply:
        try:
            config = json.loads(body)
        except ValueError as error:
            raise Refusal(400, "invalid_input", f"the body is not JSON: {error}") from error
        if not isinstance(config, dict) or "procedure_config" not in config:
            raise Refusal(400, "invalid_input", "wanted an object with procedure_config")
        run = Run(config)
        with self._lock:
            self._runs[run.id] = run
        return reply({"id": run.id})

    def _settle(self, run: Run) -> None:
        late = time.monotonic() >= run.begun + self._behaviour.calibration_seconds
        if late and run.ended is None:
            run.found = self._machine.recalibrate(self._machine.chips[0], has_metrics=True)
            run.ended = datetime.now(UTC)
