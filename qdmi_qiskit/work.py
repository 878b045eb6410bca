"""What a job waits for: a run of shots, an exact computation, or both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Generic, Protocol, TypeVar

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

    def status(self) -> JobStatus:
        """Return the state; never block."""
        ...

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until final, or raise `TimeoutError`; the work goes on."""
        ...

    def result(self, timeout: float | None = None) -> T_co:
        """Wait, and return the outcome or raise why there is none."""
        ...

    def cancel(self) -> None:
        """Ask to stop."""
        ...


class Computation(Generic[T]):
    """A blocking call of the device, in a thread of its own."""

    job_ids: tuple[str, ...] = ()

    def __init__(self, call: Callable[[], T]) -> None:
        pool = ThreadPoolExecutor(1, "qdmi-compute")
        self._future: Future[T] = pool.submit(call)
        self._canceled = False
        pool.shutdown(wait=False)

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

    def result(self, timeout: float | None = None) -> T:
        """Wait, and return the value."""
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
    ) -> None:
        self._works = [first]
        self._canceled = False
        self._rest: Computation[tuple[T, ...]] | None = None
        if following is not None:
            self._rest = Computation(partial(self._follow, following))

    def _follow(self, following: Callable[[tuple[T, ...]], Work[tuple[T, ...]]]) -> tuple[T, ...]:
        outcome = self._works[0].result()
        if self._canceled:
            raise JobFailedError("canceled before its second stage", job_id="")
        self._works.append(following(outcome))
        return self._works[1].result()

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return tuple(job_id for work in self._works for job_id in work.job_ids)

    def status(self) -> JobStatus:
        """Return the state of the whole: not done before the second stage is."""
        status = self._works[-1].status()
        if self._rest is None:
            return status
        if self._rest.status().final:
            return JobStatus.CANCELED if self._canceled else self._rest.status()
        return JobStatus.RUNNING if status.final else status

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until both stages are final, or raise `TimeoutError`."""
        (self._rest or self._works[0]).wait(timeout)
        return self.status()

    def result(self, timeout: float | None = None) -> tuple[tuple[T, ...], tuple[T, ...]]:
        """Wait, and return the outcome of both stages."""
        if self._rest is None:
            return self._works[0].result(timeout), ()
        second = self._rest.result(timeout)
        return self._works[0].result(), second

    def cancel(self) -> None:
        """Ask the stage under way to stop; a second one not begun never is."""
        self._canceled = True
        for work in self._works:
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

    def status(self) -> JobStatus:
        """Return the state of the whole."""
        return together([part.status() for part in self._parts])

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until every part is final, or raise `TimeoutError`."""
        end = None if timeout is None else time.monotonic() + timeout
        for part in self._parts:
            part.wait(None if end is None else max(end - time.monotonic(), 0.0))
        return self.status()

    def result(self, timeout: float | None = None) -> tuple[T_co, ...]:
        """Wait, and return the result of every part."""
        self.wait(timeout)
        return tuple(part.result() for part in self._parts)

    def cancel(self) -> None:
        """Ask every part to stop."""
        for part in self._parts:
            part.cancel()
