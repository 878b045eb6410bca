"""A recorded device on Aer: its noise, its delays, and gates that Aer does not have.

Noise is built for what a job contains. The whole of a lattice of a hundred qubits takes Aer
seconds to take in, at every run (seen in 0.18). What was built is kept: Aer takes some 10 ms to
accept each error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, ControlFlowOp, Gate, Instruction
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError

from qdmi_qiskit.devices.aer.noise import (
    NO_GATES,
    dampings,
    operation_error,
    readout_error,
    relaxation,
)
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.model import DeviceSpec, Figures, Operation
from qdmi_qiskit.vocabulary import GATES as MORE_GATES

_log = logging.getLogger(__name__)

_PLAIN = "_qdmi_exact"
"""Label of the gates that stand for another one: Aer looks noise up by label."""
_REMEMBERED = 16  # noise models

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}

Place = tuple[int, ...]
Dampings = tuple[tuple[int, Instruction], ...]


class RecordedDevice:
    """What a recorded device does to circuits. Built for one `DeviceSpec`."""

    def __init__(self, spec: DeviceSpec, native: Iterable[str]) -> None:
        """Read the figures.

        Args:
            spec: The recording.
            native: Names of the operations that Aer has.
        """
        self._spec = spec
        self._native = {*native, "measure", "delay", "barrier"}
        self._figures = {op.name: op.sites for op in spec.operations if op.sites}
        self._errors: dict[tuple[str, Place], QuantumError | None] = {}
        self._dampings: dict[tuple[str, Place], Dampings] = {}
        self._models: dict[frozenset[tuple[str, Place]], NoiseModel] = {}
        self.operations = tuple(op for op in spec.operations if self._runs(op.name))
        if lost := [op.name for op in spec.operations if op not in self.operations]:
            _log.warning("%s: Aer cannot simulate %s: left out", spec.name, ", ".join(lost))
        self._foreign = {op.name for op in self.operations} - self._native
        self._lives = any(site.t1 is not None or site.t2 is not None for site in spec.sites)
        self.misreads = any(True for _ in self._readouts())
        self.ideal = not (self._lives or self.misreads or self._errs())

    def _runs(self, name: str) -> bool:
        if name in self._native:
            return True
        gate = MORE_GATES.get(name) or get_standard_gate_name_mapping().get(name)
        # A copy: a definition is kept by its gate, with the angles that the gate then had.
        return isinstance(gate, Gate) and gate.to_mutable().definition is not None

    def _readouts(self) -> Iterator[tuple[Place, ReadoutError]]:
        for place, figures in self._figures.get("measure", {}).items():
            error = readout_error(self._spec.sites[place[0]], figures)
            if error is not None:
                yield place, error

    def _errs(self) -> bool:
        """Whether a gate has an error of its own; relaxation needs lifetimes, seen elsewhere."""
        return any(
            figures.fidelity is not None and figures.fidelity < 1
            for name, places in self._figures.items()
            if name not in NO_GATES
            for figures in places.values()
        )

    def written(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Return the circuit as Aer gets it.

        Gates that Aer lacks are written in its own and followed by their error; what
        a noise model cannot say (`dampings`, the relaxation of delays) is in the circuit.

        Raises:
            RejectedError: A delay is of no length that is known.
        """
        if not (self._lives or self._foreign.intersection(_names(circuit))):
            return circuit
        return self._written(circuit, range(circuit.num_qubits))

    def _written(self, circuit: QuantumCircuit, sites: Sequence[int]) -> QuantumCircuit:
        index = dict(zip(circuit.qubits, sites, strict=True))
        plain: QuantumCircuit = circuit.copy_empty_like()
        for item in circuit.data:
            place = tuple(index[qubit] for qubit in item.qubits)
            if item.is_control_flow():
                operation = item.operation
                blocks = [self._written(block, place) for block in operation.blocks]
                plain.append(operation.replace_blocks(blocks), item.qubits, item.clbits)
                continue
            if item.name in self._foreign:
                _append_definition(plain, item.operation, item.qubits, self._native)
                error = self._error(item.name, place)
                if error is not None:
                    plain.append(error.to_instruction(), item.qubits)
            else:
                plain._append(item)  # noqa: SLF001 - checked already, and 10 times cheaper
            for position, channel in self._after(item, place):
                plain._append(CircuitInstruction(channel, (item.qubits[position],)))  # noqa: SLF001
        return plain

    def _after(self, item: CircuitInstruction, place: Place) -> Dampings:
        if item.name == "delay":
            site = self._spec.sites[place[0]]
            channel = relaxation(self._seconds(item.operation), site) if self._lives else None
            return () if channel is None else ((0, channel),)
        key = item.name, place
        if key not in self._dampings:
            sites = [self._spec.sites[site] for site in place]
            figures = self._figures.get(item.name, {}).get(place)
            self._dampings[key] = () if figures is None else dampings(item.name, figures, sites)
        return self._dampings[key]

    def _seconds(self, delay: Any) -> float:
        unit = self._spec.dt if delay.unit == "dt" else _UNITS.get(delay.unit)
        try:
            if unit is not None:
                return float(delay.duration) * unit
        except TypeError:
            pass
        raise RejectedError(
            f"a delay of {delay.duration} {delay.unit}: {self._spec.name} relaxes in the meantime, "
            "so say how long in seconds (unit='s')"
        )

    def noise(self, circuits: Sequence[QuantumCircuit]) -> NoiseModel | None:
        """Return the noise of all operations in some circuits; the same object every time."""
        if self.ideal:
            return None
        used = frozenset(
            each for circuit in circuits for each in _used(circuit, range(circuit.num_qubits))
        )
        model = self._models.get(used)
        if model is None:
            model = self._model(used)
            if len(self._models) >= _REMEMBERED:
                self._models.clear()
            self._models[used] = model
        return model

    def _model(self, used: Iterable[tuple[str, Place]]) -> NoiseModel:
        model = NoiseModel()
        for name, place in sorted(used):
            if name == "measure":
                readout = readout_error(self._spec.sites[place[0]], self._figure(name, place))
                if readout is not None:
                    model.add_readout_error(readout, list(place))
            elif name not in self._foreign:  # those have their errors in the circuit
                error = self._error(name, place)
                if error is not None:
                    model.add_quantum_error(error, name, list(place))
        return model

    def _figure(self, name: str, place: Place) -> Figures:
        return self._figures.get(name, {}).get(place, Figures())

    def _error(self, name: str, place: Place) -> QuantumError | None:
        key = name, place
        if key not in self._errors:
            figures = self._figures.get(name, {}).get(place)
            sites = [self._spec.sites[site] for site in place]
            self._errors[key] = (
                None if figures is None else operation_error(name, figures, sites, damping=False)
            )
        return self._errors[key]


def gates_for(operations: Sequence[Operation]) -> Mapping[str, Gate]:
    """Return the gates among some operations that Qiskit's standard library lacks."""
    return {op.name: MORE_GATES[op.name] for op in operations if op.name in MORE_GATES}


def _names(circuit: QuantumCircuit) -> set[str]:
    names = set(circuit.count_ops())
    if circuit.has_control_flow_op():
        for item in circuit.data:
            if isinstance(item.operation, ControlFlowOp):
                names.update(*(_names(block) for block in item.operation.blocks))
    return names


def _used(circuit: QuantumCircuit, sites: Sequence[int]) -> Iterator[tuple[str, Place]]:
    index = dict(zip(circuit.qubits, sites, strict=True))
    for item in circuit.data:
        place = tuple(index[qubit] for qubit in item.qubits)
        if item.is_control_flow():
            for block in item.operation.blocks:
                yield from _used(block, place)
        else:
            yield item.name, place


def _append_definition(
    circuit: QuantumCircuit, operation: Any, qubits: Sequence[Any], native: set[str]
) -> None:
    if operation.name in native:
        exact = operation.to_mutable()
        exact.label = _PLAIN
        circuit.append(exact, qubits)
        return
    inner = operation.definition
    outer = dict(zip(inner.qubits, qubits, strict=True))
    for item in inner.data:
        _append_definition(circuit, item.operation, [outer[q] for q in item.qubits], native)
