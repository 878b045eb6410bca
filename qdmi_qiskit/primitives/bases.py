"""The gates that turn a Pauli basis into the one a device measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import ref

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import CircuitInstruction, Measure
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.isa import IsaChecker
from qdmi_qiskit.model import Basis
from qdmi_qiskit.passes import pass_manager

REGISTER = "_qdmi_basis"
_MEASURE = Measure()
_Steps = dict[tuple[int, int, int, bool, bool], list[CircuitInstruction]]


class BasisChanges:
    """Remembers, for each qubit of a device, its own gates that turn X and Y into Z."""

    def __init__(self, target: Target, isa: IsaChecker) -> None:
        self.target, self._isa = target, isa
        self._gates: dict[tuple[int, bool], list[Any]] = {}
        self._registers: dict[int, ClassicalRegister] = {}
        self._last: tuple[Callable[[], QuantumCircuit | None], _Steps] = (lambda: None, {})

    def measured(self, circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
        """Return the circuit, followed by the measurement of a basis.

        Bit `circuit.num_clbits + j` of the outcome belongs to `basis.qubits[j]`.
        """
        width = len(basis.qubits)
        register = self._registers.get(width)
        if register is None:
            register = self._registers[width] = ClassicalRegister(width, REGISTER)
        whole: QuantumCircuit = circuit.copy()
        whole.add_register(register)
        qubits, known = whole.qubits, self._known_of(circuit)
        # Everything is checked already, and _append is 10 times cheaper than append. What we
        # append is, like standard gates, no control flow and without parameters of the circuit.
        for j, key in enumerate(
            zip(basis.qubits.tolist(), basis.x.tolist(), basis.z.tolist(), strict=True)
        ):
            steps = known.get((width, j, *key))
            if steps is None:
                site, x, z = key
                qubit = (qubits[site],)
                gates = self._turning(circuit.num_qubits, basis, site, z) if x else ()
                steps = [CircuitInstruction(gate, qubit) for gate in gates]
                steps.append(CircuitInstruction(_MEASURE, qubit, (register[j],)))
                known[width, j, *key] = steps
            for step in steps:
                whole._append(step, _standard_gate=True)  # noqa: SLF001
        return whole

    def _known_of(self, circuit: QuantumCircuit) -> _Steps:
        """Return the steps that other bases of the same circuit took: they have much in common."""
        last, known = self._last
        if last() is not circuit:
            known = {}
            self._last = ref(circuit), known
        return known

    def _turning(self, num_qubits: int, basis: Basis, site: int, y: bool) -> Sequence[Any]:
        if (site, y) not in self._gates:
            self.learn(num_qubits, [basis])
        return self._gates[site, y]

    def learn(self, num_qubits: int, bases: Iterable[Basis]) -> None:
        """Find the gates that are not known yet, each kind for all qubits in one pass.

        Args:
            num_qubits: Of the circuits.
            bases: To be measured soon.
        """
        new = {
            (site, y)
            for basis in bases
            for site, x, y in zip(
                basis.qubits.tolist(), basis.x.tolist(), basis.z.tolist(), strict=True
            )
            if x and (site, y) not in self._gates
        }
        for y in (False, True):
            wanted = sorted(site for site, kind in new if kind is y)
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
