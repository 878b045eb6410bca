"""Observables as arrays, and their grouping into bases that are measured together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from qdmi_qiskit.bits import from_bools, to_words
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Basis, Bits, PauliSum, Shots, Values

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Observables:
    """Several observables over one list of distinct Pauli terms.

    Attributes:
        x: bool, shape `(terms, qubits)`; column q is qubit q. With z: (1, 0) is X, (0, 1) is Z,
            (1, 1) is Y. The identity is not among the terms.
        z: bool, the same shape.
        coefficients: float64, shape `(observables, terms)`.
        constants: float64, shape `(observables,)`: the coefficients of the identity.
    """

    x: Flags
    z: Flags
    coefficients: Values
    constants: Values

    def key(self) -> bytes:
        """Return bytes that two tables share only if they are equal."""
        shape = np.array(self.coefficients.shape + self.x.shape)
        parts = (shape, self.x, self.z, self.coefficients)
        return b"".join(part.tobytes() for part in parts)

    def sums(self) -> list[PauliSum]:
        """Return each observable by itself, without its constant."""
        found = []
        for row in self.coefficients:
            used = np.flatnonzero(row)
            found.append(PauliSum(self.x[used], self.z[used], row[used]))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Terms that one basis measures. Compares by identity.

    Attributes:
        terms: Indices into `Observables`.
        basis: The qubits that are measured, and how.
        masks: bool, shape `(terms, qubits of the basis)`: whose parity each term is.
        signs: float64, shape `(terms,)`: what that parity is to be multiplied by, 1 or -1.
        turn: A circuit to be run before the basis is measured; None: none.
    """

    terms: npt.NDArray[np.intp]
    basis: Basis
    masks: Flags
    signs: Values
    turn: QuantumCircuit | None = None


def collect(array: Any, num_qubits: int) -> Observables:
    """Put the observables of an `ObservablesArray` into one table.

    Projectors (`0`, `1`, `+`, `-`, `r`, `l`) become sums of Paulis; equal terms are added up.

    Args:
        array: `EstimatorPub.observables`, of any shape; observables are numbered in C order.
        num_qubits: Of the circuit.

    Raises:
        ConfigError: A coefficient is not finite.
    """
    tables, numbers, sizes = [], [], []
    flat = array.sparse_observables_array().ravel()
    for number, observable in enumerate(flat):
        paulis = observable.as_paulis()
        tables.append(_codes(paulis, num_qubits))
        sizes.append(np.real(np.asarray(paulis.coeffs)))
        numbers.append(np.full(len(sizes[-1]), number, np.intp))
    codes = np.concatenate(tables) if tables else np.zeros((0, num_qubits), np.uint8)
    size = np.concatenate([*sizes, []])
    which = np.concatenate([*numbers, np.empty(0, np.intp)])
    rows, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")  # terms as they came: groups depend on it
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    coefficients = np.zeros((len(flat), len(rows)))
    np.add.at(coefficients, (which, rank[inverse.reshape(-1)]), size)
    if not np.isfinite(size).all():
        raise ConfigError(
            f"observable {int(which[~np.isfinite(size)][0])} has a coefficient that is no finite "
            "number: check what computed it"
        )
    rows = rows[order]
    acts = rows.any(axis=1)
    constants = coefficients[:, ~acts].sum(axis=1)
    rows = rows[acts]
    return Observables(
        (rows & 2).astype(bool), (rows & 1).astype(bool), coefficients[:, acts], constants
    )


def _codes(paulis: Any, num_qubits: int) -> npt.NDArray[np.uint8]:
    """Return 0, 1, 2, 3 for I, Z, X, Y: Qiskit's own encoding of `SparseObservable.BitTerm`."""
    boundaries = np.asarray(paulis.boundaries, dtype=np.int64)
    codes = np.zeros((len(boundaries) - 1, num_qubits), np.uint8)
    rows = np.repeat(np.arange(len(codes)), np.diff(boundaries))
    codes[rows, np.asarray(paulis.indices, dtype=np.int64)] = np.asarray(
        paulis.bit_terms, dtype=np.uint8
    )
    return codes


def by_weight(observables: Observables) -> list[int]:
    """Return the terms by falling weight, those without any left out."""
    weights = np.abs(observables.coefficients).max(axis=0, initial=0.0)
    order = np.argsort(-weights, kind="stable")
    return order[weights[order] > 0].tolist()  # type: ignore[no-any-return]


def grouped(observables: Observables, *, abelian: bool = True) -> list[Group]:
    """Sort terms into groups of which each is measured in one product basis.

    Terms are taken by falling weight, each into the first group that it commutes with qubit by
    qubit. (Source: "sorted insertion", Crawford et al., Quantum 5, 385 (2021).)

    Args:
        observables: The terms.
        abelian: False puts every term into a group of its own.
    """
    x, z = observables.x, observables.z
    bases_x = np.zeros_like(x)
    bases_z = np.zeros_like(z)
    members: list[list[int]] = []
    for term in by_weight(observables):
        number = len(members)
        acts = x[term] | z[term]
        clash = (bases_x[:number] | bases_z[:number]) & acts
        clash &= (bases_x[:number] != x[term]) | (bases_z[:number] != z[term])
        free = np.flatnonzero(~clash.any(axis=1)) if abelian else np.empty(0, np.intp)
        group = int(free[0]) if free.size else number
        if group == number:
            members.append([])
        members[group].append(term)
        bases_x[group] |= x[term]
        bases_z[group] |= z[term]
    return [
        _group(np.array(terms), x, z, bases_x[k], bases_z[k]) for k, terms in enumerate(members)
    ]


def _group(
    terms: npt.NDArray[np.intp], x: Flags, z: Flags, basis_x: Flags, basis_z: Flags
) -> Group:
    qubits = np.flatnonzero(basis_x | basis_z)
    masks = (x[terms] | z[terms])[:, qubits]
    return Group(terms, Basis(qubits, basis_x[qubits], basis_z[qubits]), masks, np.ones(len(terms)))


@dataclass(frozen=True, slots=True)
class Moments:
    """What the shots of one basis say of each observable at each point.

    Attributes:
        shots: How many counted, int64, shape `(points, 1)`.
        mean: Of the observable's values over the shots, float64, shape `(points, observables)`.
        variance: Of one value, smoothed: see `moments`.
        scatter: Variance of one squared deviation, which is the error of `variance` once it
            is divided by the number of shots.
    """

    shots: npt.NDArray[np.int64]
    mean: Values
    variance: Values
    scatter: Values


_TABLE = 12  # measured bits up to which outcomes are counted in a table over all of them


def moments(
    shots: Shots,
    group: Group,
    first: int,
    coefficients: Values,
    tables: dict[Group, Powers] | None = None,
) -> Moments:
    """Return what shots say of observables that one basis measures.

    Each shot gives a value of each observable: its terms' parities (+1 even, -1 odd), weighted.
    Mean and variance of those values keep the covariance between terms. The variance counts two
    more shots, one either way by the observable's own scale, as the rule of succession does: a
    rare outcome that never came does not make the error zero, and the standard error of a lone
    Pauli never exceeds 1 / sqrt(shots).

    Args:
        shots: The outcome, at least one valid shot per point.
        group: Its terms.
        first: Which bit belongs to the first qubit of the group's basis; the others follow.
        coefficients: float64, shape `(observables, terms of the group)`.
        tables: What the values of all outcomes are, remembered by group for the same coefficients.
    """
    width = len(group.basis.qubits)
    if width <= _TABLE and first + width <= 64:
        table = tables.get(group) if tables is not None else None
        if table is None:
            outcomes = np.arange(2**width, dtype=np.uint64)
            table = _powers(_values([outcomes], group.masks, coefficients * group.signs))
            if tables is not None:
                tables[group] = table
        parts = [(_counts(shots, first, width), table)]
    else:
        parts = [
            (counts, _powers(_values(lanes, group.masks, coefficients * group.signs)))
            for counts, lanes in (_histogram(row, first, width) for row in _valid(shots))
        ]
    found = [_moments(counts, powers) for counts, powers in parts]
    if len(found) == 1:
        total, mean, variance, scatter = found[0]
    else:
        total, mean, variance, scatter = (np.concatenate(p) for p in zip(*found, strict=True))
    smoothed = (total * variance + 2 * (coefficients**2).sum(axis=1)) / (total + 2)
    return Moments(total, mean, smoothed, np.maximum(scatter, 0.0))


Powers = tuple[Values, Values]
"""The middle of the values, `(observables,)`, and the first four powers about it, `(outcomes,
4 * observables)`: about the middle no digits are lost to a large mean."""


def _powers(values: Values) -> Powers:
    middle = (values.max(axis=0) + values.min(axis=0)) / 2
    shifted = values - middle
    squares = shifted * shifted
    return middle, np.hstack([shifted, squares, squares * shifted, squares * squares])


def _moments(
    counts: npt.NDArray[np.int64], powers: Powers
) -> tuple[npt.NDArray[np.int64], Values, Values, Values]:
    """From counts `(points, outcomes)` and the powers of the values of the outcomes."""
    total = counts.sum(axis=1, keepdims=True)
    middle, table = powers
    one, two, three, four = np.split((counts @ table) / total, 4, axis=1)
    variance = np.maximum(two - one**2, 0.0)
    fourth = four - 4 * three * one + 6 * two * one**2 - 3 * one**4
    return total, one + middle, variance, fourth - variance**2


def _values(lanes: Sequence[npt.NDArray[np.uint64]], masks: Flags, coefficients: Values) -> Values:
    """Return each observable's value for each outcome, shape `(outcomes, observables)`."""
    parity = np.zeros((len(lanes[0]), len(masks)), np.uint8)
    for lane, words in enumerate(lanes):
        here = masks[:, 64 * lane : 64 * (lane + 1)]
        powers = np.uint64(1) << np.arange(here.shape[1], dtype=np.uint64)
        part = np.where(here, powers, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        parity += np.bitwise_count(words[:, None] & part)
    return (1.0 - 2.0 * (parity & 1)) @ coefficients.T


def _valid(shots: Shots) -> list[Bits]:
    if shots.valid is None:
        return list(shots.bits)
    return [row[:number] for row, number in zip(shots.bits, shots.valid.tolist(), strict=True)]


def _counts(shots: Shots, first: int, width: int) -> npt.NDArray[np.int64]:
    """Count every outcome of the `width` bits from bit `first`, shape `(points, 2**width)`."""
    size = 2**width
    words = (to_words(shots.bits) >> np.uint64(first)).astype(np.int64) & (size - 1)
    if shots.valid is not None:  # what was discarded counts as an outcome of its own
        late = np.arange(words.shape[1]) >= shots.valid[:, None]
        words = np.where(late, size, words)
    bins = size + 1
    flat = (words + bins * np.arange(len(words))[:, None]).ravel()
    return np.bincount(flat, minlength=bins * len(words)).reshape(-1, bins)[:, :size]


def _histogram(
    shots: Bits, first: int, width: int
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.uint64]]]:
    """Return the counts, shape `(1, distinct)`, of distinct outcomes, and those in 64-bit lanes."""
    rows, counts = np.unique(shots, axis=0, return_counts=True)
    bits = np.unpackbits(rows, axis=1)[:, ::-1][:, first : first + width]
    lanes = [to_words(from_bools(bits[:, start : start + 64])) for start in range(0, width, 64)]
    return counts[None, :], lanes
