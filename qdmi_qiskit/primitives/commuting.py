"""Groups of terms that commute as a whole, and the Clifford circuit that makes them diagonal.

Terms that commute, but not qubit by qubit, can be measured together after a Clifford circuit. That
takes fewer groups, hence fewer shots, and two-qubit gates that an ideal simulator does not mind
and a noisy device does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import PauliList, StabilizerState
from qiskit.transpiler import Target

from qdmi_qiskit.model import Basis
from qdmi_qiskit.passes import pass_manager
from qdmi_qiskit.primitives.observables import Group, Observables, by_weight

_SEED = 7  # of the router: the same observable gets the same circuits


def commuting(observables: Observables, target: Target) -> list[Group]:
    """Sort terms into groups that commute, and find the circuit that measures each.

    Terms are taken by falling weight, each into the first group that it commutes with. (Source:
    "sorted insertion", Crawford et al., Quantum 5, 385 (2021).)

    Args:
        observables: The terms.
        target: What the circuits have to be made of; where it has a coupling map they are routed
            on it, each qubit starting where it is.
    """
    members: list[list[int]] = []
    for term in by_weight(observables):
        x, z = observables.x[term], observables.z[term]
        for group in members:
            odd = (observables.x[group] & z).sum(axis=1) + (observables.z[group] & x).sum(axis=1)
            if not (odd % 2).any():
                group.append(term)
                break
        else:
            members.append([term])
    return [_group(observables, np.array(terms), target) for terms in members]


def _group(observables: Observables, terms: npt.NDArray[np.intp], target: Target) -> Group:
    x, z = observables.x[terms], observables.z[terms]
    qubits = np.flatnonzero((x | z).any(axis=0))
    paulis = PauliList.from_symplectic(z[:, qubits], x[:, qubits])
    generators = _independent(np.hstack([x, z]).astype(np.uint8))
    state = StabilizerState.from_stabilizer_list(
        paulis[generators].to_labels(), allow_underconstrained=True
    )
    # The Clifford C makes the generators of Z on single qubits, so its inverse makes Z of them.
    diagonal = paulis.evolve(state.clifford, frame="h")
    turn, ends = _routed(state.clifford.adjoint().to_circuit(), qubits.tolist(), target, x.shape[1])
    flags = np.ones(len(qubits), bool)
    order = np.argsort(ends)
    basis = Basis(np.array(ends, np.intp)[order], ~flags, flags)
    signs = 1.0 - np.asarray(diagonal.phase, dtype=np.float64)  # phase 0 is +, phase 2 is -
    return Group(terms, basis, np.asarray(diagonal.z)[:, order], signs, turn)


def _independent(rows: npt.NDArray[np.uint8]) -> list[int]:
    """Return the indices of rows that span all of them over the field of two elements."""
    reduced: list[tuple[int, int]] = []
    found = []
    for index, row in enumerate(rows):
        value = int("".join(map(str, row.tolist())), 2)
        for pivot, other in reduced:
            if value >> pivot & 1:
                value ^= other
        if value:
            reduced.append((value.bit_length() - 1, value))
            found.append(index)
    return found


def _routed(
    turn: QuantumCircuit, qubits: list[int], target: Target, width: int
) -> tuple[QuantumCircuit, list[int]]:
    """Return the circuit in gates of the device, and where each of `qubits` ends."""
    if target.build_coupling_map() is None:
        native: Any = pass_manager(target, 1).run(turn)
        whole = QuantumCircuit(width)
        whole.compose(native, qubits, inplace=True)
        return whole, qubits
    plain = pass_manager(target, 2, initial_layout=qubits, seed_transpiler=_SEED).run(turn)
    return plain, plain.layout.final_index_layout()
