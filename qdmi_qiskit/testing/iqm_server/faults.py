"""Faults on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from qdmi_qiskit.errors import ConfigError

Kind = Literal["throttle", "error", "drop_before", "drop_after", "slow", "truncate", "garbage"]


@dataclass(slots=True)
class Fault:
    """What goes wrong with some of the next requests.

    Attributes:
        kind: `throttle`: 429. `error`: another status. `drop_before`: the connection ends before
            the request is looked at. `drop_after`: it is obeyed, and the connection ends
            without an answer. `slow`: the answer comes late. `truncate`: half an answer comes,
            then the connection ends. `garbage`: an answer that is no JSON, with status 200.
        times: How many requests are hit; less than 0: all of them.
        method: Which ones; None: any.
        path: Pattern that is searched for in the path, `/api/v1/...`.
        skip: How many matching requests pass before the first is hit.
        retry_after: Seconds to announce with `throttle` and `error`; None: nothing announced.
            The real one sends whole numbers; a fraction keeps tests short.
        status: Of `error`.
        seconds: Of `slow`.
    """

    kind: Kind
    times: int = 1
    method: str | None = None
    path: str = ""
    skip: int = 0
    retry_after: float | None = None
    status: int = 503
    seconds: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"no fault {self.kind!r}; there are {', '.join(get_args(Kind))}")

    def hits(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return self.method in (None, method) and re.search(self.path, path) is not None


class Faults:
    """The faults that are still to come, first in, first out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Fault] = []
        self._chooser: Callable[[str, str], Fault | None] | None = None

    def draw(self, chooser: Callable[[str, str], Fault | None]) -> None:
        """Let `chooser` say, by method and path, what goes wrong where no fault waits."""
        with self._lock:
            self._chooser = chooser

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        with self._lock:
            self._coming.append(fault)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._coming.clear()
            self._chooser = None

    def take(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with this request."""
        with self._lock:
            for fault in self._coming:
                if not fault.hits(method, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self._coming.remove(fault)
                return fault
            chooser = self._chooser
        return None if chooser is None else chooser(method, path)
