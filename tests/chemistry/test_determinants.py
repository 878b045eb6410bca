"""Determinants from bits, and operators on them."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.primitives import BitArray
from qiskit.quantum_info import Operator, SparsePauliOp, random_pauli_list

import qdmi_qiskit.chemistry.determinants as dets
from tests.chemistry.molecules import problem_of, sector


def test_determinants_are_the_integers_of_the_bit_strings():
    strings = ["000000000001", "100000000000", "000110000010", "111111111111", "000000000000"]
    bits = BitArray.from_samples(strings)
    assert dets.determinants_from(bits).tolist() == [int(s, 2) for s in strings]
    wide = BitArray.from_samples(["1" + 61 * "0", 61 * "0" + "1"], num_bits=62)
    assert dets.determinants_from(wide).tolist() == [1 << 61, 1]
    with pytest.raises(ValueError, match="63 qubits"):
        dets.determinants_from(BitArray.from_samples(["0"], num_bits=63))


def test_a_radical_keeps_what_a_swapped_parser_would_drop():
    problem = problem_of("oh")
    beta, alpha = "00111", "01111"
    assert int(beta + alpha, 2) == problem.hf_determinant
    shots = dets.determinants_from(
        BitArray.from_samples([beta + alpha, alpha + beta, "10101" + "11110", "00111" + "00111"])
    )
    kept = dets.in_sector(shots, 5, (4, 3))
    assert kept.tolist() == [True, False, True, False]
    assert dets.in_sector(shots[kept], 5, (3, 4)).sum() == 0
    assert dets.in_sector(sector(problem), 5, (4, 3)).all()


def test_both_spins_are_checked_and_not_the_total():
    everything = np.arange(1 << 6)
    kept = everything[dets.in_sector(everything, 3, (2, 1))]
    assert len(kept) == 9
    assert all(bin(d & 7).count("1") == 2 and bin(d >> 3).count("1") == 1 for d in kept.tolist())


def test_ties_go_to_the_smaller_integer_and_nothing_is_padded():
    shots = np.array([9, 3, 9, 5, 3, 7, 12])
    assert dets.most_frequent(shots, 4).tolist() == [3, 9, 5, 7]
    assert dets.most_frequent(shots[::-1], 4).tolist() == [3, 9, 5, 7]
    assert dets.most_frequent(shots, 2, include=12).tolist() == [12, 3]
    assert dets.most_frequent(shots, 99, include=4).tolist() == [4, 3, 9, 5, 7, 12]
    assert dets.most_frequent(shots[:0], 3, include=4).tolist() == [4]


def test_projection_is_the_submatrix():
    rng = np.random.default_rng(5)
    paulis = random_pauli_list(5, 60, seed=5, phase=True)
    operator = SparsePauliOp(paulis, rng.normal(size=60) + 1j * rng.normal(size=60))
    chosen = rng.permutation(32)[:13]
    expected = Operator(operator).data[np.ix_(chosen, chosen)]
    np.testing.assert_allclose(dets.project(operator, chosen).toarray(), expected, atol=1e-12)


def test_lanczos_agrees_with_lapack(monkeypatch):
    problem = problem_of("lih")
    some = sector(problem)[::2]
    expected = dets.ground_energy(problem.hamiltonian, some)
    monkeypatch.setattr(dets, "DENSE_LIMIT", 10)
    assert dets.ground_energy(problem.hamiltonian, some) == pytest.approx(expected, abs=1e-9)


def test_no_determinant_is_an_error():
    with pytest.raises(ValueError, match="no shot"):
        dets.ground_energy(problem_of("h2").hamiltonian, np.array([], dtype=np.int64))
