"""From a Qiskit circuit to QPY as QDMI wants it: qubit k is the k-th site in the device's list."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import ControlFlowOp, Qubit

from qdmi_qiskit.devices.native.qasm import placed
from qdmi_qiskit.errors import RejectedError


class QpyWriter:
    """Writes circuits for one device. Operations keep Qiskit's names, which QPY knows them by."""

    def __init__(self, names: Mapping[str, str], places: Sequence[int], width: int | None) -> None:
        """Write for a device.

        Args:
            names: Qiskit's names of what the device has, as keys.
            places: Position of each qubit in the device's list of sites.
            width: How many sites that list has; None: programs may have fewer qubits.
        """
        self._names, self._places, self._width = names, places, width

    def __call__(self, circuit: QuantumCircuit) -> bytes:
        """Write one circuit, all parameters bound.

        Raises:
            RejectedError: The device has not all of it, or an angle has no value.
        """
        if circuit.num_parameters:
            raise RejectedError(f"circuit {circuit.name!r} has angles without a value: bind them")
        self._check(circuit, circuit.name)
        places = placed(circuit, self._places, self._width)
        plain = QuantumCircuit(name=circuit.name)
        plain.add_bits([Qubit() for _ in range(self._width or len(set(places) - {-1}))])
        plain.add_bits(circuit.clbits)
        for register in circuit.cregs:
            plain.add_register(register)
        at = dict(zip(circuit.qubits, places, strict=True))
        for each in circuit.data:
            on = [plain.qubits[at[qubit]] for qubit in each.qubits if at[qubit] >= 0]
            if each.name != "barrier":
                plain.append(each.operation, on, each.clbits)
            elif on:
                plain.barrier(on)
        return _dumped(plain)

    def _check(self, circuit: QuantumCircuit, name: str) -> None:
        for each in circuit.data:
            if each.name not in self._names:
                raise RejectedError(
                    f"circuit {name!r} uses {each.name}, which this device has not: transpile it "
                    "first"
                )
            if isinstance(each.operation, ControlFlowOp):
                for block in each.operation.blocks:
                    self._check(block, name)


def _dumped(circuit: QuantumCircuit) -> bytes:
    """Write in the oldest version that says it: QDMI does not tell which one a library reads."""
    buffer = io.BytesIO()
    try:
        qpy.dump(circuit, buffer, version=qpy.common.QPY_COMPATIBILITY_VERSION)
    except qpy.QpyError:
        buffer = io.BytesIO()
        qpy.dump(circuit, buffer)
    return buffer.getvalue()
