"""`if_test` for hardware that knows one thing only: a pulse that is played if a bit is 1.

What is to happen if the bit is 0 happens always, and is taken back if the bit is 1; then follows
what is to happen if it is 1. That is exact, and serves an `else` and a condition on 0 alike.

Which qubits can hear of which (feedback groups) is in none of the documents that are read here; the
server has it in a protobuf of channel properties alone. What it cannot route it refuses, in its
words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import Clbit, Qubit

from qdmi_qiskit.conditions import deciding_bit
from qdmi_qiskit.devices.iqm.angles import Form
from qdmi_qiskit.devices.iqm.fold import Folder, Pulse

CONTROL_FLOW = frozenset(
    {"if_else", "switch_case", "for_loop", "while_loop", "break_loop", "continue_loop", "box"}
)
_PI = Form(math.pi)


@dataclass(frozen=True)
class Turn:
    """A rotation of one qubit: about the axis at `phase` in the xy plane, or about z if None."""

    qubit: int
    angle: Form
    phase: Form | None = None


class NotThereError(Exception):
    """The device has nothing for this; says what."""


def condition_of(condition: Any) -> tuple[Clbit, bool]:
    """Return the bit that decides, and whether the first block is for its being 1.

    Raises:
        NotThereError: It is not one bit.
    """
    found = deciding_bit(condition)
    if found is None:
        raise NotThereError(
            "has an if_test on more than one bit: IQM's hardware decides on one bit that was "
            "measured, so write it as one if_test for each bit, or as several circuits"
        )
    return found


def turns_of(
    block: Any, outer: Mapping[Qubit, int], form: Callable[[Any], Form]
) -> tuple[Turn, ...]:
    """Return a block's gates.

    Args:
        block: A circuit.
        outer: From its qubits to those of the circuit around it.
        form: Reads an angle.

    Raises:
        NotThereError: Something else than a single-qubit gate is in it.
    """
    turns = []
    for each in block.data:
        name, qubit = each.operation.name, outer[each.qubits[0]]
        if name in ("id", "barrier"):
            continue
        if name not in ("r", "rz"):
            what = f"another {name}" if name in CONTROL_FLOW else name
            raise NotThereError(
                f"has {what} in an if_test: IQM's hardware has single-qubit gates there only"
            )
        forms = [form(angle) for angle in each.operation.params]
        turns.append(Turn(qubit, *forms))
    return tuple(turns)


def inverse(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return what takes rotations back."""
    return tuple(Turn(each.qubit, -each.angle, each.phase) for each in reversed(turns))


def play(turns: Iterable[Turn], folder: Folder) -> None:
    """Add rotations to a folder."""
    for each in turns:
        if each.phase is None:
            folder.rz(each.qubit, each.angle)
        else:
            folder.r(each.qubit, each.angle, each.phase)


def pulses_of(turns: Sequence[Turn]) -> dict[int, list[Pulse]]:
    """Return pulses for each qubit that are the same as rotations, up to a phase of the whole.

    A frame cannot depend on a bit, so what is left of rotations about z becomes pulses too: two
    half turns, of which the first joins the pulse before it.
    """
    found: dict[int, list[Pulse]] = {}
    folder = Folder(lambda qubit, *pulse: found.setdefault(qubit, []).append(pulse))
    play(turns, folder)
    folder.flush_all()
    for qubit in dict.fromkeys(each.qubit for each in turns):
        frame = folder.frame(qubit)
        if frame.turns_to(0.0):
            continue
        pulses = found.setdefault(qubit, [])
        angle, phase = pulses.pop() if pulses else (Form(), Form())
        if not (angle + _PI).turns_to(0.0):
            pulses.append((angle + _PI, phase))
        pulses.append((_PI, phase + frame * 0.5))
    return found
