"""Observables as arrays, and their grouping into bases that are measured together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

from qdmi_qiskit.bits import from_bools, to_ints
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Basis, PauliSum, Values

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
    places: dict[bytes, int] = {}  # terms as they came: groups depend on it
    term = [places.setdefault(row.tobytes(), len(places)) for row in codes]
    rows = np.zeros((len(places), num_qubits), np.uint8)
    rows[term] = codes
    coefficients = np.zeros((len(flat), len(rows)))
    np.add.at(coefficients, (which, np.array(term, np.intp)), size)
    if not np.isfinite(size).all():
        raise ConfigError(
            f"observable {int(which[~np.isfinite(size)][0])} has a coefficient that is no finite "
            "number: check what computed it"
        )
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
    order = by_weight(observables)
    members = _fitted(observables, order) if abelian else [[term] for term in order]
    return _groups(members, observables.x, observables.z) if members else []


def _fitted(observables: Observables, order: Sequence[int]) -> list[list[int]]:
    """Put each term into the first group whose basis has the same Pauli wherever both act.

    All bases are one long integer, a slot of 2 flags per qubit and a guard bit for each: comparing
    a term with all groups is a few operations on it, whatever their number.
    """
    x, z = observables.x, observables.z
    paulis = to_ints(from_bools(np.concatenate([x, z], axis=1)))
    acts = to_ints(from_bools(np.concatenate([x | z, x | z], axis=1)))
    width = 2 * x.shape[1] + 1
    bases = taken = ones = guards = 0
    members: list[list[int]] = []
    for term in order:
        clash = (bases ^ paulis[term] * ones) & taken & acts[term] * ones
        fits = (guards - clash) & guards  # a clash borrows the guard bit of its slot
        group = (fits & -fits).bit_length() // width - 1 if fits else len(members)
        place = group * width
        if not fits:
            members.append([])
            ones |= 1 << place
            guards |= 1 << place + width - 1
        members[group].append(term)
        bases |= paulis[term] << place
        taken |= acts[term] << place
    return members


def _groups(members: Sequence[Sequence[int]], x: Flags, z: Flags) -> list[Group]:
    """Make groups of terms that have the same Pauli wherever two act; all share a few arrays."""
    sizes = [len(terms) for terms in members]
    order = np.fromiter(chain.from_iterable(members), np.intp, sum(sizes))
    starts = np.cumsum([0, *sizes[:-1]])
    some_x, some_z = x[order], z[order]
    basis_x: Flags = np.logical_or.reduceat(some_x, starts)
    basis_z: Flags = np.logical_or.reduceat(some_z, starts)
    measured = basis_x | basis_z
    qubits = np.nonzero(measured)[1]
    flat_x, flat_z = basis_x[measured], basis_z[measured]
    masks = (some_x | some_z)[np.repeat(measured, sizes, axis=0)]
    signs = np.ones(len(order))
    found = []
    term = qubit = mask = 0
    for size, width in zip(sizes, np.count_nonzero(measured, axis=1).tolist(), strict=True):
        terms, sites = slice(term, term + size), slice(qubit, qubit + width)
        basis = Basis(qubits[sites], flat_x[sites], flat_z[sites])
        flags = masks[mask : mask + size * width].reshape(size, width)
        found.append(Group(order[terms], basis, flags, signs[terms]))
        term, qubit, mask = term + size, qubit + width, mask + size * width
    return found
