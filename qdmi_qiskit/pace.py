"""How fast to ask a service: what plug-ins with a wire share.

A service that is asked too much says so (429, `ThrottlingException`). Whoever asks then waits and
asks again, and, so that it does not happen over and over, asks for fewer things at a time.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from qdmi_qiskit import telemetry


class Rate:
    """Lets `burst` calls pass at once, then `rate` per second. Shared by threads."""

    def __init__(self, rate: float, burst: int) -> None:
        self._gap, self._slack = 1 / rate, (burst - 1) / rate
        self._free = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next call is within the rate."""
        with self._lock:
            now = time.monotonic()
            due = max(self._free, now - self._slack)
            self._free = due + self._gap
        if due > now:
            time.sleep(due - now)


class Width:
    """How many calls may be under way at once: halved when throttled, wider by one a round.

    That is how TCP finds the width of a line (additive increase, multiplicative decrease). Calls
    that were under way together and were throttled together halve it once.

    >>> width = Width(8)
    >>> for _ in range(2):
    ...     with width.call() as call:
    ...         call.throttled()
    >>> width.limit
    2
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._limit = float(most)
        self._busy = self._round = self._peak = 0
        self._free = threading.Condition()

    @property
    def limit(self) -> int:
        """How many calls may be under way now."""
        return int(self._limit)

    @property
    def busy(self) -> int:
        """How many calls are under way."""
        return self._busy

    @property
    def peak(self) -> int:
        """The most that were under way since `limit` last fell."""
        return self._peak

    @contextmanager
    def call(self) -> Iterator[Call]:
        """Wait for a place, and keep it for as long as the call is under way."""
        with self._free:
            while self._busy >= self.limit:
                self._free.wait()
            self._busy += 1
            self._peak = max(self._peak, self._busy)
            call = Call(self, self._round)
        try:
            yield call
        finally:
            with self._free:
                self._busy -= 1
                if call.answered:
                    self._limit = min(self._limit + 1 / self._limit, self.most)
                self._free.notify(2)  # the width may have grown

    def narrow(self, begun: int | None = None) -> None:
        """Halve the width, unless another call of the same round has done so.

        Args:
            begun: In which round the call that was throttled began; None: in this one.
        """
        with self._free:
            if begun in (None, self._round):
                self._round += 1
                self._limit = max(self._limit / 2, 1.0)
                self._peak = 0


class Call:
    """One call under way. A service that answered it, with whatever, is not asked too much."""

    __slots__ = ("_begun", "_width", "answered")

    def __init__(self, width: Width, begun: int) -> None:
        self._width, self._begun = width, begun
        self.answered = True

    def throttled(self) -> None:
        """Take note that the service wants fewer calls."""
        self.answered = False
        self._width.narrow(self._begun)

    def failed(self) -> None:
        """Take note that nothing was heard: that says nothing about the width."""
        self.answered = False


def pause(attempt: int, first: float, longest: float, asked: float | None = None) -> float:
    """Return the seconds to wait before the next attempt, which `qdmi.retries` counts.

    Args:
        attempt: How many failed before, from 0.
        first: Seconds after the first, about; doubled each time.
        longest: Most of that.
        asked: What the service asked for: then just that.
    """
    telemetry.count("retries", 1, "{retry}", retry_asked=asked is not None)
    if asked is not None:
        return asked
    spread = 0.75 + random.random() / 2  # noqa: S311 - it only spreads calls
    return min(first * 2.0 ** min(attempt, 60), longest) * spread


def retry_after(value: object, now: datetime | None = None) -> float | None:
    """Return the seconds that a header `Retry-After` asks for; None if it asks for nothing.

    Args:
        value: Seconds, or an HTTP date; anything else asks for nothing.
        now: In UTC, for tests.

    >>> retry_after("3")
    3.0
    >>> retry_after("Sat, 21 Nov 2026 12:00:10 GMT", datetime(2026, 11, 21, 12, tzinfo=UTC))
    10.0
    """
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return None if math.isnan(seconds) else max(seconds, 0.0)
    try:
        then = parsedate_to_datetime(value)
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        return max((then - (now or datetime.now(UTC))).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        return None
