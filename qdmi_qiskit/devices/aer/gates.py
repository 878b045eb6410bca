"""Aer's vocabulary: what a Target can say of it, and the Qiskit classes behind the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from qiskit.circuit import BreakLoopOp, ContinueLoopOp, Store
from qiskit.circuit.library import (
    DiagonalGate,
    Initialize,
    MCPhaseGate,
    MCXGate,
    PauliGate,
    U2Gate,
    UCGate,
    UnitaryGate,
    get_standard_gate_name_mapping,
)
from qiskit.circuit.parameter import Parameter
from qiskit.quantum_info import Kraus, SuperOp
from qiskit.quantum_info.operators.channel.quantum_channel import QuantumChannel
from qiskit_aer.backends import name_mapping as aer_names

from qdmi_qiskit.model import Operation

_CONTROL_FLOW = ("if_else", "while_loop", "for_loop", "switch_case", "break_loop", "continue_loop")

GATES: Mapping[str, Any] = {
    "cu2": U2Gate(Parameter("phi"), Parameter("lam")).control(),
    "pauli": PauliGate,
    "diagonal": DiagonalGate,
    "unitary": UnitaryGate,
    "multiplexer": UCGate,
    "initialize": Initialize,
    "kraus": Kraus,
    "superop": SuperOp,
    "quantum_channel": QuantumChannel,
    "store": Store,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
    "mcp": MCPhaseGate,
    "mcphase": MCPhaseGate,
    "mcx": MCXGate,
    **{
        name: gate
        for name, gate in aer_names.NAME_MAPPING.items()
        if name.startswith("mc") and name not in ("mcp", "mcphase", "mcx")
    },
}
"""Instructions that Aer knows and Qiskit's standard library does not."""

_INTERNAL = frozenset({"roerror", "qerror_loc"})
"""Names that Aer puts into circuits itself; `save_*` and `set_*` return no shots."""


@cache
def _standard() -> Mapping[str, Any]:
    mapping: Mapping[str, Any] = get_standard_gate_name_mapping()
    return mapping


def operations(names: Iterable[str]) -> tuple[Operation, ...]:
    """Return an operation for each of Aer's `names` that can be part of a sampled circuit.

    Measurement and delay are everybody's; the variadic ones and control flow have
    `num_sites=None`. Everything is available everywhere.
    """
    wanted = {*names, "measure", "delay"} - _INTERNAL
    found = []
    for name in sorted(wanted):
        gate = _standard().get(name) or GATES.get(name)
        if name in _CONTROL_FLOW or isinstance(gate, type):
            found.append(Operation(name, None))
        elif gate is not None:
            angles = tuple(parameter.name for parameter in gate.params)
            found.append(Operation(name, gate.num_qubits, angles))
    return tuple(found)
