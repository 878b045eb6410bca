"""The endpoints of IQM Server's API, version 1, as far as circuits need them.

Source: what iqm-client 36 asks for, and the OpenAPI document behind the generated client in
qiskit-community/qrmi. Which code refuses a job over the limits is not documented: it is
`invalid_job_payload` here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

from qdmi_qiskit.testing.iqm_server import machine as machines
from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.calibration import Calibration
from qdmi_qiskit.testing.iqm_server.chips import Chip, qc_id
from qdmi_qiskit.testing.iqm_server.jobs import Job, Worker
from qdmi_qiskit.testing.iqm_server.machine import Machine
from qdmi_qiskit.testing.iqm_server.observations import (
    calibration_set,
    dynamic_architecture,
    metric_set,
    static_architecture,
)
from qdmi_qiskit.testing.iqm_server.payload import Payload, parse
from qdmi_qiskit.testing.iqm_server.recalibration import PREFIX as OLD_PREFIX
from qdmi_qiskit.testing.iqm_server.recalibration import CalibrationRuns
from qdmi_qiskit.testing.iqm_server.replies import Refusal, Reply, reply
from qdmi_qiskit.testing.iqm_server.timeslots import Timeslots
from qdmi_qiskit.testing.iqm_server.token_routes import token_reply
from qdmi_qiskit.testing.iqm_server.tokens import Tokens

PREFIX = "/api/v1/"
MAX_WAIT = 30
_DEFAULT_WAIT = 10


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as the endpoints see it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    path: str = field(init=False)
    query: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        object.__setattr__(self, "path", unquote(parts.path))
        object.__setattr__(self, "query", {k: v[-1] for k, v in parse_qs(parts.query).items()})


class Service:
    """Answers requests. Knows nothing of sockets."""

    def __init__(
        self, machine: Machine, worker: Worker, tokens: Tokens, behaviour: Behaviour
    ) -> None:
        self._machine, self._worker = machine, worker
        self._tokens, self._behaviour = tokens, behaviour
        self._timeslots = Timeslots()
        self._runs = CalibrationRuns(machine, behaviour)
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = [
            (method, re.compile(pattern), handler)
            for method, pattern, handler in (
                ("GET", r"about", self._about),
                ("GET", r"quantum-computers", self._list),
                ("GET", r"quantum-computers/([^/]+)/health", self._health),
                ("GET", r"quantum-computers/([^/]+)/queue-availability", self._queue),
                ("GET", r"quantum-computers/([^/]+)/limits", self._limits),
                ("GET|POST", r"quantum-computers/([^/]+)/timeslots", self._slots),
                ("GET", r"quantum-computers/([^/]+)/artifacts/([^/]+)", self._artifact),
                ("GET", r"calibration-sets/([^/]+)/([^/]+)", self._calibration),
                ("GET", r"calibration-sets/([^/]+)/([^/]+)/([^/]+)", self._calibration),
                ("POST", r"jobs/([^/]+)/cancel", self._cancel),
                ("POST", r"jobs/([^/]+)/([^/]+)", self._submit),
                ("GET", r"jobs/([^/]+)", self._job),
                ("DELETE", r"jobs/([^/]+)", self._delete),
                ("GET", r"jobs/([^/]+)/payload", self._payload),
                ("GET", r"jobs/([^/]+)/artifacts/([^/]+)", self._results),
            )
        ]

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request, whatever it is."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.reply()

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith(OLD_PREFIX):
            self._tokens.check(request.headers.get("Authorization"))
            return self._runs.answer(request.method, request.path, request.body)
        if not request.path.startswith(PREFIX):
            raise Refusal(404, "not_found", f"no {request.path}")
        path = request.path.removeprefix(PREFIX)
        authorization = request.headers.get("Authorization")
        found = token_reply(self._tokens, request.method, path, authorization, request.body)
        if found is not None:
            return found
        self._tokens.check(authorization)
        methods = []
        for method, pattern, handler in self._routes:
            if match := pattern.fullmatch(path):
                if request.method in method.split("|"):
                    return handler(request, *match.groups())
                methods.append(method)
        if methods:
            allowed = {"Allow": methods[0].replace("|", ", ")}
            raise Refusal(405, "method_not_allowed", f"{request.method} {path}", allowed)
        raise Refusal(404, "not_found", f"no {request.path}")

    def _chip(self, name: str) -> Chip:
        found = self._machine.find(name)
        if found is None:
            raise Refusal(404, "qc_not_found", f"no quantum computer {name!r}")
        return found

    def _found(self, name: str) -> Job:
        try:
            found = self._worker.find(UUID(name))
        except ValueError:
            raise Refusal(400, "invalid_input", f"job id {name!r} is no UUID") from None
        if found is None:
            raise Refusal(404, "job_not_found", f"no job {name}")
        return found

    def _about(self, request: Request) -> Reply:
        return reply({"iqm_server": True, "version": "loopback"})

    def _list(self, request: Request) -> Reply:
        listed = [
            {
                "id": str(qc_id(chip)),
                "alias": chip.alias,
                "display_name": chip.display_name,
                "proxy_path": None,
                "station_control_version": "loopback",
            }
            for chip in self._machine.chips
        ]
        return reply({"quantum_computers": listed})

    def _health(self, request: Request, name: str) -> Reply:
        self._chip(name)
        now = datetime.now(UTC).isoformat()
        return reply({"healthy": self._behaviour.healthy, "updated_at": now})

    def _queue(self, request: Request, name: str) -> Reply:
        waiting = self._worker.waiting(self._chip(name))
        return reply({"queue_length": waiting, "available": self._timeslots.open_hours()})

    def _limits(self, request: Request, name: str) -> Reply:
        self._chip(name)
        behaviour = self._behaviour
        found: dict[str, int | None] = {
            "max_executions_per_job": behaviour.max_executions,
            "max_instructions_per_circuit": behaviour.max_instructions,
            "max_circuits_per_job": behaviour.max_circuits,
            "max_shots_per_circuit": behaviour.max_shots,
        }
        return reply({key: value for key, value in found.items() if value is not None})

    def _slots(self, request: Request, name: str) -> Reply:
        chip = self._chip(name)
        if request.method == "POST":
            return reply(self._timeslots.book(chip, request.body), 201)
        return reply(self._timeslots.listed(chip))

    def _artifact(self, request: Request, name: str, kind: str) -> Reply:
        chip = self._chip(name)
        if kind == "static-quantum-architectures":
            return reply(static_architecture(chip))
        if kind == "about":
            return reply({"version": "loopback", "software_versions": {"iqm-loopback": "1"}})
        raise Refusal(404, "qc_artifact_not_found", f"no artifact {kind!r}")

    def _calibration(self, request: Request, name: str, number: str, part: str = "") -> Reply:
        found = self._machine.calibration(self._chip(name), number)
        if found is None:
            raise Refusal(404, "calibration_set_not_found", f"no calibration set {number!r}")
        parts: dict[str, Callable[[Calibration], dict[str, Any]]] = {
            "": calibration_set,
            "dynamic-quantum-architecture": dynamic_architecture,
            "metrics": metric_set,
        }
        if part not in parts:
            raise Refusal(404, "not_found", f"no {request.path}")
        if part == "metrics" and not found.has_metrics:
            raise Refusal(404, "quality_metrics_not_found", f"no metrics of set {number!r}")
        return reply(parts[part](found))

    def _submit(self, request: Request, name: str, kind: str) -> Reply:
        chip = self._chip(name)
        if kind != "circuit":
            raise Refusal(400, "unsupported_job_type", f"no jobs of type {kind!r} here")
        tag = request.query.get("tag")
        if tag is not None and len(tag) > 50:
            raise Refusal(400, "invalid_input", f"tag has {len(tag)} characters, at most 50")
        timeslot = _boolean(request, "use_timeslot")
        if timeslot and not self._timeslots.booked(chip):
            raise Refusal(403, "no_booked_timeslots", f"no timeslot on {chip.alias} is booked")
        if self._behaviour.timeslot_required and not timeslot:
            raise Refusal(403, "timeslot_required", f"{chip.alias} takes jobs in timeslots only")
        if "json" not in request.headers.get("Content-Type", ""):
            raise Refusal(400, "invalid_input", "the body's Content-Type is not application/json")
        payload = parse(request.body)
        self._check_limits(payload)
        job = Job(chip, payload, request.body, tag, timeslot)
        self._worker.add(job)
        return reply(self._worker.describe(job), 201)

    def _check_limits(self, payload: Payload) -> None:
        behaviour = self._behaviour
        circuits, shots = len(payload.circuits), payload.shots
        longest = max(len(circuit.instructions) for circuit in payload.circuits)
        for what, got, most in (
            ("circuits", circuits, behaviour.max_circuits),
            ("shots", shots, behaviour.max_shots),
            ("executions (circuits x shots)", circuits * shots, behaviour.max_executions),
            ("instructions in a circuit", longest, behaviour.max_instructions),
        ):
            if most is not None and got > most:
                raise Refusal(400, "invalid_job_payload", f"{got} {what}, at most {most}")

    def _job(self, request: Request, name: str) -> Reply:
        job = self._found(name)
        headers = {}
        if _boolean(request, "wait_until_terminal"):
            text = request.query.get("timeout_seconds", str(_DEFAULT_WAIT))
            if not text.isdecimal() or int(text) > MAX_WAIT:
                raise Refusal(400, "invalid_input", f"timeout_seconds={text}, at most {MAX_WAIT}")
            if not self._worker.wait(job, int(text)):
                headers["IQM-Long-Poll-Timed-Out"] = "true"
        return reply(self._worker.describe(job), headers=headers)

    def _cancel(self, request: Request, name: str) -> Reply:
        job = self._found(name)
        if not self._worker.cancel(job):
            raise Refusal(403, "illegal_job_status", f"job {name} is {job.status} already")
        return reply(self._worker.describe(job))

    def _delete(self, request: Request, name: str) -> Reply:
        self._worker.delete(self._found(name))
        return Reply(204)

    def _payload(self, request: Request, name: str) -> Reply:
        headers = {"Content-Type": "application/json", "IQM-Job-Type": "circuit"}
        return Reply(200, self._found(name).body, headers)

    def _results(self, request: Request, name: str, kind: str) -> Reply:
        job = self._found(name)
        forms = {"measurements": machines.measurements, "measurement_counts": machines.counts}
        if job.outcomes is None or kind not in forms:
            raise Refusal(404, "job_artifact_not_found", f"job {name} has no {kind!r}")
        order = self._behaviour.key_order
        return reply([forms[kind](outcome, order) for outcome in job.outcomes])


def _boolean(request: Request, name: str) -> bool:
    text = request.query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refusal(400, "invalid_input", f"{name}={text}, wanted true or false")
    return text == "true"
