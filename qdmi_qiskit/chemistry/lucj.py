"""LUCJ: a shallow ansatz for devices with few neighbours, optimised without a device.

Source: ffsim; the local unitary cluster Jastrow ansatz, Chem. Sci. 14, 11213 (2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qiskit import QuantumCircuit, QuantumRegister

from qdmi_qiskit.chemistry.extras import needed

if TYPE_CHECKING:
    from qdmi_qiskit.chemistry.problem import Problem


def lucj(
    problem: Problem, *, layers: int = 1, every: int = 2, iterations: int = 20, seed: int = 0
) -> QuantumCircuit:
    """Build LUCJ, Hartree-Fock state included, with its parameters bound.

    Straight from coupled-cluster amplitudes, which its locality truncates, it is little more than
    Hartree-Fock (N2: error 91 mHa); the linear method on a simulated state mends that (15 mHa)
    in some 20 iterations. So this is for active spaces that can still be simulated.

    Args:
        problem: A closed-shell problem.
        layers: Repetitions of the ansatz.
        every: Density interactions join alpha and beta of every so-many-th orbital.
        iterations: Of the linear method; 0: the amplitudes as they are.
        seed: Of the perturbation of the start: from zero, symmetry keeps some angles at zero.

    Raises:
        ValueError: The problem is an open shell.
        MissingPluginError: The extra `sqd` is not installed.
    """
    with needed("sqd", "ffsim", "jax", "jaxlib"):
        import ffsim

    if problem.amplitudes is None:
        raise ValueError(f"{problem.name} is an open shell: there are no amplitudes to start from")
    n, electrons = problem.num_orbitals, problem.electrons
    pairs = ([(p, p + 1) for p in range(n - 1)], [(p, p) for p in range(0, n, every)])
    t1, t2 = problem.amplitudes
    start = ffsim.UCJOpSpinBalanced.from_t_amplitudes(
        t2, t1=t1, n_reps=layers, interaction_pairs=pairs
    )

    def operator(parameters: np.ndarray) -> ffsim.UCJOpSpinBalanced:
        return ffsim.UCJOpSpinBalanced.from_parameters(
            parameters,
            norb=n,
            n_reps=layers,
            interaction_pairs=pairs,
            with_final_orbital_rotation=True,
        )

    if iterations:
        hamiltonian = ffsim.linear_operator(
            ffsim.MolecularHamiltonian(problem.one_body, problem.two_body, problem.constant),
            norb=n,
            nelec=electrons,
        )
        reference = ffsim.hartree_fock_state(n, electrons)

        def state(parameters: np.ndarray) -> np.ndarray:
            unitary = operator(parameters)
            applied: np.ndarray = ffsim.apply_unitary(reference, unitary, norb=n, nelec=electrons)
            return applied

        first = start.to_parameters(interaction_pairs=pairs)
        first = first + np.random.default_rng(seed).normal(scale=0.01, size=first.shape)
        found = ffsim.optimize.minimize_linear_method(
            state, hamiltonian, x0=first, maxiter=iterations
        )
        start = operator(found.x)
    qubits = QuantumRegister(2 * n, "q")
    circuit = QuantumCircuit(qubits, name="lucj")
    circuit.append(ffsim.qiskit.PrepareHartreeFockJW(n, electrons), qubits)
    circuit.append(ffsim.qiskit.UCJOpSpinBalancedJW(start), qubits)
    plain: QuantumCircuit = ffsim.qiskit.PRE_INIT.run(circuit)
    return plain
