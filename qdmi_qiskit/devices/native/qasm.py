"""From a Qiskit circuit to OpenQASM as QDMI wants it: the device's own names, one register `q`.

QDMI: `q[i]` is the i-th site in the device's list, and only operations that the device lists may
occur. Classical bits are one register too, bit k of the circuit being `c[k]`.
Source: QDMI 1.4, `QDMI_PROGRAM_FORMAT_QASM2` and `_QASM3`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Clbit, IfElseOp, ParameterExpression
from qiskit.circuit.classical import expr

from qdmi_qiskit.devices.native.profiles import Zeroes
from qdmi_qiskit.errors import RejectedError

_SECONDS = {"s": "s", "ms": "ms", "us": "us", "ns": "ns", "ps": "e-3ns", "dt": "dt"}


def placed(circuit: QuantumCircuit, places: Sequence[int], width: int | None) -> list[int]:
    """Return where each qubit of a circuit is in a program.

    Args:
        circuit: Any.
        places: Position of each qubit in the device's list of sites.
        width: How many sites that list has; None: any qubits do, and idle ones take no room (-1).

    Raises:
        RejectedError: The circuit has more qubits than the device.
    """
    if circuit.num_qubits > len(places):
        raise RejectedError(
            f"circuit {circuit.name!r} has {circuit.num_qubits} qubits, of {len(places)} there"
        )
    if width is not None:
        return list(places[: circuit.num_qubits])
    used = {qubit for each in circuit.data if each.name != "barrier" for qubit in each.qubits}
    count = itertools.count()
    return [next(count) if qubit in used else -1 for qubit in circuit.qubits]


class QasmWriter:
    """Writes circuits for one device; qubit k of a circuit is site `places[k]` of its list."""

    def __init__(
        self,
        names: Mapping[str, str],
        places: Sequence[int],
        width: int | None,
        *,
        version: int,
        zeroes: Zeroes = "stated",
        words: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> None:
        """Write for a device.

        Args:
            names: The device's name for each of Qiskit's.
            places: Position of each qubit in the device's list of sites.
            width: How many sites that list has; None: programs may have fewer qubits.
            version: 2 or 3.
            zeroes: What bits are that nothing measures; version 3 only.
            words: How operations are written that the device lists under names which its own
                parser does not know; `{n}` is the number of qubits less one.
            again: Whether a qubit that was measured can be measured again at once; else a
                barrier comes between.
        """
        self._names, self._places, self._width = names, places, width
        self._version, self._zeroes = version, zeroes
        self._words, self.again = words or {}, again

    def __call__(self, circuit: QuantumCircuit) -> str:
        """Write one circuit, all parameters bound.

        Raises:
            RejectedError: The device has no word for something in it.
        """
        places = placed(circuit, self._places, self._width)
        lines = self.lines(circuit, places)
        return "\n".join([*self._head(circuit, max(len(set(places)), 1)), *lines, ""])

    def _head(self, circuit: QuantumCircuit, used: int) -> list[str]:
        width, bits = self._width or used, circuit.num_clbits
        if self._version == 2:
            head = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{width}];"]
            return [*head, f"creg c[{bits}];"] if bits else head
        head = ["OPENQASM 3.0;", 'include "stdgates.inc";']
        if bits:
            head.append(f"bit[{bits}] c{self._zero(circuit)};")
        head.append(f"qubit[{width}] q;")
        return head

    def _zero(self, circuit: QuantumCircuit) -> str:
        """Return what gives bits the value 0 that they have in Qiskit from the start."""
        measured = {each.clbits[0] for each in circuit.data if each.name == "measure"}
        if self._zeroes == "implied" or len(measured) == circuit.num_clbits:
            return ""
        return f' = "{"0" * circuit.num_clbits}"'

    def word(self, name: str, size: int = 1) -> str | None:
        """Return how an operation on that many qubits is written; None if there is none."""
        own = self._names.get(name)
        if own is None:
            return None
        return self._words.get(name, own).replace("{n}", str(size - 1))

    def lines(self, circuit: QuantumCircuit, places: list[int]) -> Iterator[str]:
        """Yield the statements of a circuit, qubit k of it being `q[places[k]]`."""
        return _Body(self, circuit, places).lines()

    @property
    def width(self) -> int | None:
        """How many sites the device has; None where any qubits do."""
        return self._width

    @property
    def version(self) -> int:
        """2 or 3."""
        return self._version


class _Body:
    """The statements of one circuit."""

    def __init__(self, writer: QasmWriter, circuit: QuantumCircuit, places: list[int]) -> None:
        self._writer, self._circuit, self._places = writer, circuit, places
        self._measured: set[int] = set()
        self._bits = {bit: k for k, bit in enumerate(circuit.clbits)}

    def lines(self) -> Iterator[str]:
        """Yield one statement after the other."""
        qubits = dict(zip(self._circuit.qubits, self._places, strict=True))
        yield from self._block(self._circuit, qubits, self._bits)

    def _block(
        self, circuit: QuantumCircuit, qubits: Mapping[Any, int], bits: Mapping[Clbit, int]
    ) -> Iterator[str]:
        version = self._writer.version
        for instruction in circuit.data:
            operation, name = instruction.operation, instruction.name
            where = [qubits[qubit] for qubit in instruction.qubits]
            on = ", ".join([f"q[{place}]" for place in where if place >= 0])
            if name == "measure":
                if where[0] in self._measured and not self._writer.again:
                    yield f"barrier {on};"
                self._measured.add(where[0])
                bit = f"c[{bits[instruction.clbits[0]]}]"
                yield f"measure {on} -> {bit};" if version == 2 else f"{bit} = measure {on};"
                continue
            if name == "barrier":
                if on:
                    yield f"barrier {on};"
                continue
            self._measured -= set(where)
            if name == "delay":
                yield self._delay(operation, on)
            elif isinstance(operation, IfElseOp):
                yield from self._if(operation, instruction, qubits, bits)
            else:
                yield self._gate(operation, instruction.params, len(where), on)

    def _gate(self, operation: Any, params: Sequence[Any], size: int, on: str) -> str:
        word = self._writer.word(operation.name, size)
        if word is None or not _plain(operation):
            self._refuse(f"uses {operation.name}, which this device has not: transpile it first")
        angles = ", ".join([self._number(angle) for angle in params])
        return f"{word}({angles}) {on};" if angles else f"{word} {on};"

    def _number(self, angle: Any) -> str:
        if isinstance(angle, ParameterExpression):
            if angle.parameters:
                self._refuse(f"has an angle {angle} without a value: bind it")
            angle = angle.numeric()
        try:
            text = repr(float(angle))
        except (TypeError, ValueError):
            self._refuse(f"has an angle {angle!r}, which is no real number")
        if text in ("inf", "-inf", "nan"):
            self._refuse(f"has an angle {text}")
        return text if "." in text else text.replace("e", ".0e")

    def _delay(self, operation: Any, on: str) -> str:
        if self._writer.version == 2 or self._writer.word("delay") is None:
            self._refuse("has a delay, which this device has not")
        unit = _SECONDS.get(operation.unit)
        if unit is None:
            self._refuse(f"has a delay in {operation.unit!r}: give it in seconds")
        return f"delay[{self._number(operation.params[0])}{unit}] {on};"

    def _if(
        self,
        operation: IfElseOp,
        instruction: Any,
        qubits: Mapping[Any, int],
        bits: Mapping[Clbit, int],
    ) -> Iterator[str]:
        if self._writer.version == 2 or self._writer.word("if_else") is None:
            self._refuse("has an if_test, which this device has not")
        then, *others = operation.blocks
        yield f"if ({self._condition(operation.condition, bits)}) {{"
        yield from self._inner(then, instruction, qubits, bits)
        for other in others:
            yield "} else {"
            yield from self._inner(other, instruction, qubits, bits)
        yield "}"

    def _inner(
        self,
        block: QuantumCircuit,
        instruction: Any,
        qubits: Mapping[Any, int],
        bits: Mapping[Clbit, int],
    ) -> Iterator[str]:
        inside = {
            own: qubits[outer] for own, outer in zip(block.qubits, instruction.qubits, strict=True)
        }
        within = {
            own: bits[outer] for own, outer in zip(block.clbits, instruction.clbits, strict=True)
        }
        yield from self._block(block, inside, {**bits, **within})

    def _condition(self, condition: Any, bits: Mapping[Clbit, int]) -> str:
        if isinstance(condition, expr.Var) and isinstance(condition.var, Clbit):
            return f"c[{bits[condition.var]}]"
        if isinstance(condition, expr.Unary) and condition.op in (
            expr.Unary.Op.BIT_NOT,
            expr.Unary.Op.LOGIC_NOT,
        ):
            return f"!({self._condition(condition.operand, bits)})"
        if isinstance(condition, tuple):
            target, value = condition
            wanted = [(target, int(value))] if isinstance(target, Clbit) else None
            if isinstance(target, ClassicalRegister):
                wanted = [(bit, int(value) >> k & 1) for k, bit in enumerate(target)]
            if wanted:
                parts = [f"c[{bits[bit]}]" if one else f"!c[{bits[bit]}]" for bit, one in wanted]
                return " && ".join(parts)
        return self._refuse("has an if_test on something else than bits being 0 or 1")

    def _refuse(self, what: str) -> NoReturn:
        raise RejectedError(f"circuit {self._circuit.name!r} {what}")


def _plain(operation: Any) -> bool:
    """Whether an operation is all that its name says: a control state other than ones is not."""
    state = getattr(operation, "ctrl_state", None)
    return state is None or state == (1 << operation.num_ctrl_qubits) - 1
