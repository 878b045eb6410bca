"""What is forgotten, and when: on request, and where the user has set a bound."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from qdmi_qiskit.errors import ConfigError, JournalError
from qdmi_qiskit.journal.opened import Opened
from qdmi_qiskit.journal.statements import count

_log = logging.getLogger(__name__)

LARGE = 2 << 30
"""Bytes above which a journal without a bound is spoken of."""

_ROOM = 0.9  # of the bound, so that not every run has to make room
_ENDED = "state IN ('done', 'failed', 'canceled')"
_SETTLED = (
    "(state IN ('done', 'canceled') OR (state = 'failed' AND NOT EXISTS (SELECT 1 FROM chunks "
    "WHERE chunks.run = runs.number AND chunks.state IN ('planned', 'sending', 'sent'))))"
)
"""Of a run that failed, other jobs may be under way still, or not fetched."""


class Bounded(Opened):
    """Forgets runs.

    Attributes:
        most_bytes: The bound that the user has set; the journal keeps to it itself.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.most_bytes: int | None = None
        self._said = False
        self._tried = 0.0  # the size that could not be made smaller

    def prune(
        self,
        *,
        before: datetime | None = None,
        most_bytes: int | None = None,
        everything: bool = False,
    ) -> int:
        """Forget runs, the oldest first; return how many.

        Args:
            before: Those that began earlier.
            most_bytes: So many that the file is no larger than this.
            everything: Forget also what is not finished; else only runs that ended. Without a
                bound: all.

        Raises:
            ConfigError: Nothing says what to forget.
        """
        if before is None and most_bytes is None and not everything:
            raise ConfigError(
                "nothing says what to forget: give before, most_bytes or everything=True"
            )
        wanted, forgotten = "1" if everything else _ENDED, 0
        if before is not None or most_bytes is None:
            end = math.inf if before is None else before.timestamp()
            older = partial(_forget, condition=f"{wanted} AND created < ?", values=(end,))
            forgotten += self._writer.do(older)
            self._vacuum()
        if most_bytes is not None:
            forgotten += self._forget_until(most_bytes, wanted)
        return forgotten

    def shrink(self) -> None:
        """Keep to the bound, where there is one; never forgets what is not final or not here."""
        most, size = self.most_bytes, _bytes_of(self.path)
        if most is None:
            if size > LARGE and not self._said:
                self._said = True
                _log.warning(
                    "the journal %s takes %.1f GB: `qdmi prune --older 90d` forgets old runs, "
                    "max_size in the configuration keeps it small",
                    self.path,
                    size / 1e9,
                )
            return
        if size <= most or size < self._tried:
            return
        try:
            self._vacuum()
            least = int(_ROOM * most) if self.size() > most else most
            gone = self._forget_until(least, _SETTLED)
        except JournalError as error:
            _log.warning("the journal could not be made smaller: %s", error)
            return
        if gone:
            _log.info("the journal forgot %d runs, to stay below %d bytes", gone, most)
        size = _bytes_of(self.path)
        self._tried = 1.1 * size if size > most else 0.0
        if size > most:
            _log.warning(
                "the journal %s takes %d bytes where max_size is %d: the runs in it have not ended "
                "or not been fetched; `qdmi jobs` lists them",
                self.path,
                size,
                most,
            )

    def _forget_until(self, most: int, wanted: str) -> int:
        forgotten = 0
        while (size := self.size()) > most:
            rows = self._writer.do(count)
            some = max(1, int(rows * (1 - most / size)))
            oldest = f"number IN (SELECT number FROM runs WHERE {wanted} ORDER BY created LIMIT ?)"  # noqa: S608
            gone = self._writer.do(partial(_forget, condition=oldest, values=(some,)))
            self._vacuum()
            forgotten += gone
            if not gone:
                break
        return forgotten

    def _vacuum(self) -> None:
        with self._reading() as connection:
            connection.executescript("PRAGMA incremental_vacuum")  # execute() frees one page
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _bytes_of(path: Path) -> int:
    """Return what a file takes, with what is still to be moved into it."""
    found = 0
    for each in (str(path), f"{path}-wal"):
        with suppress(OSError):  # there is none yet, or it cannot be used: whoever writes says so
            found += os.stat(each).st_size  # noqa: PTH116 - before each run, at half the cost
    return found


def _forget(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    query = f"DELETE FROM runs WHERE number IN (SELECT number FROM runs WHERE {condition})"  # noqa: S608
    gone = connection.execute(query, values).rowcount
    connection.execute(
        "DELETE FROM specs WHERE digest NOT IN "
        "(SELECT spec FROM inputs UNION ALL SELECT spec FROM calibrations)"
    )
    return gone
