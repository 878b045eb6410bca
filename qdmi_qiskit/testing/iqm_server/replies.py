"""What the server answers, and how it says no."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

SERVER = "iqm-server"
STATION = "iqm-station-control"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer in JSON; NaN and infinity stay bare, as on the real wire.

    >>> reply([1.0, float("nan")]).body
    b'[1.0,NaN]'
    """
    body = json.dumps(content, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


class Refusal(Exception):  # noqa: N818
    """The request is refused at once, with an HTTP status and a code of the OpenAPI document."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers

    def reply(self) -> Reply:
        """Return the answer that says so."""
        content = {
            "message": str(self),
            "error_code": self.code,
            "source": SERVER,
            "request_id": str(uuid4()),
        }
        return reply(content, self.status, self.headers)


class JobError(Exception):
    """The job was accepted, and fails: what the station, not the server, finds."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def entry(self) -> dict[str, str]:
        """Return the entry in the job's list of errors."""
        return {"message": str(self), "error_code": self.code, "source": STATION}
