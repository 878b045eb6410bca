"""OpenQASM 3 for libraries that return a character for each measured qubit, whatever the bits.

Such a library loses which classical bit was meant. So measured qubits are numbered in the order
of their bits: by qubits and by bits the outcome is the same then. Which bits they were is noted in
the program's last line, a comment.
"""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp

from qdmi_qiskit.devices.native.formats import note
from qdmi_qiskit.devices.native.qasm import QasmWriter
from qdmi_qiskit.errors import RejectedError


class MeasuredWriter(QasmWriter):
    """Writes circuits that measure at their end, for devices without a coupling map."""

    unplaced = (
        "this library does not say on which qubits of the machine a program runs: open the machine "
        "by the vendor's own plug-in, such as 'braket:garnet'"
    )

    def __init__(self, *arguments: Any, somewhere: bool = True, **options: Any) -> None:
        """Write for a device.

        Args:
            *arguments: As for `QasmWriter`.
            somewhere: Whether it may run a program on any qubits.
            **options: As for `QasmWriter`.
        """
        super().__init__(*arguments, **options)
        self._somewhere = somewhere

    def __call__(self, circuit: QuantumCircuit) -> str:
        if self.width is not None or not self._somewhere:
            raise RejectedError(self.unplaced)
        bits, rest = _split(circuit)
        order = sorted(bits.items(), key=lambda each: each[1])
        places = {qubit: k for k, (qubit, _) in enumerate(order)}
        for each in rest.data:
            for qubit in each.qubits if each.name != "barrier" else ():
                places.setdefault(qubit, len(places))
        where = [places.get(qubit, -1) for qubit in circuit.qubits]
        head = [f"bit[{len(order)}] c;"] * bool(order) + [f"qubit[{max(len(places), 1)}] q;"]
        measured = [f"c[{k}] = measure q[{k}];" for k in range(len(order))]
        lines = [*head, *self.lines(rest, where), *measured, note([bit for _, bit in order])]
        return "\n".join(["OPENQASM 3.0;", *lines, ""])


def _split(circuit: QuantumCircuit) -> tuple[dict[Any, int], QuantumCircuit]:
    """Return the bit of each measured qubit, and the circuit without measurements."""
    rest = circuit.copy_empty_like()
    bits: dict[Any, int] = {}
    for each in circuit.data:
        if each.name == "barrier":
            rest.append(each)
            continue
        if isinstance(each.operation, ControlFlowOp) or bits.keys() & {*each.qubits}:
            _refuse(circuit, "goes on after a measurement")
        if each.name != "measure":
            rest.append(each)
            continue
        bit = circuit.find_bit(each.clbits[0]).index
        if bit in bits.values():
            _refuse(circuit, f"measures twice into bit {bit}")
        bits[each.qubits[0]] = bit
    return bits, rest


def _refuse(circuit: QuantumCircuit, what: str) -> None:
    raise RejectedError(
        f"circuit {circuit.name!r} {what}, and this library does not tell which outcome is which: "
        "measure every qubit once, at the end, into a bit of its own"
    )
