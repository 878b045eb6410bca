"""Everything that can go wrong, grouped by what the caller can do about it.

* QdmiError
  x ConfigError         fix the name, profile, option or argument
  x MissingPluginError  install the extra named in the message
  x UnsupportedError    ask the device for something else
  x RejectedError       fix the program: sending it again will fail again
  x UnavailableError    try again later; nothing was queued
  x SubmitUnknownError  the line broke during submit: look before sending again
  x JobFailedError      read `.job_id` and the vendor's words
  x ProtocolError       the vendor or the plug-in broke the contract: report it
  x JournalError        the record of runs cannot be read or written: move or free its file

Each class also derives from the built-in that a generic handler would catch.
A wait that takes too long raises the built-in `TimeoutError`; the job keeps running.
"""

from __future__ import annotations

from collections.abc import Iterable


class QdmiError(Exception):
    """Base of every error this package raises on purpose."""

    retryable = False
    """Whether the same call may succeed later without any change."""


class ConfigError(QdmiError, ValueError):
    """A name, profile, option or argument is wrong."""


class MissingPluginError(QdmiError, ImportError):
    """A plug-in's own dependency is missing."""


class UnsupportedError(QdmiError, NotImplementedError):
    """The device does not offer this; its capabilities say so."""


class RejectedError(QdmiError, ValueError):
    """The device refused the program, or would."""


class UnavailableError(QdmiError, ConnectionError):
    """The device or its service cannot be reached now; nothing was queued."""

    retryable = True


class SubmitUnknownError(QdmiError, ConnectionError):
    """The connection broke while submitting: the job may or may not exist."""


class JobFailedError(QdmiError, RuntimeError):
    """The device ended the job without a result.

    Attributes:
        job_id: The vendor's id of the job.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id

    def __reduce__(self) -> tuple[object, ...]:
        return _job_failed, (str(self), self.job_id)


class ProtocolError(QdmiError, RuntimeError):
    """A plug-in or its vendor returned something outside the contract."""


class JournalError(QdmiError, OSError):
    """The journal of runs cannot be read or written; jobs on devices are not concerned."""


def _job_failed(message: str, job_id: str) -> JobFailedError:
    return JobFailedError(message, job_id=job_id)


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the nearest of `known`, else what is known.

    >>> did_you_mean("sots", ["shots", "seed"])
    "; did you mean 'shots'?"
    >>> did_you_mean("zzz", ["shots", "seed"])
    '; known: seed, shots'
    """
    from difflib import get_close_matches  # only whoever errs needs it

    names = sorted(known)
    near = get_close_matches(got.lower(), names, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names) or 'none'}"
