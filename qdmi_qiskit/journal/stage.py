"""Sends the chunks of a stage, or goes on with them.

Asked for a chunk, the journal has an outcome: it is used; an id: it is followed; nothing: the chunk
is sent. "Was being sent when the process died" is sent again only where the device knows the key
again; else it is looked for, or the user is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

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
from qdmi_qiskit.journal.ahead import Ahead
from qdmi_qiskit.journal.chunks import Elsewhere, Ended, Sent
from qdmi_qiskit.journal.notes import Notes, is_whole
from qdmi_qiskit.journal.rows import ChunkRow, Intent, Step
from qdmi_qiskit.journal.writer import complain
from qdmi_qiskit.model import DeviceSpec, JobStatus, Task
from qdmi_qiskit.plan import Chunk


class Stage(Notes):
    """Sends the chunks of one step of a run; safe to use from several threads."""

    @property
    def is_new(self) -> bool:
        """Whether the run begins now, so that a refusal concerns whoever called."""
        return self._ledger.intent is None

    def has(self, number: int) -> bool:
        """Return whether the outcome of a chunk is in the journal."""
        return self.rows[number].step is Step.DONE

    def is_complete(self) -> bool:
        """Return whether every outcome is in the journal, and nobody wants more than to look."""
        if self._ledger.sends:
            return False
        rows = self._ledger.journal.chunks(self._ledger.number, self._number)
        return bool(rows) and all(row.step is Step.DONE for row in rows)

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
        wanted = ledger.intent is not None and ledger.intent.failed
        again = {n for n, row in enumerate(self.rows) if wanted and _prepare_again(row)}
        self._ahead = Ahead(
            number
            for number, row in enumerate(self.rows)
            if row.step is Step.PLANNED and row.attempt == 0 and number not in again
        )
        if not self.is_new and ledger.sends:
            self._account()
        for number in again:
            self._note(number)
        self._unsent = len(self.rows)
        self._undone = sum(row.step is not Step.DONE for row in self.rows)
        if not self.rows:
            self._advance()

    def _account(self) -> None:
        """Let a budget count what this run has sent before, and refuse the rest as a whole.

        What was sent again is counted again, in full: that is the most that it cost.
        """
        paid: dict[str, Sequence[Task]] = {}
        unsent: dict[str, Sequence[Task]] = {}
        for row, chunk in zip(self.rows, self._chunks, strict=True):
            for attempt in range(row.attempt):
                paid[_key_of(row, attempt)] = chunk.tasks
            if row.job is not None or row.step is Step.SENDING:
                paid[row.key] = chunk.tasks
            elif row.step is Step.PLANNED:
                unsent[row.key] = chunk.tasks
        self._session.count(paid)
        try:
            self._session.admit(list(unsent.values()), keys=list(unsent))
        except BaseException:
            self.abandon()
            raise

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
        except BaseException:
            if number == 0:  # the caller hears it and has no job: nothing more is sent
                self._unsent = 1  # this one
                self._ledger.let_go()
            raise
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
            self._unmark(number)
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
            error.add_note(f"noted in the journal: QDMIProvider().job({self.run_id!r})")
            raise
        except UnavailableError:  # nothing was queued
            self._unmark(number)
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
        """Note that a chunk goes out now, and wait until that survives."""
        row, ledger = self.rows[number], self._ledger
        if row.step is Step.SENT:  # of a process that ended, and took it along
            self._unmark(number)
        try:
            ours = ledger.journal.note_sending(
                ledger.number,
                self._number,
                number,
                told=partial(self._ahead.marked, number),
                early=self._ahead.may_go(number),
            )
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

    def _unmark(self, number: int) -> None:
        """Note that a chunk is not sent after all."""
        row = self.rows[number]
        if row.attempt == 0:
            self._ahead.unmarked(number)
        row.step = Step.PLANNED
        self._note(number)

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

    def abandon(self) -> None:
        """Take note that this process sends no more of the run."""
        self._unsent = 0
        self._ledger.let_go()

    def canceled(self) -> None:
        """Note that what was not sent never will be."""
        self._unsent = 0
        self._ledger.note_state(JobStatus.CANCELED)
        self._ledger.let_go()


def _prepare_again(row: ChunkRow) -> bool:
    """Let a chunk that failed, or failed in part, be sent again; return if it may.

    Under another key, unless the device never took it.
    """
    if row.step not in (Step.FAILED, Step.CANCELED) and (
        row.step is not Step.DONE or is_whole(row)
    ):
        return False
    if row.job is not None:
        row.attempt += 1
        row.key = _key_of(row, row.attempt)
    row.step, row.job, row.reason = Step.PLANNED, None, None
    return True


def _key_of(row: ChunkRow, attempt: int) -> str:
    """Return the key under which a chunk was, or will be, sent for the nth time."""
    first = row.key.partition("-r")[0]
    return f"{first}-r{attempt}" if attempt else first


def fingerprint(chunk: Chunk) -> bytes:
    """Return what tells one plan of a chunk from another; programs are not looked at."""
    said = [
        (place.request, place.points, place.shots, task.num_bits, task.seed, task.values.shape[0])
        for task, place in zip(chunk.tasks, chunk.places, strict=True)
    ]
    return blake2b(repr(said).encode(), digest_size=8).digest()
