"""`if_test`, with an `else`, on 1 and on 0: pulses that wait for a bit being 1."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr
from qiskit.quantum_info import hellinger_fidelity
from qiskit_aer import AerSimulator

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import RejectedError
from tests.iqm import lab
from tests.iqm.loopback import exact, opened
from tests.iqm.test_iqm_encode import PI, outcome_of, words
from tests.iqm.wires import parsed, sampled


def test_if_test_becomes_a_conditional_pulse():
    for one in (0, 1):
        circuit = QuantumCircuit(2, 2)
        if one:
            circuit.x(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
            circuit.rz(0.3, 1)
        circuit.measure(1, 1)
        isa = lab.transpiled(circuit, level=1)
        assert outcome_of(isa) == [0b11 if one else 0b00]
        (wire,) = parsed(lab.encoder("garnet")(isa))
        found = [each["args"] for each in wire["instructions"] if each["name"] == "cc_prx"]
        measured = next(each for each in wire["instructions"] if each["name"] == "measure")
        assert {each["feedback_qubit"] for each in found} == {measured["locus"][0]}
        assert {each["feedback_key"] for each in found} == {measured["args"]["feedback_key"]}


CONDITIONS = {
    "one": lambda bit: (bit, 1),
    "zero": lambda bit: (bit, 0),
    "true": lambda bit: expr.lift(bit),
    "not": lambda bit: expr.logic_not(expr.lift(bit)),
    "not not": lambda bit: expr.logic_not(expr.logic_not(expr.lift(bit))),
}


def with_blocks(condition, otherwise, source):
    """Random rotations around and in the blocks; a coin decides which one happens."""
    circuit = QuantumCircuit(2, 2)

    def random_turns():
        circuit.r(*source.uniform(-3, 3, 2), 1)
        circuit.rz(source.uniform(-3, 3), 1)
        circuit.r(*source.uniform(-3, 3, 2), 1)
        circuit.rz(source.uniform(-3, 3), 1)

    circuit.r(1.1, 0.0, 0)
    circuit.measure(0, 0)
    random_turns()
    with circuit.if_test(CONDITIONS[condition](circuit.clbits[0])) as rest:
        random_turns()
    if otherwise:
        with rest:
            random_turns()
    circuit.r(PI / 2, *source.uniform(-3, 3, 1), 1)
    circuit.measure(1, 1)
    return circuit


@pytest.mark.parametrize("otherwise", [False, True], ids=["if", "else"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_respect_virtual_z(condition, otherwise):
    """A conditional rotation between frames, compared with Aer: distributions of 4 outcomes."""
    for seed in range(3):
        circuit = with_blocks(condition, otherwise, np.random.default_rng(seed))
        shots = 4000
        found = outcome_of(circuit, shots=shots)
        counts = {format(k, "02b"): found.count(k) for k in set(found)}
        want = AerSimulator().run(circuit, shots=shots, seed_simulator=seed).result().get_counts()
        # Of two samples alike, 1 - fidelity is chi-square of 3 over 8000: above 0.005 once in 1e8.
        assert hellinger_fidelity(counts, want) > 0.995


def test_a_block_is_two_pulses_at_most():
    circuit = with_blocks("one", True, np.random.default_rng(4))
    (wire,) = parsed(lab.encoder("garnet")(circuit))
    assert sum(each["name"] == "cc_prx" for each in wire["instructions"]) <= 2
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as rest:
        circuit.r(PI, 0.2, 1)
    with rest:
        circuit.r(PI, 0.2, 1)
    (wire,) = parsed(lab.encoder("garnet")(circuit))
    assert "feedback" not in str(wire)  # the same for either value


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("wanted", [0, 1])
def test_parameters_in_either_block(bit, wanted):
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2, 2)
    circuit.r(bit * PI, 0, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], wanted)) as rest:
        circuit.r(a, 0, 1)
    with rest:
        circuit.r(b, 0, 1)
        circuit.rz(b, 1)
    circuit.measure(1, 1)
    program = lab.encoder("garnet")(circuit)
    points = [[PI, 0.0], [0.0, PI], [PI, PI], [0.0, 0.0]]  # a, b
    wires = parsed(program, points)
    flipped = [row[0 if bit == wanted else 1] == PI for row in points]
    outcome = words(program, [sampled(wire) for wire in wires], 2, 1)
    assert [found[0] for found in outcome] == [bit + 2 * flip for flip in flipped]


@pytest.mark.parametrize(("wanted", "otherwise"), [(0, False), (0, True), (1, True)])
def test_either_branch_on_the_server(wanted, otherwise):
    backend = QDMIBackend(opened(exact(), "garnet"))
    circuits, want = [], []
    for bit in (0, 1):
        circuit = QuantumCircuit(3, 3)
        if bit:
            circuit.x(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], wanted)) as rest:
            circuit.x(1)
        if otherwise:
            with rest:
                circuit.x(2)
        circuit.measure([1, 2], [1, 2])
        circuits.append(lab.transpiled(circuit, level=1))
        first, second = bit == wanted, otherwise and bit != wanted
        want.append({f"{second:d}{first:d}{bit}": 7})
    found = SamplerV2(backend).run(circuits, shots=7).result()
    assert [pub.data.c.get_counts() for pub in found] == want


def test_two_feedbacks_of_one_bit_have_keys_of_their_own():
    circuit = QuantumCircuit(2, 2)
    for _ in range(2):
        circuit.x(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
    circuit.measure(1, 1)
    isa = lab.transpiled(circuit, level=0)
    assert outcome_of(isa) == [0b10]


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_bit_never_measured_is_zero(wanted):
    circuit = QuantumCircuit(2, 2)
    with circuit.if_test((circuit.clbits[0], wanted)):
        circuit.r(PI, 0, 1)
    circuit.measure(1, 1)
    assert outcome_of(circuit) == [0b10 if wanted == 0 else 0]


def refused(circuit):
    with pytest.raises(RejectedError) as caught:
        lab.encoder("garnet")(circuit)
    return str(caught.value)


def test_what_the_hardware_cannot_decide_is_refused_with_the_reason():
    two = QuantumCircuit(2, 2)
    two.measure(0, 0)
    with two.if_test((two.cregs[0], 1)):
        two.r(PI, 0, 1)
    assert "decides on one bit" in refused(two)
    both = QuantumCircuit(2, 2)
    both.measure([0, 1], [0, 1])
    with both.if_test(expr.logic_and(both.clbits[0], both.clbits[1])):
        both.r(PI, 0, 1)
    assert "decides on one bit" in refused(both)
    nested = QuantumCircuit(2, 2)
    nested.measure([0, 1], [0, 1])
    with nested.if_test((nested.clbits[0], 1)), nested.if_test((nested.clbits[1], 1)):
        nested.r(PI, 0, 1)
    assert "another if_else in an if_test: IQM's hardware has single-qubit" in refused(nested)
    for gate in ("measure", "cz", "reset"):
        inner = QuantumCircuit(2, 2)
        inner.measure(0, 0)
        with inner.if_test((inner.clbits[0], 1)):
            if gate == "measure":
                inner.measure(1, 1)
            elif gate == "cz":
                inner.cz(0, 1)
            else:
                inner.reset(1)
        assert f"has {gate} in an if_test" in refused(inner)
    loop = QuantumCircuit(1, 1)
    loop.measure(0, 0)
    with loop.while_loop((loop.clbits[0], 1)):
        loop.r(PI, 0, 0)
    assert "has a while_loop: of control flow, the device has if_test only" in refused(loop)
