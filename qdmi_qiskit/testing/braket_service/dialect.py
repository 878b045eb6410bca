"""OpenQASM 3 as the service accepts it: a program against the rules of a device.

The default simulator executes nearly everything; a device of the service does not.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from qdmi_qiskit.testing.braket_service.operands import Operands, Reading
from qdmi_qiskit.testing.braket_service.rules import Rules

_LOCK = threading.Lock()
FEEDFORWARD = frozenset({"cc_prx", "measure_ff"})


@lru_cache(maxsize=512)
def read(source: str, rules: Rules, experimental: bool) -> Reading:
    """Read a program; the same one is read once.

    Args:
        source: OpenQASM 3 text.
        rules: Of the device.
        experimental: Whether experimental capabilities are enabled (feed-forward).
    """
    with _LOCK:
        return _read(source, rules, experimental)


def _read(source: str, rules: Rules, experimental: bool) -> Reading:
    """Read a program, one at a time: parsers share tables."""
    parser = importlib.import_module("braket.default_simulator.openqasm.parser.openqasm_parser")
    reader = _Reader(rules, experimental)
    try:
        tree = parser.parse(source)
    except Exception as error:  # noqa: BLE001 - whatever a parser of foreign text raises
        reader.found.errors.append(f"the program is no OpenQASM 3: {error or 'syntax error'}")
        return reader.found
    if tree.version is not None and not str(tree.version).startswith("3"):
        reader.found.errors.append(f"[line 1] version {tree.version} is not supported, only 3")
        return reader.found
    reader.block(tree.statements)
    reader.finish()
    return reader.found


class _Reader(Operands):
    """One walk over a syntax tree; a method per kind of node."""

    def block(self, statements: list[Any]) -> None:
        """Walk statements."""
        for node in statements:
            if node.span is not None:
                self.line = node.span.start_line
            kind = type(node).__name__
            if self.verbatim and kind != "Box":
                self.error("a verbatim pragma must stand directly before a box")
                self.verbatim = False
            handler: Callable[[Any], None] | None = getattr(self, f"on_{kind}", None)
            if handler is None:
                self.error(f"{kind} is not supported by the device")
            else:
                handler(node)

    def finish(self) -> None:
        """Judge the program as a whole."""
        self.line = 1
        rules = self.rules
        for what, arrays, most in (
            ("qubit", self.qubits, rules.max_qubit_arrays),
            ("classical", self.bits, rules.max_bit_arrays),
        ):
            if most is not None and len(arrays) > most:
                self.error(f"{len(arrays)} {what} arrays; the device supports at most {most}")
        if sum(self.qubits.values()) > rules.qubits:
            self.error(f"{sum(self.qubits.values())} qubits; the device has {rules.qubits}")
        if self.physical and (self.virtual or self.qubits):
            self.error("physical and virtual qubits cannot be mixed in one program")
        if self.boxes and self.outside and not rules.partial_box:
            self.error("gates outside of the verbatim box: the device wants all of them in it")

    # -- declarations ------------------------------------------------------------------------

    def on_QubitDeclaration(self, node: Any) -> None:  # noqa: N802 - the name of the node
        self.qubits[node.qubit.name] = self.size(node.size)

    def on_ClassicalDeclaration(self, node: Any) -> None:  # noqa: N802
        if type(node.type).__name__ == "BitType":
            self.bits[node.identifier.name] = self.size(node.type.size)
        elif not self.rules.classical and not self.experimental:
            self.error("only bits can be declared for the device")
        if type(node.init_expression).__name__ == "QuantumMeasurement":
            self.measure(node.init_expression.qubit, node.identifier)

    def on_IODeclaration(self, node: Any) -> None:  # noqa: N802
        if node.io_identifier.name != "input":
            self.error("output declarations are not supported by the device")
        elif type(node.type).__name__ not in ("FloatType", "AngleType", "IntType", "UintType"):
            self.error("an input must be a float, an angle or an integer")
        else:
            self.found.inputs.append(node.identifier.name)

    def on_ConstantDeclaration(self, _node: Any) -> None:  # noqa: N802
        self.only_classical("a constant")

    def on_ClassicalAssignment(self, _node: Any) -> None:  # noqa: N802
        self.only_classical("an assignment")

    def on_QuantumGateDefinition(self, node: Any) -> None:  # noqa: N802
        self.only_classical("a gate definition")
        self.gates.add(node.name.name.lower())

    def on_Include(self, node: Any) -> None:  # noqa: N802
        self.error(f"include {node.filename!r} is not supported")

    # -- pragmas, boxes, control flow --------------------------------------------------------

    def on_Pragma(self, node: Any) -> None:  # noqa: N802
        words = node.command.split()
        if words[:1] != ["braket"] or len(words) < 2:
            return self.error(f"unknown pragma {node.command!r}")
        name = words[1].partition("(")[0]
        if name == "verbatim":
            self.verbatim = "verbatim" in self.rules.pragmas
            known = self.verbatim
        elif name == "result":
            kind = words[2].partition("(")[0] if len(words) > 2 else ""
            known = f"braket_result_type_{kind}" in self.rules.pragmas
            self.found.results.append(kind)
        elif name == "noise":
            kind = words[2].partition("(")[0] if len(words) > 2 else ""
            known = f"braket_noise_{kind}" in self.rules.pragmas
        else:
            known = f"braket_{name}_matrix" in self.rules.pragmas
        if not known:
            self.error(f"the pragma {node.command!r} is not supported by the device")
        return None

    def on_Box(self, node: Any) -> None:  # noqa: N802
        if not self.verbatim:
            self.error("a box needs the pragma 'braket verbatim' and a device that supports it")
        self.verbatim = False
        self.box, self.boxes = 1, self.boxes + 1
        self.block(node.body)
        self.box = 0

    def on_ForInLoop(self, node: Any) -> None:  # noqa: N802
        self.only_classical("a loop")
        self.block(node.block)

    def on_BranchingStatement(self, node: Any) -> None:  # noqa: N802
        if "if" not in self.rules.operations:
            self.error("if is not supported by the device")
        self.block([*node.if_block, *node.else_block])

    # -- quantum statements ------------------------------------------------------------------

    def on_QuantumGate(self, node: Any) -> None:  # noqa: N802
        name, rules = node.name.name, self.rules
        known = rules.native if self.box else rules.operations | self.gates
        if name.lower() not in known:
            what = "native gate of" if self.box else "gate supported by"
            self.error(f"uses a gate: {name} which is not a {what} the device")
        elif name.lower() in FEEDFORWARD and not self.experimental:
            self.error(f"uses a gate: {name} which needs experimental capabilities")
        elif name != name.lower() and name != "U":
            self.error(f"uses a gate: {name}; names of gates are in lower case")
        for modifier in node.modifiers:
            if modifier.modifier.name not in rules.modifiers:
                self.error(f"the modifier {modifier.modifier.name} is not supported")
        self.outside += not self.box
        operands = [self.qubits_of(each) for each in node.qubits]
        self.after_measurement([each for operand in operands for each in operand])
        if all(len(operand) == 1 for operand in operands):
            self.coupled(name, [operand[0] for operand in operands])
        if self.box:
            self.angles(name.lower(), node.arguments)
        if name.lower() in FEEDFORWARD:
            self.feedback(name.lower(), node.arguments, operands[0][0])

    def on_QuantumPhase(self, _node: Any) -> None:  # noqa: N802
        if self.box or "gphase" not in self.rules.operations:
            self.error("gphase is not supported by the device")

    def on_QuantumBarrier(self, node: Any) -> None:  # noqa: N802
        if "barrier" not in (self.rules.native if self.box else self.rules.operations):
            self.error("barrier is not supported by the device")
        for each in node.qubits:
            self.qubits_of(each)

    def on_QuantumReset(self, _node: Any) -> None:  # noqa: N802
        if "reset" not in self.rules.operations:
            self.error("reset is not supported by the device")

    def on_DelayInstruction(self, _node: Any) -> None:  # noqa: N802
        if "delay" not in self.rules.operations:
            self.error("delay is not supported by the device")

    def on_QuantumMeasurementStatement(self, node: Any) -> None:  # noqa: N802
        if self.box and not self.experimental:
            self.error("a measurement cannot be in a verbatim box")
        self.measure(node.measure.qubit, node.target)
