"""Exact expectation values from Aer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES
from qiskit.quantum_info import PauliList, SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue

from qdmi_qiskit.errors import RejectedError, UnsupportedError
from qdmi_qiskit.model import PauliSum, Values

_RANDOM = frozenset({"measure", "store", *CONTROL_FLOW_OP_NAMES})
_CHANNELS = frozenset({"kraus", "superop", "quantum_channel"})


def expectations(
    simulator: AerSimulator,
    circuit: QuantumCircuit,
    bindings: Mapping[Any, list[float]],
    observables: Sequence[PauliSum],
    *,
    noisy: bool,
) -> Values:
    """Return float64 of shape `(points, len(observables))`.

    A channel (noise, reset) is averaged over exactly, by the density matrix: Aer's automatic
    method would follow one random trajectory and call it the expectation value.

    Raises:
        UnsupportedError: The circuit measures, so that its final state is random.
        RejectedError: Aer cannot, for example for want of memory.
    """
    names = circuit.count_ops().keys()
    if random := sorted(_RANDOM & names):
        raise UnsupportedError(
            f"precision=0 asks for exact values, but circuit {circuit.name!r} contains "
            f"{', '.join(random)}, which makes its final state random: remove it, or ask for a "
            "precision > 0"
        )
    marked: QuantumCircuit = circuit.copy()
    wanted = [k for k, observable in enumerate(observables) if len(observable.coefficients)]
    for index in wanted:
        qubits, operator = _on_support(observables[index])
        marked.append(SaveExpectationValue(operator, f"o{index}"), qubits)
    options = {"method": "density_matrix"} if noisy or _mixes(circuit) else {}
    binds = [dict(bindings)] if bindings else None
    result = simulator.run([marked], parameter_binds=binds, shots=1, **options).result()
    if not result.success:
        raise RejectedError(
            f"Aer computes no expectation values of circuit {circuit.name!r}: {result.status} "
            + "; ".join(str(r.status) for r in result.results if not r.success)
        )
    table = np.zeros((len(result.results), len(observables)))
    for row, experiment in zip(table, result.results, strict=True):
        row[wanted] = [getattr(experiment.data, f"o{k}") for k in wanted]
    return table


def _mixes(circuit: QuantumCircuit) -> bool:
    """Whether the final state is mixed: a channel, or a reset of a qubit that was used before."""
    used: set[Any] = set()
    for instruction in circuit.data:
        name = instruction.operation.name
        if name in _CHANNELS:
            return True
        if name in ("reset", "initialize") and not used.isdisjoint(instruction.qubits):
            return True
        if name not in ("reset", "barrier", "delay"):
            used.update(instruction.qubits)
    return False


def _on_support(observable: PauliSum) -> tuple[list[int], SparsePauliOp]:
    """Return the qubits that the observable acts on, and the operator on those alone."""
    acts = (observable.x | observable.z).any(axis=0)
    qubits: list[int] = np.flatnonzero(acts).tolist()
    z, x = observable.z[:, qubits], observable.x[:, qubits]
    return qubits, SparsePauliOp(PauliList.from_symplectic(z, x), observable.coefficients)
