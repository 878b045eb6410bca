"""Circuits as programs: every bit keeps its number, whatever registers it is in."""

from __future__ import annotations

import gc
import io
import weakref

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm2, qasm3, qpy
from qiskit.circuit import Clbit, Parameter

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import RejectedError, UnsupportedError
from qdmi_qiskit.formats import CircuitCodec, Compiled, bind, encoder, numbered, without_phase
from qdmi_qiskit.templates import template
from qdmi_qiskit.testing.poor import PoorSession


def overlapping() -> QuantumCircuit:
    """Bits 0 to 3; a = (1, 2), b = (2, 0), bit 3 in none; X on qubit 1, which goes to bit 2."""
    bits = [Clbit() for _ in range(4)]
    circuit = QuantumCircuit(QuantumRegister(3, "q"))
    circuit.add_bits(bits)
    circuit.add_register(ClassicalRegister(bits=[bits[1], bits[2]], name="a"))
    circuit.add_register(ClassicalRegister(bits=[bits[2], bits[0]], name="b"))
    circuit.x(1)
    circuit.measure([0, 1, 2], [0, 2, 3])
    return circuit


def test_overlapping_registers_keep_their_bits_on_a_device_that_reads_text():
    backend = QDMIBackend(PoorSession())
    data = SamplerV2(backend).run([overlapping()], shots=5).result()[0].data
    assert data.a.get_counts() == {"10": 5}
    assert data.b.get_counts() == {"01": 5}
    counts = backend.run(overlapping(), shots=5).result().data()["counts"]
    assert counts == {"0x4": 5}


def test_text_declares_as_many_bits_as_the_circuit_has():
    program = encoder(("qasm2",), {})(overlapping())
    assert program.num_bits == 4
    assert "creg c[4];" in program.payload
    assert "measure q[1] -> c[2];" in program.payload
    assert "bit[4] c;" in encoder(("qasm3",), {})(overlapping()).payload


def test_registers_in_order_are_kept():
    circuit = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(1, "a"))
    circuit.add_register(ClassicalRegister(2, "b"))
    circuit.measure([0, 1], [2, 0])
    assert numbered(circuit) is circuit


def test_a_condition_on_a_register_that_overlaps_is_refused():
    circuit = overlapping()
    with circuit.if_test((circuit.cregs[1], 1)):
        circuit.x(0)
    with pytest.raises(RejectedError, match="use registers that share no bits"):
        encoder(("qasm3",), {})(circuit)


def test_a_condition_on_a_bit_keeps_its_bit():
    circuit = overlapping()
    with circuit.if_test((circuit.clbits[3], 1)):
        circuit.x(0)
    assert "if (c[3])" in encoder(("qasm3",), {})(circuit).payload


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("qasm2", lambda text: qasm2.loads(text)),
        ("qpy", lambda data: qpy.load(io.BytesIO(data))[0]),
        ("qiskit", lambda circuit: circuit),
    ],
)
def test_what_is_written_reads_back(name, read):
    circuit = QuantumCircuit(2, 2)
    circuit.rx(0.25, 0)
    circuit.cx(1, 0)
    circuit.measure([1, 0], [0, 1])
    again = read(encoder((name,), {})(circuit).payload)
    assert [item.name for item in again.data] == ["rx", "cx", "measure", "measure"]
    assert again.data[0].params == pytest.approx([0.25])


def test_the_first_format_that_we_know_is_taken():
    assert encoder(("pulse", "qasm3", "qasm2"), {})(QuantumCircuit(1, 1)).format == "qasm3"
    own = encoder(("pulse",), {"pulse": lambda circuit: [circuit.num_qubits]})
    assert own(QuantumCircuit(3, 1)).payload == [3]


def test_a_device_of_no_known_format_is_an_error_that_says_which_are():
    with pytest.raises(UnsupportedError, match=r"'pulse'.*known: qiskit, qpy, qasm3, qasm2"):
        encoder(("pulse",), {})


def test_what_a_format_cannot_say_is_rejected():
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("a"), 0)
    with pytest.raises(RejectedError, match="cannot be written as qasm2"):
        encoder(("qasm2",), {})(circuit)


def test_a_symbolic_phase_is_dropped_and_columns_keep_their_places():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1, 1, global_phase=b)
    circuit.rx(b, 0)
    circuit.ry(a, 0)
    plain = without_phase(circuit)
    assert plain.global_phase == 0
    assert list(plain.parameters) == [a, b]
    alone = QuantumCircuit(1, 1, global_phase=b)
    alone.ry(a, 0)
    assert without_phase(alone) is alone  # else column b would have no place


def test_binding_follows_the_order_of_parameters():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(b, 0)
    circuit.ry(a, 0)
    bound = bind(circuit, np.array([0.25, 0.5]))
    assert [item.params[0] for item in bound.data] == [0.5, 0.25]
    assert bind(bound, np.empty(0)) is bound
    assert "rx(0.5)" in qasm3.dumps(bound)


# What was made of a circuit before ---------------------------------------------------------------


def aer() -> QDMIBackend:
    return QDMIProvider().get_backend("aer")


def swept() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.rx(Parameter("a"), 0)
    circuit.measure([1, 0], [0, 1])
    return circuit


def test_a_circuit_that_did_not_change_is_compiled_once():
    compiled, circuit = Compiled(), swept()
    copy = compiled.frozen(circuit)
    assert copy is not circuit
    assert compiled.frozen(circuit) is copy
    made = [compiled.product(copy, "key", lambda: [1]) for _ in range(2)]
    assert made[0] is made[1]
    assert compiled.product(copy, "other", lambda: [1]) is not made[0]
    child = compiled.product(copy, "circuit", lambda: copy.copy())
    assert compiled.product(copy, "circuit", lambda: copy.copy()) is child
    assert compiled.product(child, "key", lambda: [2]) == [2]
    assert compiled.product(child, "key", lambda: [3]) == [2]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.x(1),
        lambda c: c.data.pop(),
        lambda c: c.add_bits([Clbit()]),
        lambda c: c.add_register(ClassicalRegister(bits=c.clbits[:1], name="more")),
        lambda c: c.assign_parameters([0.5], inplace=True),
        lambda c: setattr(c, "global_phase", Parameter("b")),
        lambda c: setattr(c, "name", "other"),
        lambda c: c.data.__setitem__(0, c.data[0].replace(qubits=[c.qubits[1]])),
    ],
)
def test_a_circuit_that_was_changed_in_place_is_compiled_anew(change):
    compiled, circuit = Compiled(), swept()
    copy = compiled.frozen(circuit)
    before = compiled.product(copy, "program", lambda: "before")
    change(circuit)
    again = compiled.frozen(circuit)
    assert again is not copy
    assert compiled.product(again, "program", lambda: "after") == "after"
    assert compiled.product(copy, "program", lambda: "anew") == "anew"  # forgotten
    assert before == "before"


def test_another_circuit_at_the_same_address_is_another():
    compiled, circuit = Compiled(), swept()
    copy = compiled.frozen(circuit)
    compiled._known[id(other := QuantumCircuit(1))] = compiled._known.pop(id(circuit))
    assert compiled.frozen(other) is not copy


def test_what_is_remembered_is_bounded_and_keeps_no_circuit_of_a_user_alive():
    compiled = Compiled(circuits=4, products=6)
    circuits = [swept() for _ in range(9)]
    copies = [compiled.frozen(circuit) for circuit in circuits]
    assert len(compiled._known) == len(compiled._made) == 4
    for key in range(5):
        compiled.product(copies[-1], key, swept)
    assert len(compiled._made) == 6
    gone = weakref.ref(circuits.pop())
    gc.collect()
    assert gone() is None
    compiled.frozen(swept())
    assert len(compiled._made) <= 4


@pytest.mark.parametrize("open_backend", [lambda: QDMIBackend(PoorSession()), aer])
def test_a_change_in_place_after_a_run_reaches_the_device(open_backend):
    backend = open_backend()
    estimator, sampler = EstimatorV2(backend), SamplerV2(backend)
    circuit, measured = QuantumCircuit(2), QuantumCircuit(2, 1)
    measured.measure(1, 0)
    for sign in (1, -1, 1):
        assert estimator.run([(circuit, "ZI")], precision=0.2).result()[0].data.evs == sign
        circuit.x(1)
        counts = sampler.run([measured], shots=3).result()[0].data.c.get_counts()
        assert counts == {"0" if sign == 1 else "1": 3}
        measured.data.insert(0, circuit.data[-1])


def test_a_text_with_holes_is_made_once_and_anew_after_a_change(monkeypatch):
    made = []

    def counted(*args):
        made.append(args)
        return template(*args)

    monkeypatch.setattr("qdmi_qiskit.formats.template", counted)
    compiled, circuit = Compiled(), swept()
    values = np.array([[0.25], [0.75]])

    def texts():
        writer = CircuitCodec(("qasm3",), {}, lambda c, _: c, compiled)
        return [program.payload for program in writer.bound(compiled.frozen(circuit), values)]

    for _ in range(3):
        assert texts() == [qasm3.dumps(bind(circuit, row)) for row in values]
    assert len(made) == 1
    circuit.data.insert(0, circuit.data[0].replace(qubits=[circuit.qubits[1]]))
    assert texts() == [qasm3.dumps(bind(circuit, row)) for row in values]
    assert len(made) == 2


def test_what_was_compiled_is_forgotten_with_the_calibration():
    backend = QDMIBackend(PoorSession())
    circuit = QuantumCircuit(1)
    EstimatorV2(backend).run([(circuit, "Z")], precision=0.3).result()
    before = backend.compiled
    copy = before.frozen(circuit)
    assert before.product(copy, "key", lambda: 1) == 1
    backend.refresh()
    assert backend.compiled is not before
    assert backend.compiled.frozen(circuit) is not copy
    assert backend.compiled.product(copy, "key", lambda: 2) == 2
