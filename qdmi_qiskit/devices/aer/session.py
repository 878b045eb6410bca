"""A session on one Aer simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from qdmi_qiskit import recordings
from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.aer.exact import expectations
from qdmi_qiskit.devices.aer.gates import GATES, operations
from qdmi_qiskit.devices.aer.job import AerJob
from qdmi_qiskit.devices.aer.options import AerOptions
from qdmi_qiskit.devices.aer.programs import bindings, check_tasks
from qdmi_qiskit.devices.aer.recorded import RecordedDevice, gates_for
from qdmi_qiskit.devices.aer.roads import States, parts
from qdmi_qiskit.devices.aer.simulator import BoundSimulator
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    PauliSum,
    Program,
    Site,
    Task,
    Values,
)
from qdmi_qiskit.vocabulary import teach_transpiler


class AerSession(Session):
    """One `AerSimulator`, configured once."""

    def __init__(self, options: AerOptions) -> None:
        self._recorded, self._model = _noise(options.noise)
        native = options.native()
        if self._model is not None:
            native["noise_model"] = self._model
        self._simulator = BoundSimulator(**_checked(native))
        self._device: RecordedDevice | None = None
        if self._recorded is not None:
            if options.num_qubits is not None:
                raise ConfigError(
                    f"num_qubits={options.num_qubits} does not go with a recorded device: "
                    f"{self._recorded.name} has {self._recorded.num_qubits}; leave it out"
                )
            names = self._simulator.configuration().basis_gates
            self._device = RecordedDevice(self._recorded, names)
            if gates_for(self._device.operations):
                teach_transpiler()
        self._method = options.method
        limit = self._simulator.configuration().n_qubits
        if options.num_qubits is not None and options.num_qubits > limit:
            raise ConfigError(
                f"num_qubits={options.num_qubits}, but Aer's method {options.method!r} takes at "
                f"most {limit} on this machine: ask for fewer, or for another method"
            )
        self._num_qubits = options.num_qubits or limit
        has_states = not self._noisy and options.method in ("automatic", "statevector")
        self._states = States() if has_states and options.sample_states else None
        self._jobs: WeakValueDictionary[str, AerJob] = WeakValueDictionary()
        self._submitting = Lock()
        self._keys: WeakValueDictionary[str, AerJob] = WeakValueDictionary()

    @property
    def gates(self) -> Mapping[str, Any]:
        return GATES if self._device is None else {**GATES, **gates_for(self._device.operations)}

    @property
    def _noisy(self) -> bool:
        return self._model is not None or (self._device is not None and not self._device.ideal)

    @property
    def _reads_wrong(self) -> bool:
        if self._model is not None:
            return _reads_wrong(self._model)
        return self._device is not None and self._device.misreads

    def spec(self) -> DeviceSpec:
        capabilities = Capabilities(
            formats=("qiskit",),
            max_executables=None,
            max_shots=self._simulator.configuration().max_shots,
            mixed_shots=True,
            sweeps=True,
            bases=not self._noisy,
            ordered_shots=True,
            cancel=True,
            retrieve=True,
            submit_key=True,
            seeds=True,
            expectations=not self._reads_wrong,
        )
        if self._recorded is not None and self._device is not None:
            return replace(
                self._recorded,
                capabilities=capabilities,
                simulator=True,
                price=None,
                operations=self._device.operations,
            )
        name = "aer" if self._method == "automatic" else f"aer:{self._method}"
        return DeviceSpec(
            name=name,
            version=self._simulator.configuration().backend_version,
            sites=tuple(Site(k) for k in range(self._num_qubits)),
            operations=operations(self._simulator.configuration().basis_gates),
            capabilities=capabilities,
            simulator=True,
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> AerJob:
        check_tasks(tasks, clifford=self._method == "stabilizer")
        with self._submitting:  # one key, one job, from however many threads
            job = self._keys.get(key)
            if job is None:
                started = parts(
                    self._simulator,
                    self._written(tasks),
                    states=self._states,
                    noise=self._noise,
                )
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
        circuit = program.payload
        values_of = bindings(circuit, values)
        if self._device is not None:
            circuit = self._device.written(circuit)
        return expectations(
            self._simulator,
            circuit,
            values_of,
            observables,
            noisy=self._noisy,
            method=self._method,
            noise=self._noise([circuit]),
        )

    def _written(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return the tasks in Aer's gates; those that shared a circuit still do."""
        if self._device is None:
            return tasks
        circuits = {id(task.program.payload): task.program.payload for task in tasks}
        written = {key: self._device.written(circuit) for key, circuit in circuits.items()}
        return [
            replace(task, program=replace(task.program, payload=written[id(task.program.payload)]))
            for task in tasks
        ]

    def _noise(self, circuits: Sequence[QuantumCircuit]) -> NoiseModel | None:
        return None if self._device is None else self._device.noise(circuits)


def _noise(given: Any) -> tuple[DeviceSpec | None, NoiseModel | None]:
    if given is None:
        return None, None
    if isinstance(given, NoiseModel):
        return None, given
    if isinstance(given, str | Path):
        given = recordings.load(given)
    if not isinstance(given, DeviceSpec):
        raise ConfigError(
            f"noise={given!r}: wanted the path of a recorded device (JSON), a DeviceSpec or an "
            "Aer NoiseModel"
        )
    return recordings.checked(given), None


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
