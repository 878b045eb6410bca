"""HTTP/1.1 with keep-alive on a loopback port, and the ways in which it can fail."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.faults import Fault, Faults
from qdmi_qiskit.testing.iqm_server.replies import Refusal, Reply
from qdmi_qiskit.testing.iqm_server.routes import Request, Service
from qdmi_qiskit.testing.loopback import LoopbackServer, cut

_GARBAGE = b"<html><body>200 Not What You Wanted</body></html>"
_COMPRESSED_FROM = 1400


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came in.

    Attributes:
        method: `GET`, `POST`, `DELETE`.
        path: Without the query.
        query: As sent, without the question mark.
        status: What was answered; None where the connection was dropped instead.
        fault: The fault that hit it.
    """

    method: str
    path: str
    query: str
    status: int | None
    fault: str | None


class Log:
    """What came in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._connections = 0

    def add(self, seen: Seen) -> None:
        """Note a request."""
        with self._lock:
            self._seen.append(seen)

    def connected(self) -> None:
        """Note a connection."""
        with self._lock:
            self._connections += 1

    def clear(self) -> None:
        """Forget the requests and connections so far."""
        with self._lock:
            self._seen.clear()
            self._connections = 0

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests in the order of their answers."""
        with self._lock:
            return tuple(self._seen)

    @property
    def connections(self) -> int:
        """How many connections were made."""
        with self._lock:
            return self._connections


class Listener(LoopbackServer):
    """The server's port; it listens at once."""

    def __init__(
        self, port: int, service: Service, faults: Faults, log: Log, behaviour: Behaviour
    ) -> None:
        self.service, self.faults, self.log, self.behaviour = service, faults, log, behaviour
        super().__init__(port, _Handler)
        self._thread = threading.Thread(target=self._serve, name="iqm-loopback-http", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self.serve_forever(poll_interval=0.05)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count a connection and give it its thread."""
        self.log.connected()
        super().process_request(request, client_address)

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        self.shutdown()
        self._thread.join(10)
        self.server_close()
        self.hang_up()


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "IQMLoopback"
    disable_nagle_algorithm = True
    timeout = 120

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Print nothing."""

    def _handle(self) -> None:
        fault = self.server.faults.take(self.command, self.path.partition("?")[0])
        kind = None if fault is None else fault.kind
        if kind == "drop_before":
            self._drop(kind)
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > self.server.behaviour.max_body:
            self._discard(length)
            self._send(_too_large(length, self.server.behaviour.max_body), kind)
            return
        body = self.rfile.read(length)
        if fault is not None and kind in ("throttle", "error"):
            self._send(_refused(fault), kind)
            return
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        headers = {name.title(): value for name, value in self.headers.items()}
        answer = self.server.service.answer(Request(self.command, self.path, headers, body))
        if kind == "drop_after":
            self._drop(kind)
            return
        if kind == "garbage":
            answer = Reply(200, _GARBAGE, {"Content-Type": "application/json"})
        self._send(answer, kind)

    def _discard(self, length: int) -> None:
        while length > 0 and (chunk := self.rfile.read(min(length, 1 << 20))):
            length -= len(chunk)

    def _note(self, status: int | None, kind: str | None) -> None:
        # Before the answer: who has the answer finds the request in the log.
        path, _, query = self.path.partition("?")
        self.server.log.add(Seen(self.command, path, query, status, kind))

    def _send(self, answer: Reply, kind: str | None) -> None:
        self._note(answer.status, kind)
        half = kind == "truncate"
        body = answer.body
        headers = dict(answer.headers)
        limit = self.server.behaviour.rate_limit
        headers["RateLimit-Limit"] = str(limit)
        headers["RateLimit-Remaining"] = str(max(0, limit - len(self.server.log.requests)))
        if len(body) > _COMPRESSED_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        if half:
            self.close_connection = True
        with contextlib.suppress(OSError):
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)

    def _drop(self, kind: str) -> None:
        """End the connection without a word."""
        self._note(None, kind)
        self.close_connection = True
        cut(self.connection)


def _refused(fault: Fault) -> Reply:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    if fault.kind == "throttle":
        return Refusal(429, "rate_limit_exceeded", "too many requests", headers).reply()
    return Refusal(fault.status, "internal_error", "a fault on demand", headers).reply()


def _too_large(length: int, most: int) -> Reply:
    code = "request_payload_too_large"
    return Refusal(413, code, f"{length} bytes, at most {most}").reply()
