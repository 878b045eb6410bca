"""A program on its way to Braket, and the note in it that says how to read its results.

Which column of the outcome is which classical bit stands in a comment of the program, so that
whoever holds the program can read its results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import ParameterExpression

from qdmi_qiskit.model import Values

INPUT = "p{}"
_NOTE = re.compile(r"^// qdmi columns ([-\d,]+)( more)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """A program on its way to Braket.

    Attributes:
        text: OpenQASM 3.
        columns: For each classical bit the column of the outcome that holds it; -1: it is 0.
        inputs: What each `input` stands for, in terms of the circuit's parameters; input k is
            `INPUT.format(k)`. An angle that is no number is an input of its own, so that no
            device has to know an expression of ours.
        parameters: The circuit's parameters, in the order of the columns of values.
        qubits: How many qubits it uses.
    """

    text: str = ""
    columns: tuple[int, ...] = ()
    inputs: tuple[ParameterExpression, ...] = ()
    parameters: tuple[Any, ...] = ()
    qubits: int = 0

    def input_values(self, values: Values) -> dict[str, list[float]]:
        """Return the values of each input at each row of `values`."""
        column = {parameter: k for k, parameter in enumerate(self.parameters)}
        return {
            INPUT.format(k): (
                values[:, column[each]].tolist()
                if each in column
                else _evaluated(each, column, values)
            )
            for k, each in enumerate(self.inputs)
        }


def _evaluated(
    expression: ParameterExpression, column: Mapping[Any, int], values: Values
) -> list[float]:
    used = sorted(expression.parameters, key=column.__getitem__)
    rows = values[:, [column[parameter] for parameter in used]].tolist()
    return [float(expression.bind(dict(zip(used, row, strict=True))).numeric()) for row in rows]


def noted(columns: Sequence[int]) -> str:
    """Return the comment that tells the columns, see `Source.columns`."""
    return "// qdmi columns " + ",".join(["-" if column < 0 else str(column) for column in columns])


def read_note(text: str) -> tuple[tuple[int, ...], bool] | None:
    """Return the columns that a program's comment tells, and whether it goes on the one before."""
    found = _NOTE.search(text)
    if found is None:
        return None
    columns = tuple(-1 if c == "-" else int(c) for c in found[1].split(","))
    return columns, found[2] is not None


def continued(text: str) -> str:
    """Return a program marked as one more point of the task before it."""
    return _NOTE.sub(lambda found: f"// qdmi columns {found[1]} more", text, count=1)
