"""Check circuits against a Target: is every instruction one that the device executes?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES, ControlFlowOp
from qiskit.transpiler import Target

from qdmi_qiskit.errors import RejectedError

_FREE = frozenset({"barrier"})  # a directive: it reaches no device as an operation
_WRITERS = frozenset({"measure", "store"})
_CONTROL_FLOW = frozenset(CONTROL_FLOW_OP_NAMES)


def writes_bits(circuit: QuantumCircuit) -> bool:
    """Return whether an instruction, in a block too, could write a classical bit."""
    names = circuit.count_ops().keys()
    if not circuit.num_clbits or _WRITERS & names:
        return bool(circuit.num_clbits)
    return bool(_CONTROL_FLOW & names) and any(
        writes_bits(block)
        for instruction in circuit.data
        if isinstance(instruction.operation, ControlFlowOp)
        for block in instruction.operation.blocks
    )


class IsaChecker:
    """Knows what a Target offers, so that a check costs a look-up per instruction."""

    def __init__(self, target: Target, device: str, max_qubits: int | None = None) -> None:
        self._target, self._device, self._max_qubits = target, device, max_qubits
        names = target.operation_names
        everywhere = {name for name in names if target[name] is None or None in target[name]}
        self._places = {name: frozenset(target[name]) for name in names if name not in everywhere}
        self._bounded = {
            name
            for name in names
            if hasattr(target, "gate_has_angle_bounds") and target.gate_has_angle_bounds(name)
        }
        self._everywhere = frozenset((everywhere | _FREE) - self._bounded)

    def check(self, circuit: QuantumCircuit) -> None:
        """Pass if the device executes every instruction where it stands.

        Raises:
            RejectedError: It does not; the message shows the line that transpiles the circuit.
        """
        width = self._target.num_qubits  # None: no limit
        if width is not None and circuit.num_qubits > width:
            raise RejectedError(
                f"circuit {circuit.name!r} has {circuit.num_qubits} qubits, {self._device} has "
                f"{width}: use fewer qubits or another backend"
            )
        self._scan(circuit, range(circuit.num_qubits), circuit.name)
        if self._max_qubits is not None:
            active = {q for instruction in circuit.data for q in instruction.qubits}
            if len(active) > self._max_qubits:
                raise RejectedError(
                    f"circuit {circuit.name!r} uses {len(active)} qubits, {self._device} runs at "
                    f"most {self._max_qubits} at once: use fewer qubits"
                )

    def _scan(self, circuit: QuantumCircuit, sites: Sequence[int], name: str) -> None:
        counts = circuit.count_ops()
        if self._everywhere.issuperset(counts) and _CONTROL_FLOW.isdisjoint(counts):
            return  # every operation works everywhere, and none has a block to look into
        index = dict(zip(circuit.qubits, sites, strict=True))
        for instruction in circuit.data:
            operation = instruction.name
            if operation in self._everywhere:
                if isinstance(instruction.operation, ControlFlowOp):
                    inner = [index[qubit] for qubit in instruction.qubits]
                    for block in instruction.operation.blocks:
                        self._scan(block, inner, name)
                continue
            qargs = tuple(index[qubit] for qubit in instruction.qubits)
            if operation in self._bounded:
                self._check_angles(name, operation, qargs, instruction.params)
            elif qargs not in self._places.get(operation, ()):
                self._refuse(name, operation, qargs)

    def _check_angles(
        self, name: str, operation: str, qargs: tuple[int, ...], angles: Sequence[Any]
    ) -> None:
        if not self._target.instruction_supported(operation, qargs, parameters=list(angles)):
            shown = ", ".join(str(angle) for angle in angles)
            self._refuse(name, f"{operation}({shown})", qargs)

    def _refuse(self, name: str, operation: str, qargs: tuple[int, ...]) -> NoReturn:
        where = f"on qubit {qargs[0]}" if len(qargs) == 1 else f"on qubits {qargs}"
        raise RejectedError(
            f"circuit {name!r} uses {operation} {where}, which {self._device} does not execute. "
            "Transpile it first: circuit = generate_preset_pass_manager(optimization_level=2, "
            "backend=backend).run(circuit)"
        )
