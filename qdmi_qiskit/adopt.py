"""Any Qiskit `BackendV2` as a device, so that our primitives run on it.

The session sends circuits to `backend.run(..., memory=True)` and reads shots from the result.
It exists for backends of other providers; a device worth having deserves a plug-in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit.providers import BackendV2
from qiskit.providers import JobStatus as QiskitJobStatus
from qiskit.transpiler import Target

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.bits import from_counts, from_hex
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    UnsupportedError,
)
from qdmi_qiskit.job import QISKIT_STATUS
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    Figures,
    JobStatus,
    Operation,
    Shots,
    Site,
    Task,
)

_STATUS = {
    **{theirs: ours for ours, theirs in QISKIT_STATUS.items()},
    QiskitJobStatus.VALIDATING: JobStatus.SUBMITTED,
    QiskitJobStatus.QUEUED: JobStatus.QUEUED,
}


def adopted(backend: Any) -> QDMIBackend:
    """Return `backend` if it is ours, else ours around it.

    Raises:
        ConfigError: It is no `BackendV2`.
    """
    if isinstance(backend, QDMIBackend):
        return backend
    if isinstance(backend, BackendV2):
        return QDMIBackend(
            BackendSession(backend), name=backend.name or "backend", target=backend.target
        )
    raise ConfigError(
        f"backend={backend!r}: wanted a backend, such as QDMIProvider().get_backend('aer')"
    )


class BackendJob(Job):
    """A job of another provider."""

    def __init__(self, job: Any, tasks: Sequence[Task]) -> None:
        self.id: str = job.job_id()
        self._job, self._tasks = job, tasks

    def status(self) -> JobStatus:
        return _STATUS[self._job.status()]

    def cancel(self) -> None:
        if self.status().final:
            return
        try:
            self._job.cancel()
        except NotImplementedError as error:
            raise UnsupportedError(f"job {self.id} cannot be canceled: {error}") from error

    def result(self) -> tuple[Shots, ...]:
        try:
            result = self._job.result()
        except Exception as error:
            raise JobFailedError(f"job {self.id} failed: {error}", job_id=self.id) from error
        if not result.success:
            raise JobFailedError(f"job {self.id} failed: {result.status}", job_id=self.id)
        return tuple(
            _shots(task, experiment.data)
            for task, experiment in zip(self._tasks, result.results, strict=True)
        )


def _shots(task: Task, data: Any) -> Shots:
    width = task.program.num_bits
    memory = getattr(data, "memory", None)
    if memory:
        packed = from_hex(memory, width)
    else:
        counts = {int(word, 16): number for word, number in data.counts.items()}
        packed = np.random.default_rng(task.seed).permutation(from_counts(counts, width))
    return Shots(packed[None], width)


class BackendSession(Session):
    """A session on a backend of another provider.

    One job at a time: many providers' backends keep options between calls, so that jobs under
    way together would read each other's. Shots come in the backend's order where its result has
    memory, else in a random one.
    """

    def __init__(self, backend: BackendV2) -> None:
        self._backend = backend

    def spec(self) -> DeviceSpec:
        target = self._backend.target
        return DeviceSpec(
            name=self._backend.name or type(self._backend).__name__,
            version=str(self._backend.backend_version or ""),
            sites=_sites(target),
            operations=tuple(_operation(target, name) for name in target.operation_names),
            capabilities=Capabilities(
                formats=("qiskit",),
                max_executables=self._backend.max_circuits,
                max_jobs=1,
                ordered_shots=True,
                cancel=True,
                seeds=hasattr(self._backend.options, "seed_simulator"),
            ),
            dt=target.dt,
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> BackendJob:
        if len({task.shots for task in tasks}) != 1:
            raise ProtocolError(
                f"{self._backend.name} takes one number of shots per job; the planner sent several"
            )
        options: dict[str, Any] = {"shots": tasks[0].shots, "memory": True}
        if tasks[0].seed is not None:
            options["seed_simulator"] = tasks[0].seed % 2**31
        circuits = [task.program.payload for task in tasks]
        try:
            return BackendJob(self._backend.run(circuits, **options), tasks)
        except Exception as error:
            raise RejectedError(f"{self._backend.name} refused the circuits: {error}") from error


def _sites(target: Target) -> tuple[Site, ...]:
    known = target.qubit_properties or [None] * (target.num_qubits or 0)
    return tuple(
        Site(k, t1=getattr(q, "t1", None), t2=getattr(q, "t2", None)) for k, q in enumerate(known)
    )


def _operation(target: Target, name: str) -> Operation:
    instruction = target.operation_from_name(name)
    places = target[name]
    if isinstance(instruction, type):
        return Operation(name, None)
    angles = tuple(str(angle) for angle in instruction.params)
    if places is None or None in places:
        return Operation(name, instruction.num_qubits, angles)
    sites = {qargs: _figures(properties) for qargs, properties in places.items()}
    return Operation(name, instruction.num_qubits, angles, sites)


def _figures(properties: Any) -> Figures:
    if properties is None:
        return Figures()
    fidelity = None if properties.error is None else 1 - properties.error
    return Figures(properties.duration, fidelity)
