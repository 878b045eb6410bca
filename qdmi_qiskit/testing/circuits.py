"""Small circuits whose outcome is known by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter


def flips(ones: Iterable[int], measures: Sequence[tuple[int, int]], width: int) -> QuantumCircuit:
    """X on some qubits, then measurements.

    Args:
        ones: Qubits that get an X.
        measures: Pairs (qubit, classical bit), in the order of measurement.
        width: Number of classical bits.
    """
    qubits = 1 + max([*(qubit for qubit, _ in measures), *ones])
    circuit = QuantumCircuit(QuantumRegister(qubits, "q"), ClassicalRegister(width, "c"))
    for qubit in ones:
        circuit.x(qubit)
    for qubit, bit in measures:
        circuit.measure(qubit, bit)
    return circuit


def flip(one: int, width: int = 2) -> QuantumCircuit:
    """X on one of `width` qubits; all measured, qubit k into bit k."""
    return flips([one], [(k, k) for k in range(width)], width)


def coins(width: int = 2) -> QuantumCircuit:
    """H on each qubit: every shot is random."""
    circuit = QuantumCircuit(width, width)
    circuit.h(range(width))
    circuit.measure(range(width), range(width))
    return circuit


def turns(angles: Sequence[Parameter | None]) -> QuantumCircuit:
    """Rotate qubit k about x by angle k (None: not at all), and measure it into bit k."""
    circuit = QuantumCircuit(len(angles), len(angles))
    for qubit, angle in enumerate(angles):
        if angle is not None:
            circuit.rx(angle, qubit)
    circuit.measure(range(len(angles)), range(len(angles)))
    return circuit
