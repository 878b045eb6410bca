"""A circuit as steps on the gates of `amazon-braket-sdk`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from braket.default_simulator.gate_operations import BRAKET_GATES
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, ParameterExpression

from qdmi_qiskit.devices.braket.gates import WORDS
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.model import Values

_NOTHING = frozenset({"barrier", "delay"})
_MAKERS = {name: BRAKET_GATES[word.name] for name, word in WORDS.items()}

Row = Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: what it does, to which qubits (0 to n - 1 of those in use) and bits.

    Attributes:
        kind: `"gate"`, `"measure"`, `"reset"` or `"if"`.
        qubits: Places among the qubits in use.
        bit: Classical bit of a measurement.
        make: Class of a gate.
        angles: Numbers, or expressions of the circuit's parameters.
        ready: The gate where nothing has to be bound.
        condition: Pairs of classical bit and wanted value.
        blocks: What follows if the condition holds, and if it does not.
    """

    kind: str
    qubits: tuple[int, ...] = ()
    bit: int = -1
    make: Any = None
    angles: tuple[Any, ...] = ()
    ready: Any = None
    condition: tuple[tuple[int, int], ...] = ()
    blocks: tuple[tuple[Step, ...], ...] = ()

    def gate(self, row: Row) -> Any:
        """Return the SDK's operation at one point."""
        if self.ready is not None:
            return self.ready
        return self.make(self.qubits, *[_bound(angle, row) for angle in self.angles])


@dataclass(frozen=True, slots=True)
class Plan:
    """A circuit as steps.

    Attributes:
        steps: All but the last measurements.
        last: Pairs (qubit, bit) measured at the end.
        qubits: For each qubit in use its index in the circuit.
        num_bits: Classical bits.
        parameters: The circuit's, in the order of the columns of values.
    """

    steps: tuple[Step, ...]
    last: tuple[tuple[int, int], ...]
    qubits: tuple[int, ...]
    num_bits: int
    parameters: tuple[Any, ...]

    @property
    def random(self) -> bool:
        """Whether the state before the last measurements is random."""
        return any(step.kind != "gate" for step in self.steps)

    def rows(self, values: Values) -> Iterator[Row]:
        """Yield the parameters' values point by point."""
        for row in values.tolist():
            yield dict(zip(self.parameters, row, strict=True))


def _bound(angle: Any, row: Row) -> float:
    if not isinstance(angle, ParameterExpression):
        return float(angle)
    if angle in row:
        return row[angle]
    bound = angle.bind({parameter: row[parameter] for parameter in angle.parameters})
    return float(bound.numeric())


def planned(circuit: QuantumCircuit) -> Plan:
    """Return the steps of a circuit.

    Raises:
        RejectedError: An instruction is none that the simulators know.
    """
    used = {q for each in circuit.data if each.name not in _NOTHING for q in each.qubits}
    places = [k for k, qubit in enumerate(circuit.qubits) if qubit in used]
    qubit = {circuit.qubits[place]: k for k, place in enumerate(places)}
    bit = {each: k for k, each in enumerate(circuit.clbits)}
    steps = list(_steps(circuit, qubit, bit))
    last = list[tuple[int, int]]()
    busy, written, ended = set[int](), set[int](), set[int]()
    kept = list[Step]()
    for step in reversed(steps):
        if step.kind == "measure" and step.qubits[0] not in busy and step.bit not in written:
            if step.bit not in ended:  # else a later measurement overwrites it
                last.append((step.qubits[0], step.bit))
                ended.add(step.bit)
            continue
        kept.append(step)
        busy.update(step.qubits)
        written.update(_touched(step))
    return Plan(
        tuple(reversed(kept)),
        tuple(reversed(last)),
        tuple(places),
        circuit.num_clbits,
        tuple(circuit.parameters),
    )


def _touched(step: Step) -> Iterator[int]:
    if step.kind == "measure":
        yield step.bit
    for wanted, _ in step.condition:
        yield wanted
    for block in step.blocks:
        for inner in block:
            yield from _touched(inner)


def _steps(
    circuit: QuantumCircuit, qubit: Mapping[Any, int], bit: Mapping[Any, int]
) -> Iterator[Step]:
    for instruction in circuit.data:
        name = instruction.name
        if name in _NOTHING:
            continue
        qubits = tuple([qubit[each] for each in instruction.qubits])
        if name in _MAKERS:
            make = _MAKERS[name]
            angles = tuple(instruction.params)
            fixed = all(not isinstance(a, ParameterExpression) or not a.parameters for a in angles)
            ready = make(qubits, *[_bound(a, {}) for a in angles]) if fixed else None
            yield Step("gate", qubits, make=make, angles=angles, ready=ready)
        elif name == "measure":
            yield Step("measure", qubits, bit[instruction.clbits[0]])
        elif name == "reset":
            yield Step("reset", qubits)
        elif name == "if_else":
            yield _branching(circuit, instruction, qubits, bit)
        else:
            raise RejectedError(
                f"circuit {circuit.name!r} uses {name}, which the local simulators do not know: "
                "transpile it for the backend"
            )


def _branching(
    circuit: QuantumCircuit, instruction: Any, qubits: tuple[int, ...], bit: Mapping[Any, int]
) -> Step:
    operation = instruction.operation
    if not isinstance(operation.condition, tuple):
        raise RejectedError(
            f"circuit {circuit.name!r} branches on an expression; the local simulators branch on "
            "a bit or a register with a value"
        )
    bits, wanted = operation.condition
    bits = [bits] if isinstance(bits, Clbit) else list(bits)
    condition = tuple((bit[each], int(wanted) >> k & 1) for k, each in enumerate(bits))
    if int(wanted) >> len(bits):
        condition = ((-1, 1),)  # no register of this size holds that value
    blocks = tuple(
        tuple(
            _steps(
                block,
                dict(zip(block.qubits, qubits, strict=True)),
                dict(zip(block.clbits, [bit[c] for c in instruction.clbits], strict=True)),
            )
        )
        for block in operation.blocks
    )
    return Step("if", qubits, condition=condition, blocks=blocks)
