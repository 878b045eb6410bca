"""Shots for an energy, ours against `BackendEstimatorV2`: ground states, the same true error.

    python -m benchmarks.shots

Theirs is known exactly: uniform shots over Qiskit's own groups make an error of variance V / N
after N shots, V from the exact ground state. Ours is run: N shots in the mean over 10 seeds, the
pilot's counted, and the error that came out (root mean square over the seeds, and as stated).
"""

from __future__ import annotations

import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import Initialize
from qiskit.quantum_info import SparsePauliOp
from rich.console import Console
from rich.table import Table
from scipy.sparse.linalg import eigsh

from benchmarks.works import molecule
from qdmi_qiskit import EstimatorV2, QDMIProvider

SEEDS = 10


def theirs(operator: SparsePauliOp, state: np.ndarray) -> float:
    """Variance times shots in all, of uniform shots over Qiskit's qubit-wise groups."""
    rest = SparsePauliOp(operator.paulis[~identity(operator)], operator.coeffs[~identity(operator)])
    groups = rest.group_commuting(qubit_wise=True)
    total = 0.0
    for group in groups:
        image = group.to_matrix(sparse=True) @ state
        total += float(np.vdot(image, image).real - np.vdot(state, image).real ** 2)
    return len(groups) * total


def identity(operator: SparsePauliOp) -> np.ndarray:
    return ~(operator.paulis.x | operator.paulis.z).any(axis=1)


def main() -> None:
    table = Table(
        "molecule", "grouping", "precision", "shots", "rms error / stated", "ratio", "at most"
    )
    backend = QDMIProvider().get_backend("aer")
    for name, limits in (("LiH", (0.25, 0.10)), ("H2O", (0.25, 0.10))):
        operator = molecule(name)
        values, vectors = eigsh(
            operator.to_matrix(sparse=True), k=1, which="SA", v0=np.ones(2**operator.num_qubits)
        )
        state = vectors[:, 0]
        variance = theirs(operator, state)
        circuit = QuantumCircuit(operator.num_qubits)
        circuit.append(Initialize(state), circuit.qubits)
        for grouping, limit in zip(("qubit_wise", "commuting"), limits, strict=True):
            for precision in (0.01, 0.003):
                errors, shots, stds = [], [], []
                for seed in range(SEEDS):
                    pub = (
                        EstimatorV2(backend, seed=seed, grouping=grouping)
                        .run([(circuit, operator)], precision=precision)
                        .result()[0]
                    )
                    errors.append(float(pub.data.evs) - values[0])
                    stds.append(float(pub.data.stds))
                    shots.append(pub.metadata["shots"])
                stated = float(np.sqrt(np.mean(np.square(stds))))
                ratio = np.mean(shots) * stated**2 / variance
                table.add_row(
                    name,
                    grouping,
                    f"{precision:g}",
                    f"{np.mean(shots):.0f}",
                    f"{np.sqrt(np.mean(np.square(errors))) / stated:.2f}",
                    f"{ratio:.3f}",
                    f"{limit}",
                )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
