"""What happened to a run, and when, by the journal alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from qdmi_qiskit.journal.rows import ChunkRow, JobRow, Step
from qdmi_qiskit.journal.statements import table
from qdmi_qiskit.journal.store import Journal

HERE = "here"
_TIMES = (("submitted_at", "submitted"), ("started_at", "started"), ("ended_at", "ended"))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        time: With a time zone.
        what: `begun`, `sent`, `fetched`, `failed`, `canceled`; of a vendor also `submitted`,
            `started`, `ended` and the vendor's own words.
        source: Whose clock: `"here"`, or what the vendor calls it, `"vendor"` if it has no name.
        job: The vendor's id of the device job; None: the whole run.
    """

    time: datetime
    what: str
    source: str
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run and its events in order of time; clocks of vendors may differ from ours.

    Attributes:
        row: The run.
        events: The earliest first.
        queue: Seconds that its device jobs waited, by the vendor's clock; None: not told.
        execute: Seconds that they ran, likewise.
        traceparent: The W3C trace context that the run began with, where it was traced.
    """

    row: JobRow
    events: tuple[Event, ...]
    queue: float | None
    execute: float | None
    traceparent: str | None


def timeline(journal: Journal, job_id: str) -> Timeline:
    """Return what the journal knows of a run.

    Args:
        journal: Where it is.
        job_id: Ours, a beginning of it, or the vendor's.

    Raises:
        ConfigError: There is none.
        JournalError: The record is damaged.
    """
    row = journal.find(job_id)
    stages = (0, 1)  # an estimator's pilot, then the rest
    chunks = [chunk for stage in stages for chunk in journal.chunks(row.number, stage)]
    events = [Event(row.created, "begun", HERE)]
    events += [event for chunk in chunks for event in _events(chunk)]
    facts = [chunk.facts or {} for chunk in chunks]
    return Timeline(
        row,
        tuple(sorted(events, key=lambda event: event.time)),
        _sum([_between(each, "submitted_at", "started_at") for each in facts]),
        _sum([_ran(each) for each in facts]),
        _context(row),
    )


def _context(row: JobRow) -> str | None:
    found = None if row.trace is None else table(row.trace).get("traceparent")
    return found if isinstance(found, str) else None


def _events(chunk: ChunkRow) -> Iterator[Event]:
    facts, job = chunk.facts or {}, chunk.job
    if chunk.sent is not None:
        yield Event(chunk.sent, "sent", HERE, job)
    if chunk.ended is not None:
        what = "fetched" if chunk.step is Step.DONE else chunk.step.value
        yield Event(chunk.ended, what, HERE, job)
    for key, what in _TIMES:
        if (time := _moment(facts.get(key))) is not None:
            yield Event(time, what, "vendor", job)
    told = facts.get("timeline")
    for each in told if isinstance(told, list) else ():
        if isinstance(each, Mapping) and (time := _moment(each.get("time"))) is not None:
            yield Event(time, str(each.get("status")), str(each.get("source")), job)


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _between(facts: Mapping[str, Any], first: str, second: str) -> float | None:
    start, end = _moment(facts.get(first)), _moment(facts.get(second))
    return None if start is None or end is None else (end - start).total_seconds()


def _ran(facts: Mapping[str, Any]) -> float | None:
    runtime = facts.get("runtime")
    if isinstance(runtime, int | float):
        return float(runtime)
    return _between(facts, "started_at", "ended_at")


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
