"""Bearer tokens: dummies that are worth nothing anywhere else."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from qdmi_qiskit.testing.iqm_server.replies import Refusal


@dataclass(slots=True)
class Token:
    """One token, of use until it expires or is revoked."""

    text: str
    expires: float
    created: float = field(default_factory=time.time)
    id: UUID = field(default_factory=uuid4)
    revoked: float | None = None
    activated: float | None = field(default_factory=time.time)
    refresh: str | None = None
    refresh_expires: float = 0.0

    def describe(self) -> dict[str, Any]:
        """Return what the server tells about it."""
        found: dict[str, Any] = {
            "id": str(self.id),
            "created_at": _time(self.created),
            "expires_at": _time(self.expires),
            "activated_at": None if self.activated is None else _time(self.activated),
            "last_characters": self.text[-4:],
            "refresh_token": None,
        }
        if self.refresh is not None:
            found["refresh_token"] = {"expires_at": _time(self.refresh_expires)}
        return found


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Tokens:
    """The tokens of a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: list[Token] = []

    def issue(
        self, seconds: float = 3600.0, *, refreshable: bool = False, active: bool = True
    ) -> Token:
        """Return a new token.

        Its text has three parts, the second of which says in plain sight when it expires, because
        iqm-client accepts nothing else from a file. Nothing is signed.
        """
        expires = time.time() + seconds
        claims = {"exp": int(expires), "for": "the loopback server only"}
        middle = base64.b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        token = Token(f"loopback.{middle}.{uuid4().hex[:8]}", expires)
        if refreshable:
            token.refresh, token.refresh_expires = f"refresh-{uuid4().hex[:8]}", expires + seconds
        if not active:
            token.activated = None
        with self._lock:
            self._known.append(token)
        return token

    def expire(self, text: str | None = None) -> None:
        """Let one token, or all of them, expire now."""
        with self._lock:
            for token in self._known:
                if text in (None, token.text):
                    token.expires = min(token.expires, time.time())

    def check(self, header: str | None) -> Token:
        """Return the token of an `Authorization` header.

        Raises:
            Refusal: It is missing, unknown or of no more use.
        """
        if header is None:
            raise Refusal(401, "unauthorized", "no bearer token was sent")
        scheme, _, text = header.partition(" ")
        with self._lock:
            for token in self._known:
                if scheme == "Bearer" and token.text == text:
                    if token.revoked is None and token.activated and token.expires > time.time():
                        return token
                    raise Refusal(401, "unauthorized", "the token has expired")
        raise Refusal(401, "unauthorized", "the token is not known")

    def active(self) -> list[dict[str, Any]]:
        """Describe the tokens that are of use."""
        with self._lock:
            return [
                token.describe()
                for token in self._known
                if token.revoked is None and token.activated and token.expires > time.time()
            ]

    def refreshed(self, header: str | None, seconds: float, *, active: bool) -> dict[str, Any]:
        """Return a new token for a refresh token, which then is spent.

        Raises:
            Refusal: The header has no refresh token that is of use.
        """
        with self._lock:
            old = self._by_refresh(header)
            if active:
                old.refresh = None
        token = self.issue(seconds, refreshable=True, active=active)
        return {
            "activated": active,
            "metadata": token.describe(),
            "refresh_token": token.refresh,
            "token": token.text,
        }

    def activate(self, header: str | None, text: str) -> dict[str, Any]:
        """Activate a token that was issued for later; the refresh token is spent.

        Raises:
            Refusal: The header has no refresh token of use, or the token is not known.
        """
        with self._lock:
            old = self._by_refresh(header)
            for token in self._known:
                if token.text == text:
                    token.activated = token.activated or time.time()
                    old.refresh = None
                    return {"activated_at": _time(token.activated)}
        raise Refusal(400, "invalid_input", "the token is not known")

    def revoke(self, token_id: str) -> dict[str, Any]:
        """Revoke a token and its refresh token.

        Raises:
            Refusal: There is no such token.
        """
        with self._lock:
            for token in self._known:
                if str(token.id) == token_id:
                    token.revoked, token.refresh = token.revoked or time.time(), None
                    return {"revoked_at": _time(token.revoked)}
        raise Refusal(403, "forbidden", "there is no such token")

    def _by_refresh(self, header: str | None) -> Token:
        for token in self._known:
            if token.refresh is not None and header == f"Bearer {token.refresh}":
                if token.refresh_expires > time.time():
                    return token
                break
        raise Refusal(401, "unauthorized", "wanted a refresh token that is of use")


def write_tokens_file(path: Path, token: Token) -> None:
    """Write the file that IQM's own tool writes, in one step."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"access_token": token.text}))
    fresh.replace(path)
