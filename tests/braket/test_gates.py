"""Every word means what Qiskit means by it, and Qiskit compiles to IonQ's gates."""

import numpy as np
import pytest
from braket.default_simulator.gate_operations import BRAKET_GATES
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
from qiskit.circuit.library import (
    CZGate,
    RXXGate,
    RZGate,
    RZZGate,
    UGate,
    XGate,
    YGate,
    get_standard_gate_name_mapping,
)
from qiskit.quantum_info import Operator
from qiskit.transpiler import Target

from qdmi_qiskit.devices.braket.gates import (
    GATES,
    QUARTER_TURNS,
    WORDS,
    words_for,
)
from qdmi_qiskit.vocabulary import teach_transpiler

ANGLES = (0.37, 1.21, -0.83)


def braket_matrix(word, angles):
    """Braket's matrix with the first qubit least significant, as in Qiskit."""
    targets = tuple(range(word.num_sites))
    big = BRAKET_GATES[word.name](targets, *(word.angles or angles)).matrix
    axes = list(range(word.num_sites))[::-1]
    n = word.num_sites
    tensor = big.reshape([2] * 2 * n).transpose(axes + [n + k for k in axes])
    return tensor.reshape(2**n, 2**n)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_a_word_is_the_same_matrix(name):
    word = WORDS[name]
    gate = {**get_standard_gate_name_mapping(), **GATES}[name].to_mutable()
    gate.params = list(ANGLES[: word.num_angles])
    ours, theirs = Operator(gate), Operator(braket_matrix(word, gate.params))
    assert ours.equiv(theirs), f"{name} is not {word.name}"
    if name != "u":
        assert np.allclose(ours.data, theirs.data), f"{name} differs from {word.name} by a phase"


@pytest.mark.parametrize("name", sorted(WORDS))
def test_symmetric_words_may_swap_their_qubits(name):
    word = WORDS[name]
    if word.num_sites != 2:
        return
    swap = np.eye(4)[[0, 2, 1, 3]]
    matrix = braket_matrix(word, ANGLES[: word.num_angles])
    assert np.allclose(swap @ matrix @ swap, matrix) == word.symmetric


@pytest.mark.parametrize("name", sorted(QUARTER_TURNS))
def test_quarter_turns_are_the_gates_up_to_a_phase(name):
    gate = get_standard_gate_name_mapping()[name]
    assert Operator(gate).equiv(Operator(braket_matrix(QUARTER_TURNS[name], ())))


@pytest.mark.parametrize("name", sorted(GATES))
def test_inverse_of_a_native_gate(name):
    gate = GATES[name].to_mutable()
    gate.params = list(ANGLES[: len(gate.params)])
    assert Operator(gate.inverse()) == Operator(gate).adjoint()


def test_upper_case_names_are_the_same_gates():
    assert set(words_for(["GPI", "GPI2", "ZZ"])) == {"gpi_rad", "gpi2_rad", "rzz"}
    assert set(words_for(["rx", "rz", "cz"], quarter_turns=True)) == {"rz", "cz", "x", "sx", "sxdg"}
    assert set(words_for(["rx"])) == {"rx"}
    assert words_for(["pswap", "some_future_gate"]) == {}


@pytest.mark.parametrize(
    "gate", [UGate(*ANGLES), RZGate(0.4), XGate(), YGate(), RXXGate(0.4), CZGate()], ids=str
)
def test_equivalences_are_exact(gate):
    teach_transpiler()
    before = len(SessionEquivalenceLibrary.get_entry(gate))
    teach_transpiler()  # telling it again changes nothing
    entries = SessionEquivalenceLibrary.get_entry(gate)
    assert len(entries) == before
    ours = [e for e in entries if {"gpi_rad", "gpi2_rad", "ms_rad", "rzz"} & e.count_ops().keys()]
    assert ours
    for entry in ours:
        assert Operator(entry) == Operator(gate)


@pytest.mark.parametrize("entangler", ["rzz", "ms_rad"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_plain_transpile_reaches_ionq(entangler, level):
    teach_transpiler()
    target = Target(num_qubits=3)
    ones = {(k,): None for k in range(3)}
    for name in ("gpi_rad", "gpi2_rad"):
        target.add_instruction(GATES[name], dict(ones))
    two = RZZGate(Parameter("t")) if entangler == "rzz" else GATES["ms_rad"]
    target.add_instruction(two, {(a, b): None for a in range(3) for b in range(3) if a != b})
    target.add_instruction(Measure(), dict(ones))
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.ry(0.3, 1)
    circuit.swap(1, 2)
    circuit.u(*ANGLES, 0)
    isa = transpile(circuit, target=target, optimization_level=level, seed_transpiler=1)
    assert set(isa.count_ops()) <= {"gpi_rad", "gpi2_rad", entangler}
    assert Operator.from_circuit(isa).equiv(Operator(circuit))


def test_the_gates_of_qiskit_ionq_count_in_turns_and_stay_apart_from_ours():
    theirs = pytest.importorskip("qiskit_ionq")  # adds its own rules to Qiskit's
    teach_transpiler()
    circuit = QuantumCircuit(1)
    circuit.append(theirs.GPIGate(0.125), [0])  # an eighth of a turn
    circuit.append(theirs.GPI2Gate(0.25), [0])
    circuit.u(*ANGLES, 0)
    target = Target(num_qubits=1)
    for name in ("gpi_rad", "gpi2_rad"):
        target.add_instruction(GATES[name], {(0,): None})
    isa = transpile(circuit, target=target, optimization_level=0)
    assert set(isa.count_ops()) <= {"gpi_rad", "gpi2_rad"}
    whole = QuantumCircuit(1)
    whole.append(GATES["gpi_rad"].to_mutable(), [0])
    ours = Operator(whole.assign_parameters([np.pi / 4]))
    assert ours.equiv(Operator(theirs.GPIGate(0.125)))
    assert Operator.from_circuit(isa).equiv(Operator(circuit))
