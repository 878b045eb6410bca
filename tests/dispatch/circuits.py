"""Small circuits without symmetry."""

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister


def two_registers():
    """Bits a and b[1] are random and equal, b[0] is 1."""
    circuit = QuantumCircuit(
        QuantumRegister(3, "q"), ClassicalRegister(1, "a"), ClassicalRegister(2, "b")
    )
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.x(1)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def flipped(bit, width=3):
    circuit = QuantumCircuit(width, width, name=f"x{bit}")
    circuit.x(bit)
    circuit.measure(range(width), range(width))
    return circuit


def tilted():
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 1)
    return circuit
