"""What an IQM server says no with, in our errors.

Source: the error codes of the IQM Server API v1, `{"message", "error_code", "request_id"}`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from qdmi_qiskit.answers import loads
from qdmi_qiskit.errors import ConfigError, QdmiError, RejectedError, UnavailableError


class TooLargeError(RejectedError):
    """The server takes no submission of that many bytes; nothing was queued."""


_BY_CODE: dict[str, tuple[type[QdmiError], str]] = {
    "unauthorized": (ConfigError, "check the token"),
    "forbidden": (ConfigError, "check what this account may do"),
    "rate_limit_exceeded": (UnavailableError, "wait and try again"),
    "quota_exceeded": (UnavailableError, "the account's quota is used up"),
    "not_enough_credits": (UnavailableError, "buy credits, or ask for fewer shots"),
    "request_payload_too_large": (TooLargeError, "send fewer or smaller circuits in one run"),
    "timeslot_required": (
        ConfigError,
        "this device runs jobs in booked time slots only: book one and open with use_timeslot=True",
    ),
    "no_booked_timeslots": (
        UnavailableError,
        "book a time slot, or open without use_timeslot",
    ),
    "unsupported_job_type": (ConfigError, "this device runs no circuits"),
    "invalid_job_payload": (RejectedError, "fix the circuit"),
    "invalid_input": (RejectedError, "fix the circuit"),
    "illegal_job_status": (ConfigError, "the job is in no state for that"),
    "job_not_found": (ConfigError, "check the id; it may have been deleted"),
    "job_artifact_not_found": (ConfigError, "the job has no such outcome"),
    "qc_not_found": (ConfigError, "check the name of the quantum computer"),
    "calibration_set_not_found": (
        ConfigError,
        "backend.refresh() moves to the present one; transpile again after it",
    ),
    "quality_metrics_not_found": (ConfigError, "the calibration set has no figures"),
}
_BY_STATUS: dict[int, type[QdmiError]] = {
    400: RejectedError,
    401: ConfigError,
    403: ConfigError,
    404: ConfigError,
    405: ConfigError,
    409: RejectedError,
    413: TooLargeError,
    422: RejectedError,
}


@dataclass(frozen=True)
class Refusal:
    """A server's no.

    Attributes:
        error: Ours.
        code: IQM's, such as `"illegal_job_status"`; empty if there is none.
        spoken: Whether the IQM server itself said so, rather than something on the way: gateways
            say `{"message": ...}` as well, but know no code and no request of IQM's.
    """

    error: QdmiError
    code: str
    spoken: bool


def refusal(status: int, text: str) -> Refusal:
    """Translate an answer that is no success.

    Args:
        status: Of HTTP.
        text: The body, without secrets.
    """
    message, code, request = _said(text)
    kind = _BY_STATUS.get(status, UnavailableError if status >= 429 else ConfigError)
    hint = ""
    if code in _BY_CODE:
        kind, hint = _BY_CODE[code]
    elif status == 401:
        hint = "check the token"
    words = message or text.strip()[:200] or "no reason given"
    tail = f" [{code or status}{f', request {request}' if request else ''}]"
    error = kind(f"IQM: {words}{tail}{f': {hint}' if hint else ''}")
    return Refusal(error, code, bool(message and (code or request)))


def _said(text: str) -> tuple[str, str, str]:
    try:
        body = loads(text)
    except (ValueError, RecursionError):
        return "", "", ""
    if not isinstance(body, dict):
        return "", "", ""
    message = body.get("message") or body.get("detail") or ""
    if not isinstance(message, str):
        message = json.dumps(message)
    return message, str(body.get("error_code") or ""), str(body.get("request_id") or "")
