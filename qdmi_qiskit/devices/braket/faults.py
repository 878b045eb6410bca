"""What goes wrong on the wire, in our words.

Messages carry the service's words but no account: task ARNs and S3 paths are cut to what
identifies them to their owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as wire

from qdmi_qiskit.answers import utf8
from qdmi_qiskit.errors import (
    ConfigError,
    QdmiError,
    RejectedError,
    UnavailableError,
)
from qdmi_qiskit.pace import retry_after as seconds_asked
from qdmi_qiskit.secret import redacted

_ACCOUNT = re.compile(r"(arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}(?=:)|(?<![\w.-])\d{12}(?![\w.-])")
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown")
_SERVER = ("InternalServiceException", "InternalError", "InternalFailure", "ServiceUnavailable")
_REFUSED = ("ValidationException", "ValidationError")
_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


class BrokenAnswerError(wire.HTTPClientError):
    """An answer that is none: half of it, or something that is no answer of the service's."""

    fmt = "the answer is broken: {error}"


def anonymous(text: object) -> str:
    """Return a message without account numbers, tokens and signatures.

    >>> anonymous("arn:aws:braket:us-east-1:123456789012:quantum-task/1-2 failed")
    'arn:aws:braket:us-east-1:***:quantum-task/1-2 failed'
    """
    return redacted(_ACCOUNT.sub(lambda found: f"{found[1] or ''}***", utf8(text)))


def code(error: BaseException) -> str:
    """Return the service's name of an error; empty if the service did not answer."""
    if not isinstance(error, wire.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def _http_status(error: BaseException) -> int:
    if not isinstance(error, wire.ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def unnamed(error: BaseException) -> bool:
    """Whether a refusal lost its reason on the way: botocore has a number there, or nothing.

    Who is not let in, or finds nothing, is refused by proxies as well, and for good.
    """
    if not isinstance(error, wire.ClientError) or _http_status(error) in (401, 403, 404):
        return False
    name = code(error)
    return not name or name.isdigit()


def passing(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    if isinstance(error, wire.ClientError):
        return code(error) in _THROTTLED + _SERVER or _http_status(error) in (
            429,
            500,
            502,
            503,
            504,
        )
    return isinstance(error, wire.HTTPClientError | wire.ConnectionError | wire.IncompleteReadError)


def throttled(error: BaseException) -> bool:
    """Whether the service wants to be asked less."""
    return code(error) in _THROTTLED or _http_status(error) == 429


def retry_after(error: BaseException) -> float | None:
    """Return the seconds after which the service wants to be asked again, if it said so."""
    if not isinstance(error, wire.ClientError):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return seconds_asked(headers.get("retry-after"))


def unanswered(error: BaseException) -> bool:
    """Whether the service may have acted, though it did not say so.

    A throttled call was not acted upon; nor was one whose connection was never made.
    """
    if isinstance(error, wire.ClientError):
        return passing(error) and code(error) not in _THROTTLED and _http_status(error) != 429
    never = wire.EndpointConnectionError | wire.ConnectTimeoutError | wire.ProxyConnectionError
    return passing(error) and not isinstance(error, never)


def translated(error: Exception, what: str) -> QdmiError:
    """Return our error for one of botocore's; `what` says what was tried."""
    name, said = code(error), anonymous(error)
    error.args = tuple(anonymous(each) for each in error.args)  # a traceback shows it too
    if isinstance(error, wire.ClientError):
        said = anonymous(error.response.get("Error", {}).get("Message") or name)
        if name in _REFUSED:
            return RejectedError(f"{what}: Braket refused it: {said}{_per_program(error.response)}")
        if name in _DENIED or _http_status(error) in (401, 403):
            return ConfigError(
                f"{what}: AWS refused the credentials or their rights ({name}): {said}"
            )
        if name == "DeviceRetiredException":
            return ConfigError(f"{what}: the device is retired ({said}); choose another")
        if name in ("ResourceNotFoundException", "NoSuchBucket", "NoSuchKey", "404"):
            return ConfigError(f"{what}: there is no such thing in this region or account: {said}")
        return UnavailableError(f"{what}: {name or 'an error'}: {said}; try again later")
    if isinstance(error, wire.NoCredentialsError | wire.PartialCredentialsError):
        return ConfigError(
            f"{what}: AWS finds no credentials; set AWS_PROFILE or run 'aws configure'"
        )
    if isinstance(error, wire.NoRegionError):
        return ConfigError(f"{what}: no region is known; give region='us-east-1' or set AWS_REGION")
    if isinstance(error, wire.ParamValidationError):
        return ConfigError(f"{what}: {said}")
    if passing(error):
        return UnavailableError(f"{what}: the service cannot be reached: {said}")
    return ConfigError(f"{what}: {said}")


def _per_program(response: Any) -> str:
    failures = response.get("programSetValidationFailures") or []
    told = [
        f"program {each.get('programIndex')}"
        + (f" inputs {each['inputsIndex']}" if each.get("inputsIndex") is not None else "")
        + f": {', '.join(map(str, each.get('errors') or []))}"
        for each in failures[:5]
    ]
    return f" ({anonymous('; '.join(told))})" if told else ""


@contextmanager
def wire_errors(what: str) -> Iterator[None]:
    """Translate what botocore raises."""
    try:
        yield
    except (wire.BotoCoreError, wire.ClientError) as error:
        raise translated(error, what) from error
