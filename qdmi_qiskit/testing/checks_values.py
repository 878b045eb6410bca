"""Checks of randomness and of exact values: seeds, order of shots, expectation values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import PauliSum, Values
from qdmi_qiskit.testing.circuits import coins
from qdmi_qiskit.testing.harness import SEED, Harness, words

_EXACT = 1e-9
_DRAWS = 8  # of which at least two must differ: histograms of few shots may agree by chance


def _drawn(harness: Harness, seed: int) -> tuple[int, ...]:
    (shots,) = harness.run(harness.task(coins(), seed=seed))
    return tuple(words(shots))


def check_seeds_as_declared(harness: Harness) -> None:
    """Declared: a seed fixes the outcome, another seed gives another. Else there is no promise."""
    if not harness.capabilities.seeds:
        return
    assert _drawn(harness, SEED) == _drawn(harness, SEED), (
        "seeds are declared, yet one seed gave two outcomes: use Task.seed, or set "
        "Capabilities(seeds=False)"
    )
    draws = {_drawn(harness, SEED + k) for k in range(_DRAWS)}
    assert len(draws) > 1, f"{_DRAWS} seeds gave one outcome: use Task.seed"


def check_noise_differs_between_points(harness: Harness) -> None:
    """Points of a sweep with the same values, and tasks of a job, have noise of their own."""
    theta = Parameter("theta")
    turned = QuantumCircuit(2, 2)
    turned.rz(theta, 0)
    turned.compose(coins(), inplace=True)
    (shots,) = harness.sample([(turned, np.full((_DRAWS, 1), np.pi / 2))])
    draws = {tuple(words(shots, point)) for point in range(_DRAWS)}
    assert len(draws) > 1, (
        f"{_DRAWS} points of one sweep have the same noise: derive one stream per point from "
        "Task.seed"
    )


def check_ordered_shots_as_declared(harness: Harness) -> None:
    """Declared: shots come as they were taken, not sorted. Else their order means nothing."""
    if not harness.capabilities.ordered_shots:
        return
    (shots,) = harness.run(harness.task(coins()))
    seen = words(shots)
    falls = sum(b < a for a, b in pairwise(seen))
    assert falls, (
        "ordered_shots is declared, yet the shots of a random circuit are sorted, as from a "
        "histogram: set Capabilities(ordered_shots=False)"
    )


def _two_qubits(a: Parameter, b: Parameter) -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.ry(a, 0)
    circuit.rx(b, 1)
    return circuit


def _by_hand(a: float, b: float) -> list[float]:
    """<Z0>, <X0>, <Y1>, 0.5 <Z0 Z1> - 2 <X0 Y1> of RY(a) on qubit 0 and RX(b) on qubit 1."""
    z0, x0, z1, y1 = np.cos(a), np.sin(a), np.cos(b), -np.sin(b)
    return [z0, x0, y1, 0.5 * z0 * z1 - 2 * x0 * y1]


def _paulis(terms: Sequence[tuple[float, str]], places: Sequence[int], width: int) -> PauliSum:
    """Build a sum of terms such as `(0.5, "ZI")`, letter k for qubit k."""
    x, z = np.zeros((2, len(terms), width), bool)
    for row, (_, letters) in enumerate(terms):
        for letter, place in zip(letters, places, strict=True):
            x[row, place], z[row, place] = letter in "XY", letter in "YZ"
    return PauliSum(x, z, np.array([coefficient for coefficient, _ in terms]))


def check_expectations_as_declared(harness: Harness) -> None:
    """Declared: exact to 1e-9 at every point. Else: UnsupportedError."""
    if not harness.capabilities.expectations:
        _expectations_are_refused(harness)
        return
    a, b = Parameter("a"), Parameter("b")
    isa = harness.transpiled(_two_qubits(a, b))
    terms = ([(1.0, "ZI")], [(1.0, "XI")], [(1.0, "IY")], [(0.5, "ZZ"), (-2.0, "XY")])
    observables = [_paulis(each, _places(isa), isa.num_qubits) for each in terms]
    values: Values = np.array([[0.7, 0.4], [-0.3, 2.2], [1.9, -1.1]])
    try:
        found = harness.session.expectations(harness.encoded(isa), values, observables)
    except UnsupportedError as error:
        raise AssertionError(
            f"expectations are declared but raise {error}: set Capabilities(expectations=False)"
        ) from error
    assert found.shape == (3, 4), f"expectations have shape {found.shape}, wanted (points, sums)"
    assert found.dtype == np.float64, f"expectations have dtype {found.dtype}, wanted float64"
    slack = max(_EXACT, 6 * harness.tolerance)  # noise p moves <P> by 2 p, weights add to 2.5
    want = np.array([_by_hand(*row) for row in values.tolist()])
    wrong = np.abs(found - want)
    names = ("Z0", "X0", "Y1", "0.5 Z0 Z1 - 2 X0 Y1")
    point, column = np.unravel_index(wrong.argmax(), wrong.shape)
    assert wrong.max() <= slack, (
        f"<{names[column]}> of RY({values[point, 0]}) on qubit 0 and RX({values[point, 1]}) on "
        f"qubit 1 is {want[point, column]:.10f}, the device says {found[point, column]:.10f}: "
        "column q of PauliSum.x and .z belongs to qubit q"
    )


def _places(isa: QuantumCircuit) -> list[int]:
    """Where qubits 0 and 1 of a circuit ended after transpilation."""
    layout = None if isa.layout is None else isa.layout.final_index_layout()
    return [0, 1] if layout is None else list(layout[:2])


def _expectations_are_refused(harness: Harness) -> None:
    circuit = QuantumCircuit(2)
    circuit.x(0)
    isa = harness.transpiled(circuit)
    observable = _paulis([(1.0, "ZI")], _places(isa), isa.num_qubits)
    try:
        harness.session.expectations(harness.encoded(isa), np.empty((1, 0)), [observable])
    except UnsupportedError:
        return
    raise AssertionError(
        "expectations work but are not declared: set Capabilities(expectations=True)"
    )
