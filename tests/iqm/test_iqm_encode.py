"""From circuits to IQM's JSON: the same outcomes, the right keys, few pulses."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Parameter
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector

from qdmi_qiskit.bits import to_ints
from qdmi_qiskit.devices.iqm.architecture import architecture_from
from qdmi_qiskit.devices.iqm.encode import Encoder
from qdmi_qiskit.devices.iqm.outcome import Reading, read, readings_from
from qdmi_qiskit.errors import RejectedError
from tests.iqm import lab, recorded
from tests.iqm.wires import names, parsed, pulses_per_qubit, replayed, sampled

PI = float(np.pi)


def words(program, outcome, num_bits, shots):
    (found,) = read(outcome, [Reading(program.columns, num_bits, len(outcome), shots)])
    return [to_ints(each) for each in found.bits]


def outcome_of(circuit, kind="garnet", shots=1):
    """Encode, run the JSON, decode: integers, classical bit k being bit k."""
    program = lab.encoder(kind)(circuit)
    (wire,) = parsed(program)
    return words(program, [sampled(wire, shots)], circuit.num_clbits, shots)[0]


def probabilities(wire, columns, num_bits):
    """Exact distribution over the classical bits of a circuit that measures at its end."""
    replay, keys = replayed(wire)
    qubit_of = {}
    for each in replay.data:
        if each.name == "measure":
            qubit_of[keys[replay.find_bit(each.clbits[0]).index]] = replay.find_bit(
                each.qubits[0]
            ).index
    state = Statevector(replay.remove_final_measurements(inplace=False))
    found = np.zeros(2**num_bits)
    for index, p in enumerate(state.probabilities()):
        word = sum((index >> qubit_of[c.key] & 1) << c.bit for c in columns)
        found[word] += p
    return found


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_keep_their_distribution(seed):
    circuit = random_circuit(4, 5, max_operands=2, seed=seed)
    circuit.measure_all()
    isa = lab.transpiled(circuit)
    program = lab.encoder("garnet")(isa)
    (wire,) = parsed(program)
    want = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    np.testing.assert_allclose(probabilities(wire, program.columns, 4), want, atol=1e-9)
    assert pulses_per_qubit(wire) <= 1
    for each in wire["instructions"]:
        if each["name"] == "cz":
            assert tuple(each["locus"]) in lab.architecture("garnet").gate("cz").loci


def test_asymmetric_states_on_one_to_twelve_qubits():
    for width in range(1, 13):
        ones = [k for k in range(width) if (k * k + k // 2) % 3 != 1]
        circuit = QuantumCircuit(width, width)
        if ones:
            circuit.x(ones)
        circuit.measure(range(width), range(width))
        isa = lab.transpiled(circuit, initial_layout=list(range(width))[::-1])
        assert outcome_of(isa) == [sum(1 << k for k in ones)], width


def test_any_order_of_keys_in_the_answer():
    circuit = QuantumCircuit(11, 11)
    circuit.x([0, 2, 3, 10])
    circuit.measure(range(11), range(11))
    isa = lab.transpiled(circuit)
    program = lab.encoder("garnet")(isa)
    (wire,) = parsed(program)
    table = sampled(wire, 3)
    want = [0b10000001101] * 3
    for order in (list(table), sorted(table), sorted(table, reverse=True)):
        shuffled = {key: table[key] for key in order}
        assert words(program, [shuffled], 11, 3) == [want]


def test_keys_are_those_of_qiskit_iqm():
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "a"), ClassicalRegister(3, "b_c")
    )
    circuit.measure([0, 1, 2], [1, 2, 4])
    (wire,) = parsed(lab.encoder("garnet")(circuit))
    keys = [each["args"]["key"] for each in wire["instructions"]]
    assert keys == ["a_2_0_1", "b_c_3_1_0", "b_c_3_1_2"]


def test_partial_loose_and_overlapping_bits():
    bits = [Clbit() for _ in range(5)]
    low, high = (
        ClassicalRegister(bits=bits[1:3], name="low"),
        ClassicalRegister(bits=bits[2:4], name="high"),
    )
    circuit = QuantumCircuit([*QuantumRegister(3)], bits)
    circuit.add_register(low)
    circuit.add_register(high)
    circuit.r(PI, 0.0, [0, 2])
    circuit.measure([0, 1, 2], [bits[0], bits[2], bits[4]])
    program = lab.encoder("garnet")(circuit)
    assert [c.key for c in program.columns] == ["loose_2_2_0", "low_2_0_1", "loose_2_2_1"]
    assert outcome_of(circuit) == [0b10001]


def test_a_bit_measured_again_keeps_the_last():
    circuit = QuantumCircuit(2, 2)
    circuit.r(PI, 0.0, 0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    circuit.measure(1, 0)
    circuit.r(PI, 0.5, 1)
    circuit.measure(1, 0)
    assert outcome_of(circuit) == [0b01]
    circuit.measure(0, 1)
    circuit.measure(1, 0)
    circuit.r(PI, 0.5, 0)
    circuit.measure(0, 0)
    assert outcome_of(circuit) == [0b10]


def test_virtual_z_before_measurement_is_dropped():
    circuit = QuantumCircuit(1, 1)
    circuit.rz(0.3, 0)
    circuit.r(PI / 2, 0.1, 0)
    circuit.rz(1.2, 0)
    circuit.measure(0, 0)
    (wire,) = parsed(lab.encoder("garnet")(circuit))
    assert names(wire) == ["prx", "measure"]


def test_ghz_needs_one_pulse_for_each_hadamard():
    circuit = QuantumCircuit(4)
    circuit.h(0)
    for k in range(3):
        circuit.cx(k, k + 1)
    circuit.measure_all()
    (wire,) = parsed(lab.encoder("garnet")(lab.transpiled(circuit)))
    assert names(wire).count("prx") == 7
    assert names(wire).count("cz") == 3


def ansatz(width=3):
    a, b, c = Parameter("a"), Parameter("b"), Parameter("c")
    circuit = QuantumCircuit(width)
    circuit.h(range(width))
    circuit.rzz(a, 0, 1)
    circuit.rx(2 * b - a, 0)
    circuit.ry(b * c, 1)
    circuit.rz(c, 2)
    circuit.cx(1, 2)
    circuit.rzz(b / 2, 1, 2)
    circuit.sx(range(width))
    circuit.rz(a + 1, 0)
    circuit.ry(c, 0)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_parametrised_circuit_is_encoded_once_and_bound_by_numbers(level):
    isa = lab.transpiled(ansatz(), level=level)
    program = lab.encoder("garnet")(isa)
    values = np.array([[0.3, -1.2, 2.0], [0.0, 0.0, 0.0], [PI, PI / 2, -0.7]])
    wires = parsed(program, values)
    assert len(wires) == 3
    for row, wire in zip(values, wires, strict=True):
        bound = isa.assign_parameters(row)
        one = lab.encoder("garnet")(bound)
        want = probabilities(parsed(one)[0], one.columns, 3)
        np.testing.assert_allclose(probabilities(wire, program.columns, 3), want, atol=1e-9)
    direct = Statevector(
        ansatz().assign_parameters(values[0]).remove_final_measurements(inplace=False)
    ).probabilities()
    np.testing.assert_allclose(probabilities(wires[0], program.columns, 3), direct, atol=1e-9)


def test_angles_are_floats_even_where_they_are_whole():
    circuit = QuantumCircuit(1, 1)
    circuit.r(1, 0, 0)
    circuit.measure(0, 0)
    (text,) = lab.encoder("garnet")(circuit).circuits(np.empty((1, 0)), 0)
    assert '"angle":1.0,"phase":0.0' in text.replace("-0.0", "0.0")


def test_names_with_quotes_and_percent_survive():
    theta = Parameter("100%")
    circuit = QuantumCircuit(QuantumRegister(1), ClassicalRegister(1, "odd%r"), name='a "b" %d')
    circuit.r(theta, 0, 0)
    circuit.measure(0, 0)
    (wire,) = parsed(lab.encoder("garnet")(circuit), [[0.5]])
    assert wire["name"] == 'a "b" %d'
    assert wire["instructions"][0]["args"]["angle"] == 0.5
    assert wire["instructions"][1]["args"]["key"] == "odd%r_1_0_0"


def test_barriers_separate_and_delays_are_seconds():
    circuit = QuantumCircuit(2, 1)
    circuit.r(0.5, 0.0, 0)
    circuit.barrier()
    circuit.r(0.5, 0.0, 0)
    circuit.delay(100, 0, unit="ns")
    circuit.rz(0.7, 0)
    circuit.delay(2e-6, 0, unit="s")
    circuit.delay(Parameter("wait"), 0, unit="us")
    circuit.r(0.5, 0.0, 0)
    circuit.measure(0, 0)
    (wire,) = parsed(lab.encoder("garnet")(circuit), [[3.0]])
    assert names(wire) == ["prx", "barrier", "prx", "delay", "delay", "delay", "prx", "measure"]
    waits = [each["args"]["duration"] for each in wire["instructions"] if each["name"] == "delay"]
    assert waits == [pytest.approx(1e-7), pytest.approx(2e-6), pytest.approx(3e-6)]
    assert wire["instructions"][6]["args"]["phase"] == pytest.approx(-0.7)


def test_dt_is_refused_since_it_means_nothing():
    circuit = QuantumCircuit(1, 1)
    circuit.delay(100, 0, unit="dt")
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="delay in 'dt': give it in seconds"):
        lab.encoder("garnet")(circuit)


def test_values_that_make_no_number_are_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.r(Parameter("a"), 0, 0)
    circuit.delay(Parameter("t"), 0, unit="s")
    circuit.measure(0, 0)
    program = lab.encoder("garnet")(circuit)
    for row in ([np.nan, 0.0], [0.0, -1.0]):
        with pytest.raises(RejectedError, match="no finite number"):
            parsed(program, [row])


def test_reset_is_sent_and_resets():
    circuit = QuantumCircuit(1, 2)
    circuit.r(PI, 0.3, 0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.measure(0, 1)
    assert outcome_of(circuit) == [0b01]


def test_feedback_where_it_is_not_calibrated_is_refused():
    raw = recorded.dynamic(["QB1", "QB2"], [("QB1", "QB2")])
    raw["gates"]["cc_prx"] = recorded.gate("prx_composite", [("QB1",)])
    encode = Encoder(architecture_from(raw))
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.r(PI, 0, 1)
    with pytest.raises(RejectedError, match="QB2 in an if_test"):
        encode(circuit)
    circuit = QuantumCircuit(2, 1)
    circuit.reset(1)
    circuit.measure(1, 0)
    with pytest.raises(RejectedError, match="resets QB2"):
        encode(circuit)


@pytest.mark.parametrize(
    ("gate", "match"), [("h", "uses h"), ("cz", "cz on"), ("wide", "30 qubits")]
)
def test_what_the_device_lacks_is_refused(gate, match):
    circuit = QuantumCircuit(30 if gate == "wide" else 20, 1)
    if gate == "h":
        circuit.h(0)
    elif gate == "cz":
        circuit.cz(0, 19)
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match=match):
        lab.encoder("garnet")(circuit)


def test_identities_cost_nothing():
    circuit = QuantumCircuit(2, 2)
    circuit.id(0)
    circuit.r(0.0, 0.4, 0)
    circuit.r(PI, 0.0, 1)
    circuit.id(1)
    circuit.r(2 * PI, 0.0, 0)
    circuit.measure([0, 1], [0, 1])
    (wire,) = parsed(lab.encoder("garnet")(circuit))
    assert sorted(names(wire)) == ["measure", "measure", "prx"]
    assert outcome_of(circuit) == [0b10]


def test_too_many_instructions_are_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.r(1, 0, 0)
    circuit.measure(0, 0)
    assert Encoder(lab.architecture("garnet"), most=2)(circuit).size == 2
    with pytest.raises(RejectedError, match="2 instructions, the device takes at most 1"):
        Encoder(lab.architecture("garnet"), most=1)(circuit)


def test_an_implementation_is_named_only_where_it_must_be():
    raw = recorded.dynamic(["QB1", "QB2", "QB3"], [])
    raw["gates"]["cz"] = recorded.gate("crf", [("QB1", "QB2")], more={"tgss": [("QB3", "QB2")]})
    circuit = QuantumCircuit(3, 1)
    circuit.cz(0, 1)
    circuit.cz(1, 2)
    circuit.measure(0, 0)
    (wire,) = parsed(Encoder(architecture_from(raw))(circuit))
    found = [(each["locus"], each.get("implementation")) for each in wire["instructions"][:2]]
    assert found == [(["QB1", "QB2"], None), (["QB3", "QB2"], "tgss")]


def test_indices_follow_the_names_past_a_dead_qubit():
    circuit = QuantumCircuit(19, 1)
    circuit.r(PI, 0, 10)
    circuit.measure(10, 0)
    (wire,) = parsed(lab.encoder("dead")(circuit))
    assert {q for each in wire["instructions"] for q in each["locus"]} == {"QB12"}


def test_a_job_is_read_by_its_own_record_in_another_process():
    bits = [Clbit() for _ in range(3)]
    circuit = QuantumCircuit([*QuantumRegister(2)], bits)
    circuit.add_register(ClassicalRegister(bits=[bits[2], bits[0]], name="turned"))
    circuit.r(Parameter("a"), 0, 0)
    circuit.measure([0, 1], [2, 0])
    program = lab.encoder("garnet")(circuit)
    wires = [*parsed(program, [[PI], [0.0]], task=0), *parsed(program, [[PI]], task=1)]
    outcome = [sampled(wire, 2) for wire in wires]
    readings = readings_from({"circuits": json.loads(json.dumps(wires)), "shots": 2}, outcome)
    first, second = read(outcome, readings)
    assert [to_ints(each) for each in first.bits] == [[4, 4], [0, 0]]
    assert [to_ints(each) for each in second.bits] == [[4, 4]]


def test_a_job_of_other_tools_is_read_by_its_keys():
    outcome = [{"b_3_1_2": [[1]], "a_2_0_0": [[1]], "b_3_1_0": [[0]], "m": [[1, 0]]}]
    (reading,) = readings_from(None, outcome)
    assert reading.num_bits == 7
    (shots,) = read(outcome, [reading])
    assert to_ints(shots.bits[0]) == [0b01_100_01]


@pytest.mark.parametrize("method", ["asap", "alap"])
def test_scheduled_circuits_have_delays_in_seconds(method):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    isa = lab.transpiled(circuit, scheduling_method=method)
    assert "delay" in isa.count_ops()
    program = lab.encoder("garnet")(isa)
    (wire,) = parsed(program)
    waits = [each["args"]["duration"] for each in wire["instructions"] if each["name"] == "delay"]
    assert waits
    assert 0 < max(waits) < 2e-6  # qubits that do nothing wait, too
    want = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    np.testing.assert_allclose(probabilities(wire, program.columns, 3), want, atol=1e-9)


def test_a_program_pickles_and_binds_the_same():
    program = lab.encoder("garnet")(lab.transpiled(ansatz(), level=1))
    again = pickle.loads(pickle.dumps(program))  # noqa: S301
    values = np.array([[0.3, -1.2, 2.0]])
    assert list(again.circuits(values, 0)) == list(program.circuits(values, 0))
