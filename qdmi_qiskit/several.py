"""Ask a service for several things at a time: few threads, results in order, little waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

THREADS = 8
"""Threads that ask for the parts of one run."""


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield as many items at a time as are asked for at a time."""
    for first in range(0, len(items), THREADS):
        yield items[first : first + THREADS]


def at_once(call: Callable[[U], T], items: Sequence[U]) -> list[T]:
    """Return `call(item)` for each. A service far away is asked for several at a time."""
    if len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(THREADS, "qdmi-gather") as pool:
        return list(pool.map(call, items))


def ahead(call: Callable[[U], T], items: Sequence[U]) -> Iterator[T]:
    """Yield `call(item)` for each in order, several calls under way and few results waiting."""
    if len(items) < 2:
        yield from map(call, items)
        return
    with ThreadPoolExecutor(THREADS, "qdmi-gather") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(copy_context().run, call, item))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
