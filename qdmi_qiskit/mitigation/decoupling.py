"""Dynamical decoupling: pulses while a qubit waits, so that slow noise cancels."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.circuit.library import RGate, XGate, YGate
from qiskit.transpiler import PassManager
from qiskit.transpiler.exceptions import TranspilerError
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDynamicalDecoupling

from qdmi_qiskit.errors import ConfigError, UnsupportedError, did_you_mean
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage, same_layout, together

Sequences = Literal["XX", "XY4"]
_UNIT = 1e-10  # seconds
_SEQUENCES: tuple[str, ...] = get_args(Sequences)


@dataclass(frozen=True)
class DD(Stage):
    """Schedules a circuit as late as possible, and fills the waiting with pulses.

    Only noise with a memory cancels: on a simulator of decay and depolarizing errors, such as a
    replay, the pulses cost and gain nothing.

    Attributes:
        sequence: `"XX"` or `"XY4"`.
    """

    name: ClassVar[str] = "dd"
    rank: ClassVar[int] = 50
    sequence: Sequences = "XY4"

    def __post_init__(self) -> None:
        if self.sequence not in _SEQUENCES:
            raise ConfigError(
                f"dd: sequence={self.sequence!r}{did_you_mean(str(self.sequence), _SEQUENCES)}"
            )

    def check(self, item: Item, context: Context) -> None:
        pulses(self.sequence, context.target)

    def copies(self, circuit: QuantumCircuit, context: Context) -> list[QuantumCircuit]:
        return [self._padded(circuit, context)[0]]

    def prepare(self, item: Item, context: Context) -> list[Item]:
        return [item.but(circuit=self._padded(item.circuit, context)[0])]

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        added = self._padded(item.circuit, context)[1]
        told = {"dd": {"sequence": self.sequence, "pulses": added}}
        return together(outcomes, outcomes[0].evs, outcomes[0].stds, told)

    def _padded(self, circuit: QuantumCircuit, context: Context) -> tuple[QuantumCircuit, int]:
        table: dict[Any, Any] = context.kept.setdefault("padded", {})
        key = id(circuit), self.sequence, id(context.target)
        if key not in table:
            if len(table) > 1024:
                table.clear()
            table[key] = padded(circuit, self.sequence, context.target), circuit, context.target
        found: tuple[QuantumCircuit, int] = table[key][0]
        return found


def padded(circuit: QuantumCircuit, sequence: str, target: Any) -> tuple[QuantumCircuit, int]:
    """Return an ISA circuit with pulses where qubits wait, and how many were added.

    Raises:
        UnsupportedError: The target lacks a pulse, a delay or a duration.
    """
    gates = pulses(sequence, target)
    if target.dt is None:  # Qiskit's pass counts in units of dt
        target = deepcopy(target)
        target.dt = _UNIT
    passes = PassManager(
        [
            ALAPScheduleAnalysis(target=target),
            PadDynamicalDecoupling(target=target, dd_sequence=gates),
        ]
    )
    try:
        made = passes.run(circuit)
    except TranspilerError as error:
        raise UnsupportedError(
            f"dd: circuit {circuit.name!r} cannot be scheduled: {error.message}"
        ) from error
    made = _in_seconds(made, target.dt)
    before, after = circuit.count_ops(), made.count_ops()
    names = {gate.name for gate in gates}
    added = sum(after.get(name, 0) - before.get(name, 0) for name in names)
    return same_layout(made, circuit), added


def _in_seconds(circuit: QuantumCircuit, dt: float) -> QuantumCircuit:
    """Return a circuit whose delays say seconds, which every device understands."""
    whole = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name == "delay" and instruction.operation.unit == "dt":
            if instruction.operation.duration:
                delay = Delay(instruction.operation.duration * dt, "s")
                whole.append(instruction.replace(operation=delay))
        else:
            whole.append(instruction)
    return whole


def pulses(sequence: str, target: Any) -> list[Any]:
    """Return the gates of a sequence in the device's own set.

    Raises:
        UnsupportedError: See `padded`.
    """
    if target is None:
        raise UnsupportedError("dd: the estimator shows no backend, so nothing has a duration")
    names = target.operation_names
    if "delay" not in names:
        raise UnsupportedError("dd: the device has no delay, so it cannot wait. Leave dd out")
    if "r" in names:
        x, y = RGate(np.pi, 0), RGate(np.pi, np.pi / 2)
    elif "x" in names and ("y" in names or sequence == "XX"):
        x, y = XGate(), YGate()
    else:
        raise UnsupportedError(f"dd: the device has no gates for {sequence}; it has {names}")
    for name in {x.name, y.name} if sequence == "XY4" else {x.name}:
        if any(figures is None or figures.duration is None for figures in target[name].values()):
            raise UnsupportedError(f"dd: the device does not say how long {name} takes")
    return [x, y, x, y] if sequence == "XY4" else [x, x]
