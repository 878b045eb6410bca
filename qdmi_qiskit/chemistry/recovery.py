"""Self-consistent configuration recovery (arXiv:2405.05068), for samples of noisy devices.

Bit strings outside the sector are not thrown away: bits are flipped towards the orbital
occupations of the last iteration until their electron numbers are right. Recovery grows the
space as it goes, and some draws of uniformly random bits recover well too, the more so the larger
the space: N2 (6e,6o), 760 bit strings, at dimension 256 of 400: 0.3 to 40 mHa, 3 of 20 draws within
1.6; at 144: 4 to 76. So compare several draws at equal dimension, by
`control(..., solve=partial(recover, ...))`, and read arXiv:2501.07231.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qdmi_qiskit.chemistry.determinants import in_sector
from qdmi_qiskit.chemistry.extras import needed
from qdmi_qiskit.chemistry.subspace import Subspace, summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdmi_qiskit.chemistry.problem import Problem


def recover(
    problem: Problem,
    shots: NDArray[np.int64],
    *,
    samples: int,
    num_batches: int = 3,
    iterations: int = 5,
    max_strings: int | None = None,
    seed: int = 0,
) -> Subspace:
    """Recover configurations and diagonalise products of their strings, by qiskit-addon-sqd.

    Args:
        problem: What was sampled.
        shots: One determinant per shot (`determinants_from`), right or wrong.
        samples: Configurations drawn for each batch; it decides the dimension.
        num_batches: Batches of each iteration; the best one counts.
        iterations: At most; the first one keeps only what is in the sector, if anything is.
        max_strings: Of each spin, at most: the dimension stays within its square.
        seed: Of the draws and flips.

    Returns:
        The best space; `num_determinants` is the number of configurations drawn for it.

    Raises:
        MissingPluginError: The extra `sqd` is not installed.
    """
    with needed("sqd", "qiskit_addon_sqd", "jax", "jaxlib"):
        from qiskit_addon_sqd.fermion import diagonalize_fermionic_hamiltonian

    columns = np.arange(problem.num_qubits)[::-1]  # the highest qubit comes first
    alpha, beta = problem.electrons
    lower = (1 << problem.num_orbitals) - 1
    filled = [problem.hf_determinant & lower, problem.hf_determinant >> problem.num_orbitals]
    found = diagonalize_fermionic_hamiltonian(
        problem.one_body,
        problem.two_body,
        (shots[:, None] >> columns & 1).astype(bool),
        samples_per_batch=samples,
        norb=problem.num_orbitals,
        nelec=problem.electrons,
        num_batches=num_batches,
        max_iterations=iterations,
        symmetrize_spin=alpha == beta,
        max_dim=max_strings,
        include_configurations=([filled[0]], [filled[1]]),
        seed=seed,
    )
    return summary(
        problem,
        "sqd, recovered",
        shots,
        shots[in_sector(shots, problem.num_orbitals, problem.electrons)],
        float(found.energy) + problem.constant,
        min(samples, len(shots)),
        found.sci_state.amplitudes.size,
    )
