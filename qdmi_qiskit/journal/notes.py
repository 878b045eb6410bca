"""What the journal knows of the chunks of a stage, and what it is told of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import (
    JobFailedError,
    JournalError,
)
from qdmi_qiskit.journal.ahead import Ahead
from qdmi_qiskit.journal.chunks import Ended, Kept, Sent, Stopped, failed_parts, patched
from qdmi_qiskit.journal.packing import LARGEST, pack_shots, unpack_shots
from qdmi_qiskit.journal.rows import ChunkRow, Step
from qdmi_qiskit.journal.writer import complain
from qdmi_qiskit.model import JobStatus, Shots, Task
from qdmi_qiskit.plan import Chunk

if TYPE_CHECKING:
    from qdmi_qiskit.journal.ledger import Ledger

_LOOK = 0.2  # seconds for which a look at all chunks holds


class Notes:
    """The chunks of one step of a run, as they are noted."""

    def __init__(self, ledger: Ledger, number: int, last: bool) -> None:
        self._ledger, self._number, self._last = ledger, number, last
        self.key = ledger.id if number == 0 else f"{ledger.id}-s{number}"
        self.rows: list[ChunkRow] = []
        self.outlives_us = self._deduplicates = self._simulates = False
        self._session: Session
        self._chunks: Sequence[Chunk] = ()
        self._lock = threading.Lock()
        self._unsent = self._undone = 0
        self._ahead = Ahead()
        self._looked, self._seen = -_LOOK, list[ChunkRow]()

    @property
    def run_id(self) -> str:
        """Our id of the run."""
        return self._ledger.id

    def followed(self, number: int, tasks: Sequence[Task]) -> Job:
        """Return the job of a chunk that was sent at some time."""
        row = self.rows[number]
        find = partial(self._find, row.job or "", tasks)
        parts = self._parts(number)
        if row.step in (Step.FAILED, Step.CANCELED) and not parts:
            status = JobStatus.FAILED if row.step is Step.FAILED else JobStatus.CANCELED
            reason = row.reason or "no reason was given"
            said = f"chunk {number} of run {self.run_id}: {reason}"
            job_id = row.job or row.key
            error = JobFailedError(said, job_id=job_id)
            if row.step is Step.CANCELED and row.job and self.outlives_us:
                return Stopped(self, number, tasks, find, job_id, error)
            return Ended(job_id, error, status)
        if row.step in (Step.DONE, Step.FAILED, Step.CANCELED):
            return Kept(
                row.job or row.key,
                row.facts or {},
                partial(self._kept, number),
                tasks,
                find if self._ledger.sends and row.job and not row.attempt else None,
            )
        if parts:
            tasks = tuple(task for _, _, task in parts)
            find = partial(self._find, row.job or "", tasks)
        return Sent(self, number, tasks, find, row.job or row.key)

    def _find(self, job_id: str, tasks: Sequence[Task]) -> Job:
        return self._session.follow(job_id, tasks)

    def _kept(self, number: int) -> tuple[Shots, ...]:
        ledger = self._ledger
        blob = ledger.journal.result(ledger.number, self._number, number)
        tasks = self._chunks[number].tasks
        size = sum(task.points * (task.shots * (task.num_bits // 8 + 1) + 300) for task in tasks)
        return unpack_shots(blob, most=min(size + 4096, LARGEST))

    def finished(self, number: int, reason: str) -> tuple[Shots, ...] | None:
        """Return what earlier attempts of a chunk finished, and why the rest has failed now."""
        if not self._parts(number):
            return None
        return tuple(
            replace(shots, failures=dict.fromkeys(shots.failures, reason))
            for shots in self._kept(number)
        )

    def _parts(self, number: int) -> list[tuple[int, tuple[int, ...], Task]]:
        """Return what of a chunk is to be sent again; nothing: all of it."""
        row = self.rows[number]
        if row.attempt == 0 or self._ledger.lost or not (row.facts or {}).get("failed"):
            return []
        return failed_parts(self._kept(number), self._chunks[number].tasks)

    def look_again(self, number: int) -> None:
        """Read what the journal says of a chunk now."""
        ledger, now = self._ledger, time.monotonic()
        with self._lock:
            if now - self._looked > _LOOK:
                self._looked = now
                self._seen = ledger.journal.chunks(ledger.number, self._number)
            if number < len(self._seen) and self.rows[number].step is not Step.DONE:
                self.rows[number] = self._seen[number]

    def is_held(self) -> bool:
        """Return whether a process sends the run."""
        return self._ledger.journal.is_held(self._ledger.number)

    def why_not(self, number: int) -> str:
        """Return why there is no outcome of a chunk that this process may not send."""
        row = self.rows[number]
        at_it = "; a process is at it" if self.is_held() else ""
        if row.step is Step.SENT:
            return f"the job of chunk {number} of run {self.run_id} ended with its process{at_it}"
        if row.step is Step.SENDING:
            return f"chunk {number} of run {self.run_id} was being sent when its process ended"
        return f"chunk {number} of run {self.run_id} was not sent{at_it}"

    # Notes.

    def note_done(
        self, number: int, outcome: tuple[Shots, ...], metadata: Mapping[str, Any]
    ) -> tuple[Shots, ...]:
        """Note the outcome of a job; return that of the whole chunk."""
        row = self.rows[number]
        parts = self._parts(number)
        if parts:
            outcome = patched(self._kept(number), parts, outcome)
        if row.step is not Step.DONE:
            failed = sum(len(shots.failures) for shots in outcome)
            row.facts = dict(metadata) | ({"failed": failed} if failed else {})
            row.step, row.reason = Step.DONE, None
            self._note(number, result=pack_shots(outcome))
            with self._lock:
                self._undone -= 1
                finished = self._undone == 0 and self._last
            if finished:
                self._ledger.note_state(JobStatus.DONE)
        return outcome

    def note_ended(self, number: int, step: Step, reason: str, metadata: Mapping[str, Any]) -> None:
        """Note that a job ended without an outcome."""
        row = self.rows[number]
        if row.step in (Step.DONE, Step.FAILED, Step.CANCELED):
            return
        before = (row.facts or {}).get("failed") if row.attempt else None  # the others are kept
        row.step, row.reason = step, reason
        row.facts = dict(metadata) | ({"failed": before} if before else {})
        self._note(number)
        state = JobStatus.FAILED if step is Step.FAILED else JobStatus.CANCELED
        self._ledger.note_state(state, reason)
        if not self._last:
            self._ledger.let_go()

    def _note(self, number: int, result: bytes | None = None) -> None:
        ledger = self._ledger
        if not ledger.lost and ledger.number:
            row = self.rows[number]
            ledger.journal.note(ledger.number, self._number, number, row, result=result)

    def flush(self) -> None:
        """Wait until the notes are on the disk."""
        if not self._ledger.lost:
            try:
                self._ledger.journal.flush()
            except JournalError as error:
                complain(error)


def is_whole(row: ChunkRow) -> bool:
    """Return whether nothing of a chunk failed that is done."""
    return not (row.facts or {}).get("failed")
