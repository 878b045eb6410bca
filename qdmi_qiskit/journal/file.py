"""The file itself: opening it, what keeps it from being used, and when it is on the disk."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal.schema import migrate

PATIENCE = 10.0
"""Seconds to wait for another process that writes."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making it where it is missing, for its owner alone.

    Raises:
        JournalError: It cannot be opened, or is no journal.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        elif path.is_file() and path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid():
            path.chmod(0o600)  # never a folder's, which would shut its other files in
        connection = sqlite3.connect(
            path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise failure(path, error) from error
    try:
        if not connection.execute("PRAGMA page_count").fetchone()[0]:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA journal_mode = {'DELETE' if is_shared(path) else 'WAL'}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection)
    except (sqlite3.Error, JournalError) as error:
        connection.close()
        raise failure(path, error) from error
    return connection


def failure(path: Path, error: Exception) -> JournalError:
    """Return our error for one of SQLite's or the system's."""
    text = str(error)
    if isinstance(error, sqlite3.OperationalError) and "locked" in text:
        return JournalError(
            f"the journal {path} is locked by another process for more than {PATIENCE:.0f} s: "
            "try again, or name another file in $QDMI_JOURNAL"
        )
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return JournalError(
            f"the journal {path} is damaged ({text}): move it away, and a new one is begun"
        )
    return JournalError(
        f"the journal {path} cannot be used ({text}): check it, or name another file in "
        "$QDMI_JOURNAL (off: none)"
    )


def is_shared(path: Path) -> bool:
    """Return whether the file lies on a file system of several hosts, where WAL does not work."""
    kinds = ("nfs", "lustre", "gpfs", "cifs", "smb", "beegfs", "afs", "ceph", "fuse.sshfs", "9p")
    best, found = -1, ""
    try:
        where = str(path.parent.resolve())
        for line in Path("/proc/mounts").read_text(errors="replace").splitlines():
            _, mount, kind, *_ = line.split(" ")
            inside = where == mount or where.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= best:
                best, found = len(mount), kind
    except (OSError, ValueError):
        return False
    return found.startswith(kinds)


class Disk:
    """Forces what was committed onto the disk afterwards, where SQLite did not wait for it.

    A transaction is safe from the death of its process when it is committed, and from a power cut
    when it is on the disk; the latter takes milliseconds. See `Ahead` for who need not wait.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Look whether that can be done.

        Args:
            connection: Of the thread that writes.
            path: The file.
        """
        self._connection, self._wal = connection, -1
        self._waits = True  # as `connect` left it
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            try:
                self._wal = os.open(f"{path}-wal", os.O_RDONLY)
            except OSError:
                self._wal = -1

    @property
    def later(self) -> bool:
        """Whether a commit need not wait for the disk, because `sync` can be called after it."""
        return self._wal >= 0

    def wait(self, waits: bool) -> None:
        """Let the next commit wait for the disk, or not."""
        if waits is not self._waits:
            level = "FULL" if waits else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._waits = waits

    def sync(self) -> None:
        """Force what was committed onto the disk.

        Raises:
            OSError: The disk failed; from then on commits wait, and say so.
        """
        if not self.later:
            raise OSError("an earlier write failed")
        try:
            os.fsync(self._wal)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let commits wait."""
        if self._wal >= 0:
            os.close(self._wal)
            self._wal = -1
