"""Energies in the space of what was measured, and the control that belongs beside them.

Two algorithms that are often taken for one another:

* `qsci` diagonalises exactly the sampled determinants (arXiv:2302.11320).
* `sqd` diagonalises the product of their alpha and beta strings, as sample-based quantum
  diagonalisation does (arXiv:2405.05068): more determinants than were seen, solved by PySCF.

Both are variational: upper bounds in their space. The larger the space, the less the energy
says about the device: in the whole sector it is exact whatever was sampled. So compare at equal
dimension, and with `control`, which feeds uniformly random bits to the same code; on the limits of
these methods see arXiv:2501.07231.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from qdmi_qiskit.chemistry import CHEMICAL_ACCURACY
from qdmi_qiskit.chemistry.determinants import ground_energy, in_sector, most_frequent
from qdmi_qiskit.chemistry.extras import needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdmi_qiskit.chemistry.problem import Problem


@dataclass(frozen=True, eq=False)
class Subspace:
    """An energy and the space that it was found in.

    Attributes:
        method: "qsci" or "sqd", or "sqd, recovered".
        energy: Lowest one in the space, hartree.
        error_mha: Its distance from the exact one, mHa.
        num_determinants: Sampled determinants that span the space or its product, R.
        dimension: Of the space that was diagonalised; for `qsci` it is R.
        sector_dimension: Of the whole sector; where `dimension` reaches it, any sample is exact.
        shots: Bit strings that came in.
        sector_fraction: Share of them with the right numbers of alpha and of beta electrons.
        num_seen: Distinct determinants among those.
        hf_seen: Whether Hartree-Fock was among them; it is in the space in any case.
    """

    method: str
    energy: float
    error_mha: float
    num_determinants: int
    dimension: int
    sector_dimension: int
    shots: int
    sector_fraction: float
    num_seen: int
    hf_seen: bool


def qsci(problem: Problem, shots: NDArray[np.int64], size: int | None = None) -> Subspace:
    """Post-select, keep the most frequent determinants and diagonalise exactly those.

    Args:
        problem: What was sampled.
        shots: One determinant per shot (`determinants_from`), right or wrong.
        size: How many to keep, Hartree-Fock included, which is always kept; None: all that were
            seen. Fewer than that are never filled up. Among equals the smaller integer wins.
    """
    kept = _valid(problem, shots)
    chosen = most_frequent(
        kept, len(kept) + 1 if size is None else size, include=problem.hf_determinant
    )
    energy = ground_energy(problem.hamiltonian, chosen)
    return summary(problem, "qsci", shots, kept, energy, len(chosen), len(chosen))


def sqd(problem: Problem, shots: NDArray[np.int64], size: int | None = None) -> Subspace:
    """Post-select, keep the most frequent strings of each spin and diagonalise their product.

    With as many alpha as beta electrons, one set of strings serves both spins.

    Args:
        problem: What was sampled.
        shots: One determinant per shot (`determinants_from`), right or wrong.
        size: Strings to keep for each spin, those of Hartree-Fock included; None: all.

    Raises:
        MissingPluginError: The extra `chemistry` is not installed.
    """
    kept = _valid(problem, shots)
    lower = (1 << problem.num_orbitals) - 1
    alpha, beta = kept & lower, kept >> problem.num_orbitals
    filled = problem.hf_determinant & lower, problem.hf_determinant >> problem.num_orbitals
    if problem.electrons[0] == problem.electrons[1]:
        alpha = beta = np.concatenate([alpha, beta])
    strings = tuple(
        np.sort(most_frequent(found, len(found) + 1 if size is None else size, include=first))
        for found, first in zip((alpha, beta), filled, strict=True)
    )
    energy = product_energy(problem, *strings)
    inside = np.isin(kept & lower, strings[0]) & np.isin(kept >> problem.num_orbitals, strings[1])
    sampled = len(np.union1d(kept[inside], [problem.hf_determinant]))
    dimension = len(strings[0]) * len(strings[1])
    return summary(problem, "sqd", shots, kept, energy, sampled, dimension)


def product_energy(problem: Problem, alpha: NDArray[np.int64], beta: NDArray[np.int64]) -> float:
    """Return the lowest energy in the product of alpha and beta strings, hartree (PySCF).

    Args:
        problem: Whose integrals to take.
        alpha: Distinct strings, ascending; bit p is the occupation of orbital p.
        beta: The same for the other spin.
    """
    with needed("chemistry", "pyscf"):
        from pyscf.fci import selected_ci

    solver = selected_ci.SelectedCI()
    solver.conv_tol = 1e-12
    energy, _ = selected_ci.kernel_fixed_space(
        solver,
        problem.one_body,
        problem.two_body,
        problem.num_orbitals,
        problem.electrons,
        (alpha, beta),
        ecore=problem.constant,
    )
    return float(energy)


@dataclass(frozen=True)
class Spread:
    """What an energy owes to the choice of the shots.

    Attributes:
        energy: From all shots together, hartree.
        mean: Of the batches, hartree; above `energy`, since each of them saw less.
        std: Standard deviation of one batch, hartree.
        batches: How many.
        shots: In each.
    """

    energy: float
    mean: float
    std: float
    batches: int
    shots: int


def batches(
    problem: Problem,
    shots: NDArray[np.int64],
    solve: Callable[[Problem, NDArray[np.int64]], Subspace],
    number: int = 5,
) -> Spread:
    """Solve disjoint batches of shots, and all of them together.

    Drawing shots again from those at hand (the bootstrap) would lose determinants that were seen
    once, and with them be biased high; batches are independent, and say of how many shots.

    Args:
        problem: What was sampled.
        shots: One determinant per shot, in the order of the device.
        solve: `qsci`, `sqd`, or a function of the same arguments.
        number: Batches, at least 2; shots that do not fill one are left out of them.

    Raises:
        ValueError: There are too few batches, or shots.
    """
    if not 2 <= number <= len(shots):
        raise ValueError(f"{number} batches of {len(shots)} shots: wanted 2, and a shot in each")
    each = len(shots) // number
    found = [solve(problem, part).energy for part in shots[: number * each].reshape(number, each)]
    whole = solve(problem, shots).energy
    return Spread(whole, float(np.mean(found)), float(np.std(found, ddof=1)), number, each)


@dataclass(frozen=True)
class Control:
    """What uniformly random bits give, where the device's gave a `Subspace`.

    Attributes:
        draws: How often they were drawn.
        dimension: Of the spaces, the smallest of all draws.
        energy: Mean over the draws, hartree.
        error_mha: Its distance from the exact one, mHa.
        best_error_mha: Of the best draw.
        passed: Draws within chemical accuracy, 1.6 mHa.
        sector_fraction: Share of the bit strings in the sector, in the mean.
        energy_without_hf: The mean where Hartree-Fock is left to chance too, `qsci` only.
    """

    draws: int
    dimension: int
    energy: float
    error_mha: float
    best_error_mha: float
    passed: int
    sector_fraction: float
    energy_without_hf: float | None


def control(
    problem: Problem,
    found: Subspace,
    *,
    draws: int = 20,
    seed: int = 0,
    solve: Callable[[Problem, NDArray[np.int64]], Subspace] | None = None,
) -> Control:
    """Put uniformly random bits through the same selection, at the same dimension.

    Hartree-Fock is included as it is in what was found, so that the two differ in where their
    bits come from and in nothing else.

    Args:
        problem: What was sampled.
        found: By `qsci`, or by `sqd`, recovered or not.
        draws: How often, each with as many bit strings as were measured.
        seed: Of the draws.
        solve: What the bits go through; None: the selection of `qsci` or `sqd`, without recovery.
            For what `recover` found: `partial(recover, samples=..., max_strings=...)`.
    """
    rng = np.random.default_rng(seed)
    exact, size = found.method == "qsci", found.dimension
    if not exact:
        size = _strings_for(problem, found.dimension)
    if solve is None:
        solve = partial(qsci if exact else sqd, size=size)
    results, without = [], []
    for _ in range(draws):
        bits = rng.integers(0, 1 << problem.num_qubits, size=found.shots, dtype=np.int64)
        results.append(solve(problem, bits))
        chance = most_frequent(_valid(problem, bits), size)
        if exact and len(chance):
            without.append(ground_energy(problem.hamiltonian, chance))
    errors = [result.error_mha for result in results]
    return Control(
        draws=draws,
        dimension=min(result.dimension for result in results),
        energy=float(np.mean([result.energy for result in results])),
        error_mha=float(np.mean(errors)),
        best_error_mha=min(errors),
        passed=sum(error < CHEMICAL_ACCURACY for error in errors),
        sector_fraction=float(np.mean([result.sector_fraction for result in results])),
        energy_without_hf=float(np.mean(without)) if without else None,
    )


def _strings_for(problem: Problem, dimension: int) -> int:
    """Return how many strings of each spin make a product of at least that dimension."""
    most = [comb(problem.num_orbitals, n) for n in problem.electrons]
    size = 1
    while min(size, most[0]) * min(size, most[1]) < min(dimension, most[0] * most[1]):
        size += 1
    return size


def _valid(problem: Problem, shots: NDArray[np.int64]) -> NDArray[np.int64]:
    return shots[in_sector(shots, problem.num_orbitals, problem.electrons)]


def summary(
    problem: Problem,
    method: str,
    shots: NDArray[np.int64],
    kept: NDArray[np.int64],
    energy: float,
    num_determinants: int,
    dimension: int,
) -> Subspace:
    """Return the account of a space.

    Args:
        problem: What was sampled.
        method: How it was found.
        shots: All of them.
        kept: Those in the sector.
        energy: Lowest one, hartree.
        num_determinants: Sampled ones that span it.
        dimension: Of the space.
    """
    return Subspace(
        method=method,
        energy=energy,
        error_mha=problem.error(energy),
        num_determinants=num_determinants,
        dimension=dimension,
        sector_dimension=problem.sector_dimension,
        shots=len(shots),
        sector_fraction=len(kept) / max(len(shots), 1),
        num_seen=len(np.unique(kept)),
        hf_seen=bool(problem.hf_determinant in kept),
    )
