"""Many circuits: program sets within both limits, in order; single tasks elsewhere."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit.primitives import EstimatorV2, SamplerV2
from tests.braket.cloud import backend, flipped


def actions(service, since):
    found = []
    for task in service.tasks[since:]:
        action = json.loads(task.request["action"])
        found.append((action, task.request["shots"]))
    return found


def executables(action):
    rows = [program.get("inputs") or {} for program in action["programs"]]
    return sum(len(next(iter(inputs.values()), [0])) for inputs in rows)


def test_250_circuits_of_4096_shots_fit_both_limits_in_order(service):
    device = backend("garnet")
    kinds = [flipped(device, word) for word in range(8)]
    words = [k * 5 % 8 for k in range(250)]
    before = len(service.tasks)
    counts = device.run([kinds[word] for word in words], shots=4096).result(400).get_counts()
    assert [int(next(iter(each)), 2) for each in counts] == words
    assert all(each == {f"{word:03b}": 4096} for each, word in zip(counts, words, strict=True))
    sent = actions(service, before)
    assert len(sent) == 6  # 200 000 // 4096 = 48 to a task
    for action, shots in sent:
        assert executables(action) <= 100
        assert shots == 4096 * executables(action) <= 200_000


def test_a_sweep_is_one_source_with_rows_of_inputs(service):
    device = backend("garnet")
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2)
    circuit.ry(theta, 0)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, seed_transpiler=1)
    angles = np.pi * np.array([[0, 1, 1], [0, 0, 1]])
    before = len(service.tasks)
    data = SamplerV2(device).run([(isa, angles)], shots=20).result()[0].data.c
    ((action, shots),) = actions(service, before)
    assert len(action["programs"]) == 1
    assert shots == 120
    assert "ry(" not in action["programs"][0]["source"]
    for index, angle in np.ndenumerate(angles):
        assert data.get_counts(index) == {f"0{int(angle > 0)}": 20}


def test_a_sweep_beyond_the_limit_is_cut(service):
    device = backend("garnet")
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(theta, 0)
    circuit.measure(0, 0)
    isa = transpile(circuit, device, seed_transpiler=1)
    ones = np.arange(130) % 3 == 0
    before = len(service.tasks)
    bits = SamplerV2(device).run([(isa, np.pi * ones[:, None])], shots=4).result()[0].data.c
    assert [executables(action) for action, _ in actions(service, before)] == [65, 65]
    assert (bits.array[:, :, 0] == ones[:, None]).all()


def test_pubs_of_different_shots_are_different_tasks(service):
    device = backend("garnet")
    pubs = [(flipped(device, k), None, 10 + 5 * (k % 2)) for k in range(6)]
    before = len(service.tasks)
    result = SamplerV2(device).run(pubs).result()
    sent = actions(service, before)
    assert sorted(shots for _, shots in sent) == [30, 45]
    for k in range(6):
        assert result[k].data.c.get_counts() == {f"{k:03b}": 10 + 5 * (k % 2)}


def test_one_executable_is_a_plain_program(service):
    device = backend("garnet")
    before = len(service.tasks)
    device.run(flipped(device, 3), shots=7).result(200)
    ((action, shots),) = actions(service, before)
    assert (set(action), shots) == ({"braketSchemaHeader", "source"}, 7)


def test_program_sets_can_be_left_out(service):
    device = backend("garnet", program_sets=False)
    before = len(service.tasks)
    counts = device.run([flipped(device, k) for k in range(4)], shots=7).result(200).get_counts()
    assert counts == [{f"{k:03b}": 7} for k in range(4)]
    assert len(service.tasks) == before + 4


@pytest.mark.parametrize("name", ["garnet", "cepheus-1-108q"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_expectations_of_single_qubits_have_their_signs(service, name, level):
    """A peer gives +1, -1, +1."""
    device = backend(name)
    circuit = QuantumCircuit(3)
    circuit.x(0)
    isa = transpile(circuit, device, optimization_level=level, seed_transpiler=3)
    plain = [SparsePauliOp(label) for label in ("IIZ", "IZI", "ZII")]
    placed = [each.apply_layout(isa.layout) for each in plain]
    data = EstimatorV2(device).run([(isa, placed)], precision=0.1).result()[0].data
    assert data.evs.tolist() == [-1.0, 1.0, 1.0]
    unplaced = transpile(
        circuit, device, optimization_level=level, initial_layout=[0, 1, 2], seed_transpiler=3
    )
    wide = [each.apply_layout(None, unplaced.num_qubits) for each in plain]
    again = EstimatorV2(device).run([(unplaced, wide)], precision=0.1).result()[0].data
    assert again.evs.tolist() == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["garnet", "cepheus-1-108q"])
def test_a_bell_pair_after_a_layout(service, name):
    """A peer gives 1.18 in place of 2."""
    device = backend(name)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    isa = transpile(circuit, device, initial_layout=[7, 8], seed_transpiler=1)
    observable = SparsePauliOp(["ZZ", "XX"]).apply_layout(isa.layout)
    data = EstimatorV2(device).run([(isa, observable)], precision=0.05).result()[0].data
    assert data.evs == pytest.approx(2.0, abs=1e-12)


def test_the_service_compiles_where_that_is_asked(service):
    device = backend("garnet", verbatim=False)
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.h(0)
    circuit.x(2)
    circuit.measure([0, 1, 2], [2, 1, 0])
    isa = transpile(circuit, device, optimization_level=0)
    assert "h" in isa.count_ops()
    before = len(service.tasks)
    assert device.run(isa, shots=20).result(200).get_counts() == {"001": 20}
    source = actions(service, before)[0][0]["source"]
    assert "verbatim" not in source
    assert "$" not in source
