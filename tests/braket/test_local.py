"""The local simulators compute what Qiskit computes, in the middle of circuits too."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import DensityMatrix, SparsePauliOp, Statevector

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.devices.braket.gates import GATES, WORDS
from qdmi_qiskit.devices.braket.simulate import final_state
from qdmi_qiskit.devices.braket.steps import planned
from qdmi_qiskit.errors import ConfigError, JobFailedError, RejectedError, UnsupportedError
from qdmi_qiskit.primitives import EstimatorV2
from tests.branches import distribution

KNOWN = {**get_standard_gate_name_mapping(), **GATES}
SHOTS = 4000


@pytest.fixture(params=["local", "local-dm"])
def device(request):
    return QDMIBackend(driver.open(request.param, num_qubits=6))


def random_circuit(rng, qubits, gates):
    circuit = QuantumCircuit(qubits)
    for name in rng.choice(sorted(WORDS), gates):
        gate = KNOWN[str(name)].to_mutable()
        gate.params = rng.uniform(-3, 3, WORDS[str(name)].num_angles).tolist()
        circuit.append(gate, rng.permutation(qubits)[: gate.num_qubits].tolist())
    return circuit


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_give_the_state_that_qiskit_gives(seed, mixed):
    circuit = random_circuit(np.random.default_rng(seed), 4, 40)
    plan = planned(circuit)
    assert plan.qubits == (0, 1, 2, 3)
    array = final_state(plan, {}, mixed=mixed).array
    exact = Statevector(circuit.reverse_bits())
    if mixed:
        assert np.allclose(array, DensityMatrix(exact).data)
    else:
        assert abs(np.vdot(array, exact.data)) == pytest.approx(1)


def dynamic_circuit(seed):
    """Return a circuit that measures, resets and branches between random gates."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(3, "c"))
    flags = ClassicalRegister(2, "f")
    circuit.add_register(flags)
    circuit.compose(random_circuit(rng, 3, 8), inplace=True)
    circuit.measure(0, flags[0])
    circuit.reset(1)
    circuit.compose(random_circuit(rng, 3, 5), inplace=True)
    circuit.measure(1, flags[1])
    with circuit.if_test((flags, 2)) as other:
        circuit.h(0)
        circuit.measure(2, 1)
        with circuit.if_test((circuit.clbits[1], 1)):
            circuit.x(1)
    with other:
        circuit.ry(0.7, 2)
        circuit.reset(0)
    circuit.cx(0, 2)
    circuit.measure(2, 0)
    circuit.measure(0, 2)
    return circuit


@pytest.mark.parametrize("seed", range(5))
def test_measurements_in_the_middle_have_the_exact_shares(device, seed):
    circuit = dynamic_circuit(seed)
    counts = device.run(circuit, shots=SHOTS, seed=11).result().get_counts()
    seen = {int(word.replace(" ", ""), 2): number for word, number in counts.items()}
    exact = distribution(circuit.decompose(list(GATES)))
    assert seen.keys() <= exact.keys()
    for word, share in exact.items():
        slack = 5 * np.sqrt(share * (1 - share) * SHOTS) + 1
        assert abs(seen.get(word, 0) - share * SHOTS) < slack


@pytest.mark.parametrize("gates", [["h"], ["h", "z"]])
def test_a_reset_is_a_reset_of_a_superposition(device, gates):
    """The SDK adds amplitudes: of (|0> - |1>) it leaves nothing."""
    circuit = QuantumCircuit(1, 1)
    for gate in gates:
        getattr(circuit, gate)(0)
    circuit.reset(0)
    circuit.measure(0, 0)
    assert device.run(circuit, shots=50).result().get_counts() == {"0": 50}


def test_a_reset_leaves_the_partner_mixed(device):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset(0)
    circuit.h(1)
    circuit.measure([0, 1], [0, 1])
    counts = device.run(circuit, shots=SHOTS, seed=1).result().get_counts()
    assert set(counts) == {"00", "10"}  # coherence kept would give "00" alone
    assert abs(counts["00"] - SHOTS / 2) < 6 * np.sqrt(SHOTS) / 2


@pytest.mark.parametrize(("value", "counts"), [(2, "10 1"), (1, "10 0"), (7, "10 0")])
def test_a_register_is_compared_as_a_number(device, value, counts):
    flags = ClassicalRegister(2, "flags")
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(1, "out"), flags)
    circuit.x(1)
    circuit.measure([0, 1], flags)
    with circuit.if_test((flags, value)):
        circuit.x(2)
    circuit.measure(2, 0)
    assert device.run(circuit, shots=9).result().get_counts() == {counts: 9}


def test_a_bit_written_twice_holds_the_later(device):
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.measure(1, 0)
    circuit.measure(0, 1)
    assert device.run(circuit, shots=9).result().get_counts() == {"10": 9}
    again = QuantumCircuit(1, 1)
    again.measure(0, 0)
    again.x(0)
    again.measure(0, 0)
    assert device.run(again, shots=9).result().get_counts() == {"1": 9}


def test_expressions_are_bound_point_by_point(device):
    a, b = Parameter("b"), Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.ry(2 * a + 0.1, 0)
    circuit.rx((a * b).sin(), 1)
    circuit.rzz(b, 0, 1)
    values = {"b": [0.3, -1.1], "a": [0.5, 2.0]}
    operators = [SparsePauliOp("IX"), SparsePauliOp("YI"), SparsePauliOp("ZZ", 0.5)]
    pub = (circuit, [[each] for each in operators], values)
    found = EstimatorV2(device).run([pub], precision=0).result()[0].data.evs
    for point in range(2):
        bound = circuit.assign_parameters({a: values["b"][point], b: values["a"][point]})
        exact = [Statevector(bound).expectation_value(each).real for each in operators]
        assert np.allclose(found[:, point], exact)


def test_idle_qubits_are_zero_in_exact_values(device):
    circuit = QuantumCircuit(4)
    circuit.h(2)
    operators = [SparsePauliOp("ZIII"), SparsePauliOp("IIIX"), SparsePauliOp("ZXIZ")]
    found = EstimatorV2(device).run([(circuit, operators)], precision=0).result()[0].data.evs
    assert np.allclose(found, [1, 0, 1])


def test_a_seed_fixes_dynamic_circuits_too(device):
    circuit = dynamic_circuit(3)
    runs = [
        device.run(circuit, shots=64, seed=seed, memory=True).result().get_memory()
        for seed in (7, 7, 8)
    ]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0] != sorted(runs[0])


def test_what_it_cannot_do_is_said(device):
    measured = QuantumCircuit(1, 1)
    measured.measure(0, 0)
    with pytest.raises(ConfigError, match="takes at most"):
        driver.open("local", num_qubits=99)
    with pytest.raises(ConfigError, match="no job"):
        device.session.job("nothing")
    estimator = EstimatorV2(device)
    with pytest.raises((UnsupportedError, JobFailedError)):
        estimator.run([(measured, SparsePauliOp("Z"))], precision=0).result()
    switch = QuantumCircuit(1, 1)
    switch.measure(0, 0)
    with switch.switch(switch.cregs[0]) as case, case(1):
        switch.x(0)
    with pytest.raises(RejectedError):
        device.run(switch, shots=5)


def test_wide_circuits_count_only_the_qubits_in_use():
    device = QDMIBackend(driver.open("local-dm"))
    assert device.num_qubits == 13
    circuit = QuantumCircuit(13, 1)
    circuit.x(12)
    circuit.measure(12, 0)
    assert device.run(circuit, shots=5).result().get_counts() == {"1": 5}
