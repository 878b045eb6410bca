"""A session on one Aer simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.transpiler import PassManager
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, RelaxationNoisePass

from qdmi_qiskit import spec_json
from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.aer.exact import expectations
from qdmi_qiskit.devices.aer.gates import GATES, operations
from qdmi_qiskit.devices.aer.job import AerJob
from qdmi_qiskit.devices.aer.noise import noise_from, relaxation_times
from qdmi_qiskit.devices.aer.options import AerOptions
from qdmi_qiskit.devices.aer.programs import bindings, check_tasks
from qdmi_qiskit.devices.aer.roads import States, parts
from qdmi_qiskit.devices.aer.simulator import BoundSimulator
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    Operation,
    PauliSum,
    Program,
    Site,
    Task,
    Values,
)


class AerSession(Session):
    """One `AerSimulator`, configured once."""

    def __init__(self, options: AerOptions) -> None:
        self._recorded, model = _noise(options.noise)
        native = options.native()
        if model is not None:
            native["noise_model"] = model
        self._model: NoiseModel | None = model
        self._simulator = BoundSimulator(**_checked(native))
        self._method = options.method
        limit = self._simulator.configuration().n_qubits
        if options.num_qubits is not None and options.num_qubits > limit:
            raise ConfigError(
                f"num_qubits={options.num_qubits}, but Aer's method {options.method!r} takes at "
                f"most {limit} on this machine: ask for fewer, or for another method"
            )
        self._num_qubits = options.num_qubits or limit
        has_states = self._model is None and options.method in ("automatic", "statevector")
        self._states = States() if has_states and options.sample_states else None
        self._relax = self._relaxation_of_delays()
        self._jobs: WeakValueDictionary[str, AerJob] = WeakValueDictionary()
        self._submitting = Lock()
        self._keys: WeakValueDictionary[str, AerJob] = WeakValueDictionary()

    @property
    def gates(self) -> Mapping[str, Any]:
        return GATES

    def spec(self) -> DeviceSpec:
        capabilities = Capabilities(
            formats=("qiskit",),
            max_executables=None,
            max_shots=self._simulator.configuration().max_shots,
            mixed_shots=True,
            sweeps=True,
            bases=self._model is None,
            ordered_shots=True,
            cancel=True,
            retrieve=True,
            submit_key=True,
            seeds=True,
            expectations=self._model is None or not _reads_wrong(self._model),
        )
        if self._recorded is not None:
            return replace(
                self._recorded,
                capabilities=capabilities,
                simulator=True,
                price=None,
                operations=self._simulated(self._recorded.operations),
            )
        name = "aer" if self._method == "automatic" else f"aer:{self._method}"
        return DeviceSpec(
            name=name,
            version=self._simulator.configuration().backend_version,
            sites=tuple(Site(k) for k in range(self._num_qubits)),
            operations=self._simulated(None),
            capabilities=capabilities,
            simulator=True,
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> AerJob:
        check_tasks(tasks, clifford=self._method == "stabilizer")
        with self._submitting:  # one key, one job, from however many threads
            job = self._keys.get(key)
            if job is None:
                started = parts(self._simulator, tasks, states=self._states, prepare=self._prepared)
                job = AerJob(started, len(tasks))
                self._jobs[job.id] = self._keys[key] = job
        return job

    def job(self, job_id: str) -> AerJob:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise ConfigError(
                f"no Aer job {job_id!r} in this process: a simulation ends with the process, "
                "and its outcome goes when nobody holds the job any more"
            ) from None

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        if not self.spec().capabilities.expectations:
            return super().expectations(program, values, observables)
        circuit = self._prepared(program.payload)
        return expectations(
            self._simulator,
            circuit,
            bindings(circuit, values),
            observables,
            noisy=self._model is not None,
            method=self._method,
        )

    def _simulated(self, recorded: tuple[Operation, ...] | None) -> tuple[Operation, ...]:
        native = operations(self._simulator.configuration().basis_gates)
        if recorded is None:
            return native
        names = {operation.name for operation in native} | {"barrier"}
        return tuple(operation for operation in recorded if operation.name in names)

    def _relaxation_of_delays(self) -> PassManager | None:
        if self._recorded is None:
            return None
        t1s, t2s = relaxation_times(self._recorded.sites)
        return PassManager([RelaxationNoisePass(t1s, t2s, dt=self._recorded.dt, op_types=[Delay])])

    def _prepared(self, circuit: QuantumCircuit) -> QuantumCircuit:
        if self._relax is None or "delay" not in circuit.count_ops():
            return circuit
        return self._relax.run(circuit)


def _noise(given: Any) -> tuple[DeviceSpec | None, NoiseModel | None]:
    if given is None:
        return None, None
    if isinstance(given, NoiseModel):
        return None, given
    if isinstance(given, str | Path):
        path = Path(str(given).removeprefix("replay:")).expanduser()
        given = spec_json.load(path)
    if not isinstance(given, DeviceSpec):
        raise ConfigError(
            f"noise={given!r}: wanted the path of a recorded device (JSON), a DeviceSpec or an "
            "Aer NoiseModel"
        )
    return given, noise_from(given)


def _checked(native: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse a device or method that the installed Aer does not have."""
    probe = AerSimulator()
    for option, installed in (
        ("device", probe.available_devices()),
        ("method", probe.available_methods()),
    ):
        wanted = native.get(option)
        if wanted is not None and wanted not in installed:
            raise ConfigError(
                f"{option}={wanted!r}: the installed qiskit-aer has {', '.join(installed)}"
                + ("; install qiskit-aer-gpu for a GPU" if option == "device" else "")
            )
    return native


def _reads_wrong(model: NoiseModel) -> bool:
    """Whether the model has readout errors, which expectation values computed by Aer ignore."""
    return any(error["type"] == "roerror" for error in model.to_dict()["errors"])
