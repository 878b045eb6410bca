"""Instructions for the operations of a device that Qiskit's standard library does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import MCPhaseGate, MCXGate

from qdmi_qiskit.devices.native.standard import CONTROL_FLOW, NATIVE, STANDARD
from qdmi_qiskit.model import Operation
from qdmi_qiskit.vocabulary import GATES, teach_transpiler

_VARIADIC = {"mcx": MCXGate, "mcphase": MCPhaseGate}


def gates_of(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return an instruction, or the class of variadic ones, for each that is not standard."""
    found = {
        each.name: _VARIADIC.get(each.name) or _gate(each)
        for each in operations
        if each.name not in STANDARD and each.name not in CONTROL_FLOW
    }
    if found.keys() & NATIVE.keys():
        teach_transpiler()
    return found


def _gate(operation: Operation) -> Gate:
    if operation.name in NATIVE:
        return GATES[operation.name]
    angles = [Parameter(name) for name in operation.parameters]
    return Gate(operation.name, operation.num_sites, angles)
