"""Who waits for which answer of a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from itertools import count
from typing import Any

from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.errors import QdmiError

Listener = Callable[[dict[str, Any]], None]


class Switchboard:
    """Calls and jobs by number, each with whoever is to be told."""

    def __init__(self) -> None:
        self._calls: dict[int, Future[Any]] = {}
        self._listeners: dict[int, Listener] = {}
        self._numbers, self._lock = count(1), threading.Lock()
        self._closed = False

    def number(self) -> int:
        """Return a number that nothing else here has."""
        return next(self._numbers)

    def expect(self, number: int) -> Future[Any]:
        """Return what the answer to a call will be put into."""
        future = self._calls[number] = Future()
        return future

    def drop(self, number: int) -> None:
        """Expect no answer to a call any more."""
        self._calls.pop(number, None)

    def listen(self, number: int, listener: Listener) -> bool:
        """Have messages about a job told; False if there will be none."""
        with self._lock:
            if self._closed:
                return False
            self._listeners[number] = listener
            return True

    def forget(self, number: int) -> None:
        """Stop telling of a job."""
        self._listeners.pop(number, None)

    @property
    def busy(self) -> bool:
        """Whether some job is listened for."""
        return bool(self._listeners)

    def pass_on(self, message: Mapping[str, Any]) -> None:
        """Hand a message to whoever waits for it; of one that nobody waits for nothing is done."""
        if "call" in message:
            future = self._calls.pop(message["call"], None)
            if future is None:
                return
            if "error" in message:
                future.set_exception(words.to_error(message["error"]))
            else:
                future.set_result(message.get("value"))
        elif (listener := self._listeners.get(message["job"])) is not None:
            listener(dict(message))

    def close(self, why: Callable[[], QdmiError]) -> None:
        """Tell everybody who waits that there is nothing to wait for.

        Args:
            why: Asked once, if anybody waits.
        """
        with self._lock:
            self._closed = True
            listeners, self._listeners = self._listeners, {}
            calls, self._calls = self._calls, {}
        if not listeners and not calls:
            return
        reason = why()
        for future in calls.values():
            fail(future, reason)
        for number, listener in listeners.items():
            listener({"job": number, "lost": True, "why": str(reason)})


def fail(future: Future[Any], error: BaseException) -> None:
    """Put an error into a future, unless something else came first."""
    with suppress(InvalidStateError):
        future.set_exception(error)
