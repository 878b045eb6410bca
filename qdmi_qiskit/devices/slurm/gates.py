"""Gates outside Qiskit's standard library, from the worker's device to the user's Target."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Instruction

from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.errors import RejectedError

_TRUSTED = ("qiskit", "qiskit_aer", "qdmi_qiskit")
"""Packages whose classes a worker may name; whatever else it names is left out."""


def to_gates(gates: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return gates as JSON: where a class is to be found, or a circuit of one gate.

    One that neither can be said of is left out: no circuit could carry it either.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, gate in gates.items():
        kind = gate if inspect.isclass(gate) else type(gate)
        where = f"{kind.__module__}:{kind.__qualname__}"
        if inspect.isclass(gate):
            found[name] = {"class": where}
            continue
        circuit = QuantumCircuit(gate.num_qubits, gate.num_clbits)
        circuit.append(gate, circuit.qubits, circuit.clbits)
        try:
            data = words.from_circuit(circuit)
        except RejectedError:
            continue
        found[name] = {"qpy": base64.b64encode(data).decode()}
    return found


def gates_from(document: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return gates from JSON."""
    found = {name: _gate(each) for name, each in document.items()}
    return {name: gate for name, gate in found.items() if gate is not None}


def _gate(each: Mapping[str, str]) -> Any:
    if "class" not in each:
        instruction: Instruction = words.to_circuit(base64.b64decode(each["qpy"])).data[0].operation
        return instruction
    module, _, name = each["class"].partition(":")
    if module.partition(".")[0] not in _TRUSTED:
        return None
    try:
        kind = getattr(import_module(module), name, None)
    except ImportError:
        return None
    return kind if inspect.isclass(kind) else None
