"""A program text with holes: a new point costs numbers, not another export.

The circuit is exported once, each open angle replaced by a number that occurs nowhere else; the
text is cut at those numbers. Where an angle is not affine in the parameters, or its number does
not come out in the text exactly once, there is no template and the caller binds and exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterExpression

from qdmi_qiskit.model import Values

_MARK = 70000001.5  # + 1 for each hole: no multiple of pi, exact in binary, never a user's angle


class Template:
    """The text of a circuit, its angles left open."""

    def __init__(self, pieces: Sequence[str], slopes: Values, offsets: Values) -> None:
        """Keep the pieces.

        Args:
            pieces: One more than there are holes.
            slopes: float64, shape `(holes, parameters)`.
            offsets: float64, shape `(holes,)`.
        """
        self._pieces, self._slopes, self._offsets = list(pieces), slopes, offsets

    def texts(self, values: Values) -> Iterator[str]:
        """Yield the text for each row of values, in the order of `circuit.parameters`."""
        angles = values @ self._slopes.T + self._offsets
        parts = [""] * (2 * len(self._pieces) - 1)
        parts[::2] = self._pieces
        for row in angles.tolist():
            # A number reads back exactly, and has the point that OpenQASM 2 demands.
            parts[1::2] = [t if "." in t else t.replace("e", ".0e") for t in map(repr, row)]
            yield "".join(parts)


def template(circuit: QuantumCircuit, write: Callable[[QuantumCircuit], Any]) -> Template | None:
    """Return the template of a circuit, or None if it has none.

    Args:
        circuit: With parameters, without a symbolic global phase.
        write: Exports a circuit; anything but text has no template.
    """
    columns = {parameter: k for k, parameter in enumerate(circuit.parameters)}
    marked: QuantumCircuit = circuit.copy_empty_like()
    rows: list[tuple[dict[int, float], float]] = []
    seen: set[Parameter] = set()
    for instruction in circuit.data:
        operation = instruction.operation
        if not any(isinstance(angle, ParameterExpression) for angle in instruction.params):
            marked._append(instruction)  # noqa: SLF001 - comes from a circuit, checked already
            continue
        if not isinstance(operation, Gate):
            return None
        angles = []
        for angle in instruction.params:
            if isinstance(angle, Parameter):  # most are; asking for its parameters takes longer
                seen.add(angle)
                angles.append(_MARK + len(rows))
                rows.append(({columns[angle]: 1.0}, 0.0))
            elif isinstance(angle, ParameterExpression) and angle.parameters:
                row = _affine(angle, columns)
                if row is None:
                    return None
                seen |= set(angle.parameters)
                angles.append(_MARK + len(rows))
                rows.append(row)
            else:
                angles.append(float(angle))
        fresh = operation.to_mutable()
        fresh.params = angles
        marked._append(instruction.replace(operation=fresh))  # noqa: SLF001
    if len(seen) != len(columns):
        return None  # a parameter elsewhere: in a block or in the global phase
    text = write(marked)
    return _cut(text, rows, len(columns)) if isinstance(text, str) else None


def _affine(
    angle: ParameterExpression, columns: dict[Parameter, int]
) -> tuple[dict[int, float], float] | None:
    """Return slopes by column and the offset, or None if the angle is not affine."""
    slopes = {}
    for parameter in angle.parameters:
        slope = angle.gradient(parameter)
        if isinstance(slope, ParameterExpression):
            if slope.parameters:
                return None
            slope = slope.numeric()
        if isinstance(slope, complex):
            return None
        slopes[columns[parameter]] = float(slope)
    offset = angle.bind(dict.fromkeys(angle.parameters, 0.0)).numeric()
    return None if isinstance(offset, complex) else (slopes, float(offset))


def _cut(text: str, rows: Sequence[tuple[dict[int, float], float]], width: int) -> Template | None:
    marks = re.split(r"(?<![\w.])(7\d{7}\.5)(?![\w.])", text)
    order = [float(mark) - _MARK for mark in marks[1::2]]
    if sorted(order) != list(range(len(rows))):
        return None
    slopes, offsets = np.zeros((len(rows), width)), np.zeros(len(rows))
    for hole, index in enumerate(order):
        slope, offsets[hole] = rows[int(index)]
        slopes[hole, list(slope)] = list(slope.values())
    return Template(marks[::2], slopes, offsets)
