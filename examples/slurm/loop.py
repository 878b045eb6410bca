"""A variational loop that runs in every mode: on a laptop, from a login node, inside a job.

    python loop.py --backend aer
    python loop.py --backend slurm:aer            # one allocation for all calls
    sbatch in_job.sh                              # in a job: the device that the site gave it

Minimises the energy of two coupled spins angle by angle (Rotosolve): of one angle the energy is a
sine, which three values fix. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, QDMIProvider


def problem(coupling: float) -> tuple[QuantumCircuit, SparsePauliOp]:
    """Return an ansatz and the Hamiltonian of two spins in a field."""
    angle = ParameterVector("t", 4)
    circuit = QuantumCircuit(2)
    circuit.ry(angle[0], 0)
    circuit.ry(angle[1], 1)
    circuit.cz(0, 1)
    circuit.ry(angle[2], 0)
    circuit.ry(angle[3], 1)
    terms = [("ZZ", -coupling), ("IX", -0.7), ("XI", -0.4), ("IZ", 0.2)]
    return circuit, SparsePauliOp.from_list(terms)


def main() -> None:
    """Run the loop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", help="any device; without it, what the site or profile says")
    parser.add_argument("--coupling", type=float, default=1.0)
    parser.add_argument("--precision", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    backend = QDMIProvider().get_backend(given.backend)
    circuit, hamiltonian = problem(given.coupling)
    isa = backend.pass_manager().run(circuit)
    operator = hamiltonian.apply_layout(isa.layout)
    estimator = EstimatorV2(backend, seed=given.seed)
    angles = np.array([-1.0, 0.5, 2.0, 0.1])
    for _ in range(given.rounds):
        for k in range(4):
            rows = np.tile(angles, (3, 1))
            rows[:, k] = (0.0, math.pi / 2, -math.pi / 2)
            pub = (isa, operator, rows)
            zero, plus, minus = estimator.run([pub], precision=given.precision).result()[0].data.evs
            angles[k] = math.atan2(zero - (plus + minus) / 2, (plus - minus) / 2)
            angles[k] = -math.pi / 2 - angles[k]  # where that sine is lowest
    last = estimator.run([(isa, operator, angles)], precision=given.precision).result()[0].data
    exact = float(np.linalg.eigvalsh(hamiltonian.to_matrix())[0])
    print(
        json.dumps(
            {
                "backend": backend.name,
                "energy": float(last.evs),
                "std": float(last.stds),
                "exact": exact,
                "coupling": given.coupling,
                "slurm_job": os.environ.get("SLURM_JOB_ID"),
            }
        )
    )
    backend.session.close()


if __name__ == "__main__":
    main()
