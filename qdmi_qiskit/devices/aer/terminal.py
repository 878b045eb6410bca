"""Circuits that measure only at their end: a state, then outcomes drawn from it.

Aer takes most of its time to draw and record shots one by one. Where nothing but the final
measurement is random, one simulation gives the distribution, and all shots are drawn at once.
That holds for noiseless simulation only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import CONTROL_FLOW_OP_NAMES

from qdmi_qiskit.bits import from_bools, from_words
from qdmi_qiskit.model import Basis, Bits, Values

_NEVER = frozenset({"kraus", "superop", "quantum_channel", "store", *CONTROL_FLOW_OP_NAMES})
_FRESH = frozenset({"reset", "initialize"})
_INERT = frozenset({"barrier", "delay"})


@dataclass(frozen=True, slots=True)
class Terminal:
    """A circuit without its final measurements.

    Attributes:
        circuit: What comes before them, on the active qubits alone and without classical bits.
        qubits: The index in the whole circuit of each of its qubits.
        measured: Pairs (qubit of `circuit`, classical bit) in the order of measurement.
        num_bits: Classical bits of the whole circuit.
    """

    circuit: QuantumCircuit
    qubits: tuple[int, ...]
    measured: tuple[tuple[int, int], ...]
    num_bits: int


def terminal(circuit: QuantumCircuit, most_qubits: int, extra: Basis | None) -> Terminal | None:
    """Take a circuit apart, or return None if more than its end is random, or it is too wide.

    Args:
        circuit: To be sampled.
        most_qubits: Active qubits at most.
        extra: A basis that is measured afterwards; its qubits count as active.
    """
    if not _NEVER.isdisjoint(circuit.count_ops()):
        return None
    index = {qubit: k for k, qubit in enumerate(circuit.qubits)}
    clbits = {clbit: k for k, clbit in enumerate(circuit.clbits)}
    done: dict[int, None] = {}
    active = dict.fromkeys([] if extra is None else extra.qubits.tolist())
    touched: set[int] = set()
    measured: list[tuple[int, int]] = []
    gates: list[Any] = []
    for instruction in circuit.data:
        name = instruction.name
        if name in _INERT:
            continue
        sites = [index[qubit] for qubit in instruction.qubits]
        if name in _FRESH:  # random only on a qubit that something has happened to
            if not touched.isdisjoint(sites):
                return None
            if name == "reset":
                continue
        active.update(dict.fromkeys(sites))
        touched.update(sites)
        if name == "measure":
            measured.append((sites[0], clbits[instruction.clbits[0]]))
            done[sites[0]] = None
        elif done and not done.keys().isdisjoint(sites):
            return None
        else:
            gates.append(instruction)
    if len(active) > most_qubits or (extra is not None and done):
        return None
    qubits = tuple(sorted(active))
    place = {site: k for k, site in enumerate(qubits)}
    if len(qubits) == circuit.num_qubits:
        state = circuit.copy_empty_like()
    else:
        state = QuantumCircuit([circuit.qubits[site] for site in qubits])
    for instruction in gates:
        state._append(instruction)  # noqa: SLF001 - checked already, and 10 times cheaper
    pairs = tuple((place[site], clbit) for site, clbit in measured)
    return Terminal(state, qubits, pairs, circuit.num_clbits)


def outcome_table(measured: tuple[tuple[int, int], ...], order: list[int], num_bits: int) -> Bits:
    """Return the packed word of every outcome, shape `(2**len(order), bytes)`.

    Args:
        measured: Pairs (qubit, classical bit); the last one to write a bit wins.
        order: Bit j of an outcome's index belongs to qubit `order[j]`.
        num_bits: Classical bits of the word.
    """
    index = np.arange(2 ** len(order), dtype=np.uint64)
    writers = {clbit: qubit for qubit, clbit in measured}
    if num_bits > 64:
        table = np.zeros((len(index), num_bits), bool)
        for clbit, qubit in writers.items():
            table[:, clbit] = index >> np.uint64(order.index(qubit)) & np.uint64(1)
        return from_bools(table)
    words = np.zeros_like(index)
    for clbit, qubit in writers.items():
        bit = index >> np.uint64(order.index(qubit)) & np.uint64(1)
        words |= bit << np.uint64(clbit)
    return from_words(words, num_bits)


def draw(probabilities: Values, shots: int, generator: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw outcomes independently; what has probability zero is never drawn.

    Args:
        probabilities: float64, shape `(points, outcomes)`, each row summing to about 1.
        shots: At each point.
        generator: Advances by `points * shots` numbers.

    Returns:
        Indices, shape `(points, shots)`, in exchangeable order.
    """
    totals = np.cumsum(probabilities, axis=1)
    totals /= totals[:, -1:]
    numbers = generator.random((len(totals), shots))
    found = np.empty(numbers.shape, np.intp)
    for row, total, number in zip(found, totals, numbers, strict=True):
        row[:] = total.searchsorted(number, side="right")
    return found


def turned(
    states: npt.NDArray[np.complex128], x: npt.NDArray[np.bool_], z: npt.NDArray[np.bool_]
) -> Values:
    """Return the probabilities of measuring each qubit along X (1, 0), Y (1, 1) or Z (0, 1).

    Args:
        states: complex128, shape `(points, 2**qubits)`; bit q of the index is qubit q.
        x: bool, shape `(qubits,)`.
        z: bool, the same.

    Returns:
        float64, shape `(points, 2**qubits)`; outcome 1 is the eigenvalue -1.
    """
    points, size = states.shape
    for qubit in np.flatnonzero(x).tolist():
        view = states.reshape(points, size >> (qubit + 1), 2, 1 << qubit)
        low, high = view[:, :, 0], view[:, :, 1]
        if z[qubit]:
            high = high * -1j  # S^dagger before the Hadamard: Y becomes X
        turned_view = np.empty_like(view)
        np.add(low, high, out=turned_view[:, :, 0])
        np.subtract(low, high, out=turned_view[:, :, 1])
        states = turned_view.reshape(points, size)
    scale = 0.5 ** int(x.sum())
    return (states.real**2 + states.imag**2) * scale
