"""The molecules of these tests, and what they are made to do."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from qiskit import generate_preset_pass_manager
from qiskit.quantum_info import Statevector

from qdmi_qiskit.chemistry import MOLECULES, Molecule, Problem, build, uccsd

LIH = "Li 0 0 0; H 0 0 {bond}"
CASES = {
    "h2": MOLECULES["h2"],
    "h2 stretched": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 1.0, (1, 1), 2, "D2h"),
    "h2 6-31g": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 0.735, (1, 1), 4, "D2h", "6-31g"),
    "h4": MOLECULES["h4"],
    "lih": MOLECULES["lih"],
    "lih fc": Molecule("LiH", LIH, 1.595, (1, 1), 5, "C2v"),
    "h2o fc": MOLECULES["h2o"],
    "n2": MOLECULES["n2"],
    "oh": Molecule("OH", "O 0 0 0; H 0 0 {bond}", 0.9697, (4, 3), 5, "C2v"),
}


@cache
def problem_of(case: str) -> Problem:
    return build(CASES[case])


def sector(problem: Problem) -> np.ndarray:
    orbitals = problem.num_orbitals
    alpha, beta = (
        [sum(1 << p for p in chosen) for chosen in combinations(range(orbitals), count)]
        for count in problem.electrons
    )
    return np.array([b << orbitals | a for b in beta for a in alpha])


def ansatz_state(problem: Problem, scale: float = 1.0, prune: float = 1e-6):
    circuit, start = uccsd(problem, prune=prune)
    pm = generate_preset_pass_manager(1, basis_gates=["rz", "sx", "x", "cx"])
    isa = pm.run(circuit)
    return Statevector(isa.assign_parameters([scale * start[p.name] for p in isa.parameters]))


def ansatz_error(problem: Problem, scale: float = 1.0, prune: float = 1e-6) -> float:
    state = ansatz_state(problem, scale, prune)
    return problem.error(state.expectation_value(problem.hamiltonian).real)
