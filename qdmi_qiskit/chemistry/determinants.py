"""From measured bits to an energy: the classical half of QSCI, in numpy.

A determinant is an int64 whose bit `q` is the occupation of qubit `q`: the integer value of
Qiskit's bit string, which reads the highest qubit first. Under Jordan-Wigner as in this package
the lower `num_orbitals` bits are the alpha string, the upper ones the beta string, bit `p` of each
its orbital `p`; nothing is ever reversed. At most 62 qubits.

Source: arXiv:2302.11320 (quantum-selected configuration interaction). The sampled determinants
themselves span the space, not the product of their alpha and beta strings: that is SQD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import eigsh

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit.primitives import BitArray
    from qiskit.quantum_info import SparsePauliOp

DENSE_LIMIT = 200
"""Up to this many determinants LAPACK diagonalises, above it Lanczos."""


def determinants_from(bits: BitArray) -> NDArray[np.int64]:
    """Return the shots of one register as determinants, in order: int64, shape (shots,)."""
    if bits.num_bits > 62:
        raise ValueError(f"determinants of {bits.num_bits} qubits do not fit into int64 (62)")
    packed = bits.array.reshape(-1, bits.array.shape[-1]).astype(np.int64)
    shifts = np.arange(packed.shape[1], dtype=np.int64)[::-1] * 8
    determinants: NDArray[np.int64] = (packed << shifts).sum(axis=1)
    return determinants


def in_sector(
    determinants: NDArray[np.int64], num_orbitals: int, electrons: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which determinants have the given number of alpha and of beta electrons."""
    alpha = np.bitwise_count(determinants & (1 << num_orbitals) - 1)
    beta = np.bitwise_count(determinants >> num_orbitals)
    inside: NDArray[np.bool_] = (alpha == electrons[0]) & (beta == electrons[1])
    return inside


def most_frequent(
    determinants: NDArray[np.int64], size: int, *, include: int | None = None
) -> NDArray[np.int64]:
    """Return the `size` most frequent determinants; among equals the smaller integer wins.

    Args:
        determinants: Shots inside the sector.
        size: Number of determinants wanted; fewer come back where fewer were seen, never padding.
        include: A determinant that is always taken, and counts toward `size`.
    """
    distinct, counts = np.unique(determinants, return_counts=True)
    if include is not None:
        others = distinct != include
        distinct = np.append(distinct[others], include)
        counts = np.append(counts[others], len(determinants) + 1)
    return distinct[np.lexsort((distinct, -counts))][:size]


def project(operator: SparsePauliOp, determinants: NDArray[np.int64]) -> coo_array:
    """Restrict an operator to the span of distinct determinants, which index rows and columns.

    All terms with the same X part move a determinant to the same partner, so each such group
    costs one search: P|s> = i^(number of Y) (-1)^(bits of s under Z) |s xor X>.
    """
    order = np.argsort(determinants)
    known = determinants[order]
    weights = 1 << np.arange(operator.num_qubits, dtype=np.int64)
    x, z = operator.paulis.x @ weights, operator.paulis.z @ weights
    factors = operator.coeffs * 1j ** (np.bitwise_count(x & z) % 4)
    rows, columns, entries = [], [], []
    for mask in np.unique(x):
        partner = np.minimum(np.searchsorted(known, known ^ mask), len(known) - 1)
        source = np.flatnonzero(known[partner] == known ^ mask)
        terms = x == mask
        odd = np.bitwise_count(known[source, None] & z[terms]) & 1
        rows.append(order[partner[source]])
        columns.append(order[source])
        entries.append((1.0 - 2.0 * odd) @ factors[terms])
    index = (np.concatenate(rows), np.concatenate(columns))
    return coo_array((np.concatenate(entries), index), shape=(len(known), len(known)))


def ground_energy(operator: SparsePauliOp, determinants: NDArray[np.int64]) -> float:
    """Return the lowest energy in the span of the determinants, hartree: an upper bound.

    The start vector of Lanczos is fixed, so the same determinants give the same digits.
    """
    if len(determinants) == 0:
        raise ValueError("no determinant to diagonalise: no shot fell into the sector")
    matrix = project(operator, determinants)
    if len(determinants) <= DENSE_LIMIT:
        return float(np.linalg.eigvalsh(matrix.toarray())[0])
    start = np.random.default_rng(0).standard_normal(len(determinants))
    values = eigsh(matrix.tocsr(), k=1, which="SA", v0=start, return_eigenvectors=False)
    return float(values[0])
