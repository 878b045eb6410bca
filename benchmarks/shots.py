"""Shots for an energy, ours against `BackendEstimatorV2`: ground states, the same true error.

    python -m benchmarks.shots [SEEDS [MOLECULE ...]]

Theirs is known exactly: uniform shots over Qiskit's own groups make an error of variance V / N
after N shots, V from the exact ground state. Ours is run, once for each seed: N shots in the mean,
the pilot's counted, and the error that came out. The ratio N error^2 / V is given for the error
that the runs state and for the true one, whose own error is 1 / sqrt(2 SEEDS) of it.
"""

from __future__ import annotations

import sys
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

SEEDS = 100


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


def main(seeds: int, names: list[str]) -> None:
    columns = ("molecule", "grouping", "precision", "shots", "true error / stated")
    table = Table(*columns, "ratio, stated", "ratio, true", "at most")
    backend = QDMIProvider().get_backend("aer")
    for name, limits in (("LiH", (0.25, 0.10)), ("H2O", (0.25, 0.10))):
        if names and name not in names:
            continue
        operator = molecule(name)
        values, vectors = eigsh(
            operator.to_matrix(sparse=True), k=1, which="SA", v0=np.ones(2**operator.num_qubits)
        )
        state = vectors[:, 0]
        variance = theirs(operator, state)
        circuit = QuantumCircuit(operator.num_qubits)
        circuit.append(Initialize(state), circuit.qubits)
        for grouping, limit in zip(("qubit_wise", "commuting"), limits, strict=True):
            estimator = EstimatorV2(backend, grouping=grouping)
            for precision in (0.01, 0.003):
                errors, shots, stds = [], [], []
                for seed in range(seeds):
                    estimator.options.seed = 1000 * seed
                    job = estimator.run([(circuit, operator)], precision=precision)
                    pub = job.result()[0]
                    errors.append(float(pub.data.evs) - values[0])
                    stds.append(float(pub.data.stds))
                    shots.append(pub.metadata["shots"])
                stated = float(np.sqrt(np.mean(np.square(stds))))
                true = float(np.sqrt(np.mean(np.square(errors))))
                sigma = 1 / np.sqrt(2 * seeds)
                ratio = np.mean(shots) * stated**2 / variance
                shown = np.mean(shots) * true**2 / variance
                table.add_row(
                    name,
                    grouping,
                    f"{precision:g}",
                    f"{np.mean(shots):.0f}",
                    f"{true / stated:.2f} +- {sigma * true / stated:.2f}",
                    f"{ratio:.3f}",
                    f"{shown:.3f} +- {2 * sigma * shown:.3f}",
                    f"{limit}",
                )
                print(f"{name} {grouping} {precision:g}: {shown:.3f}", flush=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, sys.argv[2:])
