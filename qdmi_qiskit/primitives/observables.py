"""Observables as arrays, and their grouping into bases that are measured together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit

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
