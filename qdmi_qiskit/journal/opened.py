"""One file that several threads and processes have open: one writes for all, readers read."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.journal.file import connect, failure
from qdmi_qiskit.journal.writer import Writer


class Opened:
    """One file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = Writer(path)
        self._lock = threading.Lock()
        self._reader: tuple[int, sqlite3.Connection] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}>"

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._writer.close()
        with self._lock:
            if self._reader is not None:
                self._reader[1].close()
                self._reader = None

    def flush(self) -> None:
        """Wait until all notes are on the disk."""
        self._writer.flush()

    def size(self) -> int:
        """Return how many bytes the file takes."""
        with self._reading() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        return int(pages) * int(size)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._writer.flush()
        try:
            with self._lock:
                if self._reader is None or self._reader[0] != os.getpid():
                    self._reader = os.getpid(), connect(self.path)
                yield self._reader[1]
        except QdmiError:
            raise
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise failure(self.path, error) from error

    def _put(self, query: str, values: Iterable[Any]) -> None:
        row = tuple(values)
        self._writer.put(lambda connection: connection.execute(query, row))
