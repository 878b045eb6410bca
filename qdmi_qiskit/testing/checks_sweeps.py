"""Checks of parametrised programs, native or expanded by the planner."""

from __future__ import annotations

import numpy as np
from qiskit.circuit import Parameter, ParameterVector

from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import Shots, Values
from qdmi_qiskit.testing.circuits import turns
from qdmi_qiskit.testing.harness import Harness, assert_layout

_PI = float(np.pi)
_PATTERN = (1, 0, 0, 1, 0)  # neither a rotation nor the reverse of it is the same


def _column(pattern: tuple[int, ...]) -> Values:
    return np.array([[_PI * one] for one in pattern])


def check_sweep_points_in_order(harness: Harness) -> None:
    """Point k of the outcome belongs to row k of the values."""
    (shots,) = harness.sample([(turns([Parameter("theta")]), _column(_PATTERN))])
    assert_layout(shots, len(_PATTERN), harness.usable_shots)
    for point, want in enumerate(_PATTERN):
        harness.compare(shots, want, "return points in the order of Task.values", point=point)


def check_sweep_columns_by_name(harness: Harness) -> None:
    """Parameters p2 and p10: columns are in `circuit.parameters` order, p10 first."""
    p2, p10 = Parameter("p2"), Parameter("p10")
    _compare_columns(harness, [p2, p10], [p10, p2])


def check_sweep_columns_of_vectors(harness: Harness) -> None:
    """Elements 2 and 10 of a vector: columns are in `circuit.parameters` order, 2 first."""
    vector = ParameterVector("v", 11)
    _compare_columns(harness, [vector[10], vector[2]], [vector[2], vector[10]])


def _compare_columns(harness: Harness, angles: list[Parameter], columns: list[Parameter]) -> None:
    circuit = turns(angles)
    order = list(circuit.parameters)
    assert order == columns, f"Qiskit sorts {order}"
    values = np.array([[0, 0], [_PI, 0], [0, _PI]])
    (shots,) = harness.sample([(circuit, values)])
    for point, row in enumerate(values):
        want = sum(1 << bit for bit, angle in enumerate(angles) if row[columns.index(angle)])
        names = [parameter.name for parameter in columns]
        todo = f"columns of Task.values follow Program.parameters, here {names}; do not sort"
        harness.compare(shots, want, todo, point=point)


def check_sweep_as_declared(harness: Harness) -> None:
    """A native sweep gives what bound circuits give; a device without refuses one."""
    circuit, values = turns([Parameter("theta"), None]), _column(_PATTERN[:3])
    if harness.capabilities.sweeps:
        (native,), (expanded,) = (
            harness.sample([(circuit, values)], sweeps=sweeps) for sweeps in (True, False)
        )
        for shots in (native, expanded):
            assert_layout(shots, 3, harness.usable_shots)
            for point, want in enumerate(_PATTERN[:3]):
                harness.compare(shots, want, "sweep as the bound circuits do", point=point)
        return
    try:
        outcome: tuple[Shots, ...] = harness.run(harness.task(circuit, values=values))
    except QdmiError:
        return
    assert outcome[0].bits.shape[0] != 3, (
        "sweeps work but are not declared: set Capabilities(sweeps=True)"
    )
    raise AssertionError("a parametrised program was accepted and bent: raise ProtocolError")
