"""Angles of a circuit as linear forms, so that a table of values is bound by numpy at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression

from qdmi_qiskit.model import Values

_TURN = 2 * math.pi
_CLOSE = 1e-10


@dataclass(frozen=True)
class Form:
    """`constant` plus the sum of `terms[k]` times atom k."""

    constant: float = 0.0
    terms: Mapping[int, float] = field(default_factory=dict)

    def __add__(self, other: Form) -> Form:
        if not other.terms:
            return Form(self.constant + other.constant, self.terms)
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            total = terms.get(atom, 0.0) + factor
            if abs(total) > _CLOSE:
                terms[atom] = total
            else:
                terms.pop(atom, None)
        return Form(self.constant + other.constant, terms)

    def __neg__(self) -> Form:
        return self * -1.0

    def __sub__(self, other: Form) -> Form:
        return self + (-other)

    def __mul__(self, factor: float) -> Form:
        terms = {atom: factor * each for atom, each in self.terms.items()}
        return Form(self.constant * factor, terms)

    @property
    def fixed(self) -> bool:
        """Whether it depends on no parameter."""
        return not self.terms

    def turns_to(self, angle: float) -> bool:
        """Whether it is `angle` up to full turns, whatever the parameters are."""
        return self.fixed and abs(wrapped(self.constant - angle)) < _CLOSE


def wrapped(angle: float) -> float:
    """Return an angle between -pi and pi."""
    return math.remainder(angle, _TURN)


@dataclass(frozen=True)
class Atoms:
    """What forms are linear in: parameters, and expressions that are not linear in them.

    Attributes:
        columns: For each atom the column of values that it is, or -1.
        expressions: For each atom that is no column, the expression by the atom's number.
        parameters: In the order of the columns.
    """

    columns: tuple[int, ...] = ()
    expressions: Mapping[int, Any] = field(default_factory=dict)
    parameters: tuple[Parameter, ...] = ()

    def evaluate(self, values: Values) -> Values:
        """Return float64 of shape `(points, atoms)`."""
        table = np.empty((len(values), len(self.columns)))
        for atom, column in enumerate(self.columns):
            if column >= 0:
                table[:, atom] = values[:, column]
        for atom, expression in self.expressions.items():
            wanted = expression.parameters
            used = [(k, p) for k, p in enumerate(self.parameters) if p in wanted]
            for row, point in zip(table, values.tolist(), strict=True):
                row[atom] = float(expression.bind_all({p: point[k] for k, p in used}))
        return table


class Reader:
    """Turns the angles of one circuit into forms."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self._parameters = tuple(circuit.parameters)
        self._column = {parameter: k for k, parameter in enumerate(self._parameters)}
        self._columns: list[int] = []
        self._expressions: dict[int, Any] = {}
        self._atoms: dict[Any, int] = {}

    @property
    def atoms(self) -> Atoms:
        """What the forms read so far are linear in."""
        return Atoms(tuple(self._columns), dict(self._expressions), self._parameters)

    def form(self, angle: Any) -> Form:
        """Return an angle of the circuit as a form.

        Raises:
            TypeError: It is no real number.
        """
        if not isinstance(angle, ParameterExpression):
            return Form(float(angle))
        if isinstance(angle, Parameter):
            return Form(0.0, {self._parameter(angle): 1.0})
        parameters = list(angle.parameters)
        slopes = [angle.gradient(parameter) for parameter in parameters]
        if any(isinstance(slope, ParameterExpression | complex) for slope in slopes):
            return Form(0.0, {self._expression(angle): 1.0})
        start = float(angle.bind_all(dict.fromkeys(parameters, 0.0)))
        terms = {
            self._parameter(parameter): float(slope)
            for parameter, slope in zip(parameters, slopes, strict=True)
            if slope
        }
        return Form(start, terms)

    def _parameter(self, parameter: Parameter) -> int:
        if parameter not in self._atoms:
            self._atoms[parameter] = len(self._columns)
            self._columns.append(self._column[parameter])
        return self._atoms[parameter]

    def _expression(self, expression: ParameterExpression) -> int:
        if expression not in self._atoms:
            self._atoms[expression] = len(self._columns)
            self._expressions[len(self._columns)] = expression
            self._columns.append(-1)
        return self._atoms[expression]


@dataclass(frozen=True)
class Slots:
    """Forms in a row, ready to be evaluated together.

    Attributes:
        forms: In order.
        angular: Whether each is an angle, which is sent between -pi and pi.
        atoms: What they are linear in.
    """

    forms: tuple[Form, ...] = ()
    angular: tuple[bool, ...] = ()
    atoms: Atoms = field(default_factory=Atoms)

    def evaluate(self, values: Values) -> Values:
        """Return float64 of shape `(points, forms)`."""
        out = np.empty((len(values), len(self.forms)))
        out[:] = [form.constant for form in self.forms]
        table = self.atoms.evaluate(values)
        for column, form in enumerate(self.forms):
            for atom, factor in form.terms.items():
                out[:, column] += factor * table[:, atom]
        turned = np.array(self.angular, bool)
        out[:, turned] -= _TURN * np.round(out[:, turned] / _TURN)
        return out


def rotation(angles: Sequence[float]) -> tuple[float, float, float]:
    """Fold R(a2, d) R(a1, 0), `R(a1, 0)` first, into Rz(z) R(a, p): return `(z, a, p)`.

    Args:
        angles: `(a1, a2, d)`.
    """
    a1, a2, d = angles
    c1, s1, c2, s2 = (
        math.cos(a1 / 2),
        math.sin(a1 / 2),
        math.cos(a2 / 2),
        math.sin(a2 / 2),
    )
    # First column of the product, R(t, p) = [[cos, -i e^-ip sin], [-i e^ip sin, cos]] (half t).
    phase = complex(math.cos(d), math.sin(d))
    top = c2 * c1 - phase.conjugate() * s2 * s1
    bottom = -1j * (phase * s2 * c1 + c2 * s1)
    angle = 2 * math.atan2(abs(bottom), abs(top))
    if abs(bottom) < _CLOSE:
        return -2 * math.atan2(top.imag, top.real), 0.0, 0.0
    turn = math.atan2(bottom.imag, bottom.real) + math.pi / 2
    if abs(top) < _CLOSE:
        return 0.0, math.pi, turn
    z = -2 * math.atan2(top.imag, top.real)
    return z, angle, turn - z / 2
