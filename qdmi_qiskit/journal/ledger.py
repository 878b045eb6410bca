"""One run's page in the journal: what is written before, during and after each submission.

What is kept of a run are the inputs of the user's call. Going on with it means to plan the same
chunks again and to ask, chunk by chunk, what the journal knows: an outcome is used, an id is
followed, what was never sent is sent. "Was being sent when the process died" is sent again only
where the device knows the key again; else it is looked for, or the user is asked.
"""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import Any

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    JournalError,
    ProtocolError,
    QdmiError,
    SubmitUnknownError,
    UnavailableError,
    UnsupportedError,
)
from qdmi_qiskit.journal import owner
from qdmi_qiskit.journal.chunks import Elsewhere, Ended, Kept, Sent, failed_parts, patched
from qdmi_qiskit.journal.packing import LARGEST, pack_shots, unpack_shots
from qdmi_qiskit.journal.rows import ChunkRow, Inputs, JobRow, Step
from qdmi_qiskit.journal.store import Journal
from qdmi_qiskit.journal.writer import complain
from qdmi_qiskit.model import DeviceSpec, JobStatus, Shots, Task
from qdmi_qiskit.plan import Chunk

_LOOK = 0.2  # seconds for which a look at all chunks holds


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


class Ledger:
    """The page of one run.

    Attributes:
        journal: Where it is.
        row: What it says at the top.
        inputs: Of the user's call.
        intent: None for a run that begins now.
    """

    def __init__(
        self, journal: Journal, row: JobRow, inputs: Inputs, intent: Intent | None = None
    ) -> None:
        self.journal, self.row, self.inputs, self.intent = journal, row, inputs, intent
        self.lost = False  # the journal cannot be written: go on without
        self.number = row.number
        self.stages: dict[int, Stage] = {}
        self._lock = threading.Lock()
        self._lease: str | None = None
        self._place = [row.number]
        if intent is None:
            self._hold(owner.lease())
        elif intent.sends:
            self._hold(journal.take(row.number))

    @property
    def id(self) -> str:
        """Of the run, and of its job."""
        return self.row.id

    @property
    def sends(self) -> bool:
        """Whether this process may send."""
        return self.intent is None or self.intent.sends

    @property
    def lease(self) -> str:
        """What others see of who sends."""
        return self._lease or ""

    def _hold(self, lease: str) -> None:
        self._lease = lease
        weakref.finalize(self, _release, self.journal, self._place, lease).atexit = False

    def began(self, number: int) -> None:
        """Take note of the number of the row."""
        self.number = self._place[0] = number

    def let_go(self) -> None:
        """Let others send."""
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            _release(self.journal, [self.number], lease)

    def again(self, intent: Intent) -> Ledger:
        """Return the page anew, to look or to go on.

        Raises:
            ConfigError: Somebody is sending the run.
        """
        if self.lost or not self.number:
            raise UnsupportedError(
                f"run {self.id} could not be written into {self.journal.path}: there is nothing to "
                "go on from"
            )
        if any(stage.is_sending() for stage in self.stages.values()):
            raise ConfigError(f"run {self.id} is being sent by this process: wait for it")
        self.let_go()
        self.journal.flush()
        return Ledger(self.journal, self.journal.find(self.id), self.inputs, intent)

    def stage(self, number: int, *, last: bool) -> Stage:
        """Return one of the steps of a run that follow each other."""
        self.stages[number] = Stage(self, number, last)
        return self.stages[number]

    def note_state(self, state: JobStatus, reason: str | None = None) -> None:
        """Note how far the run is."""
        if not self.lost and self.number:
            self.journal.note_state(self.number, state, reason)


def _release(journal: Journal, place: list[int], lease: str) -> None:
    """Let others send a run; also called when nobody holds its page any more."""
    if owner.is_ours(lease):
        if place[0]:
            journal.release(place[0], lease)
        owner.dropped(lease)


class Stage:
    """The chunks of one step of a run."""

    def __init__(self, ledger: Ledger, number: int, last: bool) -> None:
        self._ledger, self._number, self._last = ledger, number, last
        self.key = ledger.id if number == 0 else f"{ledger.id}-s{number}"
        self.rows: list[ChunkRow] = []
        self.outlives_us = self._deduplicates = self._simulates = False
        self._session: Session
        self._chunks: Sequence[Chunk] = ()
        self._lock = threading.Lock()
        self._unsent = self._undone = 0
        self._looked, self._seen = -_LOOK, list[ChunkRow]()

    @property
    def run_id(self) -> str:
        """Our id of the run."""
        return self._ledger.id

    @property
    def is_new(self) -> bool:
        """Whether the run begins now, so that a refusal concerns whoever called."""
        return self._ledger.intent is None

    def is_complete(self) -> bool:
        """Return whether every outcome of a stage noted earlier is in the journal."""
        if self.is_new:
            return False
        rows = self._ledger.journal.chunks(self._ledger.number, self._number)
        intent = self._ledger.intent
        whole = intent is None or not intent.failed
        return bool(rows) and all(row.step is Step.DONE and (whole or _whole(row)) for row in rows)

    def begin(self, session: Session, spec: DeviceSpec, chunks: Sequence[Chunk]) -> None:
        """Note the chunks before any is sent, or compare them with those noted earlier.

        Raises:
            ProtocolError: They are others.
        """
        self._session, self._chunks = session, chunks
        self.outlives_us = spec.capabilities.detached and spec.capabilities.retrieve
        self._deduplicates, self._simulates = spec.capabilities.submit_key, spec.simulator
        planned = [
            ChunkRow(f"{self.key}-{index}", Step.PLANNED, fingerprint(chunk))
            for index, chunk in enumerate(chunks)
        ]
        ledger = self._ledger
        noted = [] if self.is_new else ledger.journal.chunks(ledger.number, self._number)
        if noted:
            self._compare(noted, planned)
        elif ledger.sends and not ledger.lost:
            self._write(planned)
        self.rows = noted or planned
        if ledger.intent is not None and ledger.intent.failed:
            for number, row in enumerate(self.rows):
                if _prepare_again(row):
                    self._note(number)
        self._unsent = len(self.rows)
        self._undone = sum(row.step is not Step.DONE for row in self.rows)
        if not self.rows:
            self._advance()

    def _compare(self, noted: Sequence[ChunkRow], planned: Sequence[ChunkRow]) -> None:
        if [row.fingerprint for row in noted] != [row.fingerprint for row in planned]:
            raise ProtocolError(
                f"run {self.run_id} cannot go on: its circuits are cut into other device jobs than "
                "when it began (another version of qdmi_qiskit, of Qiskit, or of the plug-in). Its "
                "device jobs are noted: `qdmi status` of that version, or session.job(id)"
            )

    def _write(self, planned: Sequence[ChunkRow]) -> None:
        ledger = self._ledger
        try:
            if ledger.number:
                ledger.journal.add_chunks(ledger.number, self._number, planned)
            else:
                ledger.began(
                    ledger.journal.begin(
                        ledger.row, ledger.inputs, ledger.lease, self._number, planned
                    )
                )
        except JournalError as error:
            ledger.lost = True
            complain(error)

    # Sending.

    def send(self, number: int) -> Job:
        """Return the job of a chunk, sent or found again.

        A run that begins now raises what the device says; of one that goes on, an error of one
        chunk is the outcome of its job.
        """
        try:
            if self.is_new:
                return self._sent_now(number)
            try:
                return self._sent_again(number)
            except QdmiError as error:
                return Ended(self.rows[number].key, error)
        finally:
            self._count_sent()

    def _sent_again(self, number: int) -> Job:
        row, intent = self.rows[number], self._ledger.intent or Intent()
        tasks = self._chunks[number].tasks
        if row.step in (Step.DONE, Step.FAILED, Step.CANCELED):
            return self.followed(number, tasks)
        if row.step is Step.SENT and self.outlives_us:
            return self.followed(number, tasks)
        if not intent.sends:
            return Elsewhere(self, number, tasks)
        if row.step is Step.SENT:  # its job may have ended with a process
            try:
                job = self._session.job(row.job or "")
            except (ConfigError, UnsupportedError) as error:
                if self._simulates or row.key in intent.absent:
                    return self._sent_now(number)
                raise JobFailedError(
                    f"chunk {number} of run {self.run_id} was sent by a process that ended, and "
                    f"its job cannot be found again ({error}); job.resume(absent=[{row.key!r}]) "
                    "sends it once more",
                    job_id=row.job or "",
                ) from error
            return self._sent_job(number, tasks, job)
        if row.step is Step.SENDING and not self._deduplicates:
            job_id = intent.found.get(row.key) or self._searched(row, intent)
            if job_id is not None:
                row.step, row.job = Step.SENT, job_id
                self._note(number)
                return self.followed(number, tasks)
            row.step = Step.PLANNED
            self._note(number)
        return self._sent_now(number)

    def _searched(self, row: ChunkRow, intent: Intent) -> str | None:
        """Look for a job whose submission has an unknown outcome; None: there is none."""
        if row.key in intent.absent:
            return None
        try:
            job = self._session.find(row.key)
        except UnsupportedError as error:
            known = {*intent.found, *intent.absent}
            keys = [
                each.key
                for each in self.rows
                if each.step is Step.SENDING and each.key not in known
            ]
            raise SubmitUnknownError(
                f"device jobs of run {self.run_id} were being sent when its process ended, and it "
                f"cannot be told whether the device took them ({error}). Look among your jobs "
                f"there for the keys (tags) {keys}. Of one that is there: "
                f"job.resume(found={{{row.key!r}: ID}}). Of one that is not: "
                f"job.resume(absent=[{row.key!r}]) sends it"
            ) from error
        return None if job is None else job.id

    def _sent_now(self, number: int) -> Job:
        row, tasks = self.rows[number], self._chunks[number].tasks
        parts = self._parts(number)
        if parts:
            tasks = tuple(task for _, _, task in parts)
        if not self._deduplicates and not self._ledger.lost:
            self._claim(number)
        try:
            job = self._session.submit(tasks, key=row.key)
        except SubmitUnknownError as error:
            error.add_note(f"noted as job {self.run_id}")
            raise
        except UnavailableError:  # nothing was queued
            row.step = Step.PLANNED
            self._note(number)
            raise
        except QdmiError as error:
            self.note_ended(number, Step.FAILED, str(error), {})
            raise
        return self._sent_job(number, tasks, job)

    def _sent_job(self, number: int, tasks: Sequence[Task], job: Job) -> Job:
        row = self.rows[number]
        row.step, row.job, row.reason = Step.SENT, job.id, None
        self._note(number)
        found = Sent(self, number, tasks, lambda: job, job.id)
        found._job()  # noqa: SLF001 - it is at hand
        return found

    def _claim(self, number: int) -> None:
        """Note that a chunk goes out now, and wait until that is on the disk."""
        row, ledger = self.rows[number], self._ledger
        if row.step is Step.SENT:  # of a process that ended, and took it along
            row.step = Step.PLANNED
            self._note(number)
        try:
            ours = ledger.journal.note_sending(ledger.number, self._number, number)
        except JournalError as error:
            ledger.lost = True
            complain(error)
            return
        if not ours:
            raise SubmitUnknownError(
                f"another process has begun to send chunk {number} of run {self.run_id}: look "
                "again in a moment"
            )
        row.step = Step.SENDING

    def _count_sent(self) -> None:
        with self._lock:
            self._unsent -= 1
            finished = self._unsent == 0
        if finished:
            self._advance()

    def _advance(self) -> None:
        """Note that all of a stage was sent."""
        if not self._ledger.sends:
            return
        steps = {row.step for row in self.rows}
        if Step.FAILED not in steps and self._undone:
            unsent = steps & {Step.PLANNED, Step.SENDING}
            self._ledger.note_state(JobStatus.CREATED if unsent else JobStatus.SUBMITTED)
        if self._undone == 0 and self._last:
            self._ledger.note_state(JobStatus.DONE)
        if self._last or steps - {Step.SENT, Step.DONE}:
            self._ledger.let_go()

    def is_sending(self) -> bool:
        """Return whether chunks are still to be sent."""
        return self._ledger.sends and self._unsent > 0

    def canceled(self) -> None:
        """Note that what was not sent never will be."""
        self._unsent = 0
        self._ledger.note_state(JobStatus.CANCELED)
        self._ledger.let_go()

    # What is known of a chunk.

    def followed(self, number: int, tasks: Sequence[Task]) -> Job:
        """Return the job of a chunk that was sent at some time."""
        row = self.rows[number]
        if row.step in (Step.FAILED, Step.CANCELED):
            status = JobStatus.FAILED if row.step is Step.FAILED else JobStatus.CANCELED
            reason = row.reason or "no reason was given"
            said = f"chunk {number} of run {self.run_id}: {reason}"
            job_id = row.job or row.key
            return Ended(job_id, JobFailedError(said, job_id=job_id), status)
        find = partial(self._find, row.job or "", tasks)
        if row.step is Step.DONE:
            return Kept(
                row.job or row.key,
                row.facts or {},
                partial(self._kept, number),
                tasks,
                find if self._ledger.sends and row.job and not row.attempt else None,
            )
        parts = self._parts(number)
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
        row.step, row.reason, row.facts = step, reason, dict(metadata)
        self._note(number)
        state = JobStatus.FAILED if step is Step.FAILED else JobStatus.CANCELED
        self._ledger.note_state(state, reason)
        if not self._last:
            self._ledger.let_go()

    def _note(self, number: int, result: bytes | None = None) -> None:
        ledger = self._ledger
        if not ledger.lost and ledger.number:
            row = replace(self.rows[number])
            ledger.journal.note(ledger.number, self._number, number, row, result=result)

    def flush(self) -> None:
        """Wait until the notes are on the disk."""
        if not self._ledger.lost:
            try:
                self._ledger.journal.flush()
            except JournalError as error:
                complain(error)


def _whole(row: ChunkRow) -> bool:
    return not (row.facts or {}).get("failed")


def _prepare_again(row: ChunkRow) -> bool:
    """Let a chunk that failed, or failed in part, be sent under another key; return if it may."""
    if row.step not in (Step.FAILED, Step.CANCELED) and (row.step is not Step.DONE or _whole(row)):
        return False
    row.attempt += 1
    row.key = f"{row.key.partition('-r')[0]}-r{row.attempt}"
    row.step, row.job, row.reason = Step.PLANNED, None, None
    return True


def fingerprint(chunk: Chunk) -> bytes:
    """Return what tells one plan of a chunk from another; programs are not looked at."""
    said = [
        (place.request, place.points, place.shots, task.num_bits, task.seed, task.values.shape[0])
        for task, place in zip(chunk.tasks, chunk.places, strict=True)
    ]
    return blake2b(repr(said).encode(), digest_size=8).digest()


def fresh_id() -> str:
    """Return an id for a run."""
    return secrets.token_hex(16)
