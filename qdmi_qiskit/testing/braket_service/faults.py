"""Faults on demand: what goes wrong, for which operation, how often.

An operation is called by its name in the API (`CreateQuantumTask`, `GetObject`); `"*"` is any.
`times=None` never ends; `clear()` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["refuse", "drop", "drop after", "cut", "shorten", "garble", "slow"]


@dataclass
class Fault:
    """A fault of the wire. `times` counts down to zero.

    Attributes:
        operation: Which requests are hit.
        kind: What happens.
        times: To how many; None: all.
        error: Name of the error with `refuse`.
        message: Its words.
        keep: Part of the body that `cut` and `shorten` send.
        seconds: How late the answer comes with `slow`.
        retry_after: What `refuse` asks for in the header of that name.
    """

    operation: str
    kind: Kind
    times: int | None = 1
    error: str = "InternalServiceException"
    message: str = "a fault on demand"
    keep: float = 0.5
    seconds: float = 0.1
    retry_after: str | None = None


@dataclass
class Ending:
    """How a task ends other than well.

    Attributes:
        status: FAILED or CANCELLED of the task; COMPLETED: only some executables fail.
        reason: The vendor's words.
        executables: Executables of a program set that fail; None: all.
        times: Number of tasks that end so; counts down.
    """

    status: str
    reason: str
    executables: frozenset[int] | None = None
    times: int | None = 1
    category: str = "DEVICE"
    retryable: bool = True


class Faults:
    """A queue of faults; the first that fits is used up first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._delays: dict[str, float] = {}
        self._deaf = 0
        self._statuses: list[str] = []
        self._endings: list[Ending] = []
        self._chooser: Callable[[str], Fault | None] | None = None

    def draw(self, chooser: Callable[[str], Fault | None]) -> None:
        """Let `chooser` say for each request that no fault waits for what goes wrong with it."""
        with self._lock:
            self._chooser = chooser

    def throttle(
        self, operation: str = "*", times: int | None = 1, *, retry_after: str | None = None
    ) -> None:
        """Answer `ThrottlingException` (429); S3 says `SlowDown` (503)."""
        fault = Fault(operation, "refuse", times, "ThrottlingException", "Rate exceeded")
        fault.retry_after = retry_after
        self._add(fault)

    def refuse(
        self,
        operation: str = "*",
        times: int | None = 1,
        *,
        error: str = "InternalServiceException",
        message: str = "a fault on demand",
    ) -> None:
        """Answer an error, by default the service's own (500)."""
        self._add(Fault(operation, "refuse", times, error, message))

    def drop(self, operation: str = "*", times: int | None = 1, *, accepted: bool = False) -> None:
        """Close the connection without an answer: before the request counts, or after."""
        self._add(Fault(operation, "drop after" if accepted else "drop", times))

    def delay(self, operation: str = "*", seconds: float = 0.1) -> None:
        """Wait before each request is taken up, until `clear()`."""
        with self._lock:
            self._delays[operation] = seconds

    def cut(
        self, operation: str = "GetObject", times: int | None = 1, *, keep: float = 0.5
    ) -> None:
        """Close the connection in the middle of a body."""
        self._add(Fault(operation, "cut", times, keep=keep))

    def shorten(
        self, operation: str = "GetObject", times: int | None = 1, *, keep: float = 0.5
    ) -> None:
        """Send a part of a body as if it were the whole."""
        self._add(Fault(operation, "shorten", times, keep=keep))

    def garble(self, operation: str = "GetObject", times: int | None = 1) -> None:
        """Act, and answer with something else than JSON, as a proxy may."""
        self._add(Fault(operation, "garble", times))

    def end_tasks(
        self, status: str = "FAILED", reason: str = "The device failed", times: int | None = 1
    ) -> None:
        """Let the next tasks that run end as FAILED or CANCELLED."""
        with self._lock:
            self._endings.append(Ending(status, reason, times=times))

    def fail_executables(
        self,
        executables: Iterable[int],
        reason: str = "The executable failed",
        times: int | None = 1,
        *,
        status: str = "COMPLETED",
        category: str = "DEVICE",
        retryable: bool = True,
    ) -> None:
        """Let these executables of the next program set fail; others keep their results."""
        with self._lock:
            which = frozenset(executables)
            self._endings.append(Ending(status, reason, which, times, category, retryable))

    def ignore_cancel(self, times: int = 1) -> None:
        """Let the next running tasks that are cancelled complete all the same (and cost)."""
        with self._lock:
            self._deaf += times

    def show_status(self, status: str, times: int = 1) -> None:
        """Let GetQuantumTask say something else about the state, such as NOT_SET."""
        with self._lock:
            self._statuses += [status] * times

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()
            self._delays.clear()
            self._deaf = 0
            self._statuses.clear()
            self._endings.clear()
            self._chooser = None

    def seconds(self, operation: str) -> float:
        """Return how long a request has to wait."""
        with self._lock:
            return self._delays.get(operation, self._delays.get("*", 0.0))

    def take(self, operation: str) -> Fault | None:
        """Return the next fault for an operation and count it down."""
        with self._lock:
            for fault in self._faults:
                if fault.operation in ("*", operation) and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
            chooser = self._chooser
        return None if chooser is None else chooser(operation)

    def take_ending(self, program_set: bool) -> Ending | None:
        """Return how the next task ends, if not well."""
        with self._lock:
            for ending in self._endings:
                if ending.times != 0 and (program_set or ending.executables is None):
                    ending.times = None if ending.times is None else ending.times - 1
                    return ending
        return None

    def take_deaf(self) -> bool:
        """Tell whether the next cancellation of a running task is ignored."""
        with self._lock:
            self._deaf -= (deaf := self._deaf > 0)
            return deaf

    def take_status(self) -> str | None:
        """Return what GetQuantumTask is to say instead of the state."""
        with self._lock:
            return self._statuses.pop(0) if self._statuses else None

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
