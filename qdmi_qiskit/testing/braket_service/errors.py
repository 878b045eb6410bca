"""What the service answers when it refuses."""

from __future__ import annotations

from typing import Any

# Source: botocore 1.44.5, braket/2019-09-01/service-2.json, `httpStatusCode` of each exception.
STATUS = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "DeviceOfflineException": 424,
    "DeviceRetiredException": 410,
    "ExpiredTokenException": 403,
    "InternalServiceException": 500,
    "MissingAuthenticationTokenException": 403,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}


class ServiceError(Exception):
    """An error as the wire knows it: a name, a status and a sentence.

    Args:
        name: As in the header `x-amzn-ErrorType`, or the code of S3.
        message: The sentence.
        status: HTTP status; None: the one that belongs to the name.
        extra: Further members of the body.
    """

    def __init__(self, name: str, message: str, *, status: int | None = None, **extra: Any) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message, self.extra = name, message, extra
        self.status = STATUS.get(name, 400) if status is None else status


def invalid(message: str, **extra: Any) -> ServiceError:
    """Return the error for a request that makes no sense to the service."""
    return ServiceError("ValidationException", message, **extra)


def missing(message: str) -> ServiceError:
    """Return the error for what does not exist in this region."""
    return ServiceError("ResourceNotFoundException", message)
