"""The simulators of `amazon-braket-sdk` on this machine: `braket:local` and `braket:local-dm`."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache
from threading import Event, Lock
from uuid import uuid4
from weakref import WeakValueDictionary

import numpy as np
from braket.default_simulator import DensityMatrixSimulator, StateVectorSimulator
from qiskit import QuantumCircuit

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.devices.braket.exact import expectations
from qdmi_qiskit.devices.braket.gates import GATES, WORDS
from qdmi_qiskit.devices.braket.options import LocalOptions
from qdmi_qiskit.devices.braket.simulate import sample
from qdmi_qiskit.devices.braket.steps import Plan, planned
from qdmi_qiskit.errors import ConfigError, JobFailedError, ProtocolError, RejectedError
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    JobStatus,
    Operation,
    PauliSum,
    Program,
    Shots,
    Site,
    Task,
    Values,
)


@cache
def _limits(mixed: bool) -> tuple[int, str]:
    """Return how many qubits a simulator takes, and its version."""
    simulator = DensityMatrixSimulator() if mixed else StateVectorSimulator()
    return int(simulator.properties.paradigm.qubitCount), simulator.DEVICE_ID


class LocalJob(Job):
    """Tasks that are simulated in a thread of the session."""

    def __init__(self, tasks: Sequence[Task], plans: Sequence[Plan], *, mixed: bool) -> None:
        self.id = f"braket-local-{uuid4()}"
        self._tasks, self._plans, self._mixed = tuple(tasks), plans, mixed
        self._stop = Event()
        self._future: Future[tuple[Shots, ...]] = Future()

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Begin, when the jobs before it are done."""
        self._future = pool.submit(self._run)

    def _run(self) -> tuple[Shots, ...]:
        return tuple(
            self._shots(task, plan) for task, plan in zip(self._tasks, self._plans, strict=True)
        )

    def _shots(self, task: Task, plan: Plan) -> Shots:
        points = []
        for point, row in enumerate(plan.rows(task.values)):
            if self._stop.is_set():
                raise CancelledError
            seed = None if task.seed is None else [task.seed, point]
            rng = np.random.default_rng(seed)
            points.append(sample(plan, row, task.shots, rng, mixed=self._mixed))
        return Shots(np.stack(points), plan.num_bits)

    def status(self) -> JobStatus:
        if self._stop.is_set() or self._future.cancelled():
            return JobStatus.CANCELED
        if self._future.done():
            return JobStatus.FAILED if self._future.exception() else JobStatus.DONE
        return JobStatus.RUNNING if self._future.running() else JobStatus.QUEUED

    def wait(self, timeout: float | None = None) -> JobStatus:
        if not self._stop.is_set():
            try:
                self._future.exception(timeout)
            except CancelledError:
                pass
            except FutureTimeoutError:
                raise TimeoutError(f"job {self.id} still runs after {timeout} s") from None
        return self.status()

    def cancel(self) -> None:
        """Drop the job; a point that is being simulated is finished and discarded."""
        if not self._future.done():
            self._stop.set()
            self._future.cancel()

    def result(self) -> tuple[Shots, ...]:
        if self.status() is JobStatus.CANCELED:
            raise JobFailedError(f"job {self.id} was canceled", job_id=self.id)
        try:
            return self._future.result()
        except Exception as error:
            raise JobFailedError(f"job {self.id} failed: {error}", job_id=self.id) from error


class LocalSession(Session):
    """One simulator; jobs run one after another."""

    def __init__(self, name: str, options: LocalOptions) -> None:
        self._name, self._mixed = name, name == "local-dm"
        most, self._version = _limits(self._mixed)
        if options.num_qubits is not None and options.num_qubits > most:
            raise ConfigError(
                f"num_qubits={options.num_qubits}, but braket:{name} takes at most {most}"
            )
        self._num_qubits, self._most = options.num_qubits or most, most
        self._pool = ThreadPoolExecutor(1, "qdmi-braket-local")
        self._lock = Lock()
        self._jobs: WeakValueDictionary[str, LocalJob] = WeakValueDictionary()
        self._keys: WeakValueDictionary[str, LocalJob] = WeakValueDictionary()

    @property
    def gates(self) -> dict[str, object]:
        return dict(GATES)

    def spec(self) -> DeviceSpec:
        angles = {0: (), 1: ("theta",), 2: ("theta", "phi"), 3: ("theta", "phi", "lam")}
        gates = [
            Operation(name, word.num_sites, angles[word.num_angles]) for name, word in WORDS.items()
        ]
        others = (Operation("measure", 1), Operation("reset", 1), Operation("delay", 1, ("t",)))
        return DeviceSpec(
            name=f"braket:{self._name}",
            version=self._version,
            sites=tuple(Site(k) for k in range(self._num_qubits)),
            operations=(
                *(gate for gate in gates if (gate.num_sites or 0) <= self._num_qubits),
                *others,
                Operation("if_else", None),
            ),
            capabilities=Capabilities(
                formats=("qiskit",),
                max_executables=None,
                sweeps=True,
                mixed_shots=True,
                ordered_shots=True,
                cancel=True,
                retrieve=True,
                submit_key=True,
                seeds=True,
                expectations=True,
            ),
            simulator=True,
        )

    def _planned(self, program: Program, values: Values) -> Plan:
        circuit = program.payload
        if not isinstance(circuit, QuantumCircuit):
            raise RejectedError(f"braket:{self._name} takes circuits, not {type(circuit).__name__}")
        if values.shape[1:] != (circuit.num_parameters,) or not len(values):
            raise ProtocolError(
                f"values of shape {values.shape} for circuit {circuit.name!r}: wanted at least one "
                f"row and {circuit.num_parameters} columns"
            )
        plan = planned(circuit)
        if len(plan.qubits) > self._most:
            raise RejectedError(
                f"circuit {circuit.name!r} uses {len(plan.qubits)} qubits, braket:{self._name} "
                f"takes {self._most}"
            )
        return plan

    def submit(self, tasks: Sequence[Task], *, key: str) -> LocalJob:
        plans = [self._planned(task.program, task.values) for task in tasks]
        if not plans:
            raise ProtocolError("no tasks: the planner sent an empty job")
        with self._lock:  # one key, one job, from however many threads
            job = self._keys.get(key)
            if job is None:
                job = LocalJob(tasks, plans, mixed=self._mixed)
                job.start(self._pool)
                self._jobs[job.id] = self._keys[key] = job
        return job

    def job(self, job_id: str) -> LocalJob:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise ConfigError(
                f"no job {job_id!r} in this process: a simulation ends with the process, and its "
                "outcome goes when nobody holds the job any more"
            ) from None

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        plan = self._planned(program, values)
        return expectations(plan, values, list(observables), mixed=self._mixed)

    def close(self) -> None:
        self._pool.shutdown(wait=False)
