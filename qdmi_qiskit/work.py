"""What a job waits for: a run of shots, an exact computation, or both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import JobStatus

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

LEAST_ADVANCED_FIRST = (
    JobStatus.FAILED,
    JobStatus.CANCELED,
    JobStatus.CREATED,
    JobStatus.SUBMITTED,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
)
"""The state of several parts together: the first of these that any part is in, else `DONE`."""


def together(states: Sequence[JobStatus]) -> JobStatus:
    """Return the state of a whole from the states of its parts."""
    return next((s for s in LEAST_ADVANCED_FIRST if s in states), JobStatus.DONE)


class Work(Protocol[T_co]):
    """Something under way on a device."""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        ...

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each device job so far, with its `id`."""
        ...

    def status(self) -> JobStatus:
        """Return the state; never block."""
        ...

    def statuses(self) -> list[JobStatus]:
        """Return the state of each device job planned so far."""
        ...

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until final, or raise `TimeoutError`; the work goes on."""
        ...

    def result(self, timeout: float | None = None, *, partial: bool = False) -> T_co:
        """Wait, and return the outcome or raise why there is none.

        `partial` returns what there is: see `Run.result`.
        """
        ...

    def cancel(self) -> None:
        """Ask to stop."""
        ...


class Computation(Generic[T]):
    """A blocking call of the device, in a thread of its own."""

    job_ids: tuple[str, ...] = ()

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """None: it is no job."""
        return []

    def __init__(self, call: Callable[[], T], *, abandons: bool = False) -> None:
        """Begin.

        Args:
            call: What to do.
            abandons: Let the program end before the call does.
        """
        self._canceled = False
        if abandons:
            self._future: Future[T] = Future()
            threading.Thread(
                target=self._run, args=(partial(copy_context().run, call),), daemon=True
            ).start()
            return
        pool = ThreadPoolExecutor(1, "qdmi-compute")
        self._future = pool.submit(copy_context().run, call)
        pool.shutdown(wait=False)

    def _run(self, call: Callable[[], T]) -> None:
        if self._future.set_running_or_notify_cancel():
            try:
                self._future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - result() raises it
                self._future.set_exception(error)

    def statuses(self) -> list[JobStatus]:
        """None: it is no job."""
        return []

    def status(self) -> JobStatus:
        """Return the state; a cancelled computation counts as such though its thread runs on."""
        if self._canceled or self._future.cancelled():
            return JobStatus.CANCELED
        if not self._future.done():
            return JobStatus.RUNNING
        return JobStatus.FAILED if self._future.exception() else JobStatus.DONE

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until final, or raise `TimeoutError`."""
        try:
            self._future.exception(timeout)
        except CancelledError:
            pass
        except FutureTimeoutError:
            raise TimeoutError(f"still computing after {timeout} s; it goes on") from None
        return self.status()

    def result(self, timeout: float | None = None, *, partial: bool = False) -> T:
        """Wait, and return the value; there is no part of one."""
        self.wait(timeout)
        if self.status() is JobStatus.CANCELED:
            raise JobFailedError("the computation was canceled", job_id="computation")
        return self._future.result()

    def cancel(self) -> None:
        """Drop the outcome; no effect on a computation that ended."""
        if not self._future.done():
            self._future.cancel()
            self._canceled = True


class Staged(Generic[T]):
    """A work whose outcome decides a second one, which begins without anybody waiting.

    The result is a pair; the second half is empty where nothing follows.
    """

    def __init__(
        self,
        first: Work[tuple[T, ...]],
        following: Callable[[tuple[T, ...]], Work[tuple[T, ...]]] | None,
        *,
        abandons: bool = False,
    ) -> None:
        """Begin the second work when the first is done.

        Args:
            first: Under way.
            following: Begins the second; None: there is none.
            abandons: Let the program end before that: the journal knows how to go on.
        """
        self._works = [first]
        self._canceled = False
        self._rest: Computation[Work[tuple[T, ...]]] | None = None
        if following is not None:
            self._rest = Computation(partial(self._follow, following), abandons=abandons)

    def _follow(
        self, following: Callable[[tuple[T, ...]], Work[tuple[T, ...]]]
    ) -> Work[tuple[T, ...]]:
        outcome = self._works[0].result()
        if self._canceled:
            raise JobFailedError("canceled before its second stage", job_id="")
        second = following(outcome)
        self._works.append(second)
        return second

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return tuple(job_id for work in self._works for job_id in work.job_ids)

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each device job so far, with its `id`."""
        return [job for work in self._works for job in work.device_jobs]

    def statuses(self) -> list[JobStatus]:
        """Return the state of each device job planned so far."""
        return [status for work in self._works for status in work.statuses()]

    def status(self) -> JobStatus:
        """Return the state of the whole: not done before the second stage is."""
        following = JobStatus.DONE if self._rest is None else self._rest.status()
        if following.final and following is not JobStatus.DONE:
            return JobStatus.CANCELED if self._canceled else following
        status = self._works[-1].status()
        if following.final or not status.final:
            return status
        return JobStatus.RUNNING  # between the stages

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until both stages are final, or raise `TimeoutError`."""
        end = None if timeout is None else time.monotonic() + timeout
        if self._rest is None or self._rest.wait(timeout) is JobStatus.DONE:
            self._works[-1].wait(None if end is None else max(end - time.monotonic(), 0.0))
        return self.status()

    def result(
        self, timeout: float | None = None, *, partial: bool = False
    ) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Wait, and return the outcome of both stages; a part only of the last one."""
        if self._rest is None:
            return self._works[0].result(timeout, partial=partial), ()
        end = None if timeout is None else time.monotonic() + timeout
        second = self._rest.result(timeout)
        left = None if end is None else max(end - time.monotonic(), 0.0)
        return self._works[0].result(), second.result(left, partial=partial)

    def cancel(self) -> None:
        """Ask the stage under way to stop; a second one not begun never is."""
        self._canceled = True
        for work in self._works:
            if not work.status().final:
                work.cancel()


class Looked(Generic[T]):
    """Two works of another process, seen from here: nothing happens unless somebody asks."""

    def __init__(
        self,
        first: Work[tuple[T, ...]],
        following: Callable[[tuple[T, ...]], Work[tuple[T, ...]]],
    ) -> None:
        self._first, self._following = first, following
        self._second: Work[tuple[T, ...]] | None = None
        self._lock = threading.Lock()

    def _next(self) -> Work[tuple[T, ...]]:
        """Return the second work; the first one is done."""
        with self._lock:
            if self._second is None:
                self._second = self._following(self._first.result())
            return self._second

    def _all(self) -> list[Work[tuple[T, ...]]]:
        return [self._first] if self._second is None else [self._first, self._second]

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return tuple(job_id for work in self._all() for job_id in work.job_ids)

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each device job so far, with its `id`."""
        return [job for work in self._all() for job in work.device_jobs]

    def statuses(self) -> list[JobStatus]:
        """Return the state of each device job that is known here."""
        return [status for work in self._all() for status in work.statuses()]

    def status(self) -> JobStatus:
        """Return the state of the whole."""
        status = self._first.status()
        return self._next().status() if status is JobStatus.DONE else status

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until both are final, or raise `TimeoutError`."""
        end = None if timeout is None else time.monotonic() + timeout
        status = self._first.wait(timeout)
        if status is not JobStatus.DONE:
            return status
        return self._next().wait(None if end is None else max(end - time.monotonic(), 0.0))

    def result(
        self, timeout: float | None = None, *, partial: bool = False
    ) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Wait, and return the outcome of both; a part only of the last one."""
        end = None if timeout is None else time.monotonic() + timeout
        first = self._first.result(timeout)
        left = None if end is None else max(end - time.monotonic(), 0.0)
        return first, self._next().result(left, partial=partial)

    def cancel(self) -> None:
        """Ask those that are known to stop."""
        for work in self._all():
            if not work.status().final:
                work.cancel()


class Both(Generic[T_co]):
    """Several works of which each has to end before there is a result."""

    def __init__(self, parts: Sequence[Work[T_co]]) -> None:
        self._parts = tuple(parts)

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return tuple(job_id for part in self._parts for job_id in part.job_ids)

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each device job so far, with its `id`."""
        return [job for part in self._parts for job in part.device_jobs]

    def statuses(self) -> list[JobStatus]:
        """Return the state of each device job planned so far."""
        return [status for part in self._parts for status in part.statuses()]

    def status(self) -> JobStatus:
        """Return the state of the whole."""
        return together([part.status() for part in self._parts])

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until every part is final, or raise `TimeoutError`."""
        end = None if timeout is None else time.monotonic() + timeout
        for part in self._parts:
            part.wait(None if end is None else max(end - time.monotonic(), 0.0))
        return self.status()

    def result(self, timeout: float | None = None, *, partial: bool = False) -> tuple[T_co, ...]:
        """Wait, and return the result of every part."""
        self.wait(timeout)
        return tuple(part.result(partial=partial) for part in self._parts)

    def cancel(self) -> None:
        """Ask every part to stop."""
        for part in self._parts:
            part.cancel()
