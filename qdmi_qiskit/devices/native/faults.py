"""From QDMI's status codes to our errors; the code stays in the message and in `.status`."""

from __future__ import annotations

from typing import TypeVar

from qdmi_qiskit.devices.native.words import Status
from qdmi_qiskit.errors import (
    ConfigError,
    ProtocolError,
    QdmiError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)

E = TypeVar("E", bound=QdmiError)

_KINDS: dict[Status, type[QdmiError]] = {
    Status.ERROR_FATAL: UnavailableError,
    Status.ERROR_OUTOFMEM: UnavailableError,
    Status.ERROR_NOTIMPLEMENTED: UnsupportedError,
    Status.ERROR_LIBNOTFOUND: ConfigError,
    Status.ERROR_NOTFOUND: ConfigError,
    Status.ERROR_OUTOFRANGE: ProtocolError,
    Status.ERROR_INVALIDARGUMENT: ConfigError,
    Status.ERROR_PERMISSIONDENIED: ConfigError,
    Status.ERROR_NOTSUPPORTED: UnsupportedError,
    Status.ERROR_BADSTATE: ProtocolError,
    Status.ERROR_TIMEOUT: UnavailableError,
}

_FINE = (int(Status.SUCCESS), int(Status.WARN_GENERAL))

PROGRAM: dict[Status, type[QdmiError]] = {
    Status.ERROR_INVALIDARGUMENT: RejectedError,
    Status.ERROR_NOTSUPPORTED: RejectedError,
    Status.ERROR_BADSTATE: RejectedError,
    Status.ERROR_OUTOFRANGE: RejectedError,
}
"""What codes mean where a program was handed over."""


def said(code: int) -> str:
    """Return a code with its name.

    >>> said(-10), said(7)
    ('ERROR_BADSTATE (-10)', 'no QDMI status (7)')
    """
    try:
        return f"{Status(code).name} ({code})"
    except ValueError:
        return f"no QDMI status ({code})"


def failed(code: int) -> bool:
    """Whether a code is an error; a warning is none."""
    return code not in _FINE


def fault(code: int, what: str, kinds: dict[Status, type[QdmiError]] | None = None) -> QdmiError:
    """Return the error that a code means.

    Args:
        code: As the library returned it.
        what: What was asked of which library, a sentence without its end.
        kinds: Codes that mean something else here.
    """
    known = code in Status.__members__.values()
    table = _KINDS if kinds is None else {**_KINDS, **kinds}
    kind = table.get(Status(code), ProtocolError) if known else ProtocolError
    return marked(kind(f"{what}: the library answers {said(code)}"), code)


def marked(error: E, code: int) -> E:
    """Return an error that carries a status code in `.status`."""
    vars(error)["status"] = Status(code) if code in Status.__members__.values() else code
    return error
