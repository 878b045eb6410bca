"""The device contract: all a plug-in author has to read.

A plug-in implements four methods: `Session.spec`, `Session.submit`,
`Job.status` and `Job.result`. Everything else has a default that is correct
for a device that cannot do better. Override a default and say so in
`Capabilities`; `qdmi_qiskit.testing` checks both directions.

The order of calls is QDMI's: open a session, query it, submit jobs.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import (
    DeviceSpec,
    DeviceState,
    DeviceStatus,
    JobStatus,
    PauliSum,
    Program,
    Shots,
    Task,
    Values,
)


class Job(ABC):
    """A submitted list of tasks. `id` is the vendor's, and is never empty."""

    id: str

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the vendor has told of this job so far; asks nobody, and is plain JSON.

        Keys, each only if known: `price` and `currency`; `calibration`, the id of the calibration
        used; `queue_position`; `runtime` in seconds on the device; `submitted_at`, `started_at`
        and `ended_at` in ISO 8601; `synthetic`, whether shots were drawn from probabilities;
        `tag`. Whatever else is there is in the vendor's words.
        """
        return {}

    @abstractmethod
    def status(self) -> JobStatus:
        """Ask the device; never block, never raise for a failed job."""

    @abstractmethod
    def result(self) -> tuple[Shots, ...]:
        """Return one entry per task, in order. Called only when final.

        What failed of a job that else succeeded is in `Shots.failures`.

        Raises:
            JobFailedError: The job ended without a result; carries the vendor's words.
        """

    def cancel(self) -> None:
        """Ask the device to stop. Cancelling a final job does nothing.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        raise UnsupportedError(f"{type(self).__name__} cannot cancel job {self.id}")

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until final or `timeout` seconds; override if the vendor can.

        Raises:
            TimeoutError: The job is still not final. It keeps running.
        """
        status = self.status()
        if status.final:
            return status
        start, pause = time.monotonic(), 0.05
        while not status.final:
            left = None if timeout is None else start + timeout - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"job {self.id} is still {status.value} after {timeout} s")
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 1.5, 5.0)
            status = self.status()
        return status


class Session(ABC):
    """An open connection to one device. Safe to use from several threads."""

    @property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        """Encoders for wire formats that only this vendor has: circuit -> payload."""
        return {}

    @property
    def gates(self) -> Mapping[str, Any]:
        """Qiskit instructions (or variadic classes) for operations outside the standard library."""
        return {}

    @abstractmethod
    def spec(self) -> DeviceSpec:
        """Return a snapshot: one call, not one per property. `refresh` makes the next one fresh."""

    @abstractmethod
    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        """Queue tasks as one job and return at once.

        The planner has already made `tasks` fit `spec().capabilities`: raise
        `ProtocolError` if they do not. `key` names this attempt; a device with
        `submit_key` returns the same job for the same key.

        Raises:
            RejectedError: The device refused a program.
            UnavailableError: Nothing was queued; safe to try again.
            SubmitUnknownError: The job may exist.
        """

    @property
    def held(self) -> bool:
        """Whether jobs go into time that is reserved for this user: a time slot, a reservation."""
        return False

    def admit(  # noqa: B027
        self, jobs: Sequence[Sequence[Task]], *, asks: bool = False, keys: Sequence[str] = ()
    ) -> None:
        """Refuse a run as a whole before any of it is sent; nothing is refused by default.

        Args:
            jobs: The tasks of each job that is about to be submitted.
            asks: Only whether these would be refused: others are submitted.
            keys: Under which they will be submitted, where that is known; one that was admitted or
                counted before costs nothing.

        Raises:
            ConfigError: They are more than somebody allowed.
        """

    def count(self, jobs: Mapping[str, Sequence[Task]]) -> None:  # noqa: B027
        """Take note of the jobs of a run that goes on which were sent before: they were paid.

        Whoever keeps a budget counts each key once; nobody does by default.

        Args:
            jobs: The tasks of each, by the key that it was submitted under.
        """

    def refresh(self) -> None:  # noqa: B027
        """Forget what is cached of the device, and move to its present calibration.

        Circuits encoded before belong to what they were encoded for.
        """

    def facts(self) -> Mapping[str, Any]:
        """Return all that the device says of itself, in the vendor's words and units: plain JSON.

        Empty where `spec` has all of it already. Unlike `spec` it is there for devices that no
        circuit can be written for.
        """
        return {}

    def current_calibration(self, *, briefly: bool = False) -> str | None:
        """Ask cheaply which calibration a snapshot after `refresh` would have.

        Args:
            briefly: One attempt of a few seconds: the answer can be done without.

        Returns:
            Its id; None if the device cannot be asked that without a whole snapshot.
        """
        return None

    def status(self) -> DeviceState:
        """Return what the device is doing now; idle unless the device knows better."""
        return DeviceState(status=DeviceStatus.IDLE)

    def job(self, job_id: str) -> Job:
        """Return a job from an earlier process, or from earlier in this one.

        Raises:
            UnsupportedError: The device cannot find jobs again.
            ConfigError: It can, and there is no such job.
        """
        raise UnsupportedError(f"{type(self).__name__} cannot find job {job_id} again")

    def follow(self, job_id: str, tasks: Sequence[Task]) -> Job:
        """Return a job found again whose tasks are known; it reads its outcome by them.

        Override where the vendor's record of a job does not say which bit is which.

        Args:
            job_id: The vendor's.
            tasks: As `submit` got them.

        Raises:
            UnsupportedError: The device cannot find jobs again.
            ConfigError: It can, and there is no such job.
        """
        return self.job(job_id)

    def find(self, key: str) -> Job | None:
        """Return the job that was submitted under a key, None if the device has none.

        For a submission whose outcome is not known, on a device without `submit_key`.

        Raises:
            UnsupportedError: The device cannot be asked by key.
        """
        raise UnsupportedError(f"{type(self).__name__} finds no job by its key")

    def pin(self, calibration: str) -> None:  # noqa: B027
        """Go back to a calibration, where the device keeps old ones: a run goes on with its own.

        Args:
            calibration: `Calibration.id` of an earlier spec.
        """

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        """Compute exact expectation values; blocks until they are there.

        Args:
            program: A program whose final state is meant; it measures nothing.
            values: float64, shape `(points, len(program.parameters))`.
            observables: Over the qubits of the program.

        Returns:
            float64, shape `(points, len(observables))`.

        Raises:
            UnsupportedError: The device computes none, or not of this program.
        """
        raise UnsupportedError(
            f"{type(self).__name__} computes no exact expectation values; ask for precision > 0"
        )

    def close(self) -> None:  # noqa: B027
        """Release what the session holds. Jobs keep running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Driver(Protocol):
    """What an entry point of group `qdmi_qiskit.devices` loads to."""

    def open(self, locator: str, **options: object) -> Session:
        """Open the device that `scheme:locator` names.

        Raises:
            ConfigError: The locator or an option is wrong; says the nearest right one.
        """
        ...

    def names(self, **options: object) -> Sequence[str]:
        """List locators this account can open; may ask the network."""
        ...
