"""Virtual Z: fewer pulses, the same circuit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator

from qdmi_qiskit.devices.iqm.angles import Form, Reader, Slots, wrapped
from qdmi_qiskit.devices.iqm.fold import Folder

ANGLES = st.one_of(
    st.floats(-7, 7, allow_nan=False),
    st.sampled_from([0.0, math.pi, -math.pi, math.pi / 2, -math.pi / 2, 2 * math.pi, 3 * math.pi]),
)
GATES = st.one_of(
    st.tuples(st.just("r"), ANGLES, ANGLES), st.tuples(st.just("rz"), ANGLES, st.just(0.0))
)


def folded(gates, evaluate=lambda form: form.constant):
    """Return the pulses, and the circuit that they and the frame owed make."""
    pulses = []
    folder = Folder(lambda qubit, angle, phase: pulses.append((angle, phase)))
    for name, angle, phase in gates:
        if name == "r":
            folder.r(0, angle, phase)
        else:
            folder.rz(0, angle)
    folder.flush_all()
    circuit = QuantumCircuit(1)
    for angle, phase in pulses:
        circuit.r(evaluate(angle), evaluate(phase), 0)
    circuit.rz(evaluate(folder.frame(0)), 0)
    return pulses, circuit


def plain(gates):
    circuit = QuantumCircuit(1)
    for name, angle, phase in gates:
        if name == "r":
            circuit.r(angle, phase, 0)
        else:
            circuit.rz(angle, 0)
    return circuit


@given(st.lists(GATES, max_size=8))
@settings(deadline=None, max_examples=150)
def test_any_gates_of_numbers_are_one_pulse_and_a_frame(gates):
    forms = [(name, Form(angle), Form(phase)) for name, angle, phase in gates]
    pulses, circuit = folded(forms)
    assert len(pulses) <= 1
    assert Operator(plain(gates)).equiv(Operator(circuit), atol=1e-7)


SYMBOLIC = st.tuples(
    st.sampled_from(["r", "rz"]),
    st.tuples(ANGLES, st.sampled_from([0.0, 0.0, 1.0, -0.5])),
    st.tuples(ANGLES, st.sampled_from([0.0, 0.0, 1.0])),
)


@given(st.lists(SYMBOLIC, max_size=6), st.floats(-4, 4))
@settings(deadline=None, max_examples=150)
def test_gates_with_a_parameter_fold_to_the_same_circuit(gates, value):
    def form(pair):
        return Form(pair[0], {0: pair[1]} if pair[1] else {})

    def number(each):
        return each.constant + each.terms.get(0, 0.0) * value

    forms = [(name, form(angle), form(phase)) for name, angle, phase in gates]
    pulses, circuit = folded(forms, number)
    numbers = [(name, number(angle), number(phase)) for name, angle, phase in forms]
    assert Operator(plain(numbers)).equiv(Operator(circuit), atol=1e-7)
    assert len(pulses) <= sum(name == "r" for name, *_ in gates)


@pytest.mark.parametrize(
    ("gates", "number"),
    [
        ([("r", {}, 1.0), ("r", {0: 1.0}, 1.0)], 1),  # about one axis
        ([("r", {0: 1.0}, 0.3), ("r", {1: 1.0}, 0.3 + math.pi)], 1),  # about its opposite
        ([("r", "pi", 0.3), ("r", {0: 1.0}, 1.1)], 1),  # half a turn before
        ([("r", {0: 1.0}, 1.1), ("r", "pi", 0.3)], 1),  # half a turn after
        ([("r", "pi", 0.3), ("r", "pi", 1.7)], 0),  # two half turns are virtual
        ([("rz", {0: 1.0}, 0.0)], 0),
    ],
)
def test_parametrised_pulses_that_can_be_one_are_one(gates, number):
    def form(given):
        if given == "pi":
            return Form(math.pi)
        return Form(0.2, given) if isinstance(given, dict) else Form(given)

    pulses, _ = folded([(name, form(angle), form(phase)) for name, angle, phase in gates])
    assert len(pulses) == number


def test_a_parametrised_frame_lets_numeric_pulses_merge():
    theta = Form(0.0, {0: 1.0})
    gates = [
        ("rz", theta, Form()),
        ("r", Form(math.pi / 2), Form(0.1)),
        ("r", Form(math.pi), Form(0.7)),
        ("r", Form(0.4), Form(1.3)),
    ]
    assert len(folded(gates)[0]) == 1


def test_forms_of_expressions_evaluate_as_qiskit_binds():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    expressions = [a, 2 * a - b / 3 + 0.5, a * b, a.sin() + b, (a - a) + 1, 1.25, b]
    for each in expressions:
        circuit.rz(each, 0)
    reader = Reader(circuit)
    forms = tuple(reader.form(instruction.params[0]) for instruction in circuit.data)
    values = np.array([[0.3, -2.0], [1.1, 0.7], [-0.4, 2.5]])
    table = Slots(forms, (True,) * len(forms), reader.atoms).evaluate(values)
    for row, (one, two) in zip(table, values, strict=True):
        bound = circuit.assign_parameters({a: one, b: two})
        want = [wrapped(float(instruction.params[0])) for instruction in bound.data]
        np.testing.assert_allclose(np.exp(1j * row), np.exp(1j * np.array(want)), atol=1e-12)
    assert sum(bool(form.terms) for form in forms) == 5
    assert len(reader.atoms.expressions) == 2  # only what is not linear is asked of Qiskit


def test_angles_are_sent_between_minus_pi_and_pi():
    forms = (Form(40.0), Form(0.0, {0: 1.0}))
    circuit = QuantumCircuit(1)
    circuit.rz(Parameter("a"), 0)
    reader = Reader(circuit)
    reader.form(circuit.data[0].params[0])
    table = Slots(forms, (True, True), reader.atoms).evaluate(np.array([[-9.0], [3.5]]))
    assert np.abs(table).max() <= math.pi + 1e-12
    lengths = Slots(forms, (False, False), reader.atoms).evaluate(np.array([[-9.0]]))
    assert lengths.tolist() == [[40.0, -9.0]]
