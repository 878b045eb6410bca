"""Star devices: stock transpile above, MOVEs on the way to the wire."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Statevector
from qiskit.transpiler import Target

from qdmi_qiskit.devices.iqm.architecture import architecture_from
from qdmi_qiskit.devices.iqm.encode import Encoder
from qdmi_qiskit.devices.iqm.spec import spec_from
from qdmi_qiskit.devices.iqm.star import StarRouter
from qdmi_qiskit.errors import RejectedError
from tests.iqm import lab, recorded
from tests.iqm.test_iqm_encode import ansatz, outcome_of, probabilities
from tests.iqm.wires import moves_are_closed, names, parsed


def test_the_target_is_plain_and_survives_copies():
    target = lab.target("star")
    assert type(target) is Target
    assert target.num_qubits == 6
    assert set(target.operation_names) == {"r", "rz", "cz", "measure", "delay"}
    for again in (copy.deepcopy(target), pickle.loads(pickle.dumps(target))):  # noqa: S301
        assert again["cz"][0, 5].error == target["cz"][0, 5].error


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_stock_transpile_at_every_level(level):
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for k in range(4):
        circuit.cx(k, k + 1)
    circuit.measure_all()
    isa = lab.transpiled(circuit, "star", level)
    (wire,) = parsed(lab.encoder("star")(isa))
    assert moves_are_closed(wire)
    assert "move" in names(wire)
    for each in wire["instructions"]:
        if each["name"] in ("prx", "measure"):
            assert "CR1" not in each["locus"]
        if each["name"] in ("cz", "move"):
            assert each["locus"][1] == "CR1"


@pytest.mark.parametrize("seed", range(4))
def test_random_circuits_keep_their_distribution(seed):
    circuit = random_circuit(3, 4, max_operands=2, seed=seed + 20)
    circuit.measure_all()
    isa = lab.transpiled(circuit, "star")
    program = lab.encoder("star")(isa)
    (wire,) = parsed(program)
    assert moves_are_closed(wire)
    want = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    np.testing.assert_allclose(probabilities(wire, program.columns, 3), want, atol=1e-9)


def test_asymmetric_states_come_out_right():
    circuit = QuantumCircuit(6, 6)
    circuit.x([0, 3])
    circuit.cx(0, 5)
    circuit.cx(3, 1)
    circuit.measure(range(6), [2, 0, 1, 5, 4, 3])
    isa = lab.transpiled(circuit, "star")
    assert outcome_of(isa, "star", 5) == [0b101101] * 5


def test_a_parametrised_circuit_is_routed_once():
    isa = lab.transpiled(ansatz(), "star", 1)
    program = lab.encoder("star")(isa)
    values = np.array([[0.3, -1.2, 2.0], [1.0, 0.5, -0.7]])
    for row, wire in zip(values, parsed(program, values), strict=True):
        assert moves_are_closed(wire)
        direct = Statevector(
            ansatz().assign_parameters(row).remove_final_measurements(inplace=False)
        ).probabilities()
        np.testing.assert_allclose(probabilities(wire, program.columns, 3), direct, atol=1e-9)


def test_delays_barriers_and_keys_go_through_the_router():
    circuit = QuantumCircuit(6, 2)
    circuit.r(Parameter("a"), 0.0, 0)
    circuit.cz(0, 1)
    circuit.delay(5e-8, 0, unit="s")
    circuit.barrier([0, 1])
    circuit.cz(1, 2)
    circuit.measure([0, 1], [1, 0])
    program = lab.encoder("star")(circuit)
    (wire,) = parsed(program, [[0.25]])
    assert moves_are_closed(wire)
    found = {each["name"]: each["args"] for each in wire["instructions"]}
    assert found["prx"]["angle"] == 0.25
    assert found["delay"] == {"duration": 5e-8}
    order = names(wire)
    (barrier,) = (k for k, name in enumerate(order) if name == "barrier")
    assert wire["instructions"][barrier]["locus"] == ["QB1", "QB2"]
    assert order.index("delay") < barrier < order.index("measure")
    assert [name for name in order[:barrier] if name == "cz"] == ["cz"]
    keys = [each["args"]["key"] for each in wire["instructions"] if each["name"] == "measure"]
    assert sorted(keys) == ["c_2_0_0", "c_2_0_1"]


def test_a_pair_without_a_way_is_refused():
    """QB6 has no MOVE, and no more has QB5."""
    raw = recorded.star()
    loci = raw["gates"]["move"]["implementations"]["tgss"]["loci"]
    loci.remove(["QB5", "CR1"])
    encode = Encoder(architecture_from(raw), StarRouter())
    circuit = QuantumCircuit(6, 1)
    circuit.cz(4, 5)
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="cz on"):
        encode(circuit)
    circuit = QuantumCircuit(6, 1)
    circuit.cz(0, 5)
    circuit.measure(0, 0)
    assert moves_are_closed(parsed(encode(circuit))[0])


def test_a_star_without_moves_has_no_czs():
    raw = recorded.star()
    del raw["gates"]["move"]
    spec = spec_from("broken", architecture_from(raw))
    assert "cz" not in {operation.name for operation in spec.operations}
