"""Who writes: one thread, or whoever cannot wait for it; what waits goes along in one transaction.

Whoever waits for a note waits for the disk: what was noted survives a power cut. Threads that wait
share one such wait instead of queueing. `ahead.py` says which notes need only survive the death of
the process at first: the thread that sends commits these itself, without a change of threads, and
the one that writes brings them to the disk.
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
from qdmi_qiskit.journal.file import Disk, connect, failure
from qdmi_qiskit.journal.owner import BEAT

_log = logging.getLogger(__name__)

_LINGER = 0.001  # seconds that notes for which nobody waits are collected

Operation = Callable[[sqlite3.Connection], Any]
Told = Callable[[], object]
_Note = tuple[Operation, Future[Any] | None, Told | None, bool]
"""What to write; who waits; whom to tell once the disk has it; whether who waits waits for that."""


class Writer:
    """Writes to one file, from any thread. Of another process after a fork: begins anew there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()
        _open.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[_Note] = deque()
        self._wake = threading.Condition()
        self._turn = threading.Lock()  # whose turn it is to write; who takes notes has it
        self._thread: threading.Thread | None = None
        self._closed = self._complained = self._lingers = False
        self._file: tuple[sqlite3.Connection, Disk] | None = None
        self._unsynced: list[list[Told]] = []  # by transaction, whom to tell
        self.beats: set[int] = set()

    def put(self, operation: Operation) -> None:
        """Write soon; that it failed is only warned of."""
        self._append((operation, None, None, True))

    def do(self, operation: Operation, *, told: Told | None = None, early: bool = False) -> Any:
        """Write, wait until it is on the disk, and return what `operation` returned.

        Args:
            operation: What to write.
            told: Called by the thread that writes once the disk has it.
            early: Return as soon as it survives the death of the process, where that is sooner.

        Raises:
            JournalError: It cannot be written.
        """
        future: Future[Any] = Future()
        note = operation, future, told, not early
        if not early or not self._written_here(note):
            self._append(note)
        return future.result()

    def flush(self) -> None:
        """Wait until all that was put is on the disk, or was complained of."""
        if self._pid == os.getpid() and (self._waiting or self._turn.locked() or self._unsynced):
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

    def _append(self, note: _Note) -> None:
        if self._pid != os.getpid():
            self._begin()
        with self._wake:
            self._waiting.append(note)
            if self._thread is None:
                self._closed = False
                self._thread = threading.Thread(
                    target=self._write, name="qdmi-journal", daemon=True
                )
                self._thread.start()
            if note[1] is not None or not self._lingers:  # else it will look by itself
                self._wake.notify()

    def _written_here(self, note: _Note) -> bool:
        """Write in this thread, after what waits, if the disk may have it later."""
        if self._pid != os.getpid():
            return False
        with self._turn:
            if self._file is None or not self._file[1].later:
                return False
            self._transact(*self._file, [*self._taken(), note])
        with self._wake:
            self._wake.notify()
        return True

    def _write(self) -> None:
        try:
            while self._is_wanted():
                with self._turn:
                    batch = self._taken()
                    if batch and (file := self._opened(batch)) is not None:
                        self._transact(*file, batch)
                self._sync()
        except BaseException:
            self._thread = None  # whoever writes next begins another
            raise
        finally:
            with self._turn:
                if self._file is not None:
                    connection, disk = self._file
                    disk.close()
                    connection.close()
                self._file = None

    def _is_wanted(self) -> bool:
        """Wait until there is something to write; return whether there is."""
        with self._wake:
            while not (self._waiting or self._unsynced):
                if self._closed:
                    self._thread = None
                    return False
                if not self._wake.wait(BEAT) and self.beats:
                    self._waiting.append((self._beat, None, None, True))
            if not self._closed and all(future is None for _, future, _, _ in self._waiting):
                self._lingers = not self._unsynced  # marks go to the disk as soon as can be
                self._wake.wait(_LINGER)  # whoever noted a job is about to claim the next one
                self._lingers = False
            return True

    def _taken(self) -> list[_Note]:
        with self._wake:
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _beat(self, connection: sqlite3.Connection) -> None:
        now = time.time()
        rows = [(now, number) for number in list(self.beats)]
        connection.executemany("UPDATE runs SET beat = ? WHERE number = ?", rows)

    def _opened(self, batch: list[_Note]) -> tuple[sqlite3.Connection, Disk] | None:
        """Return the file; None if it cannot be written, and those who wait know it."""
        if self._file is None:
            try:
                connection = connect(self.path)
            except JournalError as error:
                for _, future, _, _ in batch:
                    self._fail(future, error)
                return None
            self._file = connection, Disk(connection, self.path)
        return self._file

    def _transact(self, connection: sqlite3.Connection, disk: Disk, batch: list[_Note]) -> None:
        """Write in one transaction; whoever calls has the turn."""
        outcomes: list[tuple[Future[Any], Any, Exception | None]] = []
        waits = not disk.later or any(future and waits for _, future, _, waits in batch)
        try:
            disk.wait(waits)
            connection.execute("BEGIN IMMEDIATE")
            for operation, future, _, _ in batch:
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
            self._complained = False
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            ours = error if isinstance(error, JournalError) else failure(self.path, error)
            ours.__cause__ = error if ours is not error else None
            for _, future, _, _ in batch:
                self._fail(future, ours)
            return
        told = [each for _, _, each, _ in batch if each is not None]
        if waits:
            for each in told:
                each()
        else:
            self._unsynced.append(told)
        for future, value, problem in outcomes:
            if problem is None:
                future.set_result(value)
            else:
                future.set_exception(problem)

    def _sync(self) -> None:
        """Bring to the disk what was committed, and tell of it."""
        committed = len(self._unsynced)
        if not committed or self._file is None:
            return
        try:
            self._file[1].sync()
        except OSError as error:
            self._fail(None, failure(self.path, error))
        else:
            for told in self._unsynced[:committed]:
                for each in told:
                    each()
        del self._unsynced[:committed]

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
