"""Device jobs as the journal knows them: sent by us, finished long ago, or somebody else's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qdmi_qiskit.device import Job
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    JournalError,
    ProtocolError,
    QdmiError,
    UnsupportedError,
)
from qdmi_qiskit.journal.rows import Step
from qdmi_qiskit.model import JobStatus, Shots, Task

if TYPE_CHECKING:
    from qdmi_qiskit.journal.notes import Notes

_LOOK = 0.5  # seconds between two looks at what another process wrote

_ENDED = {Step.FAILED: JobStatus.FAILED, Step.CANCELED: JobStatus.CANCELED}


class Sent(Job):
    """A job of the device's whose outcome goes into the journal when it first arrives."""

    def __init__(
        self, stage: Notes, number: int, tasks: Sequence[Task], find: Callable[[], Job], job_id: str
    ) -> None:
        """Follow a job.

        Args:
            stage: Where it is noted.
            number: Of the chunk.
            tasks: What it was made of.
            find: Returns the device's own job; called when it is first needed.
            job_id: The vendor's.
        """
        self.id = job_id
        self._stage, self._number, self._tasks, self._find = stage, number, tasks, find
        self._found: Job | None = None
        self._outcome: tuple[Shots, ...] | None = None

    def _job(self) -> Job:
        if self._found is None:
            self._found = self._find()
        return self._found

    @property
    def metadata(self) -> Mapping[str, Any]:
        return {} if self._found is None else self._found.metadata

    def status(self) -> JobStatus:
        return self._learned(self._job().status())

    def wait(self, timeout: float | None = None) -> JobStatus:
        return self._learned(self._job().wait(timeout))

    def _learned(self, status: JobStatus) -> JobStatus:
        if status is JobStatus.CANCELED:
            self._stage.note_ended(self._number, Step.CANCELED, "was canceled", self.metadata)
        return status

    def cancel(self) -> None:
        self._job().cancel()

    def result(self) -> tuple[Shots, ...]:
        if self._outcome is None:
            try:
                outcome = self._job().result()
            except JobFailedError as error:
                self._stage.note_ended(self._number, Step.FAILED, str(error), self.metadata)
                finished = self._stage.finished(self._number, str(error))
                if finished is None:
                    raise
                return finished
            _check(outcome, self._tasks)
            self._outcome = self._stage.note_done(self._number, outcome, self.metadata)
        return self._outcome


class Stopped(Sent):
    """A job that was canceled: the device may have what it finished."""

    def __init__(
        self,
        stage: Notes,
        number: int,
        tasks: Sequence[Task],
        find: Callable[[], Job],
        job_id: str,
        error: JobFailedError,
    ) -> None:
        """Follow a job as `Sent` does; `error` says that it was canceled."""
        super().__init__(stage, number, tasks, find, job_id)
        self._error = error

    def status(self) -> JobStatus:
        return JobStatus.CANCELED

    def wait(self, timeout: float | None = None) -> JobStatus:
        return JobStatus.CANCELED

    def cancel(self) -> None:
        """Do nothing: the job is over."""

    def result(self) -> tuple[Shots, ...]:
        try:
            return super().result()
        except (ConfigError, JobFailedError, UnsupportedError):
            raise self._error from None


class Kept(Job):
    """A job whose outcome is in the journal."""

    def __init__(
        self,
        job_id: str,
        facts: Mapping[str, Any],
        read: Callable[[], tuple[Shots, ...]],
        tasks: Sequence[Task],
        again: Callable[[], Job] | None,
    ) -> None:
        """Stand for a job.

        Args:
            job_id: The vendor's.
            facts: What the vendor told.
            read: Returns the outcome.
            tasks: What it was made of.
            again: Asks the device, should the record be damaged.
        """
        self.id, self._facts, self._read = job_id, facts, read
        self._tasks, self._again = tasks, again

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self._facts

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def cancel(self) -> None:
        """Do nothing: the job is over."""

    def result(self) -> tuple[Shots, ...]:
        try:
            outcome = self._read()
            _check(outcome, self._tasks)
        except (JournalError, ProtocolError) as damage:
            if self._again is None:
                raise JournalError(
                    f"{damage}; where the device still has the job, job.resume() asks for it again"
                ) from damage
            try:
                return self._again().result()
            except QdmiError:
                raise damage from None
        return outcome


class Ended(Job):
    """A job that ended without an outcome, or could not be sent."""

    def __init__(self, job_id: str, error: QdmiError, status: JobStatus = JobStatus.FAILED) -> None:
        self.id, self._error, self._status = job_id, error, status

    def status(self) -> JobStatus:
        return self._status

    def cancel(self) -> None:
        """Do nothing: the job is over."""

    def result(self) -> tuple[Shots, ...]:
        raise self._error


class Elsewhere(Job):
    """A chunk that this process neither sends nor can ask for: another one may."""

    def __init__(self, stage: Notes, number: int, tasks: Sequence[Task]) -> None:
        self._stage, self._number, self._tasks = stage, number, tasks
        self.id = stage.rows[number].key

    def _now(self) -> Job | None:
        """Look what the journal says now; return what this has become."""
        self._stage.look_again(self._number)
        step = self._stage.rows[self._number].step
        if step in (Step.PLANNED, Step.SENDING) or (
            step is Step.SENT and not self._stage.outlives_us
        ):
            return None
        return self._stage.followed(self._number, self._tasks)

    def status(self) -> JobStatus:
        job = self._now()
        if job is not None:
            return job.status()
        sent = self._stage.rows[self._number].step is Step.SENT
        return JobStatus.RUNNING if sent and self._stage.is_held() else JobStatus.CREATED

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Wait for as long as somebody is at it; what nobody sends stays `CREATED`."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            held = self._stage.is_held()  # before the look: it may end in between
            job = self._now()
            left = None if end is None else end - time.monotonic()
            if job is not None:
                return job.wait(None if left is None else max(left, 0.0))
            if not held:
                return JobStatus.CREATED
            if left is not None and left <= 0:
                raise TimeoutError(f"chunk {self.id} is not sent yet after {timeout} s")
            time.sleep(_LOOK if left is None else min(_LOOK, left))

    def cancel(self) -> None:
        """Cancel what was sent meanwhile; of the rest there is nothing to cancel."""
        job = self._now()
        if job is not None:
            job.cancel()

    def result(self) -> tuple[Shots, ...]:
        job = self._now()
        if job is not None:
            return job.result()
        raise JobFailedError(
            f"{self._stage.why_not(self._number)}: job.resume(), or `qdmi resume "
            f"{self._stage.run_id}`, goes on with it",
            job_id=self.id,
        )


def _check(outcome: Sequence[Shots], tasks: Sequence[Task]) -> None:
    """Refuse an outcome whose bits belong to other places than the tasks say."""
    widths, wanted = [shots.num_bits for shots in outcome], [task.num_bits for task in tasks]
    if widths != wanted:
        raise ProtocolError(
            f"a job has outcomes of {widths} bits, where its tasks have {wanted}: report it to the "
            "author of the plug-in"
        )


def failed_parts(
    outcome: Sequence[Shots], tasks: Sequence[Task]
) -> list[tuple[int, tuple[int, ...], Task]]:
    """Return what of a job failed: the number of the task, its points, and a task of these."""
    found = []
    for index, (shots, task) in enumerate(zip(outcome, tasks, strict=True)):
        if shots.failures:
            points = tuple(sorted(shots.failures))
            found.append((index, points, replace(task, values=task.values[list(points)])))
    return found


def patched(
    outcome: Sequence[Shots],
    parts: Sequence[tuple[int, tuple[int, ...], Task]],
    new: Sequence[Shots],
) -> tuple[Shots, ...]:
    """Return an outcome with what had failed replaced."""
    found = list(outcome)
    for (index, points, _), shots in zip(parts, new, strict=True):
        old, rows = found[index], list(points)
        bits, number = old.bits.copy(), old.bits.shape[1]
        valid = np.full(len(bits), number) if old.valid is None else old.valid.copy()
        bits[rows] = shots.bits
        valid[rows] = number if shots.valid is None else shots.valid
        failures = {points[row]: why for row, why in shots.failures.items()}
        every = not failures and bool((valid == number).all())
        found[index] = Shots(bits, old.num_bits, None if every else valid, failures)
    return tuple(found)
