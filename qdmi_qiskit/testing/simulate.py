"""A small statevector simulator in numpy, for the devices in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from qdmi_qiskit.errors import RejectedError

State = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a circuit without mid-circuit measurement leads to.

    Attributes:
        probabilities: float64, shape `(2**qubits,)`; qubit k is bit k of the index.
        measures: Pairs (qubit, classical bit).
        num_bits: Classical bits.
    """

    probabilities: npt.NDArray[np.float64]
    measures: tuple[tuple[int, int], ...]
    num_bits: int

    def sample(self, shots: int, source: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Return uint8 of shape `(shots, num_bits)`, column k being classical bit k."""
        index = source.choice(len(self.probabilities), size=shots, p=self.probabilities)
        columns = np.zeros((shots, self.num_bits), np.uint8)
        for qubit, bit in self.measures:
            columns[:, bit] = index >> qubit & 1
        return columns


def simulate(circuit: QuantumCircuit, gates: frozenset[str]) -> Ending:
    """Follow a circuit of `gates` whose measurements come last.

    Raises:
        RejectedError: It uses another gate, has free parameters, or goes on after a measurement.
    """
    if circuit.num_parameters:
        raise RejectedError(f"circuit {circuit.name!r} has free parameters")
    state: State = np.zeros((2,) * circuit.num_qubits, complex)
    state[(0,) * circuit.num_qubits] = 1
    measures: list[tuple[int, int]] = []
    for instruction in circuit.data:
        name = instruction.operation.name
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if name == "barrier":
            continue
        if name not in gates:
            raise RejectedError(f"unknown gate {name!r}; known: {', '.join(sorted(gates))}")
        if not {qubit for qubit, _ in measures}.isdisjoint(qubits):
            raise RejectedError(f"{name} on qubit {qubits[0]} after its measurement")
        if name == "measure":
            measures.append((qubits[0], circuit.find_bit(instruction.clbits[0]).index))
        else:
            state = _applied(instruction.operation.to_matrix(), state, qubits)
    # The first axis is qubit 0, so that qubit 0 is the lowest bit once the axes are reversed.
    probabilities = np.abs(state.transpose().ravel()) ** 2
    return Ending(probabilities / probabilities.sum(), tuple(measures), circuit.num_clbits)


def _applied(matrix: State, state: State, qubits: list[int]) -> State:
    """Apply a matrix in Qiskit's convention: its first qubit is the lowest bit of its index."""
    size = len(qubits)
    axes = qubits[::-1]
    tensor = np.asarray(matrix).reshape((2,) * (2 * size))
    moved = np.tensordot(tensor, state, axes=(range(size, 2 * size), axes))
    return np.moveaxis(moved, range(size), axes)
