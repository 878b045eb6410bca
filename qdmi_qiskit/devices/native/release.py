"""What is open and must be freed: by a thread when nobody holds it any more, or at exit.

Freeing a job that runs may block until it ends, so no finaliser does that.
"""

from __future__ import annotations

import atexit
import queue
import sys
import threading
from contextlib import suppress
from typing import Protocol

from qdmi_qiskit.devices.native.library import Library, loaded


class Held(Protocol):
    """A session or a job."""

    library: Library

    @property
    def freed(self) -> bool:
        """Whether it was freed."""
        ...

    def let_go(self) -> bool:
        """Free it unless that could block; return whether there is nothing more to do."""
        ...


sessions: set[Held] = set()
"""Open ones; a session adds itself and takes itself away."""

jobs: set[Held] = set()
"""The same for jobs."""

_unwanted: queue.SimpleQueue[Held] = queue.SimpleQueue()
_starting = threading.Lock()
_reaper: threading.Thread | None = None


def release(unwanted: Held) -> None:
    """Free what nobody holds any more, a job when it is final. Never blocks: for finalisers."""
    if not unwanted.freed:
        _unwanted.put(unwanted)


def start() -> None:
    """Start the thread that frees, unless it runs; a fork has none until it asks."""
    global _reaper
    if _reaper is not None and _reaper.is_alive():
        return
    with _starting:
        if _reaper is None or not _reaper.is_alive():
            _reaper = threading.Thread(target=_reap, name="qdmi-native-free", daemon=True)
            _reaper.start()


def _reap() -> None:
    waiting: list[Held] = []
    pause = 0.01
    while True:
        with suppress(queue.Empty):
            waiting.append(_unwanted.get(timeout=pause if waiting else None))
            pause = 0.01
            # Not until it is empty: more may come all the time.
            waiting += [_unwanted.get_nowait() for _ in range(_unwanted.qsize())]
        waiting = [each for each in waiting if not each.let_go()]
        pause = min(2 * pause, 5.0)


@atexit.register
def _at_exit() -> None:
    """Free what is final, then sessions, then libraries; what still runs is left to run."""
    for kept in (jobs, sessions):
        for each in [each for each in kept if each.library.here]:
            each.let_go()
    busy = {each.library for each in sessions}
    for library in loaded():
        # mqt-core may have sessions of its own on the same library, and ends it by itself.
        if library.here and library not in busy and "mqt.core.qdmi" not in sys.modules:
            library.functions["device_finalize"]()
