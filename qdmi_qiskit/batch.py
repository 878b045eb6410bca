"""Runs that belong together: within a budget, in a reservation, or in as few device jobs as can be.

with Batch(backend, budget=20.0) as batch:       # sent together when the block ends
    sampler = batch.sampler()
    jobs = [sampler.run([circuit], shots=1000) for circuit in circuits]
counts = [job.result()[0].data.meas.get_counts() for job in jobs]

with Session(backend, must_hold=True, max_jobs=2) as session:   # sent at once
    EstimatorV2(session.backend).run(pubs)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, PrimitiveResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.guard import GuardedSession
from qdmi_qiskit.primitives import EstimatorV2, SamplerV2


class Session:
    """Runs in a block, each sent at once, under one budget and a limit of jobs.

    Attributes:
        backend: To be used in the block, in place of the one that was given.
    """

    def __init__(
        self,
        backend: QDMIBackend,
        *,
        budget: float | None = None,
        max_jobs: int | None = None,
        must_hold: bool = False,
    ) -> None:
        """Open a block.

        Args:
            backend: Where to run.
            budget: Most to be charged for all runs, in the device's currency; a run that could
                cost more than what is left of it is refused before any of it is sent.
            max_jobs: Most device jobs that are under way at once; `run` waits for a place.
            must_hold: Refuse a device that was not opened with a time slot or a reservation.

        Raises:
            UnsupportedError: `must_hold`, and nothing is held.
            ConfigError: The device states no price, and a budget was given.
        """
        if must_hold and not backend.session.held:
            raise UnsupportedError(
                f"{backend.name} holds nothing for you: open it with its reservation, such as "
                "use_timeslot=True (iqm:), reservation_arn=... (braket:), reservation=... (slurm:)"
            )
        self._guard = GuardedSession(backend.session, budget=budget, max_jobs=max_jobs)
        self.backend = backend.guarded(self._guard)

    @property
    def held(self) -> bool:
        """Whether runs go into time that is reserved for this user."""
        return self._guard.held

    @property
    def spent(self) -> float:
        """What the runs so far are charged at most, by the price list."""
        return self._guard.spent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the block; jobs go on."""


class Batch(Session):
    """Runs of a block that are sent together when it ends: nothing, if the block raises."""

    _collected: list[_Collected]

    def __enter__(self) -> Self:
        self._collected = []
        return self

    def sampler(self, **options: Any) -> BatchSampler:
        """Return a sampler whose runs wait for the end of the block."""
        found = BatchSampler(SamplerV2(self.backend, **options))
        self._collected.append(found)
        return found

    def estimator(self, **options: Any) -> BatchEstimator:
        """Return an estimator whose runs wait for the end of the block."""
        found = BatchEstimator(EstimatorV2(self.backend, **options))
        self._collected.append(found)
        return found

    def cancel(self) -> None:
        """Drop what is not sent yet, and ask the device to stop what is.

        Raises:
            UnsupportedError: The device cannot cancel; everything is asked to stop first.
        """
        refused = None
        for each in self._collected:
            try:
                each.cancel()
            except UnsupportedError as error:
                refused = error
        if refused is not None:
            raise refused

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for each in self._collected:
                each.send()


class BatchJob:
    """A run of a batch: its part of the job that the batch became."""

    def __init__(self, begin: int, end: int) -> None:
        self._begin, self._end = begin, end
        self.job: Any = None
        self.dropped = False

    def _sent(self) -> Any:
        if self.dropped:
            raise JobFailedError("the batch was canceled before it was sent", job_id="")
        if self.job is None:
            raise ConfigError("the batch is not sent yet: leave its block first")
        return self.job

    def result(self, timeout: float | None = None) -> PrimitiveResult[Any]:
        """Wait for the whole batch, and return the pubs of this run.

        Raises:
            ConfigError: The batch was not sent.
            JobFailedError: It failed, or was canceled.
            TimeoutError: It is not final.
        """
        whole = self._sent().result(timeout)
        return PrimitiveResult(list(whole)[self._begin : self._end], metadata=whole.metadata)

    def status(self) -> Any:
        """Return the state of the batch."""
        return self._sent().status()


class _Collected:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._pubs: list[Any] = []
        self._jobs: list[BatchJob] = []
        self._sent: list[Any] = []

    def _add(self, pubs: list[Any]) -> BatchJob:
        first = len(self._pubs)
        self._pubs += pubs
        self._jobs.append(BatchJob(first, len(self._pubs)))
        return self._jobs[-1]

    def send(self) -> None:
        """Send what was collected, as one run."""
        if self._pubs:
            job = self._inner.run(self._pubs)
            for each in self._jobs:
                each.job = job
            self._pubs, self._jobs = [], []
            self._sent.append(job)

    def cancel(self) -> None:
        """Drop what was collected, and cancel what was sent."""
        for each in self._jobs:
            each.dropped = True
        self._pubs, self._jobs = [], []
        for job in self._sent:
            job.cancel()


class BatchSampler(_Collected, BaseSamplerV2):  # type: ignore[misc]
    """Takes pubs for the end of a batch."""

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> Any:
        default = self._inner.options.default_shots if shots is None else shots
        return self._add([SamplerPub.coerce(pub, default) for pub in pubs])


class BatchEstimator(_Collected, BaseEstimatorV2):  # type: ignore[misc]
    """Takes pubs for the end of a batch."""

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> Any:
        default = self._inner.options.default_precision if precision is None else precision
        return self._add([EstimatorPub.coerce(pub, default) for pub in pubs])
