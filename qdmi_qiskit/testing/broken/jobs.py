"""Devices whose jobs misbehave."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import (
    JobStatus,
    Shots,
    Task,
)
from qdmi_qiskit.testing.broken.wrong import (
    Wrong,
    WrongJob,
    fails,
)
from qdmi_qiskit.testing.circuits import flip
from qdmi_qiskit.testing.harness import Harness


@fails("status_moves_forward")
class Backwards(Wrong):
    """A job is queued again after it ran."""

    def bend_status(self, status: JobStatus, asked: int) -> JobStatus:
        return (JobStatus.RUNNING, JobStatus.QUEUED)[asked] if asked < 2 else status


@fails("status_moves_forward")
class Undone(Wrong):
    """A job that is done is running again."""

    def bend_status(self, status: JobStatus, asked: int) -> JobStatus:
        return JobStatus.DONE if asked == 0 else JobStatus.RUNNING


@fails("result_twice_is_equal")
class Fickle(Wrong):
    """The second result differs."""

    def bend_shots(self, shots: Shots) -> Shots:
        self.calls = getattr(self, "calls", 0) + 1
        return replace(shots, bits=np.roll(shots.bits, self.calls, axis=1))


@fails("jobs_have_ids")
class Nameless(Wrong):
    """Jobs have no id."""

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        job = super().submit(tasks, key=key)
        job.id = ""
        return job


@fails("cancel_as_declared")
class CancelsFinalJobs(Wrong):
    """Cancel takes away a result that was there."""

    def bend_cancel(self, job: Job) -> None:
        self.canceled = job.wait()

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        if hasattr(self, "canceled"):
            raise JobFailedError("canceled", job_id="any")
        return outcome


@fails("wait_leaves_the_job_running")
class StopsAtTimeout(Wrong):
    """A wait that times out stops the job."""

    def bend_wait(self, job: Job, timeout: float | None) -> JobStatus:
        if timeout == 0.0 or hasattr(self, "stopped"):
            self.stopped = True
            return JobStatus.CANCELED
        return job.wait(timeout)


@fails("wait_leaves_the_job_running")
class DoesNotWait(Wrong):
    """A wait that times out returns as if nothing were wrong."""

    def bend_wait(self, job: Job, timeout: float | None) -> JobStatus:
        return JobStatus.RUNNING if timeout is not None and timeout < 1 else job.wait(timeout)


@fails("session_works_from_threads")
class LastJobOnly(Wrong):
    """The session keeps the last outcome alone, for all threads."""

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        latest = self.jobs[-1]
        assert isinstance(latest, WrongJob)
        return latest._job.result()  # noqa: SLF001 - a mutant of its own job


@fails("session_closes_twice")
class ClosesOnce(Wrong):
    """A second close fails."""

    def close(self) -> None:
        if hasattr(self, "closed"):
            raise RuntimeError("closed already")
        self.closed = True


@fails("retrieve_as_declared")
class FindsLatest(Wrong):
    """Whatever the id, the latest job is found."""

    def job(self, job_id: str) -> Job:
        return self.submit([_any_task(self)], key="another")


def _any_task(session: Session) -> Task:
    return Harness(lambda: session).task(flip(0))


@fails("unknown_job_is_an_error_of_ours")
class RawError(Wrong):
    """An unknown id raises the vendor's error."""

    def job(self, job_id: str) -> Job:
        return {job.id: job for job in self.jobs}[job_id]


@fails("followed_job_reads_like_the_first")
class Guesses(Wrong):
    """A followed job forgets registers that were not measured."""

    def follow(self, job_id: str, tasks: Sequence[Task]) -> Job:
        return Guessed(self.inner.job(job_id), self)


class Guessed(WrongJob):
    """Packs the bits that were measured at the lower end."""

    def result(self) -> tuple[Shots, ...]:
        return tuple(
            replace(
                shots, bits=np.right_shift(shots.bits, np.uint8(2)), num_bits=shots.num_bits - 2
            )
            for shots in super().result()
        )


@fails("find_as_it_says")
class FindsAnything(Wrong):
    """A search by key returns the latest job."""

    def find(self, key: str) -> Job | None:
        return self.jobs[-1]


@fails("find_as_it_says")
class FindsNothing(Wrong):
    """A search by key is offered and finds nothing."""

    def find(self, key: str) -> Job | None:
        return None


@fails("submit_key_as_declared")
class IgnoresKey(Wrong):
    """The key is declared and ignored."""

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        return super().submit(tasks, key=f"{key}-{len(self.jobs)}")


@fails("submit_key_as_declared")
class ForgetfulInThreads(Wrong):
    """The key is looked up and noted without a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Job] = {}

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        if key not in self.keys:
            time.sleep(0.002)
            self.keys[key] = super().submit(tasks, key=uuid4().hex)
        return self.keys[key]
