"""Tables of the journal, and how older ones become today's.

A run is a call of the user; its stages follow each other (the estimator's pilot, then the rest);
a chunk is one device job. `PRAGMA user_version` counts the steps of `STEPS` that a file has seen.
"""

from __future__ import annotations

import sqlite3

from qdmi_qiskit.errors import JournalError

APPLICATION = 0x51444D49
"""`PRAGMA application_id` of our files: "QDMI"."""

STEPS = (
    """
    CREATE TABLE specs (digest BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        backend TEXT NOT NULL,
        device TEXT NOT NULL,
        state TEXT NOT NULL,
        created REAL NOT NULL,
        changed REAL NOT NULL,
        owner TEXT,
        beat REAL,
        reason TEXT
    );
    CREATE INDEX runs_by_time ON runs (created);
    CREATE INDEX runs_by_backend ON runs (backend, created);
    CREATE INDEX runs_by_state ON runs (state, created);
    CREATE TABLE inputs (
        run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
        opening TEXT NOT NULL,
        spec BLOB NOT NULL,
        call BLOB NOT NULL,
        circuits BLOB
    );
    CREATE TABLE tags (
        tag TEXT NOT NULL,
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        PRIMARY KEY (tag, run)
    ) WITHOUT ROWID;
    CREATE INDEX tags_by_run ON tags (run);
    CREATE TABLE chunks (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        stage INTEGER NOT NULL,
        number INTEGER NOT NULL,
        key TEXT NOT NULL,
        state TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        fingerprint BLOB NOT NULL,
        job TEXT,
        reason TEXT,
        facts TEXT,
        PRIMARY KEY (run, stage, number)
    ) WITHOUT ROWID;
    CREATE INDEX chunks_by_job ON chunks (job) WHERE job IS NOT NULL;
    CREATE TABLE results (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        stage INTEGER NOT NULL,
        number INTEGER NOT NULL,
        body BLOB NOT NULL,
        UNIQUE (run, stage, number)
    );
    """,
    """
    CREATE TABLE calibrations (
        backend TEXT NOT NULL,
        device TEXT NOT NULL,
        calibration TEXT NOT NULL,
        taken REAL NOT NULL,
        spec BLOB NOT NULL,
        PRIMARY KEY (backend, device, calibration)
    ) WITHOUT ROWID;
    ALTER TABLE runs ADD COLUMN trace TEXT;
    ALTER TABLE chunks ADD COLUMN sent REAL;
    ALTER TABLE chunks ADD COLUMN ended REAL;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Make the tables of a file today's.

    Raises:
        JournalError: The file is of a newer version, or somebody else's.
    """
    version = _seen(connection)
    if version == len(STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _seen(connection)  # another process may have been faster
        for step in STEPS[version:]:
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _seen(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (tables or version):
        raise JournalError("it is a database of another program: name another file")
    if version > len(STEPS):
        raise JournalError(
            f"it is of version {version}, and this qdmi_qiskit knows up to {len(STEPS)}: update "
            "qdmi_qiskit, or name another file"
        )
    return int(version)
