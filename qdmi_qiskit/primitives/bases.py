"""The gates that turn a Pauli basis into the one a device measures."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import CircuitInstruction, Measure
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.isa import IsaChecker
from qdmi_qiskit.model import Basis
from qdmi_qiskit.passes import pass_manager
from qdmi_qiskit.primitives.observables import Flags

REGISTER = "_qdmi_basis"
_MEASURE = Measure()


class BasisChanges:
    """Remembers, for each qubit of a device, its own gates that turn X and Y into Z."""

    def __init__(self, target: Target, isa: IsaChecker) -> None:
        self.target, self._isa = target, isa
        self._gates: dict[tuple[int, bool], list[Any]] = {}

    def measured(self, circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
        """Return the circuit, followed by the measurement of a basis.

        Bit `circuit.num_clbits + j` of the outcome belongs to `basis.qubits[j]`.
        """
        register = ClassicalRegister(len(basis.qubits), REGISTER)
        whole: QuantumCircuit = circuit.copy()
        whole.add_register(register)
        turned = np.flatnonzero(basis.x)
        self._learn(circuit.num_qubits, basis.qubits[turned], basis.z[turned])
        qubits = whole.qubits
        # Everything is checked already, and _append is 10 times cheaper than append.
        for clbit, site, x, z in zip(
            register, basis.qubits.tolist(), basis.x.tolist(), basis.z.tolist(), strict=True
        ):
            qubit = (qubits[site],)
            if x:
                for operation in self._gates[site, z]:
                    whole._append(CircuitInstruction(operation, qubit))  # noqa: SLF001
            whole._append(CircuitInstruction(_MEASURE, qubit, (clbit,)))  # noqa: SLF001
        return whole

    def _learn(self, num_qubits: int, sites: Any, is_y: Flags) -> None:
        """Find the gates of the qubits that are not known yet, all in one pass."""
        new = [
            key for key in zip(sites.tolist(), is_y.tolist(), strict=True) if key not in self._gates
        ]
        for y in (False, True):
            wanted = [site for site, kind in new if kind is y]
            if not wanted:
                continue
            plain = QuantumCircuit(num_qubits)
            for site in wanted:
                if y:
                    plain.sdg(site)
                plain.h(site)
            native = self._native(plain)
            for site in wanted:
                self._gates[site, y] = []
            for instruction in native.data:
                site = native.find_bit(instruction.qubits[0]).index
                self._gates[site, y].append(instruction.operation)

    def _native(self, plain: QuantumCircuit) -> QuantumCircuit:
        native = PassManager([Optimize1qGatesDecomposition(target=self.target)]).run(plain)
        try:
            self._isa.check(native)
        except RejectedError:  # the device's one-qubit gates are none that Qiskit decomposes into
            layout = range(plain.num_qubits)
            native = pass_manager(self.target, 1, initial_layout=layout).run(plain)
            self._isa.check(native)
        return native
