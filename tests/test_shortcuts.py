"""Each shortcut beside the slow, plain way of doing the same."""

from __future__ import annotations

import re
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import Parameter
from qiskit.primitives import BitArray
from qiskit.quantum_info import Statevector

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2, bits
from qdmi_qiskit.model import Shots
from qdmi_qiskit.primitives.moments import Moments, Uncertainty, moments
from qdmi_qiskit.primitives.observables import collect, grouped
from qdmi_qiskit.primitives.worth import Tables
from qdmi_qiskit.templates import template
from tests.references import random_state, random_sum

LETTERS = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}

# Packed bits against Qiskit's own packing ---------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 100, 130])
def test_bits_are_packed_as_qiskit_packs_them(width):
    rng = np.random.default_rng(width)
    flags = rng.random((3, 50, width)) < rng.random(width)  # columns differ in their means
    wanted = BitArray.from_bool_array(flags, order="little").array
    np.testing.assert_array_equal(bits.from_bools(flags), wanted)
    rows = flags[0]
    strings = ["".join("01"[int(bit)] for bit in row[::-1]) for row in rows]
    words = [int(text, 2) for text in strings]
    np.testing.assert_array_equal(bits.from_hex([hex(w) for w in words], width), wanted[0])
    assert bits.to_ints(wanted[0]) == words
    counts = {word: words.count(word) for word in words}
    assert bits.count(wanted[0]) == dict(sorted(counts.items()))
    slow = BitArray.from_bool_array(
        np.array([rows[words.index(word)] for word in sorted(words)]), order="little"
    )
    np.testing.assert_array_equal(bits.from_counts(counts, width), slow.array)
    for kept in {1, width // 2 or 1, width}:
        part = BitArray.from_bool_array(rows[:, :kept], order="little").array
        np.testing.assert_array_equal(bits.lowest(wanted[0], kept), part)
    if width <= 64:
        np.testing.assert_array_equal(bits.from_words(np.array(words, np.uint64), width), wanted[0])
        assert bits.to_words(wanted[0]).tolist() == words


# Parity sums against dictionaries of counts -------------------------------------------------------


def slow_moments(rows, masks, coefficients):
    """Mean and central moments 2 to 4 of the values of some shots, given as 0 and 1."""
    counts: dict[str, int] = {}
    for row in rows:
        key = "".join(map(str, row))
        counts[key] = counts.get(key, 0) + 1
    values = []
    for key, number in counts.items():
        total = 0.0
        for mask, coefficient in zip(masks, coefficients, strict=True):
            ones = sum(1 for bit, used in zip(key, mask, strict=True) if used and bit == "1")
            total += coefficient * (-1) ** ones
        values += [total] * number
    mean = sum(values) / len(values)
    return [mean, *(sum((v - mean) ** k for v in values) / len(values) for k in (2, 3, 4))]


@pytest.mark.parametrize("discards", [False, True])
@pytest.mark.parametrize(
    ("width", "first", "shots"),
    [(3, 0, 500), (5, 2, 40), (9, 0, 60), (9, 7, 900), (12, 60, 30), (14, 1, 50), (70, 3, 40)],
    ids=["counted", "wide counts", "looked up", "offset", "beyond a word", "histogram", "lanes"],
)
def test_sums_of_parities_are_those_of_counts(width, first, shots, discards):
    rng = np.random.default_rng(width)
    n = width
    labels = ["".join(rng.choice(["I", "Z"], n)) for _ in range(6)] + ["Z" * n, "I" * (n - 1) + "Z"]
    sums = [dict(zip(labels, rng.normal(size=len(labels)), strict=True)) for _ in range(2)]
    pub = SimplePub(sums)
    table = collect(pub.observables, n)
    (group,) = grouped(table)
    flags = rng.random((3, shots, first + width)) < rng.random(first + width)
    valid = np.array([shots, shots - 7, 3]) if discards else None
    if valid is not None:
        for point, number in enumerate(valid):
            flags[point, number:] = False
    outcome = Shots(bits.from_bools(flags), first + width, valid)
    coefficients = table.coefficients[:, group.terms]
    tables = Tables()
    for _ in range(2):  # the second time from the tables
        found = moments(outcome, first, tables.get(group, table))
        for point in range(3):
            kept = shots if valid is None else valid[point]
            assert found.shots[point, 0] == kept
            rows = flags[point, :kept, first:].astype(int)
            for number in range(2):
                got = [
                    values[point, number]
                    for values in (found.mean, found.second, found.third, found.fourth)
                ]
                wanted = slow_moments(rows, group.masks, coefficients[number])
                np.testing.assert_allclose(got, wanted, atol=1e-9)


@pytest.mark.parametrize("terms", [3, 40], ids=["term by term", "transformed"])
def test_a_table_of_outcomes_has_the_value_of_each(terms):
    rng = np.random.default_rng(terms)
    n = 6
    labels = {"".join(rng.choice(["I", "Z"], n)) for _ in range(terms)} | {"Z" * n}
    sums = [{label: float(rng.normal()) for label in sorted(labels)} for _ in range(3)]
    table = collect(SimplePub(sums).observables, n)
    (group,) = grouped(table)
    assert (len(group.terms) > n) is (terms > n)
    group = replace(group, signs=rng.choice([-1.0, 1.0], len(group.terms)))
    found = Tables().get(group, table).table()
    weights = table.coefficients[:, group.terms] * group.signs
    for word in range(2**n):
        row = [word >> bit & 1 for bit in range(n)]
        for number in range(3):
            mean = slow_moments([row], group.masks, weights[number])[0]
            assert found[word, number] == pytest.approx(mean, abs=1e-12)


def test_groups_are_worth_the_same_weighed_together_or_one_by_one():
    rng = np.random.default_rng(8)
    letters = rng.choice(list("IXYZ"), (90, 7), p=[0.6, 0.1, 0.1, 0.2])
    labels = sorted({"".join(row) for row in letters if set(row) != {"I"}})
    sums = [{label: float(rng.normal()) for label in labels} for _ in range(2)]
    table = collect(SimplePub(sums).observables, 7)
    groups = [
        replace(group, signs=rng.choice([-1.0, 1.0], len(group.terms))) for group in grouped(table)
    ]
    together, alone = Tables(), Tables()
    together.learn(groups, table)
    assert len(groups) > 10
    for group in groups:
        found = together.get(group, table)
        weights = table.coefficients[:, group.terms] * group.signs
        np.testing.assert_allclose(found.scale, (weights**2).sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(found.table()[0], weights.sum(axis=1), atol=1e-12)
        np.testing.assert_allclose(found.table(), alone.get(group, table).table(), atol=1e-12)


# Groups of terms against pairwise comparison -----------------------------------------------------


@pytest.mark.parametrize(("width", "terms"), [(1, 4), (3, 40), (7, 200), (31, 90), (70, 60)])
def test_groups_are_those_of_comparing_pauli_by_pauli(width, terms):
    rng = np.random.default_rng(width)
    letters = rng.choice(list("IXYZ"), (terms, width), p=[0.7, 0.1, 0.1, 0.1])
    sums = {"".join(row): float(rng.normal()) for row in letters if set(row) != {"I"}}
    table = collect(SimplePub([sums]).observables, width)
    words = np.array(list("IZXY"))[2 * table.x + table.z]
    wanted: list[list[int]] = []
    for term in np.argsort(-np.abs(table.coefficients[0]), kind="stable").tolist():
        for group in wanted:
            if all(
                "I" in (a, b) or a == b
                for other in group
                for a, b in zip(words[term], words[other], strict=True)
            ):
                group.append(term)
                break
        else:
            wanted.append([term])
    found = grouped(table)
    assert [group.terms.tolist() for group in found] == wanted
    assert len(wanted) > 1 or width == 1
    for group in found:
        for place, site in enumerate(group.basis.qubits.tolist()):
            seen = set(words[group.terms, site]) - {"I"}
            assert seen == {"IZXY"[2 * group.basis.x[place] + group.basis.z[place]]}
        measured = [site for site in range(width) if set(words[group.terms, site]) != {"I"}]
        assert group.basis.qubits.tolist() == measured
        np.testing.assert_array_equal(group.masks, words[group.terms][:, measured] != "I")
        np.testing.assert_array_equal(group.signs, np.ones(len(group.terms)))


class SimplePub:
    def __init__(self, sums):
        from qiskit.primitives.containers.observables_array import ObservablesArray

        self.observables = ObservablesArray.coerce(sums)


# The variance against its exact mean over all outcomes --------------------------------------------


@pytest.mark.parametrize(
    ("shots", "chance", "least", "most"),
    [
        (30, 0.5, 0.97, 1.03),
        (60, 0.2, 0.97, 1.03),
        (200, 0.03, 0.97, 1.03),
        (400, 0.02, 0.97, 1.03),
        (300, 0.01, 0.9, 1.2),  # three in the mean: none in every twentieth estimate
        (200, 0.005, 0.9, 1.2),
        (100, 0.002, 0.2, 1.2),
    ],
)
def test_the_variance_is_right_in_the_mean_over_all_outcomes(shots, chance, least, most):
    """Of a lone Pauli: no draws, every number of ones with its exact probability."""
    ones = np.arange(shots + 1)
    weight = np.array([comb(shots, k) * chance**k * (1 - chance) ** (shots - k) for k in ones])
    share = ones / shots
    second = 4 * share * (1 - share)
    third = -8 * share * (1 - share) * (1 - 2 * share)  # of 1 - 2 * bit
    seen = Moments(
        np.full((shots + 1, 1), shots),
        (1 - 2 * share)[:, None],
        second[:, None],
        third[:, None],
        second[:, None],
        np.ones(1),
    )
    total = Uncertainty((shots + 1, 1))
    total.add(ones, seen)
    variance = total.variance()[:, 0]
    error = (1 - 2 * share) - (1 - 2 * chance)
    score = np.sqrt(weight @ (error**2 / variance))
    assert least <= score <= most
    if chance >= 0.02:  # the plain variance is further off, and zero where nothing came
        plain = np.where(second > 0, second, np.inf) / shots
        assert abs(np.sqrt(weight @ (error**2 / plain)) - 1) > abs(score - 1)


# Drawing from a state against Aer's own shots -----------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_outcomes_drawn_from_a_state_are_distributed_as_aers(seed):
    """Chi-squared of both roads against the exact distribution; 5 sigma of its own spread."""
    rng = np.random.default_rng(seed)
    shots, where = 40_000, rng.permutation(6)[:4].tolist()
    circuit = random_state(rng, 4, 1)
    whole = QuantumCircuit(4, 6)
    whole.compose(circuit, inplace=True)
    whole.measure(range(4), where)
    values = rng.uniform(-3, 3, (2, 1))
    for own in (True, False):
        backend = QDMIProvider().get_backend("aer", num_qubits=4, sample_states=own)
        data = SamplerV2(backend, seed=seed).run([(whole, values)], shots=shots).result()[0].data
        for point, row in enumerate(values):
            plain = Statevector(circuit.assign_parameters(row)).probabilities()
            counts = data.c[point].get_int_counts()
            seen = np.zeros(16)
            for word, number in counts.items():
                assert not word & ~sum(1 << k for k in where)
                seen[sum((word >> bit & 1) << qubit for qubit, bit in enumerate(where))] = number
            expected = shots * plain
            used = expected > 5
            score = ((seen - expected)[used] ** 2 / expected[used]).sum()
            freedom = used.sum() - 1
            assert score <= freedom + 5 * np.sqrt(2 * freedom)
            swapped = np.random.default_rng(1).permutation(16)  # the test can fail
            wrong = ((seen[swapped] - expected)[used] ** 2 / expected[used]).sum()
            assert wrong > freedom + 5 * np.sqrt(2 * freedom)


# Exact values against dense matrices --------------------------------------------------------------


def test_exact_values_are_those_of_dense_matrices():
    rng = np.random.default_rng(4)
    backend = QDMIProvider().get_backend("aer")
    for n in (1, 2, 3, 5):
        circuit, operator = random_state(rng, max(n, 2), 2), random_sum(rng, max(n, 2), 8)
        values = rng.uniform(-3, 3, (3, 2))
        matrix = np.zeros((2 ** max(n, 2),) * 2, complex)
        for label, coefficient in operator.to_list():
            term = np.eye(1)
            for letter in label:
                term = np.kron(term, LETTERS[letter])
            matrix += coefficient * term
        pub = EstimatorV2(backend).run([(circuit, operator, values)], precision=0).result()[0]
        for row, value in zip(values, pub.data.evs, strict=True):
            state = Statevector(circuit.assign_parameters(row)).data
            assert value == pytest.approx((state.conj() @ matrix @ state).real, abs=1e-10)


# A text with holes against another export ---------------------------------------------------------


@pytest.mark.parametrize("dumps", [qasm3.dumps, qasm2.dumps])
def test_a_text_with_holes_reads_as_the_bound_circuits(dumps):
    rng = np.random.default_rng(6)
    for _ in range(10):
        names = [Parameter(name) for name in ("b", "a10", "a2", "c")]
        circuit = QuantumCircuit(3, 3)
        for name in [*names, *rng.choice(names, 8)]:
            angle = name * float(rng.normal()) + float(rng.normal())
            if rng.random() < 0.4:
                angle = angle - rng.choice(names) / 3
            gate = str(rng.choice(["rx", "ry", "rz", "p"]))
            getattr(circuit, gate)(angle, int(rng.integers(3)))
            circuit.cx(*rng.permutation(3)[:2].tolist())
        circuit.u(names[1], 0.25, names[0] * 2, 2)
        circuit.measure([2, 0, 1], [0, 1, 2])
        found = template(circuit, dumps)
        values = rng.uniform(-3, 3, (4, 4))
        for text, row in zip(found.texts(values), values, strict=True):
            wanted = dumps(circuit.assign_parameters(row))
            ours, theirs = (re.split(r"\(([^()]*)\)", one) for one in (text, wanted))
            assert ours[::2] == theirs[::2]
            for mine, yours in zip(ours[1::2], theirs[1::2], strict=True):
                np.testing.assert_allclose(numbers(mine), numbers(yours), atol=1e-9)


def numbers(text):
    return [eval(part, {"pi": np.pi}) for part in text.split(",")]  # noqa: S307 - Qiskit's text
