"""H2 and LiH at their VQE optimum: ISA circuits for the recorded grid, and exact energies."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector
from scipy.optimize import minimize


@dataclass(frozen=True, eq=False)
class Optimum:
    circuit: QuantumCircuit
    hamiltonian: SparsePauliOp
    energy: float


@cache
def optimum(name: str) -> Optimum:
    """Return the state of least energy that UCCSD reaches.

    `lih`: two electrons in two orbitals; `lih6`: in three, on 6 qubits.
    """
    pytest.importorskip("pyscf")
    from qdmi_qiskit.chemistry import MOLECULES, Molecule, build, uccsd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scipy, through Nature
        return _optimum(name, MOLECULES, Molecule, build, uccsd)


def _optimum(name, MOLECULES, Molecule, build, uccsd):  # noqa: N803
    molecule = MOLECULES["h2"]
    if name in ("lih", "lih6"):
        whole, orbitals = MOLECULES["lih"], 3 if name == "lih6" else 2
        molecule = Molecule("LiH", whole.atoms, whole.bond, (1, 1), orbitals, whole.symmetry)
    problem = build(molecule)
    ansatz, start = uccsd(problem)

    def energy(values):
        bound = ansatz.assign_parameters(dict(zip(start, values, strict=True)))
        return Statevector(bound).expectation_value(problem.hamiltonian).real

    found = minimize(energy, list(start.values()), tol=1e-8)
    values = np.round(found.x, 6)  # the same circuit on every machine
    circuit = ansatz.assign_parameters(dict(zip(start, values, strict=True)))
    assert np.isclose(energy(values), problem.exact_energy, atol=1e-6)
    return Optimum(circuit, problem.hamiltonian, energy(values))


def isa(name: str, backend):
    """Return the circuit and the Hamiltonian on a backend."""
    problem = optimum(name)
    if name == "lih6":  # 49 CZ; in one stage 113
        from qdmi_qiskit.chemistry import lower

        circuit = lower(problem.circuit, backend, seed=7, trials=4)
    else:
        circuit = backend.pass_manager(3, seed_transpiler=7).run(problem.circuit)
    return circuit, problem.hamiltonian.apply_layout(circuit.layout)
