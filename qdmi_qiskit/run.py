"""Submit a plan and gather its outcome: the single road to a device."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import telemetry
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import JobFailedError, ProtocolError, QdmiError, UnavailableError
from qdmi_qiskit.formats import CircuitCodec, Compiled
from qdmi_qiskit.journal import Stage
from qdmi_qiskit.merge import Shape, lost, merge
from qdmi_qiskit.model import Basis, DeviceSpec, JobStatus, Shots
from qdmi_qiskit.plan import Chunk, Request, plan
from qdmi_qiskit.sending import Over, Sender, Sending, Sent, status_of
from qdmi_qiskit.several import ahead, at_once, batches
from qdmi_qiskit.sizes import SIZES, check_size, size_of
from qdmi_qiskit.work import together


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
        self._shapes, self._stage = shapes, stage
        self._places = [chunk.places for chunk in chunks]
        self._lock = threading.Lock()
        self._outcome: tuple[Shots, ...] | None = None
        self._sender = Sender(session, spec, key, stage)
        self._jobs: list[Sending] = self._sender.send(chunks)
        self._only = self._jobs[0].result() if len(chunks) == 1 else None

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
        canceled = self._sender.canceled
        return at_once(lambda sending: status_of(sending, canceled=canceled), self._jobs)

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
        if self._only is not None:
            return [self._only.wait(timeout)]
        end = None if timeout is None else time.monotonic() + timeout
        found: list[JobStatus | None] = []
        for some in batches(self._jobs):
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
                at_once(_look, [job for job in jobs if job is not None])
            for job in jobs:
                left = None if end is None else max(end - time.monotonic(), 0.0)
                found.append(None if job is None else job.wait(left))
        return found

    def result(self, timeout: float | None = None, *, partial: bool = False) -> tuple[Shots, ...]:
        """Wait for every job, then merge. Later calls return the same outcome.

        Args:
            timeout: Seconds to wait at most.
            partial: Of a job that failed, was canceled or could not be sent, return what it
                finished, and of the rest no valid shot and the reason, instead of raising it.

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
                try:
                    if self._only is not None and not partial and ended[0] is JobStatus.DONE:
                        found = self._sender.fetch(self._only, 0)
                        outcome = merge(self._shapes, self._places, (found,))
                    else:
                        results = self._gathered(ended, missing, partial=partial)
                        outcome = merge(self._shapes, self._places, results)
                finally:
                    if self._stage is not None:
                        self._stage.flush()
                if missing:
                    return outcome
                if len(self._jobs) > 1:  # jobs remember their outcomes, which are here now
                    self._jobs = [Sent(Over(sending.result())) for sending in self._jobs]
                self._outcome = outcome
        return self._outcome

    def _gathered(
        self, ended: Sequence[JobStatus | None], missing: list[int], *, partial: bool
    ) -> Iterator[tuple[Shots, ...]]:
        """Return the outcome of every chunk in order, and note which of them have none."""

        def gather(index: int) -> tuple[Shots, ...]:
            try:
                outcome = self._outcome_of(index, ended[index], partial=partial)
            except QdmiError as error:
                if not partial or not _is_final(error, ended[index]):
                    raise
                missing.append(index)
                return lost(self._places[index], self._shapes, str(error))
            if ended[index] is JobStatus.CANCELED:  # what it finished; it is not the whole
                missing.append(index)
            return outcome

        return ahead(gather, range(len(self._jobs)))

    def _outcome_of(
        self, index: int, status: JobStatus | None, *, partial: bool = False
    ) -> tuple[Shots, ...]:
        sending = self._jobs[index]
        if sending.cancelled():
            raise JobFailedError(
                f"run {self.key} was canceled before all of it was sent", job_id=self.key
            )
        job = sending.result()  # raises why a chunk could not be sent
        if status is JobStatus.CANCELED and not partial:
            raise JobFailedError(
                f"job {job.id} was canceled: result(partial=True) returns what it finished",
                job_id=job.id,
            )
        return self._sender.fetch(job, index)

    def cancel(self) -> None:
        """Ask every device job to stop; chunks not yet sent never are.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        self._sender.canceled = True
        for future in self._jobs:
            if not future.cancel() and future.exception() is None:
                future.result().cancel()
        if self._stage is not None:
            self._stage.canceled()


def _is_final(error: QdmiError, status: JobStatus | None) -> bool:
    """Return whether asking again would say the same: no outcome, or never sent."""
    canceled = status is JobStatus.CANCELED and not isinstance(error, UnavailableError)
    return status is None or canceled or isinstance(error, JobFailedError)


def _look(job: Job) -> None:
    """Let a job see whether it is final; that it cannot be asked now, `wait` will say."""
    with suppress(QdmiError):
        job.status()


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
    check_size(requests)
    caps, stream = spec.capabilities, seeds if spec.capabilities.seeds else None
    with telemetry.span("plan", device_id=spec.name, program_circuits=len(requests)) as made:
        if stage is not None and stage.is_complete():
            sizes = [replace(request, circuit=size_of(request)) for request in requests]
            chunks = plan(sizes, caps, SIZES, seeds=stream)
        else:
            writer = CircuitCodec(caps.formats, session.encoders, measured or _no_basis, compiled)
            chunks = plan(requests, caps, writer, seeds=stream)
        if made is not None:
            _tell(made, spec, chunks)
    key = stage.key if stage is not None else key or os.urandom(16).hex()
    if stage is None or stage.is_new:
        keys = [f"{key}-{index}" for index in range(len(chunks))]
        session.admit([chunk.tasks for chunk in chunks], keys=keys)
    if stage is not None:
        stage.begin(session, spec, chunks)
    shapes = [Shape(len(each.values), each.shots, each.num_bits) for each in requests]
    return Run(session, spec, shapes, chunks, key, stage)


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
