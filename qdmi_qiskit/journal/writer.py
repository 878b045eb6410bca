"""One thread that writes: what waits while the disk is busy goes into the next transaction.

A commit waits for the disk (`synchronous=FULL`), because a note that a submission is under way
must survive a power cut. Eight threads that send then share one wait instead of queueing for
eight.
"""

from __future__ import annotations

import atexit
import logging
import os
import sqlite3
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from weakref import WeakSet

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal.owner import BEAT
from qdmi_qiskit.journal.schema import migrate

_log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

_LINGER = 0.001  # seconds that a note waits for company

Operation = Callable[[sqlite3.Connection], Any]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making it where it is missing, for its owner alone.

    Raises:
        JournalError: It cannot be opened, or is no journal.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        elif path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid():
            path.chmod(0o600)
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


class Writer:
    """Writes to one file, from any thread. Of another process after a fork: begins anew there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()
        _open.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[tuple[Operation, Future[Any] | None]] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = self._complained = self._busy = False
        self.beats: set[int] = set()

    def put(self, operation: Operation) -> None:
        """Write soon; that it failed is only warned of."""
        self._append(operation, None)

    def do(self, operation: Operation) -> Any:
        """Write, wait until it is on the disk, and return what `operation` returned.

        Raises:
            JournalError: It cannot be written.
        """
        future: Future[Any] = Future()
        self._append(operation, future)
        return future.result()

    def flush(self) -> None:
        """Wait until all that was put is on the disk, or was complained of."""
        if self._pid == os.getpid() and (self._waiting or self._busy):
            self.do(lambda connection: None)

    def close(self) -> None:
        """Write what waits, and end."""
        if self._pid != os.getpid():
            return
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _append(self, operation: Operation, future: Future[Any] | None) -> None:
        if self._pid != os.getpid():
            self._begin()
        with self._wake:
            self._waiting.append((operation, future))
            if self._thread is None or not self._thread.is_alive():
                self._closed = False
                self._thread = threading.Thread(
                    target=self._write, name="qdmi-journal", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while batch := self._next():
                if connection is None:
                    connection = self._connected(batch)
                if connection is not None:
                    self._transact(connection, batch)
                self._busy = False
        finally:
            if connection is not None:
                connection.close()

    def _next(self) -> list[tuple[Operation, Future[Any] | None]]:
        with self._wake:
            while not self._waiting:
                if self._closed:
                    self._thread = None
                    return []
                if not self._wake.wait(BEAT) and self.beats:
                    self._waiting.append((self._beat, None))
            if not self._closed and all(future is None for _, future in self._waiting):
                self._wake.wait(_LINGER)  # whoever noted a job is about to claim the next one
            batch = list(self._waiting)
            self._waiting.clear()
            self._busy = True
            return batch

    def _beat(self, connection: sqlite3.Connection) -> None:
        now = time.time()
        rows = [(now, number) for number in list(self.beats)]
        connection.executemany("UPDATE runs SET beat = ? WHERE number = ?", rows)

    def _connected(
        self, batch: list[tuple[Operation, Future[Any] | None]]
    ) -> sqlite3.Connection | None:
        try:
            return connect(self.path)
        except JournalError as error:
            for _, future in batch:
                self._fail(future, error)
            return None

    def _transact(
        self, connection: sqlite3.Connection, batch: list[tuple[Operation, Future[Any] | None]]
    ) -> None:
        outcomes: list[tuple[Future[Any], Any, Exception | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for operation, future in batch:
                if future is None:
                    operation(connection)
                    continue
                connection.execute("SAVEPOINT one")
                try:
                    outcomes.append((future, operation(connection), None))
                except JournalError as error:  # a rule of ours: the others are not concerned
                    connection.execute("ROLLBACK TO one")
                    outcomes.append((future, None, error))
                connection.execute("RELEASE one")
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            ours = error if isinstance(error, JournalError) else failure(self.path, error)
            ours.__cause__ = error if ours is not error else None
            for _, future in batch:
                self._fail(future, ours)
            return
        for future, value, problem in outcomes:
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)

    def _fail(self, future: Future[Any] | None, error: JournalError) -> None:
        if future is not None:
            future.set_exception(error)
        elif not self._complained:
            self._complained = True
            _log.warning("a note is lost: %s", error)


_open: WeakSet[Writer] = WeakSet()


@atexit.register
def _close_all() -> None:
    for writer in list(_open):
        writer.close()


def complain(error: Exception) -> None:
    """Say that a run goes on without its journal."""
    warnings.warn(
        f"{error}. The run goes on, but cannot be resumed by another process.", stacklevel=2
    )
