"""`AerSimulator`, with the angles of controlled gates bound."""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES, ControlFlowOp, ControlledGate, Gate
from qiskit_aer import AerSimulator

_CONTROL_FLOW = frozenset(CONTROL_FLOW_OP_NAMES)
_PLAIN = frozenset({"ccx", "ccz", "ch", "cswap", "csx", "cx", "cy", "cz", "mcx", "measure"})
"""Names without an angle."""


class BoundSimulator(AerSimulator):
    """Takes every parametrised gate in a sweep.

    Aer (seen in 0.17 and 0.18) asks `is_parameterized()`, which says no for a controlled gate
    whose angle belongs to its base gate, and then runs `crx(theta)` with theta = 0, silently; the
    angles of `cu` it zeroes in the circuit itself. (Source: qiskit-aer issues 2323, 2391, 2403.)
    It looks gates up by name, so a plain gate of the same name is what it needs.
    """

    def run(self, circuits: Any, parameter_binds: Any = None, **options: Any) -> Any:
        """Run circuits as Aer does."""
        if parameter_binds:
            circuits = [plainly(circuit) for circuit in circuits]
        return super().run(circuits, parameter_binds=parameter_binds, **options)


def plainly(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit with a plain gate for each controlled gate that has parameters."""
    names = circuit.count_ops().keys()
    nested = not _CONTROL_FLOW.isdisjoint(names)
    hiding = any(name[:1] in ("c", "m") for name in names - _PLAIN)  # controlled by their names
    if not circuit.num_parameters or not (nested or hiding):
        return circuit
    found: dict[int, Any] = {}
    for index, instruction in enumerate(circuit.data):
        if not (instruction.is_parameterized() or nested):
            continue
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            found[index] = operation.replace_blocks([plainly(b) for b in operation.blocks])
        elif isinstance(operation, ControlledGate):
            params = list(operation.params)
            found[index] = Gate(operation.name, operation.num_qubits, params, operation.label)
    if not found:
        return circuit
    plain: QuantumCircuit = circuit.copy_empty_like()
    for index, instruction in enumerate(circuit.data):  # to replace in place panics on blocks
        operation = found.get(index)
        plain._append(  # noqa: SLF001
            instruction if operation is None else instruction.replace(operation=operation)
        )
    return plain
