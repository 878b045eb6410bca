"""QSCI and SQD with their controls: which space, which energy, which error bar."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.primitives import BitArray

from qdmi_qiskit.chemistry import batches, control, determinants_from, qsci, sqd
from qdmi_qiskit.chemistry.determinants import ground_energy
from qdmi_qiskit.chemistry.subspace import product_energy
from tests.chemistry.molecules import CASES, ansatz_state, problem_of, sector


def sampled(case: str, seed: int, shots: int = 10_000) -> np.ndarray:
    state = ansatz_state(problem_of(case))
    state.seed(seed)
    return determinants_from(BitArray.from_samples(state.sample_memory(shots).tolist()))


@pytest.mark.parametrize("case", CASES)
def test_hartree_fock_alone_gives_its_energy_by_either_method(case):
    problem = problem_of(case)
    nothing = np.array([], dtype=np.int64)
    for solve in (qsci, sqd):
        found = solve(problem, nothing)
        assert found.energy == pytest.approx(problem.hf_energy, abs=1e-9)
        assert (found.num_determinants, found.dimension, found.hf_seen) == (1, 1, False)
        assert found.sector_fraction == 0


@pytest.mark.parametrize("case", ["h4", "lih", "oh", "n2"])
def test_a_product_is_what_its_determinants_give(case):
    # The same space twice: by PySCF with integrals, and by our projection of the Paulis.
    problem = problem_of(case)
    rng = np.random.default_rng(2)
    lower = (1 << problem.num_orbitals) - 1
    everything = sector(problem)
    alpha, beta = np.unique(everything & lower), np.unique(everything >> problem.num_orbitals)
    alpha, beta = (np.sort(rng.choice(each, len(each) * 2 // 3, False)) for each in (alpha, beta))
    product = (beta[:, None] << problem.num_orbitals | alpha).ravel()
    expected = ground_energy(problem.hamiltonian, product)
    assert product_energy(problem, alpha, beta) == pytest.approx(expected, abs=1e-8)


def test_the_names_mean_different_spaces():
    problem, shots = problem_of("lih"), sampled("lih", 0)
    exact, product = qsci(problem, shots), sqd(problem, shots)
    assert exact.method == "qsci"
    assert exact.dimension == exact.num_determinants == exact.num_seen == len(np.unique(shots))
    assert product.method == "sqd"
    assert exact.dimension < product.dimension == round(product.dimension**0.5) ** 2 < 225
    assert product.num_determinants == exact.num_determinants
    assert problem.exact_energy < product.energy < exact.energy


def test_strings_of_the_spins_stay_apart_in_a_radical():
    problem = problem_of("oh")
    found = sqd(problem, sector(problem))
    assert found.dimension == problem.sector_dimension == 5 * 10
    assert found.energy == pytest.approx(problem.exact_energy, abs=1e-8)
    some = sqd(problem, sector(problem), 2)
    assert (some.dimension, some.num_determinants) == (4, 4)
    assert problem.exact_energy < some.energy <= problem.hf_energy + 1e-9


def test_what_is_wrong_in_either_spin_is_left_out():
    problem = problem_of("lih")
    right, wrong = problem.hf_determinant, 0b000001_000111  # four electrons in all, not 2 and 2
    found = qsci(problem, np.array([right, wrong, wrong, 0]))
    assert found.sector_fraction == 0.25
    assert (found.dimension, found.num_seen, found.hf_seen) == (1, 1, True)


@pytest.mark.parametrize("seed", range(5))
def test_the_control_fails_where_qsci_passes(seed):
    problem = problem_of("lih")
    found = qsci(problem, sampled("lih", seed), 28)
    assert found.sector_fraction == 1
    assert found.dimension < problem.sector_dimension / 10
    assert 0 <= found.error_mha < 1.6
    random = control(problem, found, seed=seed)
    assert random.dimension == found.dimension
    assert random.error_mha > 10
    # One double excitation is worth 14.5 mHa, and a draw holds it by chance in one of 25.
    assert random.best_error_mha > 3.2
    assert random.passed == 0
    assert random.sector_fraction == pytest.approx(225 / 4096, rel=0.05)
    assert random.energy_without_hf > random.energy


def test_the_control_of_a_product_has_its_dimension():
    problem = problem_of("n2")
    found = sqd(problem, sampled("n2", 1), 12)
    random = control(problem, found, draws=5)
    assert found.dimension == random.dimension == 144
    assert random.energy_without_hf is None
    assert random.error_mha > found.error_mha + 5


def test_the_control_without_a_valid_shot_says_so():
    problem = problem_of("lih")
    random = control(problem, qsci(problem, np.array([problem.hf_determinant]), 2), seed=3)
    assert random.dimension == 1
    assert random.energy_without_hf is None or random.energy_without_hf > random.energy


def test_batches_are_disjoint_and_calibrated():
    problem, shots = problem_of("h2o fc"), sampled("h2o fc", 3)
    spread = batches(problem, shots, qsci, 5)
    parts = [qsci(problem, part).energy for part in np.split(shots, 5)]
    assert (spread.batches, spread.shots) == (5, 2000)
    assert spread.mean == pytest.approx(np.mean(parts), abs=1e-12)
    assert spread.std == pytest.approx(np.std(parts, ddof=1), abs=1e-12)
    assert spread.energy == qsci(problem, shots).energy < spread.mean
    # The energy of new batches lies where the error bar says: within 5 standard errors.
    again = [qsci(problem, sampled("h2o fc", seed, 2000)).energy for seed in range(10, 20)]
    error = spread.std * np.hypot(5**-0.5, 10**-0.5)
    assert abs(np.mean(again) - spread.mean) < 5 * error


@pytest.mark.parametrize("number", [1, 0, 11])
def test_batches_need_shots(number):
    with pytest.raises(ValueError, match="wanted 2"):
        batches(problem_of("h2"), np.full(10, 5), qsci, number)
