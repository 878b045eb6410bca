"""HTTP/1.1 on loopback: requests read whole, answers with an exact length, faults in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import cast
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from qdmi_qiskit.testing.braket_service.faults import Fault
from qdmi_qiskit.testing.loopback import LoopbackServer, cut

# Source: Signature Version 4; the region of a request is in nothing but its credential scope.
_SCOPE = re.compile(r"Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
_GARBAGE = b"<html><body>not what you asked for</body></html>"
IDLE = 60.0  # seconds after which an idle connection is closed


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is decoded whole: clients differ in what of an ARN they encode.

    Attributes:
        region: Of the credential scope; empty if the request is not signed.
        service: `braket`, `s3` or `sts`, of the credential scope.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    access_key: str = ""
    region: str = ""
    service: str = ""


@dataclass(slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Request], tuple[Response, Fault | None]]


class Server(LoopbackServer):
    """The service's port.

    Args:
        port: 0: the system chooses.
        answer: Returns an answer and the fault to apply to it.
    """

    def __init__(self, port: int, answer: Answer) -> None:
        self.answer = answer
        super().__init__(port, Handler)


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the server for the answer, writes it."""

    protocol_version = "HTTP/1.1"
    server_version = "Server"
    timeout = IDLE
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Print nothing."""

    def serve(self) -> None:
        """Answer one request."""
        server = cast("Server", self.server)
        response, fault = server.answer(self._read())
        if fault is not None and fault.kind in ("drop", "drop after"):
            self._hang_up()
            return
        body, whole = response.body, len(response.body)
        if fault is not None and fault.kind in ("cut", "shorten"):
            body = body[: int(len(body) * fault.keep)]
            whole = whole if fault.kind == "cut" else len(body)
        if fault is not None and fault.kind == "garble":
            body, whole = _GARBAGE, len(_GARBAGE)
        self.send_response(response.status)
        number = str(uuid4())
        self.send_header("x-amzn-RequestId", number)
        self.send_header("x-amz-request-id", number)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if fault is not None and fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        if response.status != 204:
            self.send_header("Content-Length", str(whole))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        if fault is not None and fault.kind == "cut":
            self._hang_up()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = serve  # noqa: N815

    def handle_expect_100(self) -> bool:
        """Ask for the body at once; the answer must not wait in the buffer."""
        found = super().handle_expect_100()
        self.wfile.flush()
        return found

    def _hang_up(self) -> None:
        """Close the connection."""
        self.close_connection = True
        cut(self.connection)

    def _read(self) -> Request:
        """Read the request to its end, so that the connection can be kept."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, text = self.path.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = _chunks(self.rfile.readline, self.rfile.read)
        else:
            body = self.rfile.read(int(headers.get("content-length", "0")))
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
            body = _unframed(body)
        signed = headers.get("authorization", "")
        if "X-Amz-Credential" in query:
            signed = f"Credential={query['X-Amz-Credential']}"
        scope = _SCOPE.search(signed)
        key, _, region, service = scope.groups() if scope else ("", "", "", "")
        return Request(self.command, unquote(path), query, headers, body, key, region, service)


def _chunks(line: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    """Read a chunked body; sizes may carry extensions, trailers are dropped."""
    parts = []
    while size := int(line().split(b";")[0] or b"0", 16):
        parts.append(read(size))
        line()
    while line().strip():
        pass
    return b"".join(parts)


def _unframed(body: bytes) -> bytes:
    """Take `aws-chunked` frames off a body."""
    parts, rest = [], body
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        if not (size := int(head.split(b";")[0], 16)):
            break
        parts.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(parts)
