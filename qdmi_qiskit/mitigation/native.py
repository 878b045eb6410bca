"""Paulis and measurements of nothing in a device's own gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.mitigation.stage import Context
from qdmi_qiskit.passes import pass_manager


def pauli_gates(width: int, context: Context) -> dict[tuple[int, str], list[Any]]:
    """Return for each (qubit, Pauli) the device's operations that apply it, up to a phase."""
    key = "paulis", width, id(context.target)
    if key not in context.kept:
        context.kept[key] = _found(width, context.target), context.target
    found: dict[tuple[int, str], list[Any]] = context.kept[key][0]
    return found


def _found(width: int, target: Any) -> dict[tuple[int, str], list[Any]]:
    found: dict[tuple[int, str], list[Any]] = {}
    for letter in "XYZ":
        circuit = QuantumCircuit(width)
        for qubit in range(width):
            getattr(circuit, letter.lower())(qubit)
        if target is not None:
            circuit = pass_manager(
                target, 1, initial_layout=list(range(width)) if width else None
            ).run(circuit)
        for instruction in circuit.data:
            if len(instruction.qubits) != 1:
                raise UnsupportedError("the device cannot apply a Pauli to one qubit alone")
            place = circuit.find_bit(instruction.qubits[0]).index
            found.setdefault((place, letter), []).append(instruction.operation)
    return found


def followed_by(
    circuit: QuantumCircuit, paulis: Mapping[int, str], context: Context
) -> QuantumCircuit:
    """Return a circuit with Paulis on some of its qubits at the end."""
    gates = pauli_gates(circuit.num_qubits, context)
    whole: QuantumCircuit = circuit.copy()
    qubits = whole.qubits
    for site, letter in paulis.items():
        for operation in gates[site, letter]:
            whole.append(CircuitInstruction(operation, (qubits[site],)))
    return whole
