"""The chunks of a run go out as device jobs: the first at once, the rest behind the caller."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, NamedTuple

from qdmi_qiskit import telemetry
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import JobFailedError, ProtocolError
from qdmi_qiskit.journal import Stage
from qdmi_qiskit.model import DeviceSpec, JobStatus, Shots
from qdmi_qiskit.plan import Chunk
from qdmi_qiskit.several import THREADS

_log = logging.getLogger(__name__)


class Sender:
    """Sends chunks under one key, no more at once than the device wants, and fetches outcomes.

    Attributes:
        canceled: What is not sent yet never will be.
    """

    def __init__(self, session: Session, spec: DeviceSpec, key: str, stage: Stage | None) -> None:
        self.canceled = False
        self._session, self._spec, self._key, self._stage = session, spec, key, stage
        self._traces: dict[int, _Trace] | None = {} if telemetry.is_on() else None

    def send(self, chunks: Sequence[Chunk]) -> list[Sending]:
        """Send the first chunk here, so that a refusal is raised here; the rest behind."""
        if not chunks:
            return []
        try:
            job = self._job(chunks[0], 0)
        except BaseException:
            if self._stage is not None:
                self._stage.abandon()  # whoever caught this may go on with it at once
            raise
        return [Sent(job)] if len(chunks) == 1 else [Sent(job), *self._behind(chunks, job)]

    def _behind(self, chunks: Sequence[Chunk], first: Job) -> list[Future[Job]]:
        limit = self._spec.capabilities.max_jobs
        pool = ThreadPoolExecutor(min(limit or THREADS, len(chunks) - 1), "qdmi-submit")
        gate = None if limit is None else threading.Semaphore(limit)
        if gate is not None:
            gate.acquire()
            pool.submit(_release_when_final, first, gate)
        rest = [
            pool.submit(copy_context().run, self._send, chunk, index, gate)
            for index, chunk in enumerate(chunks[1:], start=1)
        ]
        pool.shutdown(wait=False)
        return rest

    def _send(self, chunk: Chunk, index: int, gate: threading.Semaphore | None) -> Job:
        if gate is not None:
            self._pass(gate, index)
        try:
            self._check_wanted(index)
            job = self._job(chunk, index)
        except BaseException:
            if gate is not None:
                gate.release()
            raise
        if gate is not None:
            threading.Thread(target=_release_when_final, args=(job, gate), daemon=True).start()
        return job

    def _pass(self, gate: threading.Semaphore, index: int) -> None:
        """Wait until the device takes another job; not beyond the program's end if noted."""
        while not gate.acquire(timeout=1.0):
            if self._stage is not None and not threading.main_thread().is_alive():
                raise JobFailedError(
                    f"the program ended before chunk {index} of run {self._key} was sent; "
                    f"`qdmi resume {self._key}` sends it",
                    job_id=f"{self._key}-{index}",
                )

    def _check_wanted(self, index: int) -> None:
        if self.canceled:
            raise JobFailedError(
                f"chunk {index} of run {self._key} was canceled before it was sent",
                job_id=f"{self._key}-{index}",
            )

    def _job(self, chunk: Chunk, index: int) -> Job:
        """Return the device's job for a chunk: submitted, or found again by the journal."""
        job = self._made(chunk, index) if self._traces is None else self._told(chunk, index)
        if _log.isEnabledFor(logging.INFO):
            _log.info("run %s: job %s", self._key, job.id, extra=self._about(job.id))
        return job

    def _made(self, chunk: Chunk, index: int) -> Job:
        if self._stage is not None:
            return self._stage.send(index)
        return self._session.submit(chunk.tasks, key=f"{self._key}-{index}")

    def _told(self, chunk: Chunk, index: int) -> Job:
        """Return the job, and tell of its submission."""
        assert self._traces is not None  # noqa: S101 - asked before
        trace = self._traces[index] = _Trace(time.time_ns(), _size_of(chunk))
        again = None if self._stage is None or self._stage.is_new else True
        about = {"device_id": self._spec.name, "run_id": self._key, "chunk": index}
        with telemetry.span("submit", **about, **trace.size, resumed=again) as made:
            job = self._made(chunk, index)
            telemetry.note(made, job_id=job.id)
        seconds = (time.time_ns() - trace.since) / 1e9
        telemetry.duration("submit.duration", seconds, device_id=self._spec.name)
        return job

    def fetch(self, job: Job, index: int) -> tuple[Shots, ...]:
        """Return the outcome of a chunk's job, which is final."""
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("run %s: fetch job %s", self._key, job.id, extra=self._about(job.id))
        if self._traces is None:
            return job.result()
        return self._told_outcome(job, index, self._traces[index])

    def _told_outcome(self, job: Job, index: int, trace: _Trace) -> tuple[Shots, ...]:
        """Return the outcome of a job, and tell of both."""
        kept = self._stage is not None and self._stage.has(index)
        new = self._stage is None or self._stage.is_new
        with telemetry.span("fetch", device_id=self._spec.name, run_id=self._key, job_id=job.id):
            outcome = job.result()
        if not kept:
            telemetry.device_job(
                job.metadata,
                job_id=job.id,
                device=self._spec.name,
                since=trace.since if new else 0,
                shots=trace.size["shots"],
            )
        return outcome

    def _about(self, job_id: str) -> dict[str, str]:
        """Return what log records are found by."""
        return {"qdmi_run": self._key, "qdmi_job": job_id, "qdmi_device": self._spec.name}


class _Trace(NamedTuple):
    """When a chunk was sent, by this machine's clock in ns, and how large it is."""

    since: int
    size: dict[str, int]


class Sent:
    """A chunk that was sent at once: what a finished future would say, at a tenth of its cost."""

    __slots__ = ("_job",)

    def __init__(self, job: Job) -> None:
        self._job = job

    def result(self, timeout: float | None = None) -> Job:
        """Return the job."""
        return self._job

    def exception(self, timeout: float | None = None) -> None:
        """Return None: it was sent."""
        return

    def done(self) -> bool:
        """Return True: it was sent."""
        return True

    def cancel(self) -> bool:
        """Return False: it was sent."""
        return False

    def cancelled(self) -> bool:
        """Return False: it was sent."""
        return False


Sending = Sent | Future[Job]


class Over(Job):
    """What remains of a job when its outcome has been taken."""

    def __init__(self, job: Job) -> None:
        self.id, self._metadata = job.id, dict(job.metadata)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the vendor told of it."""
        return self._metadata

    def status(self) -> JobStatus:
        """Return that it is done."""
        return JobStatus.DONE

    def cancel(self) -> None:
        """Do nothing: it is over."""

    def result(self) -> tuple[Shots, ...]:
        """Raise: nobody keeps the outcome."""
        raise ProtocolError(f"the outcome of job {self.id} was taken already")


def status_of(sending: Sending, *, canceled: bool) -> JobStatus:
    """Return the status of a chunk's job, or of the chunk if there is no job."""
    if sending.cancelled():
        return JobStatus.CANCELED
    if not sending.done():
        return JobStatus.CREATED
    if sending.exception() is not None:
        return JobStatus.CANCELED if canceled else JobStatus.FAILED
    return sending.result().status()


def _size_of(chunk: Chunk) -> dict[str, int]:
    points = sum(task.points for task in chunk.tasks)
    return {
        "program_circuits": len(chunk.tasks),
        "executables": points,
        "shots": sum(task.points * task.shots for task in chunk.tasks),
    }


def _release_when_final(job: Job, gate: threading.Semaphore) -> None:
    try:
        job.wait()
    finally:
        gate.release()
