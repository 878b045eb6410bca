"""Submit a plan and gather its outcome: the single road to a device."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import telemetry
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError, JobFailedError, ProtocolError, QdmiError
from qdmi_qiskit.formats import Compiled, codec
from qdmi_qiskit.journal import Stage
from qdmi_qiskit.model import Basis, DeviceSpec, JobStatus, Program, Shots
from qdmi_qiskit.plan import Chunk, Codec, Request, Shape, lost, merge, plan
from qdmi_qiskit.work import together

_log = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")

_SENDERS = 8  # threads that submit the chunks of one run, where the device states no max_jobs

_SMALL = 2**30  # bytes of outcome that any machine holds


class Run:
    """One key, one or more device jobs, one outcome. Safe to use from several threads.

    Attributes:
        key: Under which every job of this run was submitted.
        spec: The snapshot of the device that the run was planned for.
    """

    def __init__(
        self,
        session: Session,
        spec: DeviceSpec,
        shapes: Sequence[Shape],
        chunks: Sequence[Chunk],
        key: str,
        stage: Stage | None = None,
    ) -> None:
        self.key, self.spec = key, spec
        self._session, self._shapes, self._stage = session, tuple(shapes), stage
        self._places = [chunk.places for chunk in chunks]
        self._shots = [_size_of(chunk)["shots"] for chunk in chunks] if telemetry.is_on() else []
        self._since = [0] * len(chunks)
        self._canceled = False
        self._lock = threading.Lock()
        self._outcome: tuple[Shots, ...] | None = None
        self._jobs = self._submit(chunks)

    def _submit(self, chunks: Sequence[Chunk]) -> list[Sending]:
        """Send the first chunk here, so that a refusal is raised here; the rest behind."""
        if not chunks:
            return []
        try:
            first = _Sent(self._job(chunks[0], 0))
        except BaseException:
            if self._stage is not None:
                self._stage.abandon()  # whoever caught this may go on with it at once
            raise
        if len(chunks) == 1:
            return [first]
        limit = self.spec.capabilities.max_jobs
        pool = ThreadPoolExecutor(min(limit or _SENDERS, len(chunks) - 1), "qdmi-submit")
        gate = None if limit is None else threading.Semaphore(limit)
        if gate is not None:
            gate.acquire()
            pool.submit(_release_when_final, first.result(), gate)
        rest = [
            pool.submit(copy_context().run, self._send, chunk, index, gate)
            for index, chunk in enumerate(chunks[1:], start=1)
        ]
        pool.shutdown(wait=False)
        return [first, *rest]

    def _job(self, chunk: Chunk, index: int) -> Job:
        """Return the device's job for a chunk: submitted, or found again by the journal."""
        self._since[index] = time.time_ns()
        if not telemetry.is_on():
            job = self._made(chunk, index)
        else:
            again = None if self._stage is None or self._stage.is_new else True
            about = {"device_id": self.spec.name, "run_id": self.key, "chunk": index}
            with telemetry.span("submit", **about, **_size_of(chunk), resumed=again) as made:
                job = self._made(chunk, index)
                telemetry.note(made, job_id=job.id)
            seconds = (time.time_ns() - self._since[index]) / 1e9
            telemetry.duration("submit.duration", seconds, device_id=self.spec.name)
        if _log.isEnabledFor(logging.INFO):
            _log.info("run %s: job %s", self.key, job.id, extra=self._about(job.id))
        return job

    def _made(self, chunk: Chunk, index: int) -> Job:
        if self._stage is not None:
            return self._stage.send(index)
        return self._session.submit(chunk.tasks, key=f"{self.key}-{index}")

    def _about(self, job_id: str) -> dict[str, str]:
        """Return what log records are found by."""
        return {"qdmi_run": self.key, "qdmi_job": job_id, "qdmi_device": self.spec.name}

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
                    f"the program ended before chunk {index} of run {self.key} was sent; "
                    f"`qdmi resume {self.key}` sends it",
                    job_id=f"{self.key}-{index}",
                )

    def _check_wanted(self, index: int) -> None:
        if self._canceled:
            raise JobFailedError(
                f"chunk {index} of run {self.key} was canceled before it was sent",
                job_id=f"{self.key}-{index}",
            )

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the jobs sent so far, in the order of the plan."""
        return tuple(job.id for job in self._sent())

    def _sent(self) -> Iterator[Job]:
        for future in self._jobs:
            if future.done() and not future.cancelled() and future.exception() is None:
                yield future.result()

    def status(self) -> JobStatus:
        """Return the least advanced status, unless a job failed or was canceled."""
        return together(self.statuses())

    def statuses(self) -> list[JobStatus]:
        """Return the status of each device job, in the order of the plan."""
        return _at_once(lambda future: _status(future, self._canceled), self._jobs)

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until every job is final or `timeout` seconds have passed.

        Raises:
            TimeoutError: Some job is not final. All keep running.
        """
        self._finished(timeout)
        return self.status()

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each job sent so far, in the order of the plan, with its `id`."""
        return [{"id": job.id, **job.metadata} for job in self._sent()]

    def _finished(self, timeout: float | None) -> list[JobStatus | None]:
        """Wait for the jobs; of one that could not be sent there is no status."""
        if len(self._jobs) == 1 and isinstance(self._jobs[0], _Sent):
            return [self._jobs[0].result().wait(timeout)]
        end = None if timeout is None else time.monotonic() + timeout
        found: list[JobStatus | None] = []
        for some in _batches(self._jobs):
            jobs: list[Job | None] = []
            for sending in some:
                try:
                    job = sending.result(None if end is None else max(end - time.monotonic(), 0.0))
                except TimeoutError:
                    raise TimeoutError(
                        f"run {self.key} is still being sent after {timeout} s; it goes on"
                    ) from None
                except Exception:  # noqa: BLE001 - result() raises it; status() says FAILED
                    job = None
                jobs.append(job)
            if len(jobs) > 1:  # most are final by now: ask together, not in turn
                _at_once(_look, [job for job in jobs if job is not None])
            for job in jobs:
                left = None if end is None else max(end - time.monotonic(), 0.0)
                found.append(None if job is None else job.wait(left))
        return found

    def result(self, timeout: float | None = None, *, partial: bool = False) -> tuple[Shots, ...]:
        """Wait for every job, then merge. Later calls return the same outcome.

        Args:
            timeout: Seconds to wait at most.
            partial: Of a job that failed, was canceled or could not be sent, return no valid
                shot and the reason, instead of raising it.

        Raises:
            JobFailedError: A job failed or was canceled.
            TimeoutError: Some job is not final. All keep running.
        """
        if self._outcome is not None:
            return self._outcome
        ended = self._finished(timeout)
        with self._lock:
            if self._outcome is None:
                missing: list[int] = []
                results = self._gathered(ended, missing, partial=partial)
                try:
                    outcome = merge(self._shapes, self._places, results)
                finally:
                    if self._stage is not None:
                        self._stage.flush()
                if missing:
                    return outcome
                if len(self._jobs) > 1:  # jobs remember their outcomes, which are here now
                    self._jobs = [_Sent(_Over(sending.result())) for sending in self._jobs]
                self._outcome = outcome
        return self._outcome

    def _gathered(
        self, ended: Sequence[JobStatus | None], missing: list[int], *, partial: bool
    ) -> Iterator[tuple[Shots, ...]]:
        """Yield the outcome of every chunk in order, and note which of them have none."""
        if len(ended) == 1 and not partial:
            yield self._outcome_of(0, ended[0])
            return

        def gather(index: int) -> tuple[Shots, ...]:
            try:
                return self._outcome_of(index, ended[index])
            except QdmiError as error:
                if not partial or not _is_final(error, ended[index]):
                    raise
                missing.append(index)
                return lost(self._places[index], self._shapes, str(error))

        yield from _ahead(gather, range(len(self._jobs)))

    def _outcome_of(self, index: int, status: JobStatus | None) -> tuple[Shots, ...]:
        sending = self._jobs[index]
        if sending.cancelled():
            raise JobFailedError(
                f"run {self.key} was canceled before all of it was sent", job_id=self.key
            )
        job = sending.result()  # raises why a chunk could not be sent
        if status is JobStatus.CANCELED:
            raise JobFailedError(f"job {job.id} was canceled", job_id=job.id)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("run %s: fetch job %s", self.key, job.id, extra=self._about(job.id))
        if not self._shots:
            return job.result()
        return self._fetched(job, index)

    def _fetched(self, job: Job, index: int) -> tuple[Shots, ...]:
        """Return the outcome of a job, and tell of both."""
        kept = self._stage is not None and self._stage.has(index)
        new = self._stage is None or self._stage.is_new
        with telemetry.span("fetch", device_id=self.spec.name, run_id=self.key, job_id=job.id):
            outcome = job.result()
        if not kept:
            telemetry.device_job(
                job.metadata,
                job_id=job.id,
                device=self.spec.name,
                since=self._since[index] if new else 0,
                shots=self._shots[index],
            )
        return outcome

    def cancel(self) -> None:
        """Ask every device job to stop; chunks not yet sent never are.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        self._canceled = True
        for future in self._jobs:
            if not future.cancel() and future.exception() is None:
                future.result().cancel()
        if self._stage is not None:
            self._stage.canceled()


class _Sent:
    """A chunk that was sent at once: what a finished future would say, at a tenth of its cost."""

    __slots__ = ("_job",)

    def __init__(self, job: Job) -> None:
        self._job = job

    def result(self, timeout: float | None = None) -> Job:
        return self._job

    def exception(self, timeout: float | None = None) -> None:
        return None

    def done(self) -> bool:
        return True

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False


Sending = _Sent | Future[Job]


class _Over(Job):
    """What remains of a job when its outcome has been taken."""

    def __init__(self, job: Job) -> None:
        self.id, self._metadata = job.id, dict(job.metadata)

    @property
    def metadata(self) -> dict[str, Any]:
        return self._metadata

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def cancel(self) -> None:
        """Do nothing: it is over."""

    def result(self) -> tuple[Shots, ...]:
        raise ProtocolError(f"the outcome of job {self.id} was taken already")


def _batches(jobs: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(jobs), _SENDERS):
        yield jobs[first : first + _SENDERS]


def _is_final(error: QdmiError, status: JobStatus | None) -> bool:
    """Return whether asking again would say the same: no outcome, or never sent."""
    return status is None or isinstance(error, JobFailedError)


def _at_once(call: Callable[[U], T], items: Sequence[U]) -> list[T]:
    """Return `call(item)` for each. A service far away is asked for several at a time."""
    if len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(_SENDERS, "qdmi-gather") as pool:
        return list(pool.map(call, items))


def _size_of(chunk: Chunk) -> dict[str, int]:
    points = sum(task.points for task in chunk.tasks)
    return {
        "program_circuits": len(chunk.tasks),
        "executables": points,
        "shots": sum(task.points * task.shots for task in chunk.tasks),
    }


def _ahead(call: Callable[[U], T], items: Sequence[U]) -> Iterator[T]:
    """Yield `call(item)` for each in order, several calls under way and few results waiting."""
    if len(items) < 2:
        yield from map(call, items)
        return
    with ThreadPoolExecutor(_SENDERS, "qdmi-gather") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(copy_context().run, call, item))
                if len(waiting) > 2 * _SENDERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _look(job: Job) -> None:
    """Let a job see whether it is final; that it cannot be asked now, `wait` will say."""
    with suppress(QdmiError):
        job.status()


def _release_when_final(job: Job, gate: threading.Semaphore) -> None:
    try:
        job.wait()
    finally:
        gate.release()


def _status(future: Sending, canceled: bool) -> JobStatus:
    if future.cancelled():
        return JobStatus.CANCELED
    if not future.done():
        return JobStatus.CREATED
    if future.exception() is not None:
        return JobStatus.CANCELED if canceled else JobStatus.FAILED
    return future.result().status()


def start(
    session: Session,
    spec: DeviceSpec,
    requests: Sequence[Request[QuantumCircuit]],
    *,
    seeds: Iterator[int] | None = None,
    key: str | None = None,
    measured: Callable[[QuantumCircuit, Basis], QuantumCircuit] | None = None,
    stage: Stage | None = None,
    compiled: Compiled | None = None,
) -> Run:
    """Plan, submit, and return at once.

    Args:
        session: Where to run.
        spec: The snapshot of it that the circuits were compiled for.
        requests: ISA circuits, their points and their shots.
        seeds: Makes outcomes reproducible where the device can, one for each task: a
            shared seed would correlate them.
        key: Under which the jobs are submitted; fresh if not given.
        measured: Appends the measurement of a basis, for requests that name one.
        stage: Where the journal notes this run; gives its key.
        compiled: What was made of the same circuits before, for this `spec`.

    Raises:
        ConfigError: More outcomes than this machine can hold, or fewer shots than the
            device takes.
        RejectedError: The device refused a program.
    """
    _check_size(requests)
    caps, stream = spec.capabilities, seeds if spec.capabilities.seeds else None
    shapes = [request.shape for request in requests]
    with telemetry.span("plan", device_id=spec.name, program_circuits=len(requests)) as made:
        if stage is not None and stage.is_complete():
            sizes = [replace(request, circuit=size_of(request)) for request in requests]
            chunks = plan(sizes, caps, SIZES, seeds=stream)
        else:
            writer = codec(caps.formats, session.encoders, measured or _no_basis, compiled)
            chunks = plan(requests, caps, writer, seeds=stream)
        if made is not None:
            _tell(made, spec, chunks)
    if stage is None or stage.is_new:
        session.admit([chunk.tasks for chunk in chunks])
    if stage is not None:
        stage.begin(session, spec, chunks)
        key = stage.key
    return Run(session, spec, shapes, chunks, key or os.urandom(16).hex(), stage)


def _tell(made: Any, spec: DeviceSpec, chunks: Sequence[Chunk]) -> None:
    """Say in a span what was planned, and how old the figures are."""
    stamp = spec.calibration
    formats = {task.program.format for chunk in chunks for task in chunk.tasks}
    telemetry.note(
        made,
        device_jobs=len(chunks),
        calibration_id=None if stamp is None else stamp.id,
        program_format=", ".join(sorted(formats)),
        slurm_job_id=os.environ.get("SLURM_JOB_ID"),
    )
    age = None if stamp is None else stamp.age
    telemetry.level("calibration.age", age, "s", device_id=spec.name)


SIZES: Codec[int] = Codec(
    encode=lambda num_bits: Program("", None, num_bits),
    bound=lambda num_bits, values: (Program("", None, num_bits) for _ in values),
    measured=lambda num_bits, basis: num_bits + len(basis.qubits),
)
"""Plans a run whose outcomes are all there, by the number of classical bits alone."""


def size_of(request: Request[QuantumCircuit]) -> int:
    """Return the classical bits of a request's circuit, those of a basis left out."""
    return request.num_bits - (0 if request.basis is None else len(request.basis.qubits))


def _no_basis(circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
    raise ProtocolError(
        f"circuit {circuit.name!r} is to be measured on qubits {basis.qubits.tolist()}, but nobody "
        "said how"
    )


def seeds(seed: int, *, call: int = 0) -> Iterator[int]:
    """Yield one seed per task, all different; call 0 begins with `seed` itself.

    Args:
        seed: What the user gave.
        call: How many calls the same user's seed has served before: the noise of a loop
            must not be frozen.
    """
    for task in itertools.count():
        if call == task == 0:
            yield seed
        else:
            state = np.random.SeedSequence([seed, call, task]).generate_state(1, np.uint64)
            yield int(state[0] >> np.uint64(2))  # 62 bits: Aer adds to it


def _check_size(requests: Sequence[Request[QuantumCircuit]]) -> None:
    """Refuse what could never be held, before a device is asked (or paid) for it."""
    wanted = 0
    for r in requests:
        wanted += len(r.values) * r.shots * (r.num_bits // 8 + 1)
    if wanted < _SMALL:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if wanted > memory:
        most = max(requests, key=lambda r: len(r.values) * r.shots)
        raise ConfigError(
            f"{most.shots} shots at {len(most.values)} points of {most.num_bits} bits: the outcome "
            f"would take {wanted / 2**30:.0f} GiB, this machine has {memory / 2**30:.0f} GiB; ask "
            "for fewer shots or split the work into several runs"
        )
