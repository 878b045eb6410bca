"""What belongs together in a job, how many bytes Aer would return for it, and how to cut it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from qdmi_qiskit.devices.aer.series import Piece, cut
from qdmi_qiskit.devices.aer.terminal import Terminal, terminal
from qdmi_qiskit.model import Basis, Task

MOST_QUBITS = 16
"""Active qubits up to which a state is taken; wider ones are left to Aer's choice of method."""
OUTCOMES_PER_SHOT = 64
"""A distribution is taken if it has at most so many outcomes per shot: measured with 16 qubits
and 1 024 shots, where both ways cost the same (`benchmarks/`)."""
HELD = 2**25
"""Bytes that may wait to be read, by the estimates below: what is more runs in pieces."""
CHEAP = 2**21
"""Amplitudes whose gates take no longer than the drawing of a piece's shots."""
_NATIVE = 2**14  # bytes of Aer's result without its data
_WORD = 128  # bytes of a shot in Aer's result, its digits left out
_AMPLITUDE = 4  # a quarter of the bytes it takes: two calls in turn need the same states


def sharing(tasks: Sequence[Task]) -> list[tuple[int, ...]]:
    """Group tasks with the same circuit and values: they need the same states."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for index, task in enumerate(tasks):
        if task.basis is None:
            groups[index, b""] = [index]
        else:
            key = (-1 - id(task.program.payload), task.values.tobytes())
            groups.setdefault(key, []).append(index)
    return [tuple(group) for group in groups.values()]


def state_of(tasks: Sequence[Task], indices: tuple[int, ...]) -> Terminal | None:
    """Return the state that serves these tasks; None where Aer has to draw their shots."""
    first = tasks[indices[0]]
    bases = [task.basis for task in (tasks[k] for k in indices) if task.basis is not None]
    state = terminal(first.program.payload, MOST_QUBITS, _union(bases))
    if state is None or bases:
        return state
    outcomes = 1 << len({qubit for qubit, _ in state.measured})
    return state if outcomes <= OUTCOMES_PER_SHOT * first.shots else None


def _union(bases: Sequence[Basis]) -> Basis | None:
    if not bases:
        return None
    qubits = np.unique(np.concatenate([basis.qubits for basis in bases]))
    flags = np.ones(len(qubits), bool)
    return Basis(qubits, flags, flags)


class Unit(NamedTuple):
    """Tasks that share a state, the bytes that Aer returns for each point, and how to cut."""

    indices: tuple[int, ...]
    points: int
    each: int
    shots: int


def are_small(tasks: Sequence[Task]) -> bool:
    """Return whether Aer may run a job at once, by a quick bound, as most jobs are small."""
    total = 0
    for task in tasks:
        width = min(task.program.payload.num_qubits, MOST_QUBITS)
        total += task.points * (task.shots * _word(task) + (8 << width) + _NATIVE)
    return total <= HELD


def _word(task: Task) -> int:
    return _WORD + task.num_bits // 4


def unit_of(tasks: Sequence[Task], indices: tuple[int, ...], takes_states: bool) -> Unit:
    """Return what tasks that `sharing` put together need, from states where those are taken."""
    first = tasks[indices[0]]
    state = state_of(tasks, indices) if takes_states else None
    if state is None:
        each = sum(tasks[k].shots * _word(tasks[k]) for k in indices) + _NATIVE
        return Unit(indices, first.points, each, _shots_in_a_piece(first, takes_states))
    if first.basis is None:
        outcomes = 1 << len({qubit for qubit, _ in state.measured})
        return Unit(indices, first.points, 8 * outcomes + _NATIVE, first.shots)
    return Unit(indices, first.points, (_AMPLITUDE << len(state.qubits)) + _NATIVE, 0)


def fit(units: Sequence[Unit]) -> bool:
    """Return whether Aer may run all of them at once."""
    return sum(unit.points * unit.each for unit in units) <= HELD


def _shots_in_a_piece(task: Task, takes_states: bool) -> int:
    """Return how many shots to ask Aer for at once: all of them where a state is dear.

    Aer prepares a state once for all shots, if only the end is random, and else once per shot.
    """
    most = max(HELD // _word(task), 1)
    state = terminal(task.program.payload, task.program.payload.num_qubits, None)
    if task.shots <= most or state is None:
        return min(most, task.shots)
    width = len(state.qubits) if takes_states else 2 * len(state.qubits)  # a density matrix
    return most if 1 << width <= CHEAP else task.shots


def batches(tasks: Sequence[Task], units: Sequence[Unit]) -> Iterator[list[Piece]]:
    """Yield pieces to run together, in order: none of them holds more than `HELD`."""
    batch: list[Piece] = []
    held = 0
    for unit in units:
        step = max(HELD // unit.each, 1)
        for a in range(0, unit.points, step):
            b = min(a + step, unit.points)
            cost = (b - a) * unit.each
            if batch and held + cost > HELD:
                yield batch
                batch, held = [], 0
            for index in unit.indices:
                for piece in cut(index, tasks[index], (a, b), unit.shots or tasks[index].shots):
                    if batch and piece.shots[0]:  # more shots of the same point: by themselves
                        yield batch
                        batch = []
                    batch.append(piece)
            held += cost
    if batch:
        yield batch
