"""Random circuits and devices with exact references, shared by the statistical suites."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit.model import Capabilities, DeviceSpec, Figures, Operation, Site


def line_device(num_qubits: int, *, fidelity: float | None = None) -> DeviceSpec:
    """A line of qubits with rz, sx, x, cz and a scrambled numbering, so that layouts matter."""
    order = np.random.default_rng(7).permutation(num_qubits).tolist()
    pairs = [pair for a, b in pairwise(order) for pair in ((a, b), (b, a))]
    ones = {(site,): Figures(fidelity=fidelity) for site in range(num_qubits)}
    return DeviceSpec(
        name="line",
        version="1",
        sites=tuple(Site(k, f"Q{k + 1}") for k in range(num_qubits)),
        operations=(
            Operation("rz", 1, ("lambda",), ones),
            Operation("sx", 1, (), ones),
            Operation("x", 1, (), ones),
            Operation("cz", 2, (), {pair: Figures(fidelity=fidelity) for pair in pairs}),
            Operation("measure", 1, (), {site: Figures() for site in ones}),
            Operation("reset", 1, (), {site: Figures() for site in ones}),
        ),
        capabilities=Capabilities(formats=("qiskit",)),
    )


def random_state(rng: np.random.Generator, num_qubits: int, num_parameters: int) -> QuantumCircuit:
    """A circuit of random rotations and entanglers, some of its angles left as parameters."""
    circuit = QuantumCircuit(num_qubits)
    names = [Parameter(f"p{k}") for k in range(num_parameters)]
    for layer in range(3):
        for qubit in range(num_qubits):
            circuit.u(*rng.uniform(-np.pi, np.pi, 3), qubit)
        pair = rng.permutation(num_qubits)[:2]
        circuit.cx(int(pair[0]), int(pair[1]))
        for name in names[layer::3]:
            circuit.ry(name * float(rng.uniform(0.5, 2)), int(rng.integers(num_qubits)))
    return circuit


def random_sum(rng: np.random.Generator, num_qubits: int, num_terms: int) -> SparsePauliOp:
    """A real sum of random Pauli strings, coefficients over two decades that add up to one."""
    labels = ["".join(rng.choice(list("IIXYZ"), num_qubits)) for _ in range(num_terms)]
    sizes = rng.choice([-1, 1], num_terms) * 10 ** rng.uniform(-2, 0, num_terms)
    return SparsePauliOp(labels, sizes / np.abs(sizes).sum())


def exact(circuit: QuantumCircuit, operator: SparsePauliOp, values: np.ndarray) -> float:
    """The expectation value by Qiskit's statevector."""
    bound = circuit.assign_parameters(values)
    return float(np.real(Statevector(bound).expectation_value(operator)))
