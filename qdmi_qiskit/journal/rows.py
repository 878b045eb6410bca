"""What the journal says of runs and chunks, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.model import JobStatus

_Known = TypeVar("_Known", bound=Enum)


class Step(Enum):
    """How far a chunk is.

    On a device that knows keys again a chunk goes from `PLANNED` to `SENT`: its key was written
    before the first byte, so sending it twice makes one job.
    """

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A run in the journal.

    Attributes:
        id: Our id; `provider.job(id)` returns the job.
        kind: `"backend"`, `"sampler"` or `"estimator"`.
        backend: The name that the backend was asked for.
        device: What it means, `scheme:locator`.
        state: As far as the journal knows; the device is not asked.
        created: When the user called.
        tags: What the user said.
        chunks: How many device jobs are planned so far.
        sent: How many of them the device has, or has had.
        done: How many outcomes are in the journal.
        reason: Why it failed.
        number: Of the row.
        trace: The W3C trace context that it began with, as JSON.
    """

    id: str
    kind: str
    backend: str
    device: str
    state: JobStatus
    created: datetime
    tags: tuple[str, ...]
    chunks: int
    sent: int
    done: int
    reason: str | None = None
    number: int = 0
    trace: str | None = None


@dataclass(slots=True)
class ChunkRow:
    """One device job of a run.

    Attributes:
        key: Under which it is sent.
        step: How far it is.
        fingerprint: Tells whether another plan has the same chunk here.
        attempt: How often it has failed and was sent again.
        job: The vendor's id.
        reason: Why it failed.
        facts: What the vendor told of the job.
        sent: When the vendor had taken it, by our clock.
        ended: When its outcome was here, or it failed, by our clock.
    """

    key: str
    step: Step
    fingerprint: bytes
    attempt: int = 0
    job: str | None = None
    reason: str | None = None
    facts: Mapping[str, Any] | None = None
    sent: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run needs to begin anew.

    Attributes:
        opening: How to open its device: JSON without secrets.
        spec: The snapshot that it was planned for, JSON.
        call: What the user handed over, beside the circuits: a packed blob.
        circuits: Packed QPY; None if they cannot be written.
    """

    opening: Mapping[str, Any]
    spec: str
    call: bytes
    circuits: bytes | None


@dataclass(frozen=True, slots=True)
class Intent:
    """What to do with a run that is in the journal already.

    Attributes:
        sends: Send what was not sent; else only look.
        failed: Send again what failed.
        found: For keys whose submission has an unknown outcome: the vendor's id that the user
            found.
        absent: Such keys of which the user knows that there is no job.
    """

    sends: bool = False
    failed: bool = False
    found: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()


def state_of(text: object) -> JobStatus:
    """Return a state.

    Raises:
        JournalError: It is none.
    """
    return _one_of(JobStatus, text, "state")


def step_of(text: object) -> Step:
    """Return a step.

    Raises:
        JournalError: It is none.
    """
    return _one_of(Step, text, "step")


def _one_of(known: type[_Known], text: object, kind: str) -> _Known:
    try:
        return known(text)
    except ValueError:
        raise JournalError(f"a record of the journal is damaged: no {kind} {text!r}") from None


def time_of(seconds: object) -> datetime:
    """Return a moment.

    Raises:
        JournalError: It is none.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        raise JournalError(f"a record of the journal is damaged: no time {seconds!r}") from None
