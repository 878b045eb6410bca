"""A server of `responses`: canned answers, requests counted."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import quote

import requests
import responses

from qdmi_qiskit.devices.iqm import driver
from tests.iqm import recorded
from tests.iqm.wires import sampled

URL = "http://127.0.0.1:9"
API = f"{URL}/api/v1"
TOKEN = "dummy-token-for-tests"  # noqa: S105 - a dummy


class Served:
    """One quantum computer that answers at once, unless told otherwise."""

    def __init__(self, mock, kind="garnet", *, raw=None, limits=None, computers=None):
        self.mock, self.bodies, self.urls = mock, [], []
        self.counts = Counter()
        self.raw = raw or {"garnet": recorded.garnet, "star": recorded.star}[kind]()
        self.default = self.raw
        self.computers = computers or [
            {"id": recorded.QC_ID, "alias": kind, "display_name": kind, "proxy_path": None}
        ]
        self.limits = {"max_executions_per_job": 100_000} if limits is None else limits
        self.status, self.shots = "completed", None
        place = quote(kind, safe="")
        qc = f"{API}/quantum-computers/{place}"
        self.sets = f"{API}/calibration-sets/{place}"
        self.jobs = f"{API}/jobs"
        self.answer("GET", f"{API}/quantum-computers", {"quantum_computers": self.computers})
        self.answer(
            "GET",
            f"{qc}/artifacts/static-quantum-architectures",
            [{"dut_label": "M000_W0_A00", "qubits": [], "computational_resonators": []}],
        )
        self.answer("GET", f"{qc}/limits", lambda _: self.limits)
        self.answer("GET", f"{qc}/health", {"healthy": True, "updated_at": None})
        self.answer("GET", f"{qc}/queue-availability", {"queue_length": 3, "available": []})
        self.calibration("default", lambda: self.default)
        self.calibration(recorded.SET, lambda: self.raw)
        self.answer("POST", f"{self.jobs}/{place}/circuit", self._submitted)
        job = f"{self.jobs}/{recorded.JOB}"
        self.answer("GET", job, lambda _: recorded.job(self.status))
        self.answer("GET", f"{job}/payload", lambda _: self.bodies[-1])
        self.answer("GET", f"{job}/artifacts/measurements", self._measured)
        self.answer("POST", f"{job}/cancel", lambda _: recorded.job("cancelled"))

    def calibration(self, which, raw):
        metrics, settings = recorded.figures(raw())
        base = f"{self.sets}/{which}"
        self.answer("GET", f"{base}/dynamic-quantum-architecture", lambda _: raw())
        self.answer("GET", f"{base}/metrics", metrics)
        self.answer("GET", base, settings)

    def answer(self, method, url, body, status=200, headers=None):
        """Answer with a value, or with what a function of the request returns."""

        def reply(request):
            self.counts[method, request.url.split("?")[0].removeprefix(API)] += 1
            self.urls.append(request.url)
            found = body(request) if callable(body) else body
            if isinstance(found, tuple):
                return found
            return status, headers or {}, json.dumps(found)

        self.mock.add_callback(method, url, callback=reply, content_type="application/json")

    def instead(self, method, path, replies):
        """Give each of `replies` once, then go on as before.

        A reply is `(status, headers, body)`, an exception, or None for the usual answer.
        """
        url = f"{API}{path}"
        usual = [each for each in self.mock.registered() if each.url == url]
        waiting = list(replies)

        def reply(request):
            self.counts[method, path] += 1
            found = waiting.pop(0) if waiting else None
            if isinstance(found, Exception):
                raise found
            if found is not None:
                return found
            self.counts[method, path] -= 1
            return usual[0].callback(request)

        for each in usual:
            self.mock.remove(each)
        self.mock.add_callback(method, url, callback=reply, content_type="application/json")

    def _submitted(self, request):
        self.bodies.append(json.loads(request.body))
        self.counts["posted"] += 1
        return 201, {}, json.dumps(recorded.job("waiting", queue_position=2))

    def _measured(self, _request):
        body = self.bodies[-1]
        shots = body["shots"] if self.shots is None else self.shots
        return [sampled(circuit, shots) for circuit in body["circuits"]]

    def open(self, locator="", **options):
        return driver.open(locator, url=URL, **options)


def broken():
    """The line breaks after the request went out."""
    return requests.ConnectionError("('Connection aborted.', RemoteDisconnected(...))")


def error(status, message="no", code="", **headers):
    body = json.dumps({"message": message, "error_code": code, "request_id": "r-1"})
    return status, headers, body


__all__ = ["API", "TOKEN", "URL", "Served", "broken", "error", "responses"]
