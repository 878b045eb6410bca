"""Which marks "is being sent" may reach the disk a moment after the first byte goes out.

A mark must survive the death of the process: it is committed before anything is sent, always. It
must survive a power cut as well, or its chunk would be sent and paid again; but to wait for the
disk costs milliseconds for each submission. So the first few chunks without a mark on the disk need
not wait: their marks follow while they are on their way. Should the power be cut just then, these
few look as if nobody had sent them. Therefore whoever takes up a run that was being sent before the
machine was started treats the first few unmarked chunks as if they were marked (`suspect`).
"""

from __future__ import annotations

import sqlite3
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable

FEW = 16
"""Marks that a power cut may take: twice as many as a run's threads that send."""


class Ahead:
    """The chunks of a stage that may have no mark on the disk, and were never sent, in order.

    One whose mark was taken back stays: what the disk says of it last is not known in time.
    """

    def __init__(self, unmarked: Iterable[int] = ()) -> None:
        self._unmarked = sorted(unmarked)
        self._back: set[int] = set()
        self._lock = threading.Lock()

    def may_go(self, number: int) -> bool:
        """Return whether a chunk may go out before its mark is on the disk."""
        with self._lock:
            place = bisect_left(self._unmarked, number)
            return place < min(FEW, len(self._unmarked)) and self._unmarked[place] == number

    def marked(self, number: int) -> None:
        """Take note that the mark of a chunk is on the disk."""
        with self._lock:
            place = bisect_left(self._unmarked, number)
            known = place < len(self._unmarked) and self._unmarked[place] == number
            if known and number not in self._back:
                del self._unmarked[place]

    def unmarked(self, number: int) -> None:
        """Take note that the mark of a chunk is about to be taken back."""
        with self._lock:
            self._back.add(number)
            if number not in self._unmarked:
                insort(self._unmarked, number)


def suspect(connection: sqlite3.Connection, run: int) -> None:
    """Mark the chunks of a run whose marks a power cut may have taken."""
    stages = connection.execute(
        "SELECT DISTINCT stage FROM chunks WHERE run = ?", (run,)
    ).fetchall()
    for (stage,) in stages:
        first = connection.execute(
            "SELECT run, stage, number FROM chunks WHERE run = ? AND stage = ? "
            "AND state = 'planned' AND attempt = 0 ORDER BY number LIMIT ?",
            (run, stage, FEW),
        ).fetchall()
        connection.executemany(
            "UPDATE chunks SET state = 'sending' WHERE (run, stage, number) = (?, ?, ?)", first
        )
