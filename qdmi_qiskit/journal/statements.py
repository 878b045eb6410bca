"""Statements of more than one line, and rows made of what they return."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal.packing import pack, unpack
from qdmi_qiskit.journal.rows import ChunkRow, Inputs, JobRow, Step, state_of, time_of

LARGEST_TEXT = 1 << 28
"""Bytes of circuits or of a snapshot, unpacked."""

SELECT_RUNS = "SELECT number, id, kind, backend, device, state, created, reason, trace FROM runs "


def insert_run(connection: sqlite3.Connection, row: JobRow, inputs: Inputs, lease: str) -> int:
    """Write a run with its inputs and tags; return the number of its row."""
    created = row.created.timestamp()
    digest = insert_spec(connection, inputs.spec)
    cursor = connection.execute(
        "INSERT INTO runs (id, kind, backend, device, state, created, changed, owner, beat, "
        "trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(row.id, row.kind, row.backend, row.device, row.state.value),
            *(created, created, lease, time.time(), row.trace),
        ),
    )
    number = cursor.lastrowid or 0
    connection.execute(
        "INSERT INTO inputs (run, opening, spec, call, circuits) VALUES (?, ?, ?, ?, ?)",
        (number, json.dumps(inputs.opening), digest, inputs.call, inputs.circuits),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO tags (tag, run) VALUES (?, ?)", [(tag, number) for tag in row.tags]
    )
    return number


def insert_spec(connection: sqlite3.Connection, text: str) -> bytes:
    """Write a snapshot unless it is there; return its digest."""
    digest = _digest_of(text)
    if not connection.execute("SELECT 1 FROM specs WHERE digest = ?", (digest,)).fetchone():
        body = pack({"spec": text})
        connection.execute("INSERT OR REPLACE INTO specs VALUES (?, ?)", (digest, body))
    return digest


@lru_cache(maxsize=8)
def _digest_of(text: str) -> bytes:
    """Return what a snapshot is found by; the runs of a backend hand over the same text."""
    return blake2b(text.encode(), digest_size=16).digest()


def spec_of(body: bytes, *, most: int) -> str:
    """Return a snapshot as JSON.

    Raises:
        JournalError: It is damaged.
    """
    found = unpack(body, most=most)[0].get("spec")
    if not isinstance(found, str):
        raise JournalError("a record of the journal is damaged: a run without its device")
    return found


def insert_chunks(
    connection: sqlite3.Connection, run: int, stage: int, chunks: Sequence[ChunkRow]
) -> None:
    """Write the planned chunks of a stage."""
    connection.executemany(
        "INSERT INTO chunks (run, stage, number, key, state, fingerprint) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (run, stage, number, chunk.key, Step.PLANNED.value, chunk.fingerprint)
            for number, chunk in enumerate(chunks)
        ],
    )


def count(connection: sqlite3.Connection) -> int:
    """Return how many runs there are."""
    (rows,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    return int(rows)


def job_row(connection: sqlite3.Connection, row: Sequence[Any]) -> JobRow:
    """Return a run of which the columns of `SELECT_RUNS` are known.

    Raises:
        JournalError: It is damaged.
    """
    number, job_id, kind, backend, device, state, created, reason, trace = row
    tags = connection.execute("SELECT tag FROM tags WHERE run = ? ORDER BY tag", (number,))
    steps = dict(
        connection.execute(
            "SELECT state, count(*) FROM chunks WHERE run = ? GROUP BY state", (number,)
        ).fetchall()
    )
    done = steps.get(Step.DONE.value, 0)
    return JobRow(
        id=str(job_id),
        kind=str(kind),
        backend=str(backend),
        device=str(device),
        state=state_of(state),
        created=time_of(created),
        tags=tuple(str(tag) for (tag,) in tags),
        chunks=sum(steps.values()),
        sent=done + steps.get(Step.SENT.value, 0),
        done=done,
        reason=None if reason is None else str(reason),
        number=number,
        trace=None if trace is None else str(trace),
    )


def table(text: object) -> Mapping[str, Any]:
    """Return a table that is kept as JSON.

    Raises:
        JournalError: It is none.
    """
    try:
        found = json.loads(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(f"a record of the journal is damaged: {error}") from error
    if not isinstance(found, dict):
        raise JournalError("a record of the journal is damaged: a list where a table belongs")
    return found
