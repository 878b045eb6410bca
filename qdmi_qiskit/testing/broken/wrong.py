"""A good device behind hooks: what the mutants are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.devices.aer import driver as aer
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    JobStatus,
    PauliSum,
    Program,
    Shots,
    Task,
    Values,
)
from qdmi_qiskit.testing.harness import Harness

SECRET = "hunter2-of-the-broken-device"  # noqa: S105 - it is what must not be shown


def good() -> Session:
    """Return the device that mutants are made of: four ideal qubits that can do everything."""
    return aer.open("", num_qubits=4)


class WrongJob(Job):
    """A job whose outcome passes through the session's `bend`."""

    def __init__(self, job: Job, session: Wrong) -> None:
        self.id, self._job, self._session = job.id, job, session
        self._asked = itertools.count()

    def status(self) -> JobStatus:
        return self._session.bend_status(self._job.status(), next(self._asked))

    def wait(self, timeout: float | None = None) -> JobStatus:
        return self._session.bend_wait(self._job, timeout)

    def cancel(self) -> None:
        self._session.bend_cancel(self._job)

    def result(self) -> tuple[Shots, ...]:
        return self._session.bend(self._job.result())


class Wrong(Session):
    """A good device behind hooks; each mutant overrides one."""

    def __init__(self, inner: Session | None = None) -> None:
        self.inner = inner or good()
        self.jobs: list[Job] = []

    def spec(self) -> DeviceSpec:
        spec = self.inner.spec()
        return self.bend_spec(replace(spec, capabilities=self.bend_claims(spec.capabilities)))

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        job = WrongJob(self.inner.submit(self.bend_tasks(tasks), key=key), self)
        self.jobs.append(job)  # Aer forgets what nobody holds
        return job

    def job(self, job_id: str) -> Job:
        return WrongJob(self.inner.job(job_id), self)

    @property
    def gates(self) -> Mapping[str, Any]:
        return self.inner.gates

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        return self.inner.expectations(program, values, observables)

    def bend_claims(self, claims: Capabilities) -> Capabilities:
        """Change what is declared."""
        return claims

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        """Change the rest of the snapshot."""
        return spec

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Change what is run."""
        return tasks

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        """Change all of an outcome."""
        return tuple(self.bend_shots(shots) for shots in outcome)

    def bend_shots(self, shots: Shots) -> Shots:
        """Change the outcome of each task."""
        return shots

    def bend_status(self, status: JobStatus, asked: int) -> JobStatus:
        """Change the status that is told when asked for the n-th time."""
        return status

    def bend_wait(self, job: Job, timeout: float | None) -> JobStatus:
        """Change how a job is waited for."""
        return job.wait(timeout)

    def bend_cancel(self, job: Job) -> None:
        """Change how a job is canceled."""
        job.cancel()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A wrong device.

    Attributes:
        open: Opens it.
        check: The check, a key of `CHECKS`, that has to fail on it.
    """

    open: Callable[[], Session]
    check: str

    def harness(self) -> Harness:
        """Return what the suite takes."""
        return Harness(self.open, secrets=(SECRET,))


_FOUND: dict[str, Mutant] = {}

MUTANTS: Mapping[str, Mutant] = MappingProxyType(_FOUND)
"""Every fault, in one sentence, with its mutant."""


def fails(check: str) -> Callable[[type[Wrong]], type[Wrong]]:
    """Register a mutant under its docstring, with the check that has to catch it."""

    def register(kind: type[Wrong]) -> type[Wrong]:
        fault = (kind.__doc__ or "").rstrip(".")
        _FOUND[fault] = Mutant(kind, check)
        return kind

    return register


def claims(fault: str, check: str, **claims: Any) -> None:
    """Register a mutant that differs in its capabilities alone."""

    class Claims(Wrong):
        def bend_claims(self, declared: Capabilities) -> Capabilities:
            return replace(declared, **claims)

    _FOUND[fault] = Mutant(Claims, check)


def mapped(change: Callable[[Any], Any]) -> Any:
    """Return a `bend_shots` that changes the array of bits."""

    def bend_shots(_self: Wrong, shots: Shots) -> Shots:
        return replace(shots, bits=change(shots.bits))

    return bend_shots


def reversed_bits(shots: Shots) -> Shots:
    """Return the shots with bit 0 as the most significant."""
    columns = np.unpackbits(shots.bits[..., ::-1], axis=-1, bitorder="little")
    columns = columns[..., : shots.num_bits][..., ::-1]
    return replace(shots, bits=np.packbits(columns, axis=-1, bitorder="little")[..., ::-1])
