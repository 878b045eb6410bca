"""The file of runs: what was asked, how far it is, what came back."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from qdmi_qiskit.errors import ConfigError, JournalError
from qdmi_qiskit.journal import owner
from qdmi_qiskit.journal.ahead import suspect
from qdmi_qiskit.journal.calibrations import Calibrations
from qdmi_qiskit.journal.file import is_shared
from qdmi_qiskit.journal.pruning import Bounded
from qdmi_qiskit.journal.rows import ChunkRow, Inputs, JobRow, Step, step_of, time_of
from qdmi_qiskit.journal.statements import (
    LARGEST_TEXT,
    SELECT_RUNS,
    insert_chunks,
    insert_run,
    job_row,
    spec_of,
    table,
)
from qdmi_qiskit.model import JobStatus

_encoded = json.JSONEncoder(default=str).encode  # json.dumps would make one each time


class Journal(Calibrations, Bounded):
    """One file of runs. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.known_calibrations: set[tuple[str, str, str]] = set()  # kept by this process

    # Runs.

    def begin(
        self, row: JobRow, inputs: Inputs, lease: str, stage: int, chunks: Sequence[ChunkRow]
    ) -> int:
        """Note a run and the chunks of its first stage, before anything is sent.

        Returns:
            The number of its row.

        Raises:
            JournalError: It cannot be written.
        """
        self.shrink()

        def both(connection: sqlite3.Connection) -> int:
            number = insert_run(connection, row, inputs, lease)
            insert_chunks(connection, number, stage, chunks)
            return number

        number: int = self._writer.do(both)
        self._writer.beats.add(number)
        return number

    def add_chunks(self, run: int, stage: int, chunks: Sequence[ChunkRow]) -> None:
        """Note the chunks of a further stage."""
        self._writer.do(partial(insert_chunks, run=run, stage=stage, chunks=chunks))

    def find(self, prefix: str) -> JobRow:
        """Return the run whose id begins so, or one of whose device jobs has that id.

        Raises:
            ConfigError: There is none, or there are several.
        """
        if not prefix or "\0" in prefix:
            raise ConfigError(f"{prefix!r} is no id of a job")
        with self._reading() as connection:
            query = f"{SELECT_RUNS} WHERE id >= ? AND id < ? ORDER BY id LIMIT 3"
            found = connection.execute(query, (prefix, prefix + "\U0010ffff")).fetchall()
            if not found:
                of_job = "number IN (SELECT run FROM chunks WHERE job = ?)"
                query = f"{SELECT_RUNS} WHERE {of_job} LIMIT 3"
                found = connection.execute(query, (prefix,)).fetchall()
            if len(found) > 1 and found[0][1] != prefix:
                some = ", ".join(str(row[1]) for row in found)
                raise ConfigError(f"several jobs begin with {prefix!r}: {some}; say more of the id")
            if not found:
                raise ConfigError(
                    f"no job {prefix!r} in {self.path}: check the id; `qdmi jobs` lists what "
                    "there is (a job of a device whose runs are not kept, such as a simulator, is "
                    "known to its process alone: keep the job object)"
                )
            return job_row(connection, found[0])

    def rows(
        self,
        *,
        backend: str | None = None,
        state: JobStatus | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        limit: int | None = 20,
    ) -> list[JobRow]:
        """Return runs, the latest first."""
        where, values = ["1"], list[Any]()
        if backend is not None:
            where.append("(backend = ? OR device = ?)")
            values += [backend, backend]
        if state is not None:
            where.append("state = ?")
            values.append(state.value)
        if tag is not None:
            where.append("number IN (SELECT run FROM tags WHERE tag = ?)")
            values.append(tag)
        if since is not None:
            where.append("created >= ?")
            values.append(since.timestamp())
        query = (
            f"{SELECT_RUNS} WHERE {' AND '.join(where)} ORDER BY created DESC, number DESC LIMIT ?"
        )
        with self._reading() as connection:
            found = connection.execute(query, (*values, -1 if limit is None else limit)).fetchall()
            return [job_row(connection, row) for row in found]

    def inputs(self, run: int) -> Inputs:
        """Return what a run began with.

        Raises:
            JournalError: The record is damaged.
        """
        with self._reading() as connection:
            query = (
                "SELECT opening, specs.body, call, circuits FROM inputs "
                "LEFT JOIN specs ON specs.digest = inputs.spec WHERE run = ?"
            )
            row = connection.execute(query, (run,)).fetchone()
        if row is None:
            raise JournalError("a record of the journal is damaged: a run without its inputs")
        opening = table(row[0])
        spec = spec_of(row[1], most=LARGEST_TEXT)
        if not isinstance(row[2], bytes):
            raise JournalError("a record of the journal is damaged: a run without its device")
        return Inputs(opening, spec, row[2], row[3])

    def note_state(self, run: int, state: JobStatus, reason: str | None = None) -> None:
        """Note how far a run is."""
        query = "UPDATE runs SET state = ?, reason = ?, changed = ? WHERE number = ?"
        self._put(query, (state.value, reason, time.time(), run))

    # Leases.

    def take(self, run: int) -> str:
        """Become the one who sends a run.

        Raises:
            ConfigError: Somebody else is at it.
        """
        lease = owner.lease()

        def take(connection: sqlite3.Connection) -> str | None:
            held, beat = connection.execute(
                "SELECT owner, beat FROM runs WHERE number = ?", (run,)
            ).fetchone() or (None, None)
            if owner.is_alive(held, beat):
                return str(held)
            if owner.lost_power(held) and not is_shared(self.path):
                suspect(connection, run)
            connection.execute(
                "UPDATE runs SET owner = ?, beat = ? WHERE number = ?", (lease, time.time(), run)
            )
            return None

        held = self._writer.do(take)
        if held is not None:
            owner.dropped(lease)
            raise ConfigError(
                f"{owner.described(held)} is sending this run at the moment: wait for it, or end it"
            )
        self._writer.beats.add(run)
        return lease

    def release(self, run: int, lease: str) -> None:
        """Let others send a run."""
        self._writer.beats.discard(run)
        self._put("UPDATE runs SET owner = NULL WHERE number = ? AND owner = ?", (run, lease))
        owner.dropped(lease)

    def is_held(self, run: int) -> bool:
        """Return whether somebody alive sends a run."""
        with self._reading() as connection:
            query = "SELECT owner, beat FROM runs WHERE number = ?"
            row = connection.execute(query, (run,)).fetchone()
        return row is not None and owner.is_alive(*row)

    # Chunks.

    def chunks(self, run: int, stage: int) -> list[ChunkRow]:
        """Return the chunks of a stage, in order; none if it has not begun."""
        with self._reading() as connection:
            query = (
                "SELECT number, key, state, fingerprint, attempt, job, reason, facts, sent, ended "
                "FROM chunks "
                "WHERE run = ? AND stage = ? ORDER BY number"
            )
            rows = connection.execute(query, (run, stage)).fetchall()
        if [row[0] for row in rows] != list(range(len(rows))):
            raise JournalError("a record of the journal is damaged: chunks are missing")
        return [
            ChunkRow(
                str(key),
                step_of(step),
                fingerprint if isinstance(fingerprint, bytes) else b"",
                attempt if isinstance(attempt, int) else 0,
                None if job is None else str(job),
                None if reason is None else str(reason),
                None if facts is None else table(facts),
                None if sent is None else time_of(sent),
                None if ended is None else time_of(ended),
            )
            for _, key, step, fingerprint, attempt, job, reason, facts, sent, ended in rows
        ]

    def result(self, run: int, stage: int, number: int) -> bytes | None:
        """Return the packed outcome of a chunk."""
        with self._reading() as connection:
            query = "SELECT body FROM results WHERE run = ? AND stage = ? AND number = ?"
            row = connection.execute(query, (run, stage, number)).fetchone()
        return None if row is None else row[0]

    def note_sending(
        self,
        run: int,
        stage: int,
        number: int,
        *,
        told: Callable[[], object] | None = None,
        early: bool = False,
    ) -> bool:
        """Note, before the first byte goes out, that a chunk is being sent.

        Args:
            run: Its number.
            stage: Of the run.
            number: Of the chunk.
            told: Called once the note is on the disk.
            early: Do not wait for that; see `Ahead`.

        Returns:
            False if somebody else has begun to.
        """

        def claim(connection: sqlite3.Connection) -> bool:
            query = (
                "UPDATE chunks SET state = 'sending' "
                "WHERE run = ? AND stage = ? AND number = ? AND state = 'planned'"
            )
            return connection.execute(query, (run, stage, number)).rowcount == 1

        return bool(self._writer.do(claim, told=told, early=early))

    def note(
        self,
        run: int,
        stage: int,
        number: int,
        chunk: ChunkRow,
        *,
        result: bytes | None = None,
    ) -> None:
        """Note how far a chunk is, and its outcome where there is one. Written soon."""
        facts = None if chunk.facts is None else "{}"
        if chunk.facts:
            facts = _encoded(dict(chunk.facts))
        values = (chunk.key, chunk.step.value, chunk.attempt, chunk.job, chunk.reason, facts)
        now = time.time()
        sent = now if chunk.step is Step.SENT else None
        ended = now if chunk.step in (Step.DONE, Step.FAILED, Step.CANCELED) else None

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE chunks SET key = ?, state = ?, attempt = ?, job = ?, reason = ?, "
                "facts = coalesce(?, facts), sent = coalesce(?, sent), ended = coalesce(?, ended) "
                "WHERE run = ? AND stage = ? AND number = ?",
                (*values, sent, ended, run, stage, number),
            )
            if result is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO results (run, stage, number, body) VALUES (?, ?, ?, ?)",
                    (run, stage, number, result),
                )

        self._writer.put(write)


_journals: dict[Path, Journal] = {}
_opening = threading.Lock()


def journal_at(path: Path) -> Journal:
    """Return the journal in a file, the same object each time."""
    with _opening:
        if path not in _journals:
            _journals[path] = Journal(path)
        return _journals[path]


def _begin_anew() -> None:
    """After a fork: connections and locks of the parent's threads are of no use here."""
    global _opening
    _opening = threading.Lock()
    _journals.clear()


os.register_at_fork(after_in_child=_begin_anew)
