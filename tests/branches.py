"""A plain reference simulator: every branch of every measurement, state vectors by numpy.

It shares no code with Aer or with the package: a circuit becomes a distribution over the integer
whose bit k is classical bit k.
"""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, IfElseOp

Branch = tuple[float, np.ndarray, int]  # probability, state, classical bits


def distribution(circuit: QuantumCircuit) -> dict[int, float]:
    """Return the exact probability of each classical outcome."""
    state = np.zeros(2**circuit.num_qubits, complex)
    state[0] = 1
    qubits = {qubit: k for k, qubit in enumerate(circuit.qubits)}
    clbits = {clbit: k for k, clbit in enumerate(circuit.clbits)}
    found: dict[int, float] = {}
    for weight, _, bits in _run(circuit, [(1.0, state, 0)], qubits, clbits):
        found[bits] = found.get(bits, 0.0) + weight
    return found


def _run(circuit, branches: list[Branch], qubits, clbits) -> list[Branch]:
    for item in circuit.data:
        places = [qubits[qubit] for qubit in item.qubits]
        if item.name == "measure":
            bit = clbits[item.clbits[0]]
            branches = [
                (weight, state, bits & ~(1 << bit) | value << bit)
                for one in branches
                for weight, state, bits, value in _collapse(one, places[0])
            ]
        elif item.name == "reset":
            branches = [
                (weight, _gate(state, np.array([[0, 1], [1, 0]]), places) if value else state, bits)
                for one in branches
                for weight, state, bits, value in _collapse(one, places[0])
            ]
        elif isinstance(item.operation, IfElseOp):
            branches = [
                after for one in branches for after in _conditional(item, one, places, clbits)
            ]
        elif item.name != "barrier":
            matrix = item.operation.to_matrix()
            branches = [(w, _gate(state, matrix, places), bits) for w, state, bits in branches]
    return branches


def _conditional(item, branch: Branch, places, clbits) -> list[Branch]:
    left, wanted = item.operation.condition
    bits = list(left) if isinstance(left, ClassicalRegister) else [left]
    value = sum((branch[2] >> clbits[bit] & 1) << k for k, bit in enumerate(bits))
    blocks = item.operation.blocks
    chosen = 0 if value == int(wanted) else 1
    if chosen >= len(blocks):
        return [branch]
    block = blocks[chosen]
    inner = dict(zip(block.qubits, places, strict=True))
    written = dict(zip(block.clbits, (clbits[bit] for bit in item.clbits), strict=True))
    return _run(block, [branch], inner, written)


def _collapse(branch: Branch, place: int):
    weight, state, bits = branch
    ones = (np.arange(len(state)) >> place & 1).astype(bool)
    for value, mask in ((0, ~ones), (1, ones)):
        part = np.where(mask, state, 0)
        chance = float(np.vdot(part, part).real)
        if chance > 1e-12:
            yield weight * chance, part / np.sqrt(chance), bits, value


def _gate(state: np.ndarray, matrix: np.ndarray, places: list[int]) -> np.ndarray:
    """Apply a matrix whose lowest index bit is `places[0]`."""
    n = len(state).bit_length() - 1
    tensor = state.reshape((2,) * n)
    axes = [n - 1 - place for place in reversed(places)]
    k = len(places)
    tensor = np.tensordot(matrix.reshape((2,) * (2 * k)), tensor, (range(k, 2 * k), axes))
    return np.moveaxis(tensor, range(k), axes).reshape(-1)
