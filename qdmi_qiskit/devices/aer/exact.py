"""Exact expectation values from Aer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES
from qiskit.quantum_info import PauliList, SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveExpectationValue, SaveStatevector

from qdmi_qiskit.devices.aer.pieces import MOST_QUBITS
from qdmi_qiskit.devices.aer.roads import BLOCK
from qdmi_qiskit.devices.aer.terminal import Terminal, terminal
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
    method: str,
    noise: Any = None,
) -> Values:
    """Return float64 of shape `(points, len(observables))`.

    A pure state of few qubits is taken out and the observables applied here; else Aer's own
    expectation values are.

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
    state = None if noisy or _mixes(circuit) else terminal(circuit, MOST_QUBITS, None)
    if state is not None and method in ("automatic", "statevector"):
        return _from_states(simulator, circuit, state, bindings, observables)
    marked: QuantumCircuit = circuit.copy()
    wanted = [k for k, observable in enumerate(observables) if len(observable.coefficients)]
    for index in wanted:
        qubits, operator = _on_support(observables[index])
        marked.append(SaveExpectationValue(operator, f"o{index}"), qubits)
    options: dict[str, Any] = {"method": "density_matrix"} if noisy or _mixes(circuit) else {}
    if noise is not None:
        options["noise_model"] = noise
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


def _from_states(
    simulator: AerSimulator,
    circuit: QuantumCircuit,
    state: Terminal,
    bindings: Mapping[Any, list[float]],
    observables: Sequence[PauliSum],
) -> Values:
    marked = state.circuit
    if marked.num_qubits == 0:  # nothing acts: all qubits are 0
        marked = QuantumCircuit(1)
    marked.append(SaveStatevector(marked.num_qubits, "state"), marked.qubits)
    points = len(next(iter(bindings.values()))) if bindings else 1
    step = max(BLOCK >> marked.num_qubits, 1)
    rows = []
    for start in range(0, points, step):
        block = {name: column[start : start + step] for name, column in bindings.items()}
        result = simulator.run(
            [marked], parameter_binds=[block] if block else None, shots=1
        ).result()
        if not result.success:
            raise RejectedError(
                f"Aer computes no state of circuit {circuit.name!r}: {result.status}"
            )
        states = np.stack([np.asarray(experiment.data.state) for experiment in result.results])
        rows.append(np.stack([_applied(states, state.qubits, o) for o in observables], axis=1))
    return np.concatenate(rows)


def _applied(
    states: npt.NDArray[np.complex128], qubits: tuple[int, ...], observable: PauliSum
) -> Values:
    """Return <state|observable|state> for each state; qubits not in `qubits` are 0.

    Terms that flip the same qubits share one pass: sum_k conj(s[k ^ x]) d[k] s[k], where d sums
    their phases. (Source: Y = i X Z, so a Pauli of masks x, z takes |k> to
    i^|x & z| (-1)^|k & z| |k ^ x>.)
    """
    idle = np.ones(observable.x.shape[1], bool)
    idle[list(qubits)] = False
    kept = ~observable.x[:, idle].any(axis=1)  # a flip of an idle qubit has expectation 0
    powers = 1 << np.arange(len(qubits), dtype=np.int64)
    x = observable.x[kept][:, list(qubits)] @ powers
    z = observable.z[kept][:, list(qubits)] @ powers
    weights = observable.coefficients[kept] * 1j ** (np.bitwise_count(x & z) & 3)
    index = np.arange(states.shape[1], dtype=np.int64)
    found = np.zeros(len(states))
    for flip in np.unique(x).tolist():
        some = x == flip
        signs = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & z[some]) & 1)
        diagonal = signs @ weights[some]
        flipped = states if flip == 0 else states[:, index ^ flip]
        found += np.einsum("pk,k,pk->p", flipped.conj(), diagonal, states).real
    return found


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
