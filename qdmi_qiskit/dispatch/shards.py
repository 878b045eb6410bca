"""One part of one pub at one member, and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import uuid4

from qiskit.providers import JobStatus

from qdmi_qiskit.errors import JobFailedError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.parts import numbered


class State(Enum):
    """Where a shard is. All but the first four are final."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"
    """Not wanted any more, and the device could not be told: it may run, and cost."""
    UNKNOWN = "unknown"
    """Whether it was taken, or how it ended, is not known; it is never sent again."""

    @property
    def final(self) -> bool:
        """Whether the state can no longer change."""
        return self not in (State.PENDING, State.SUBMITTED, State.QUEUED, State.RUNNING)


@dataclass
class Shard:
    """Part of a pub at a member.

    Attributes:
        pub: Index of the pub.
        member: Index of the member.
        asked: Shots, or precision.
        turn: 0 for the plan, above for what was moved.
        state: Where it is.
        obtained: Shots that came, where it is known.
        error: Why there is no result.
        result: The pub result.
        jobs: What the vendor told of its device jobs.
        job_id: The primitive's id of the job.
        moved: Whether survivors were asked for it instead.
        id: Its own, for records.
    """

    pub: int
    member: int
    asked: float
    turn: int = 0
    state: State = State.PENDING
    obtained: int | None = None
    error: BaseException | None = None
    result: Any = None
    jobs: tuple[dict[str, Any], ...] = ()
    job_id: str = ""
    moved: bool = False
    id: str = field(default_factory=lambda: uuid4().hex[:12])


def name_of(shards: Sequence[Shard]) -> str:
    """Return what a part, the shards of one turn that a member got at once, is found by."""
    first = shards[0]
    return f"{first.turn}:{first.member}:{numbered(shard.pub for shard in shards)}"


_LIVE = {
    JobStatus.QUEUED: State.QUEUED,
    JobStatus.RUNNING: State.RUNNING,
}


def live_state(job: Any) -> State:
    """Return where a job is that is not known to have ended; never raise."""
    try:
        status = job.status()
    except Exception:  # noqa: BLE001 - a failed poll says nothing about the job
        return State.SUBMITTED
    if isinstance(status, JobStatus):
        return _LIVE.get(status, State.SUBMITTED)
    return {"QUEUED": State.QUEUED, "RUNNING": State.RUNNING}.get(str(status), State.SUBMITTED)


def state_of(error: BaseException) -> State:
    """Return what an error says about the work: whether it may have been done all the same."""
    if isinstance(error, SubmitUnknownError):
        return State.UNKNOWN
    if isinstance(error, JobFailedError) and isinstance(error.__cause__, ConnectionError):
        return State.UNKNOWN  # a group inside of a group
    if isinstance(error, UnavailableError):
        return State.FAILED
    return State.UNKNOWN if isinstance(error, ConnectionError | TimeoutError) else State.FAILED


def state_after_sending(error: BaseException) -> State:
    """Return the same for an error that came once a job was there: out of reach is not failed."""
    return State.UNKNOWN if isinstance(error, UnavailableError) else state_of(error)
