"""Measurements midway, and what depends on them, as Braket's devices have it.

IQM's devices measure for a key and turn a qubit if the key's outcome was 1, if a task asks for
experimental capabilities; that outcome is not among the results. A simulator that lists `if`
returns every measurement. Which qubits can hear of which (feedback groups), no capability document
says: what the machine cannot route, the service refuses, or the task fails with its words.
Source: Amazon Braket Developer Guide, "Explore Experimental Capabilities" (2025);
amazon-braket-default-simulator 1.41, `measure_ff` and `cc_prx`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from qiskit.circuit import Clbit

from qdmi_qiskit.conditions import deciding_bit
from qdmi_qiskit.errors import RejectedError

_IDLE = frozenset({"barrier", "measure"})  # leaves what was measured as it is


def midway(data: Sequence[Any]) -> dict[int, bool]:
    """Return which measurements cannot wait for the end, by their place in the circuit.

    Their qubit is used again, or their bit decides something. The value says whether the bit is
    still theirs at the end: nothing writes it again.
    """
    found: dict[int, bool] = {}
    busy, read, written = set[Any](), set[Any](), set[Any]()
    for place in range(len(data) - 1, -1, -1):
        each = data[place]
        if each.name == "measure":
            (qubit,), (bit,) = each.qubits, each.clbits
            if qubit in busy or bit in read:
                found[place] = bit not in written
            written.add(bit)
            read.discard(bit)
        elif each.name not in _IDLE:
            busy.update(each.qubits)
            read.update(each.clbits)
    return found


def blocks(instruction: Any, name: str) -> tuple[Clbit, list[Any], list[Any]]:
    """Return the bit of an `if_test`, what follows if it is 1, and what follows if it is 0.

    Steps are `(gate's name, angles, qubits of the circuit around it)`.

    Raises:
        RejectedError: There is something else than gates in it, or more than one bit decides.
    """
    found = deciding_bit(instruction.operation.condition)
    if found is None:
        raise RejectedError(
            f"circuit {name!r} has an if_test on more than one bit; Braket's devices decide on one "
            "bit that was measured: write one if_test for each bit"
        )
    bit, first = found
    parts = [list(_steps(block, instruction, name)) for block in instruction.operation.blocks]
    parts.append([])  # an else that is not there
    return (bit, parts[0], parts[1]) if first else (bit, parts[1], parts[0])


def _steps(block: Any, instruction: Any, name: str) -> Iterator[tuple[str, list[Any], list[Any]]]:
    outer = dict(zip(block.qubits, instruction.qubits, strict=True))
    for each in block.data:
        if each.clbits or each.name == "reset":
            raise RejectedError(
                f"circuit {name!r} has {each.name} in an if_test; Braket's devices have gates "
                "there only: move it out"
            )
        if each.name not in ("barrier", "id"):
            yield each.name, list(each.params), [outer[qubit] for qubit in each.qubits]


class Keys:
    """Feedback keys of one program on a device with `measure_ff` and `cc_prx`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next = 0
        self._of: dict[Any, tuple[int, Any]] = {}  # bit -> its key, and the qubit it was read from
        self._hears: dict[Any, Any] = {}  # qubit -> the qubit that decides about it

    def measure(self, qubit: Any, bit: Any = None) -> int:
        """Return a fresh key for a measurement."""
        key, self._next = self._next, self._next + 1
        self._of[bit] = key, qubit
        return key

    def key_for(self, bit: Any, qubit: Any) -> int:
        """Return the key on which a turn of `qubit` is to depend.

        Raises:
            RejectedError: The bit was not measured, or something else decides about the qubit.
        """
        if bit not in self._of:
            raise RejectedError(
                f"circuit {self._name!r} has an if_test on a bit that nothing was measured into"
            )
        key, source = self._of[bit]
        if self._hears.setdefault(qubit, source) != source:
            raise RejectedError(
                f"circuit {self._name!r} lets two qubits decide about one (a reset counts as its "
                "own); on this device a qubit follows a single one: use another qubit"
            )
        return key
