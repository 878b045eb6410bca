"""Operands of a program: which qubits and bits a statement names, and whether it may.

What it may not is said with the line, as in the real service's sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isclose
from typing import Any

from qdmi_qiskit.testing.braket_service.rules import Rules, value

Element = int | tuple[str, int] | None  # a label, an element of a register, or not known here


@dataclass
class Reading:
    """What reading a program found.

    Attributes:
        errors: Sentences; empty: the program is accepted.
        inputs: Names of its `input` variables.
        results: Result types that it asks for.
        angles: Triples (line, expression, accepted values) that depend on inputs.
    """

    errors: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    angles: list[tuple[int, Any, tuple[float, ...]]] = field(default_factory=list)

    def with_inputs(self, given: dict[str, float]) -> list[str]:
        """Return what is wrong with one row of inputs."""
        wrong = [f"the input {name} has no value" for name in self.inputs if name not in given]
        wrong += [f"{name} is no input of the program" for name in given if name not in self.inputs]
        return wrong + [
            _bad_angle(line, found, accepted)
            for line, node, accepted in self.angles
            if (found := value(node, given)) is not None and not _among(found, accepted)
        ]


class Operands:
    """What a walk over a program has seen of qubits and bits."""

    def __init__(self, rules: Rules, experimental: bool) -> None:
        self.rules, self.experimental = rules, experimental
        self.midway = experimental or "if" in rules.operations  # measurements not only at the end
        self.found = Reading()
        self.line = 1
        self.qubits: dict[str, int] = {}
        self.bits: dict[str, int] = {}
        self.measured: set[Any] = set()
        self.written: set[tuple[str, int]] = set()
        self.gates: set[str] = set()
        self.physical = self.virtual = False
        self.box = self.boxes = self.outside = 0
        self.verbatim = False
        self.keys: dict[int, Element] = {}  # feedback key -> the qubit it was read from
        self.hears: dict[Element, Element] = {}

    def error(self, words: str) -> None:
        """Note an error at the present line."""
        self.found.errors.append(f"[line {self.line}] {words}")

    def measure(self, qubit: Any, target: Any) -> None:
        """Note a measurement."""
        if target is None and not self.rules.unassigned:
            self.error("a measurement must be assigned to a bit")
        sources = self.qubits_of(qubit)
        for source in sources:
            if source is not None and source in self.measured and not self.midway:
                self.error(f"qubit {_shown(source)} is measured twice")
        self.measured.update(sources)
        if target is not None:
            self.write(target, len(sources))

    def write(self, target: Any, width: int) -> None:
        """Note that bits are written."""
        name, index = _named(target)
        if name not in self.bits:
            return self.error(f"the bit {name} is not declared")
        size = self.bits[name]
        if index is None:
            places = list(range(size))
            if size != width:
                self.error(f"{width} qubits are measured into {size} bits")
        else:
            found = value(index, {})
            places = [] if found is None else [int(found)]
        for place in places:
            if not 0 <= place < size:
                self.error(f"{name}[{place}] is out of range")
            elif (name, place) in self.written:
                self.error(f"the bit {name}[{place}] is written twice")
            self.written.add((name, place))
        return None

    def after_measurement(self, qubits: list[Element]) -> None:
        """Refuse what goes on after a measurement."""
        for qubit in qubits:
            if qubit is not None and qubit in self.measured and not self.midway:
                self.error(f"qubit {_shown(qubit)} is used after its measurement")

    def coupled(self, name: str, qubits: list[Element]) -> None:
        """Check that a gate can act where it is put."""
        known = [qubit for qubit in qubits if qubit is not None]
        if len(set(known)) < len(known):
            self.error(f"{name} acts on one qubit twice")
        pair = tuple(qubits)
        edges = self.rules.edges if self.box and self.physical else None
        if edges is not None and len(pair) == 2 and None not in pair and pair not in edges:
            self.error(f"{name} on ${pair[0]}, ${pair[1]}, which are not connected")

    def angles(self, name: str, arguments: list[Any]) -> None:
        """Check the angles of a native gate that takes only some."""
        accepted = dict(self.rules.angles).get(name)
        if accepted is None:
            return
        for node in arguments:
            if (found := value(node, {})) is None:
                self.found.angles.append((self.line, node, accepted))
            elif not _among(found, accepted):
                self.found.errors.append(_bad_angle(self.line, found, accepted))

    def feedback(self, name: str, arguments: list[Any], qubit: Element) -> None:
        """Check a measurement for a key, or a turn that depends on one.

        Source: Amazon Braket examples, notes on IQM devices: a qubit follows one source only.
        """
        key = value(arguments[-1], {}) if arguments else None
        if key is None or key != int(key) or key < 0:
            self.error(f"the feedback key of {name} must be a non-negative integer")
        elif name == "measure_ff":
            self.keys[int(key)] = qubit
        elif int(key) not in self.keys:
            self.error(f"no measure_ff comes before cc_prx with the feedback key {int(key)}")
        elif self.hears.setdefault(qubit, self.keys[int(key)]) != self.keys[int(key)]:
            self.error(f"qubit {_shown(qubit)} follows more than one measured qubit")

    def qubits_of(self, node: Any) -> list[Element]:
        """Return the qubits that an operand names."""
        name, index = _named(node)
        if name.startswith("$"):
            self.physical = True
            label = int(name[1:])
            if self.rules.labels is None:
                self.error("physical qubits are not supported by the device")
            elif label not in self.rules.labels:
                self.error(f"qubit {name} does not exist on the device")
            return [label]
        self.virtual = True
        if self.box:
            self.error("a verbatim box needs physical qubits")
        if name not in self.qubits:
            if not self.rules.classical:
                self.error(f"the qubit {name} is not declared")
            return [None]
        if index is None:
            return [(name, place) for place in range(self.qubits[name])]
        return [self.element(name, index)]

    def element(self, name: str, index: Any) -> Element:
        """Return an element of a register."""
        kind = type(index).__name__
        forbidden = {"RangeDefinition": "slicing", "DiscreteSet": "selection"}.get(kind)
        place = value(index, {})
        if place is not None and place < 0:
            forbidden = "negativeIndex"
        if forbidden is not None and forbidden in self.rules.forbidden_arrays:
            self.error(f"the array operation {forbidden} is not supported by the device")
        if place is None or forbidden is not None:
            return None
        if place >= self.qubits[name]:
            self.error(f"{name}[{int(place)}] is out of range")
        return (name, int(place))

    def size(self, node: Any) -> int:
        """Return the size of a register."""
        found = 1.0 if node is None else value(node, {})
        return int(found or 0)

    def only_classical(self, what: str) -> None:
        """Refuse what needs classical computing."""
        if not self.rules.classical:
            self.error(f"{what} is not supported by the device")


def _named(node: Any) -> tuple[str, Any]:
    """Return the name and the index of an operand; None: it has none."""
    if type(node).__name__ == "Identifier":
        return node.name, None
    if type(node).__name__ == "IndexExpression":
        index = node.index
        name = node.collection.name
    else:
        index, name = node.indices[0], node.name.name
    return name, index[0] if isinstance(index, list) else index


def _among(found: float, accepted: tuple[float, ...]) -> bool:
    """Tell whether an angle is one of those accepted."""
    return any(isclose(found, each, abs_tol=1e-6) for each in accepted)


def _bad_angle(line: int, found: float, accepted: tuple[float, ...]) -> str:
    """Say that an angle is not accepted."""
    shown = ", ".join(f"{each:.4f}" for each in accepted)
    return f"[line {line}] the angle {found:.6f} is not native; native are {shown}"


def _shown(qubit: Element) -> str:
    """Return a qubit as text."""
    if isinstance(qubit, tuple):
        return f"{qubit[0]}[{qubit[1]}]"
    return f"${qubit}" if isinstance(qubit, int) else str(qubit)
