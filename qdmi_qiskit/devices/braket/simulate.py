"""Run a circuit on the simulations of `amazon-braket-sdk`, by their operations.

The SDK writes a circuit as text, parses it again and returns shots as strings; all three are left
out here, only its gates and its evolution are used. Circuits that measure in the middle, reset or
branch are followed branch by branch: every outcome of such a measurement has its share of the
shots, drawn once. (The SDK's own reset adds amplitudes, which is no reset of a superposition.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from braket.default_simulator import DensityMatrixSimulation, StateVectorSimulation
from braket.default_simulator.gate_operations import BRAKET_GATES

from qdmi_qiskit.bits import from_bools
from qdmi_qiskit.devices.braket.steps import Plan, Row, Step
from qdmi_qiskit.model import Bits


@dataclass(slots=True)
class _Branch:
    """One history of measurements: its state, its bits, its shots."""

    state: State
    bits: npt.NDArray[np.uint8]
    shots: int


class State:
    """A state of the SDK's simulations, with the measurement that they lack."""

    def __init__(self, qubits: int, *, mixed: bool) -> None:
        self._mixed, self.qubits = mixed, qubits
        self._simulation: Any = (
            DensityMatrixSimulation(qubits, 0) if mixed else StateVectorSimulation(qubits, 0, 1)
        )

    @property
    def array(self) -> npt.NDArray[np.complex128]:
        """Amplitudes, or the density matrix; qubit 0 is the most significant."""
        simulation = self._simulation
        found: npt.NDArray[np.complex128] = (
            simulation.density_matrix if self._mixed else simulation.state_vector
        )
        return found

    def evolve(self, gates: list[Any]) -> None:
        """Apply gates."""
        self._simulation.evolve(gates)

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Return the distribution of outcomes of all qubits, cleaned of rounding."""
        found: npt.NDArray[np.float64] = np.clip(self._simulation.probabilities, 0, None)
        found /= found.sum()
        return found

    def projected(self, qubit: int, outcome: int) -> State:
        """Return the state after `outcome` was read from `qubit`."""
        new = State(self.qubits, mixed=self._mixed)
        keep = np.arange(2**self.qubits) >> (self.qubits - 1 - qubit) & 1 == outcome
        array = self.array
        left = array * keep if not self._mixed else array * np.outer(keep, keep)
        norm = np.trace(left).real if self._mixed else np.linalg.norm(left)
        new.array[...] = left / norm
        return new

    def one(self, qubit: int) -> float:
        """Return the probability of reading 1."""
        whole = self.probabilities().reshape(2**qubit, 2, -1)
        return float(np.clip(whole[:, 1].sum(), 0, 1))


def sample(plan: Plan, row: Row, shots: int, rng: np.random.Generator, *, mixed: bool) -> Bits:
    """Return packed shots of one point, shape `(shots, bytes)`."""
    start = _Branch(
        State(max(len(plan.qubits), 1), mixed=mixed), np.zeros(plan.num_bits, np.uint8), shots
    )
    if not plan.random:
        start.state.evolve([step.gate(row) for step in plan.steps])
        return from_bools(_read(start, plan, rng))
    ended = _follow([start], plan.steps, row, rng)
    rows = np.concatenate([_read(branch, plan, rng) for branch in ended])
    return from_bools(rng.permutation(rows))


def final_state(plan: Plan, row: Row, *, mixed: bool) -> State:
    """Return the state of a circuit that measures nothing in the middle."""
    state = State(max(len(plan.qubits), 1), mixed=mixed)
    state.evolve([step.gate(row) for step in plan.steps])
    return state


def _read(branch: _Branch, plan: Plan, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Sample the last measurements of a branch: zeros and ones, shape `(shots, bits)`."""
    rows = np.tile(branch.bits, (branch.shots, 1))
    if plan.last:
        edges = np.cumsum(branch.state.probabilities())
        words = np.searchsorted(edges, rng.random(branch.shots) * edges[-1], side="right")
        shifts = np.array([branch.state.qubits - 1 - qubit for qubit, _ in plan.last])
        rows[:, [bit for _, bit in plan.last]] = words[:, None] >> shifts & 1
    return rows


def _follow(
    branches: list[_Branch], steps: Sequence[Step], row: Row, rng: np.random.Generator
) -> list[_Branch]:
    for step in steps:
        if step.kind == "gate":
            gate = step.gate(row)
            for branch in branches:
                branch.state.evolve([gate])
        elif step.kind == "if":
            branches = [after for branch in branches for after in _chosen(branch, step, row, rng)]
        else:
            branches = [after for branch in branches for after in _split(branch, step, rng)]
    return branches


def _chosen(branch: _Branch, step: Step, row: Row, rng: np.random.Generator) -> list[_Branch]:
    holds = all(bit >= 0 and branch.bits[bit] == value for bit, value in step.condition)
    which = 0 if holds else 1
    if which >= len(step.blocks):
        return [branch]
    return _follow([branch], step.blocks[which], row, rng)


def _split(branch: _Branch, step: Step, rng: np.random.Generator) -> Iterator[_Branch]:
    """Yield what a measurement or a reset makes of a branch: one branch per outcome that occurs."""
    qubit = step.qubits[0]
    ones = int(rng.binomial(branch.shots, branch.state.one(qubit)))
    for outcome, shots in ((0, branch.shots - ones), (1, ones)):
        if not shots:
            continue
        after = replace(branch, state=branch.state.projected(qubit, outcome), shots=shots)
        if step.kind == "measure":
            after.bits = branch.bits.copy()
            after.bits[step.bit] = outcome
        elif outcome:
            after.state.evolve([BRAKET_GATES["x"]((qubit,))])
        yield after
