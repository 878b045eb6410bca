"""Observables as arrays, and their grouping into bases that are measured together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.model import Bits, PauliSum, Values

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

    def sums(self) -> list[PauliSum]:
        """Return each observable by itself, without its constant."""
        found = []
        for row in self.coefficients:
            used = np.flatnonzero(row)
            found.append(PauliSum(self.x[used], self.z[used], row[used]))
        return found


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that one basis measures.

    Attributes:
        terms: Indices into `Observables`.
        qubits: The qubits that are measured, ascending: classical bit j belongs to `qubits[j]`.
        x: bool, shape `(qubits,)`: the basis of each. (1, 0) is X, (0, 1) is Z, (1, 1) is Y.
        z: bool, the same.
        masks: bool, shape `(terms, qubits)`: whose parity each term is.
    """

    terms: npt.NDArray[np.intp]
    qubits: npt.NDArray[np.intp]
    x: Flags
    z: Flags
    masks: Flags


def collect(array: Any, num_qubits: int) -> Observables:
    """Put the observables of an `ObservablesArray` into one table.

    Projectors (`0`, `1`, `+`, `-`, `r`, `l`) become sums of Paulis; equal terms are added up.

    Args:
        array: `EstimatorPub.observables`, of any shape; observables are numbered in C order.
        num_qubits: Of the circuit.
    """
    keys: dict[bytes, int] = {}
    entries: list[tuple[int, int, float]] = []
    constants: list[float] = []
    rows: list[npt.NDArray[np.uint8]] = []
    for number, observable in enumerate(array.sparse_observables_array().ravel()):
        paulis = observable.as_paulis()
        codes = _codes(paulis, num_qubits)
        constants.append(0.0)
        for code, coefficient in zip(codes, np.real(paulis.coeffs).tolist(), strict=True):
            if not code.any():
                constants[-1] += coefficient
                continue
            index = keys.setdefault(code.tobytes(), len(rows))
            if index == len(rows):
                rows.append(code)
            entries.append((number, index, coefficient))
    table = np.array(rows, dtype=np.uint8).reshape(len(rows), num_qubits)
    coefficients = np.zeros((len(constants), len(rows)))
    for number, index, coefficient in entries:
        coefficients[number, index] += coefficient
    return Observables(
        (table & 2).astype(bool), (table & 1).astype(bool), coefficients, np.array(constants)
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


def grouped(observables: Observables, *, abelian: bool = True) -> list[Group]:
    """Sort terms into groups of which each is measured in one product basis.

    Terms are taken by falling weight, each into the first group that it commutes with qubit by
    qubit. (Source: "sorted insertion", Crawford et al., Quantum 5, 385 (2021).)

    Args:
        observables: The terms.
        abelian: False puts every term into a group of its own.
    """
    x, z = observables.x, observables.z
    weights = np.abs(observables.coefficients).max(axis=0, initial=0.0)
    order = np.argsort(-weights, kind="stable")
    bases_x = np.zeros_like(x)
    bases_z = np.zeros_like(z)
    members: list[list[int]] = []
    for term in order.tolist():
        if weights[term] == 0:
            continue
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
    return Group(terms, qubits, basis_x[qubits], basis_z[qubits], masks)


@dataclass(frozen=True, slots=True)
class Moments:
    """What the shots of one basis say of each observable, per observable, float64.

    Attributes:
        mean: Of the observable's values over the shots.
        variance: Of one value, smoothed: see `moments`.
        scatter: Variance of one squared deviation, which is the error of `variance` once it
            is divided by the number of shots.
    """

    mean: Values
    variance: Values
    scatter: Values


def moments(shots: Bits, masks: Sequence[int], num_bits: int, coefficients: Values) -> Moments:
    """Return what shots say of observables that one basis measures.

    Each shot gives a value of each observable: its terms' parities (+1 even, -1 odd), weighted.
    Mean and variance of those values keep the covariance between terms. The variance counts two
    more shots, one either way by the observable's own scale, as the rule of succession does: a
    rare outcome that never came does not make the error zero, and the standard error of a lone
    Pauli never exceeds 1 / sqrt(shots).

    Args:
        shots: Packed, shape `(shots, bytes)`, at least one.
        masks: For each term, the bits whose parity it is, as an integer over the packed word.
        num_bits: Bits per shot.
        coefficients: float64, shape `(observables, terms)`.
    """
    words, counts = _histogram(shots, num_bits)
    parity = np.zeros((len(counts), len(masks)), np.uint8)
    for lane, word in enumerate(words):
        part = np.array([(mask >> (64 * lane)) & (2**64 - 1) for mask in masks], np.uint64)
        parity += np.bitwise_count(word[:, None] & part)
    values = (1.0 - 2.0 * (parity & 1)) @ coefficients.T
    total = int(counts.sum())
    mean = counts @ values / total
    squares = (values - mean) ** 2
    variance = counts @ squares / total
    scatter = counts @ squares**2 / total - variance**2
    smoothed = (total * variance + 2 * (coefficients**2).sum(axis=1)) / (total + 2)
    return Moments(mean, smoothed, np.maximum(scatter, 0.0))


def _histogram(
    shots: Bits, num_bits: int
) -> tuple[list[npt.NDArray[np.uint64]], npt.NDArray[np.int64]]:
    """Return the distinct outcomes as 64-bit lanes, the lowest first, and their counts."""
    if num_bits <= 8:
        counts = np.bincount(shots[:, 0], minlength=1)
        seen = np.flatnonzero(counts)
        return [seen.astype(np.uint64)], counts[seen]
    width = shots.shape[1]
    lanes = -(-width // 8)
    wide = np.zeros((len(shots), 8 * lanes), np.uint8)
    wide[:, 8 * lanes - width :] = shots
    words = wide.view(">u8").astype(np.uint64)
    if lanes == 1:
        values, counts = np.unique(words[:, 0], return_counts=True)
        return [values], counts
    rows, counts = np.unique(words, axis=0, return_counts=True)
    return [rows[:, lanes - 1 - k] for k in range(lanes)], counts
