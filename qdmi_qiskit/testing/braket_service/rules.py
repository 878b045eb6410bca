"""What a capability document allows in a program, and constant expressions in one."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qdmi_qiskit.testing.braket_service.documents import Device

CONSTANTS = {
    "pi": math.pi, "π": math.pi, "tau": math.tau, "τ": math.tau, "euler": math.e, "ℇ": math.e,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., float]] = {
    name: getattr(math, name) for name in ("sin", "cos", "tan", "exp", "sqrt")
} | {"arccos": math.acos, "arcsin": math.asin, "arctan": math.atan, "log": math.log}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "%": operator.mod,
}


@dataclass(frozen=True)
class Rules:
    """Rules for programs, read from a document; names of gates are in lower case.

    Attributes:
        labels: Qubits of the device; None: physical qubits are not supported.
        edges: Pairs that two-qubit gates act on, both ways; None: all.
        angles: See `Device.angles`.
    """

    operations: frozenset[str]
    native: frozenset[str]
    pragmas: frozenset[str]
    modifiers: frozenset[str]
    forbidden_arrays: frozenset[str]
    labels: frozenset[int] | None
    edges: frozenset[tuple[int, int]] | None
    qubits: int
    max_qubit_arrays: int | None
    max_bit_arrays: int | None
    partial_box: bool
    unassigned: bool
    classical: bool
    angles: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @classmethod
    def of(cls, device: Device) -> Rules:
        """Read the rules of a device."""
        action, paradigm = device.action, device.document["paradigm"]
        connectivity = paradigm.get("connectivity", {})
        graph = connectivity.get("connectivityGraph", {})
        edges = {(int(a), int(b)) for a, others in graph.items() for b in others}
        physical = bool(action["supportPhysicalQubits"])
        return cls(
            operations=frozenset(name.lower() for name in action["supportedOperations"]),
            native=frozenset(name.lower() for name in paradigm.get("nativeGateSet", ())),
            pragmas=frozenset(action["supportedPragmas"]),
            modifiers=frozenset(each["name"] for each in action["supportedModifiers"]),
            forbidden_arrays=frozenset(action["forbiddenArrayOperations"]),
            labels=frozenset(int(label) for label in graph) if physical else None,
            edges=None if connectivity.get("fullyConnected", True) else frozenset(edges),
            qubits=int(paradigm["qubitCount"]),
            max_qubit_arrays=action["maximumQubitArrays"],
            max_bit_arrays=action["maximumClassicalArrays"],
            partial_box=bool(action["supportsPartialVerbatimBox"]),
            unassigned=bool(action["supportsUnassignedMeasurements"]),
            classical=not device.qpu,
            angles=tuple(device.angles.items()),
        )


def value(node: Any, names: Mapping[str, float]) -> float | None:
    """Return the value of an expression of the syntax tree; None: it cannot be known here."""
    kind = type(node).__name__
    if kind in ("IntegerLiteral", "FloatLiteral"):
        return float(node.value)
    if kind == "Identifier":
        return names.get(node.name, CONSTANTS.get(node.name))
    if kind == "UnaryExpression":
        inner = value(node.expression, names)
        return -inner if inner is not None and node.op.name == "-" else None
    if kind == "BinaryExpression":
        left, right = value(node.lhs, names), value(node.rhs, names)
        if left is None or right is None or node.op.name not in _BINARY:
            return None
        return _BINARY[node.op.name](left, right)
    if kind == "FunctionCall" and node.name.name in FUNCTIONS:
        inner = value(node.arguments[0], names)
        return None if inner is None else FUNCTIONS[node.name.name](inner)
    return None
