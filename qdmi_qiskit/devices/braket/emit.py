"""From a circuit to OpenQASM 3 as Braket takes it.

One qubit register (or the device's `$n` labels), one bit register, no include. Measurements come
last, in ascending order of their bits; which of them is which classical bit is written into a
comment of the program, so that whoever holds the program can read its results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from qdmi_qiskit.devices.braket.gates import Word
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.model import Values

_NOTE = re.compile(r"^// qdmi columns ([-\d,]+)( more)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a device's programs look like.

    Attributes:
        words: Qiskit's gate names in the device's words.
        labels: The device's label of each qubit; `None`: it numbers virtual qubits itself.
        verbatim: Gates are native and are not to be compiled again.
        barriers: It takes `barrier`.
        resets: It takes `reset`.
    """

    words: Mapping[str, Word]
    labels: tuple[int, ...] | None = None
    verbatim: bool = False
    barriers: bool = False
    resets: bool = False


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


INPUT = "p{}"


def _evaluated(
    expression: ParameterExpression, column: Mapping[Any, int], values: Values
) -> list[float]:
    used = sorted(expression.parameters, key=column.__getitem__)
    rows = values[:, [column[parameter] for parameter in used]].tolist()
    return [float(expression.bind(dict(zip(used, row, strict=True))).numeric()) for row in rows]


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


def write(circuit: QuantumCircuit, dialect: Dialect) -> Source:
    """Write a circuit that is ISA for the device.

    Raises:
        RejectedError: The device measures at the end only, or has no word for an instruction.
    """
    return _Writer(circuit, dialect).source()


class _Writer:
    def __init__(self, circuit: QuantumCircuit, dialect: Dialect) -> None:
        self._circuit, self._dialect = circuit, dialect
        self._inputs: dict[ParameterExpression, str] = {}
        self._data = list(circuit.data)  # Qiskit makes these objects anew at each pass
        self._used = {
            qubit
            for instruction in self._data
            if instruction.name != "barrier"
            for qubit in instruction.qubits
        }
        self._qubit = self._names()
        self._measured: dict[Any, int] = {}  # qubit -> its measurement that is still true
        self._bits: dict[Any, int] = {}  # classical bit -> measurement
        self._slots: list[Any] = []  # measurement -> qubit

    def _names(self) -> dict[Any, str]:
        labels = self._dialect.labels
        if labels is not None:
            return {
                qubit: f"${label}"
                for qubit, label in zip(self._circuit.qubits, labels, strict=False)
            }
        ordered = [qubit for qubit in self._circuit.qubits if qubit in self._used]
        return {qubit: f"q[{k}]" for k, qubit in enumerate(ordered)}

    def source(self) -> Source:
        gates = list(self._gates())
        kept = sorted(set(self._bits.values()))
        place = {slot: k for k, slot in enumerate(kept)}
        columns = tuple(
            place[self._bits[bit]] if bit in self._bits else -1 for bit in self._circuit.clbits
        )
        note = ",".join("-" if column < 0 else str(column) for column in columns)
        lines = ["OPENQASM 3.0;", f"// qdmi columns {note}"]
        lines += [f"input float {name};" for name in self._inputs.values()]
        if self._dialect.labels is None:
            lines.append(f"qubit[{len(self._qubit)}] q;")
        if kept:
            lines.append(f"bit[{len(kept)}] b;")
        if self._dialect.verbatim and gates:
            lines += ["#pragma braket verbatim", "box{", *gates, "}"]
        else:
            lines += gates
        lines += [
            f"b[{k}] = measure {self._qubit[self._slots[slot]]};" for k, slot in enumerate(kept)
        ]
        return Source(
            "\n".join(lines) + "\n",
            columns,
            tuple(self._inputs),
            tuple(self._circuit.parameters) if self._circuit.num_parameters else (),
            len(self._used),
        )

    def _gates(self) -> Iterator[str]:
        words, names = self._dialect.words, self._qubit
        for instruction in self._data:
            name, qubits = instruction.name, instruction.qubits
            word = words.get(name)
            if word is not None:
                self._check_unmeasured(name, qubits)
                angles = word.angles or instruction.params
                said = word.name
                if angles:
                    said += "(" + ", ".join([self._angle(angle) for angle in angles]) + ")"
                yield f"{said} {', '.join([names[qubit] for qubit in qubits])};"
            elif name == "measure":
                self._measure(qubits[0], instruction.clbits[0])
            elif name == "barrier":
                kept = [names[qubit] for qubit in qubits if qubit in self._used]
                if self._dialect.barriers and kept:
                    yield f"barrier {', '.join(kept)};"
            elif name == "reset" and self._dialect.resets:
                self._check_unmeasured(name, qubits)
                yield f"reset {names[qubits[0]]};"
            else:
                raise RejectedError(
                    f"circuit {self._circuit.name!r} uses {name}, which the device has no word "
                    "for: transpile it for the backend"
                )

    def _measure(self, qubit: Any, bit: Any) -> None:
        """Note a measurement; one more of an unchanged qubit reads what the first one read."""
        slot = self._measured.get(qubit)
        if slot is None:
            slot = self._measured[qubit] = len(self._slots)
            self._slots.append(qubit)
        self._bits[bit] = slot

    def _check_unmeasured(self, name: str, qubits: Sequence[Any]) -> None:
        if self._measured and not self._measured.keys().isdisjoint(qubits):
            raise RejectedError(
                f"circuit {self._circuit.name!r} applies {name} to a qubit after measuring it; "
                "this device measures at the end only: move the measurement"
            )

    def _angle(self, angle: Any) -> str:
        if isinstance(angle, ParameterExpression):
            if angle.parameters:
                return self._inputs.setdefault(angle, INPUT.format(len(self._inputs)))
            angle = angle.numeric()
        number = float(angle)
        if not np.isfinite(number):
            raise RejectedError(
                f"circuit {self._circuit.name!r} has an angle that is {number}: give a number"
            )
        return repr(number)
