"""The IQM Server's HTTP: one connection pool, retries of what is safe, our errors.

A request that only reads is repeated after a throttle, a broken line, half an answer or a 5xx.
The request that submits is repeated only if the server said that it did nothing (429, or 401
and a newer token), or if not a byte went out: IQM has no idempotency key, a second job would be
run and billed.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from qdmi_qiskit.answers import LARGEST, TooLongError, loads, taken
from qdmi_qiskit.devices.iqm.auth import Tokens
from qdmi_qiskit.devices.iqm.refusals import Refusal, refusal
from qdmi_qiskit.errors import ProtocolError, QdmiError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.pace import Width, pause, retry_after

_log = logging.getLogger(__name__)

ATTEMPTS, FIRST_ATTEMPTS = 8, 4  # the latter until the server has answered once
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_BLOCK = 0.25, 10.0, 120.0
_CONNECT, _BRIEFLY = 10.0, 5.0
_CONNECTIONS = 16
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

Answer = tuple[Any, Mapping[str, str]]


class Wire:
    """JSON over one `requests.Session`. Safe to use from several threads."""

    def __init__(self, url: str, tokens: Tokens, timeout: float) -> None:
        self._url, self._tokens, self._timeout = url, tokens, timeout
        self._root = f"{url}/api/v1/"
        self._reached = False
        self.width = Width(_CONNECTIONS)
        self._session = requests.Session()
        self._session.auth = tokens
        self._session.headers.update(
            {
                "Accept": "application/json",
                "User-Agent": f"qdmi_qiskit, python {platform.python_version()}",
            }
        )
        # Requests that the server holds back take a connection each, but no width.
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=2 * _CONNECTIONS)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def __repr__(self) -> str:
        return f"Wire({self._root!r})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        patience: float = 0.0,
        optional: bool = False,
        briefly: bool = False,
        most: int = LARGEST,
    ) -> Answer:
        """Read JSON; tries again where that may help.

        Args:
            path: Below `/api/v1/`, or below the server if it begins with a slash.
            query: Parameters.
            patience: Seconds that the server may hold the answer back.
            optional: Return None where the server has no such thing (404).
            briefly: Try once, and not for long: the answer can be done without.
            most: Bytes that the answer may have.

        Raises:
            TooLongError: It has more.
            QdmiError: One of `refusals`, or `UnavailableError` when all attempts failed.
        """
        ignored = (404,) if optional else ()
        return self._safely("GET", path, query, patience, ignored, most, briefly)

    def post_again(self, path: str, *, ignored: Collection[int | str] = ()) -> Answer:
        """POST what has the same effect however often it arrives, such as a cancellation.

        Args:
            path: Below `/api/v1/`.
            ignored: HTTP statuses and IQM's codes that mean None rather than an error.
        """
        return self._safely("POST", path, None, 0.0, ignored)

    def _safely(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        patience: float,
        ignored: Collection[int | str],
        most: int = LARGEST,
        briefly: bool = False,
    ) -> Answer:
        renewed, attempts = False, ATTEMPTS if self._reached else FIRST_ATTEMPTS
        timeout = (_BRIEFLY, _BRIEFLY) if briefly else None
        for attempt in range(attempts):
            last = briefly or attempt == attempts - 1
            try:
                reply = self._send(method, path, query, None, patience, most, timeout)
                if reply.status_code < 300:
                    self._reached = True
                    return _json(reply), reply.headers
            except (requests.ConnectionError, requests.Timeout) as error:
                problem: QdmiError = self._unreachable(error)
            except requests.RequestException as error:
                problem = UnavailableError(f"the IQM server's answer broke off ({path}): {error}")
            else:
                if reply.status_code == 401 and not renewed:
                    renewed = True
                    self._tokens.forget()
                    continue
                found = self._refused(reply)
                if {reply.status_code, found.code} & set(ignored):
                    return None, reply.headers
                problem = found.error
                if reply.status_code not in _TRANSIENT:
                    raise problem
                if not last and _pause(attempt, reply, problem):
                    continue
                raise problem
            if last:
                raise problem
            _log.debug("%s %s failed (%s), trying again", method, path, problem)
            _pause(attempt)
        raise ProtocolError(f"no answer to {path}")  # pragma: no cover - the loop returns

    def submit(self, path: str, query: Mapping[str, Any], body: bytes, look: str) -> Any:
        """POST a job once.

        Args:
            path: Below `/api/v1/`.
            query: Parameters.
            body: JSON.
            look: What to do where nobody knows whether the job exists.

        Raises:
            UnavailableError: Nothing was queued.
            SubmitUnknownError: The job may exist; the message ends with `look`.
            QdmiError: One of `refusals`: nothing was queued.
        """
        renewed = False
        for attempt in range(ATTEMPTS):
            try:
                reply = self._send("POST", path, query, body)
                if reply.status_code < 300:
                    return _json(reply)
            except TooLongError as error:
                raise self._unknown(look, str(error)) from error
            except requests.RequestException as error:
                if not _nothing_was_sent(error):
                    raise self._unknown(look, str(error)) from error
                if attempt == ATTEMPTS - 1:
                    raise self._unreachable(error) from error
                _pause(attempt)
                continue
            if reply.status_code == 401 and not renewed:
                renewed = True
                self._tokens.forget()
                continue
            found = self._refused(reply)
            if reply.status_code == 429:
                if attempt < ATTEMPTS - 1 and _pause(attempt, reply, found.error):
                    continue
                raise found.error
            if reply.status_code == 408 or (
                reply.status_code >= 500 and not (reply.status_code == 503 and found.spoken)
            ):
                raise self._unknown(look, str(found.error))
            raise found.error
        raise ProtocolError(f"no answer to {path}")  # pragma: no cover - the loop returns

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: bytes | None,
        patience: float = 0.0,
        most: int = LARGEST,
        timeout: tuple[float, float] | None = None,
    ) -> _Reply:
        headers = {} if body is None else {"Content-Type": "application/json; charset=UTF-8"}

        def send() -> _Reply:
            reply = self._session.request(
                method,
                self._url + path if path.startswith("/") else self._root + path,
                params=query,
                data=body,
                headers=headers,
                timeout=timeout or (_CONNECT, self._timeout + patience),
                allow_redirects=False,  # a token goes to the server that was named, and no other
                stream=True,
            )
            with closing(reply):
                pieces = reply.iter_content(1 << 14)
                content = taken(
                    lambda _: next(pieces, b""), most, f"the IQM server's answer ({path})"
                )
            return _Reply(reply.status_code, reply.headers, content)

        if patience:  # most of the time it waits: others need not
            reply = send()
            if reply.status_code == 429:
                self.width.narrow()
            return reply
        with self.width.call() as call:
            try:
                reply = send()
            except BaseException:
                call.failed()
                raise
            if reply.status_code == 429:
                call.throttled()
            return reply

    def _refused(self, reply: _Reply) -> Refusal:
        text = reply.content[:2000].decode(errors="replace")
        return refusal(reply.status_code, self._tokens.hidden(text))

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            f"the IQM server {self._root} cannot be reached: {self._tokens.hidden(str(error))}"
        )

    def _unknown(self, look: str, why: str) -> SubmitUnknownError:
        return SubmitUnknownError(
            f"the connection to {self._url} broke after the job was sent "
            f"({self._tokens.hidden(why)}), so it may be queued: {look}"
        )


class _Reply(NamedTuple):
    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _HalfAnswerError(requests.RequestException):
    """A success without its whole body."""


def _json(reply: _Reply) -> Any:
    try:
        return loads(reply.content) if reply.content else None
    except (ValueError, RecursionError) as error:
        raise _HalfAnswerError(f"half an answer: {error}") from error


def _nothing_was_sent(error: requests.RequestException) -> bool:
    """Whether no connection was made at all."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError):
        reason = reason.reason
    return isinstance(reason, NewConnectionError)


def _pause(attempt: int, reply: _Reply | None = None, problem: QdmiError | None = None) -> bool:
    """Wait before the next attempt; False if the server wants more than is reasonable."""
    asked = None if reply is None else retry_after(reply.headers.get("Retry-After"))
    if asked is not None and asked > _LONGEST_BLOCK:
        return False
    seconds = pause(attempt, _FIRST_PAUSE, _LONGEST_PAUSE, asked)
    _log.debug("waiting %.2f s (%s)", seconds, problem)
    time.sleep(seconds)
    return True
