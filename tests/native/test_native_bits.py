"""Every bit lands where the circuit says: asymmetric circuits on the test device and DDSIM."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import MCPhaseGate, MCXGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector
from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import RejectedError
from tests.native.libraries import DDSIM, RUNNING, needs_core, needs_qir, opened

SHOTS = 200
SIGMAS = 7  # not every library takes seeds: by chance once in 10**11 comparisons


@cache
def backend(name, **options):
    return QDMIBackend(opened(name, **options))


def isa(name, circuit):
    manager = generate_preset_pass_manager(1, backend=backend(name), seed_transpiler=3)
    return manager.run(circuit)


def sampled(name, *circuits, shots=SHOTS):
    return (
        SamplerV2(backend(name)).run([isa(name, each) for each in circuits], shots=shots).result()
    )


def counts(result, register):
    return getattr(result.data, register).get_counts()


@pytest.mark.parametrize("name", RUNNING)
def test_each_register_gets_its_own_bits(name):
    low, high = ClassicalRegister(3, "low"), ClassicalRegister(2, "high")
    circuit = QuantumCircuit(QuantumRegister(4), low, high)
    circuit.x([0, 2])
    circuit.measure(0, high[1])
    circuit.measure(1, low[0])
    circuit.measure(2, low[2])
    (result,) = sampled(name, circuit)
    assert counts(result, "low") == {"100": SHOTS}
    assert counts(result, "high") == {"10": SHOTS}


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("one", range(4))
def test_an_x_on_one_qubit_sets_one_bit(name, one):
    circuits = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        circuit = QuantumCircuit(4, 4)
        circuit.x(one)
        circuit.measure(range(4), order)
        circuits.append((circuit, order[one]))
    results = sampled(name, *(circuit for circuit, _ in circuits))
    for result, (_, bit) in zip(results, circuits, strict=True):
        assert counts(result, "c") == {f"{1 << bit:04b}": SHOTS}


@pytest.mark.parametrize("name", RUNNING)
def test_bits_that_nothing_measures_are_zero(name):
    circuit = QuantumCircuit(2, 9)
    circuit.x([0, 1])
    circuit.measure([0, 1], [7, 2])
    (result,) = sampled(name, circuit)
    assert counts(result, "c") == {"010000100": SHOTS}


@pytest.mark.parametrize("name", RUNNING)
def test_joint_outcomes_stay_together(name):
    a, b = ClassicalRegister(1, "a"), ClassicalRegister(1, "b")
    circuit = QuantumCircuit(QuantumRegister(2), a, b)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.x(1)
    circuit.measure(0, a[0])
    circuit.measure(1, b[0])
    (result,) = sampled(name, circuit, shots=1000)
    first, second = (getattr(result.data, each).array[:, 0].astype(int) for each in "ab")
    assert np.array_equal(first, 1 - second)
    assert abs(first.sum() - 500) < SIGMAS * 250**0.5


@pytest.mark.parametrize("name", RUNNING)
def test_a_sweep_goes_through_templates_and_comes_back_in_order(name):
    from qiskit.circuit import Parameter

    theta = Parameter("t")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(theta, 0)
    circuit.measure([0, 1], [1, 0])
    values = np.array([[0.0], [np.pi], [np.pi / 3], [2 * np.pi]])
    job = SamplerV2(backend(name)).run([(isa(name, circuit), values)], shots=2000)
    ones = job.result()[0].data.c.array[..., 0] == 2
    shares = ones.mean(axis=1)
    assert shares[[0, 1, 3]].tolist() == [0, 1, 0]
    assert abs(shares[2] - 0.25) < SIGMAS * (0.25 * 0.75 / 2000) ** 0.5


@pytest.mark.parametrize("name", RUNNING)
def test_expectation_values_match_the_state(name):
    circuit = QuantumCircuit(3)
    circuit.ry(0.7, 0)
    circuit.rx(1.1, 1)
    circuit.cx(0, 2)
    ready = isa(name, circuit)
    from qiskit.quantum_info import SparsePauliOp

    observable = SparsePauliOp(["IIZ", "IYI", "ZIZ", "XII"], [1.0, 0.5, -2.0, 0.25])
    estimator = EstimatorV2(backend(name), options={"seed": 11})
    (found,) = estimator.run(
        [(ready, observable.apply_layout(ready.layout))], precision=0.02
    ).result()
    exact = Statevector(circuit).expectation_value(observable).real
    assert abs(found.data.evs - exact) < SIGMAS * 0.02


VARIADIC = {"mcx": MCXGate(4), "mcphase": MCPhaseGate(0.9, 3)}


SPECIAL = {"measure", "reset", "delay", "barrier", "if_else"}


FORMATS = (
    "qasm3",
    "qasm2",
    pytest.param("qir-base", marks=needs_qir),
)


@needs_core
@pytest.mark.parametrize("written", FORMATS)
def test_every_gate_of_ddsim_is_qiskits_gate(written):
    device = backend(DDSIM, program_format=written)
    assert device.session.spec().capabilities.formats == (written,)
    mapping, circuits = get_standard_gate_name_mapping(), []
    names = sorted(set(device.target.operation_names) - SPECIAL)
    assert len(names) >= 45
    for name in names:
        gate = VARIADIC.get(name) or mapping[name].to_mutable()
        gate.params = [0.3 + 0.4 * k for k in range(len(gate.params))]
        circuit = QuantumCircuit(gate.num_qubits, gate.num_qubits)
        for qubit in range(gate.num_qubits):
            circuit.u(1.9 - 0.3 * qubit, 0.4 + qubit, 0.2, qubit)
        circuit.append(gate, range(gate.num_qubits))
        for qubit in range(gate.num_qubits):
            circuit.u(0.8 + 0.2 * qubit, 1.1, 0.5 * qubit, qubit)
        circuits.append(circuit)
    shots, runs = 8000, []
    for circuit in circuits:
        measured = circuit.copy()
        measured.measure(range(circuit.num_qubits), range(circuit.num_qubits))
        runs.append(measured)
    results = (
        SamplerV2(device, options={"seed": 5} if seeded() else {}).run(runs, shots=shots).result()
    )
    wrong = []
    for name, circuit, result in zip(names, circuits, results, strict=True):
        chances = Statevector(circuit).probabilities()
        seen = np.zeros(len(chances))
        for word, number in result.data.c.get_int_counts().items():
            seen[word] = number / shots
        spread = np.sqrt(chances * (1 - chances) / shots) + 1 / shots
        if (np.abs(seen - chances) > SIGMAS * spread).any():
            wrong.append(name)
    assert wrong == []


@needs_core
def test_what_openqasm_2_has_no_word_for_is_refused():
    circuit = QuantumCircuit(4, 4)
    circuit.append(VARIADIC["mcphase"], range(4))
    with pytest.raises(RejectedError, match="uses mcphase, which this device has not"):
        backend(DDSIM, program_format="qasm2").session.encoders["qasm2"](circuit)


def seeded():
    return backend(DDSIM).session.spec().capabilities.seeds


@needs_core
def test_a_condition_on_a_bit_is_obeyed():
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.x(2)
    circuit.measure([1, 2], [1, 2])
    (result,) = sampled(DDSIM, circuit)
    assert counts(result, "c") == {"011": SHOTS}
