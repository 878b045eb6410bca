"""From a circuit to OpenQASM 3 as Braket takes it.

One qubit register (or the device's `$n` labels), one bit register, no include. Measurements come
last, in ascending order of their bits; which of them is which classical bit is written into a
comment of the program (`source`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from qdmi_qiskit.devices.braket.feedback import Keys, blocks, midway
from qdmi_qiskit.devices.braket.gates import Word
from qdmi_qiskit.devices.braket.source import INPUT, Source, noted
from qdmi_qiskit.errors import RejectedError

_PI = float(np.pi)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a device's programs look like.

    Attributes:
        words: Qiskit's gate names in the device's words.
        labels: The device's label of each qubit; `None`: it numbers virtual qubits itself.
        verbatim: Gates are native and are not to be compiled again.
        barriers: It takes `barrier`.
        resets: It takes `reset`.
        feedback: It takes `measure_ff` and `cc_prx`, in the box.
        branches: It takes measurements anywhere, and `if`.
        experimental: It would take `feedback`, had it been asked for.
    """

    words: Mapping[str, Word]
    labels: tuple[int, ...] | None = None
    verbatim: bool = False
    barriers: bool = False
    resets: bool = False
    feedback: bool = False
    branches: bool = False
    experimental: bool = False


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
        dynamic = dialect.feedback or dialect.branches
        self._midway = midway(self._data) if dynamic else {}
        self._keys = Keys(circuit.name)
        self._written = 0  # bits that measurements midway have filled

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
        kept = sorted({slot for slot in self._bits.values() if slot >= 0})
        first = self._written
        place = {slot: first + k for k, slot in enumerate(kept)}
        place |= {~k: k for k in range(first)}
        columns = tuple(
            place[self._bits[bit]] if bit in self._bits else -1 for bit in self._circuit.clbits
        )
        lines = ["OPENQASM 3.0;", noted(columns)]
        lines += [f"input float {name};" for name in self._inputs.values()]
        if self._dialect.labels is None:
            lines.append(f"qubit[{len(self._qubit)}] q;")
        if first + len(kept):
            lines.append(f"bit[{first + len(kept)}] b;")
        if self._dialect.verbatim and gates:
            lines += ["#pragma braket verbatim", "box{", *gates, "}"]
        else:
            lines += gates
        lines += [f"b[{place[slot]}] = measure {self._qubit[self._slots[slot]]};" for slot in kept]
        return Source(
            "\n".join(lines) + "\n",
            columns,
            tuple(self._inputs),
            tuple(self._circuit.parameters) if self._circuit.num_parameters else (),
            len(self._used),
        )

    def _gates(self) -> Iterator[str]:
        words, names = self._dialect.words, self._qubit
        for index, instruction in enumerate(self._data):
            name, qubits = instruction.name, instruction.qubits
            word = words.get(name)
            if word is not None:
                self._check_unmeasured(name, qubits)
                yield self._gate(word, instruction.params, qubits)
            elif name == "measure" and index in self._midway:
                yield self._measure_now(index, qubits[0], instruction.clbits[0])
            elif name == "measure":
                self._measure(qubits[0], instruction.clbits[0])
            elif name == "barrier":
                kept = [names[qubit] for qubit in qubits if qubit in self._used]
                if self._dialect.barriers and kept:
                    yield f"barrier {', '.join(kept)};"
            elif name == "reset" and self._dialect.resets:
                self._check_unmeasured(name, qubits)
                yield f"reset {names[qubits[0]]};"
            elif name == "reset" and self._dialect.feedback:
                key = self._keys.measure(qubits[0], bit := object())
                yield f"measure_ff({key}) {names[qubits[0]]};"
                yield self._conditional(bit, [_PI, 0.0], qubits[0])
            elif name == "if_else" and self._dialect.feedback:
                yield from self._if_by_key(instruction)
            elif name == "if_else" and self._dialect.branches:
                yield from self._if(instruction)
            else:
                more = " with experimental=True" if self._dialect.experimental else ""
                raise RejectedError(
                    f"circuit {self._circuit.name!r} uses {name}, which the device has no word "
                    f"for: transpile it for the backend{more}"
                )

    def _gate(self, word: Word, params: Sequence[Any], qubits: Sequence[Any]) -> str:
        angles = word.angles or params
        said = word.name
        if angles:
            said += "(" + ", ".join([self._angle(angle) for angle in angles]) + ")"
        return f"{said} {', '.join([self._qubit[qubit] for qubit in qubits])};"

    def _measure_now(self, index: int, qubit: Any, bit: Any) -> str:
        """Measure before the end. What decides later is of the bit as it is now."""
        if self._dialect.branches:
            slot, self._written = self._written, self._written + 1
            self._bits[bit] = ~slot
            return f"b[{slot}] = measure {self._qubit[qubit]};"
        if self._midway[index]:
            raise RejectedError(
                f"circuit {self._circuit.name!r} measures a qubit before the end, and Braket does "
                "not return what this device measures there: measure into the same bit again at "
                "the end, where it is wanted, or into another one"
            )
        self._bits.pop(bit, None)
        return f"measure_ff({self._keys.measure(qubit, bit)}) {self._qubit[qubit]};"

    def _if_by_key(self, instruction: Any) -> Iterator[str]:
        """Write an if_test with turns that happen where a key is 1.

        What is for 0 happens always, and is taken back where the key is 1: exact.
        """
        bit, ones, zeros = blocks(instruction, self._circuit.name)
        for name, _, _ in [*ones, *zeros]:
            if name != "r":
                raise RejectedError(
                    f"circuit {self._circuit.name!r} has {name} in an if_test; this device has r "
                    "there only: transpile it for the backend"
                )
        for _, angles, qubits in zeros:
            yield self._gate(self._dialect.words["r"], angles, qubits)
        for _, (theta, phi), qubits in reversed(zeros):
            yield self._conditional(bit, [-theta, phi], qubits[0])
        for _, angles, qubits in ones:
            yield self._conditional(bit, angles, qubits[0])

    def _conditional(self, bit: Any, angles: Sequence[Any], qubit: Any) -> str:
        theta, phi = [self._angle(angle) for angle in angles]
        key = self._keys.key_for(bit, qubit)
        return f"cc_prx({theta}, {phi}, {key}) {self._qubit[qubit]};"

    def _if(self, instruction: Any) -> Iterator[str]:
        bit, ones, zeros = blocks(instruction, self._circuit.name)
        slot = self._bits.get(bit)
        if slot is None:
            raise RejectedError(
                f"circuit {self._circuit.name!r} has an if_test on a bit that nothing was "
                "measured into"
            )
        words = self._dialect.words
        for value, steps in ((1, ones), (0, zeros)):
            if unknown := [name for name, _, _ in steps if name not in words]:
                raise RejectedError(
                    f"circuit {self._circuit.name!r} has {unknown[0]} in an if_test, which the "
                    "device has no word for: transpile it for the backend"
                )
            if steps:
                gates = [self._gate(words[name], angles, on) for name, angles, on in steps]
                yield f"if (b[{~slot}] == {value}) {{ {' '.join(gates)} }}"

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
