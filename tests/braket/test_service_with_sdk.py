"""The loopback service is the real one to the unmodified SDK."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

pytest.importorskip("boto3")
pytest.importorskip("braket.aws")

from braket.aws import AwsDevice, AwsQuantumTask
from braket.circuits import Circuit, FreeParameter, Observable
from braket.default_simulator import StateVectorSimulator
from braket.device_schema.standardized_gate_model_qpu_device_properties_v2 import (
    StandardizedGateModelQpuDeviceProperties as StandardizedV2,
)
from braket.ir.openqasm import Program
from braket.program_sets import CircuitBinding, ProgramSet

from qdmi_qiskit.testing.braket_service.documents.versions import future, second
from qdmi_qiskit.testing.braket_service.simulate import execute
from tests.braket.unmodified import UNMODIFIED

PI = 3.141592653589793

pytestmark = [
    *UNMODIFIED,
]


@pytest.fixture(scope="module")
def garnet(polled):
    with polled.activated("us-east-1"):
        return AwsDevice(polled.devices["garnet"].arn)


def counts(task):
    return dict(task.result().measurement_counts)


def flipped(label, *labels):
    """X on one label by a native gate; the labels measured in this order."""
    circuit = Circuit().add_verbatim_box(Circuit().prx(label, PI, 0))
    for each in labels:
        circuit.measure(each)
    return circuit


def test_the_sdk_finds_every_device_in_its_region(polled):
    found = AwsDevice.get_devices()
    assert {device.name for device in found} == {
        "SV1", "dm1", "Garnet", "Cepheus-1-108Q", "Forte Enterprise 1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sv1", "dm1", "garnet", "cepheus", "forte"])
def test_the_sdk_parses_the_document_without_a_warning(polled, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        device = AwsDevice(polled.devices[name].arn)
    document = polled.devices[name].document
    assert device.status == "ONLINE"
    assert device.properties.paradigm.qubitCount == document["paradigm"]["qubitCount"]
    assert device.properties.service.deviceCost.price == document["service"]["deviceCost"]["price"]
    assert isinstance(device.is_available, bool)
    if polled.devices[name].qpu:
        assert device.properties.standardized is not None
        assert len(device.topology_graph.nodes) == document["paradigm"]["qubitCount"]


def test_garnet_has_labels_from_one_and_cepheus_has_a_gap(polled, garnet):
    assert sorted(garnet.topology_graph.nodes) == list(range(1, 21))
    cepheus = AwsDevice(polled.devices["cepheus"].arn)
    assert sorted(cepheus.topology_graph.nodes) == [k for k in range(108) if k != 8]


def test_queue_depth_reads_text(polled, garnet):
    device = polled.devices["garnet"]
    before = list(device.queue)
    device.queue[0] = ("QUANTUM_TASKS_QUEUE", ">4000", "Normal")
    try:
        depth = garnet.queue_depth()
    finally:
        device.queue[:] = before
    assert next(iter(depth.quantum_tasks.values())) == ">4000"
    assert "prioritized" in depth.jobs


def test_bits_of_sv1_stand_in_the_order_of_measurement(polled):
    device = AwsDevice(polled.devices["sv1"].arn)
    circuit = Circuit().x(0).i(1).i(2).measure(2).measure(0).measure(1)
    result = device.run(circuit, shots=10).result()
    assert dict(result.measurement_counts) == {"010": 10}
    assert result.measured_qubits == [2, 0, 1]


def test_bits_of_a_verbatim_circuit_and_a_partial_measurement(polled, garnet):
    task = garnet.run(flipped(4, 5, 4, 10), shots=8)
    assert counts(task) == {"010": 8}
    assert "prx" in task.result().get_compiled_circuit()
    assert garnet.run(
        flipped(4, 5), shots=3, poll_interval_seconds=0.02
    ).result().measured_qubits == [5]


def test_dm1_simulates_noise(polled):
    device = AwsDevice(polled.devices["dm1"].arn)
    circuit = Circuit().x(0).x(1).amplitude_damping(0, 1.0).measure(0).measure(1)
    assert counts(device.run(circuit, shots=5)) == {"01": 5}


def test_forte_gives_probabilities_from_which_the_sdk_makes_rows(polled):
    device = AwsDevice(polled.devices["forte"].arn)
    circuit = Circuit().add_verbatim_box(Circuit().gpi(7, 0).gpi2(2, 0).gpi2(2, 0).zz(7, 2, 0.5))
    circuit.measure(3).measure(7).measure(2)
    task = device.run(circuit, shots=100)
    result = task.result()
    assert dict(result.measurement_probabilities) == {"011": 1.0}
    assert result.measurement_probabilities_copied_from_device


def test_debias_is_taken_with_enough_shots(polled):
    from braket.error_mitigation import Debias

    device = AwsDevice(polled.devices["forte"].arn)
    circuit = Circuit().x(0).x(1).x(1).measure(1).measure(0)
    options = {"device_parameters": {"errorMitigation": Debias()}}
    task = device.run(circuit, shots=2500, poll_interval_seconds=0.02, **options)
    assert task.result().additional_metadata.ionqMetadata.sharpenedProbabilities == {"01": 1.0}
    with pytest.raises(Exception, match="at least 2500 shots"):
        device.run(circuit, shots=200, **options)


def test_cepheus_takes_quarter_turns_only(polled):
    device = AwsDevice(polled.devices["cepheus"].arn)
    box = Circuit().rx(9, PI / 2).rx(9, PI / 2).rz(9, 0.3).cz(9, 10)
    circuit = Circuit().add_verbatim_box(box).measure(10).measure(9)
    assert counts(device.run(circuit, shots=10)) == {"01": 10}
    wrong = Circuit().add_verbatim_box(Circuit().rx(9, 0.3)).measure(9)
    with pytest.raises(Exception, match="is not native"):
        device.run(wrong, shots=10)


def test_free_parameters_travel_as_inputs(polled, garnet):
    circuit = Circuit().add_verbatim_box(Circuit().prx(3, FreeParameter("t"), 0))
    circuit.measure(3).measure(4)
    task = garnet.run(circuit, shots=4, inputs={"t": PI})
    assert counts(task) == {"10": 4}


def test_a_program_set_keeps_order_and_rows(polled, garnet):
    sweep = Circuit().add_verbatim_box(Circuit().prx(3, FreeParameter("t"), 0))
    sweep.measure(3).measure(4)
    binding = CircuitBinding(sweep, input_sets={"t": [0.0, PI, 0.0]})
    task = garnet.run(
        ProgramSet([flipped(4, 5, 4), binding], shots_per_executable=5), poll_interval_seconds=0.02
    )
    result = task.result()
    found = [[dict(each.counts) for each in program] for program in result]
    assert found == [[{"01": 5}], [{"00": 5}, {"10": 5}, {"00": 5}]]
    assert task.metadata()["actionMetadata"]["executableCount"] == 4


def test_a_program_set_may_fail_in_part(polled, garnet):
    polled.faults.fail_executables([1], "the fridge was warm")
    program_set = ProgramSet([flipped(4, 4), flipped(5, 4)], shots_per_executable=5)
    task = garnet.run(program_set)
    first, second = task.result()
    assert dict(first[0].counts) == {"1": 5}
    assert second[0].failureMetadata.failureReason == "the fridge was warm"
    assert task.metadata()["numSuccessfulShots"] == 5


def test_a_task_is_found_again_by_its_arn(polled, garnet):
    task = garnet.run(flipped(4, 5, 4), shots=8)
    again = AwsQuantumTask(task.id, garnet.aws_session, poll_interval_seconds=0.02)
    assert counts(again) == {"01": 8}


def test_a_task_is_created_first_and_can_be_cancelled(polled, garnet):
    polled.hold("CREATED")
    try:
        task = garnet.run(flipped(4, 4), shots=1)
        assert task.state() == "CREATED"
        assert task.queue_position().queue_position == "1"
        task.cancel()
        assert task.state() in ("CANCELLING", "CANCELLED")
    finally:
        polled.release()
    assert AwsQuantumTask(task.id, garnet.aws_session, poll_interval_seconds=0.02).result() is None


def test_the_reason_of_a_failure_is_in_the_metadata(polled, garnet):
    polled.faults.end_tasks("FAILED", "no helium")
    task = garnet.run(flipped(4, 4), shots=1)
    assert task.result() is None
    assert task.metadata()["failureReason"] == "no helium"


def test_exact_results_without_shots(polled):
    device = AwsDevice(polled.devices["sv1"].arn)
    circuit = Circuit().ry(0, 0.7).i(1)
    circuit.expectation(Observable.Z(), 0)
    circuit.state_vector()
    result = device.run(circuit, shots=0).result()
    assert result.values[0] == pytest.approx(0.7648421872844885)
    assert abs(result.values[1][0]) ** 2 == pytest.approx(0.8824210936422443)


def test_result_types_from_shots(polled):
    device = AwsDevice(polled.devices["sv1"].arn)
    circuit = Circuit().x(0).i(1)
    circuit.expectation(Observable.Z() @ Observable.Z(), [0, 1])
    result = device.run(circuit, shots=50).result()
    assert result.values[0] == -1.0


def test_a_batch_of_tasks(polled):
    device = AwsDevice(polled.devices["sv1"].arn)
    circuits = [Circuit().x(k).i(1 - k).measure(0).measure(1) for k in (0, 1, 0)]
    batch = device.run_batch(circuits, shots=3, max_parallel=3, poll_interval_seconds=0.02)
    assert [dict(each.measurement_counts) for each in batch.results()] == [
        {"10": 3}, {"01": 3}, {"10": 3},
    ]  # fmt: skip


def test_the_sdk_creates_a_second_task_where_a_token_would_not(polled, garnet):
    before = len(polled.tasks)
    action = Program(source="OPENQASM 3.0;bit[1] b;b[0]=measure $3;").json()
    request = {
        "clientToken": "one-key",
        "deviceArn": garnet.arn,
        "shots": 1,
        "outputS3Bucket": garnet.aws_session.default_bucket(),
        "outputS3KeyPrefix": "tasks",
        "action": action,
    }
    first = garnet.aws_session.create_quantum_task(**request)
    assert garnet.aws_session.create_quantum_task(**request) == first
    assert len(polled.tasks) == before + 1
    garnet.run(Program(**json.loads(action)), shots=1)
    garnet.run(Program(**json.loads(action)), shots=1)
    assert len(polled.tasks) == before + 3


def test_version_2_of_the_standardized_properties(polled, monkeypatch):
    changed = second(polled.devices["garnet"], directed=True)
    block = StandardizedV2.parse_raw_schema(json.dumps(changed.document["standardized"]))
    assert block.twoQubitProperties["1-2"].twoQubitGateFidelity[1].direction["control"] == 1
    monkeypatch.setitem(polled.devices, "garnet", changed)
    with pytest.warns(UserWarning, match="schema"):  # IQM's class knows version 1 only
        assert AwsDevice(changed.arn).properties is None


def test_the_sdk_does_not_read_a_document_of_the_future(polled, monkeypatch):
    monkeypatch.setitem(polled.devices, "garnet", future(polled.devices["garnet"]))
    with pytest.raises(ModuleNotFoundError, match="_v99"):
        AwsDevice(polled.devices["garnet"].arn)


@pytest.mark.parametrize("number", range(12))
def test_what_is_replaced_in_the_simulator_changes_no_bit(number):
    """Flips, swaps and CNOTs: one outcome, which the simulator by itself gives too."""
    choice = np.random.default_rng(number)
    labels = choice.choice(40, 9, replace=False)
    lines = ["OPENQASM 3.0;", "bit[6] b;"]
    for _ in range(choice.integers(12)):
        gate, width = (("x", 1), ("cnot", 2), ("swap", 2), ("ccnot", 3))[choice.integers(4)]
        places = ", ".join(f"${k}" for k in choice.choice(labels[:6], width, replace=False))
        lines.append(f"{gate} {places};")
    measured, bits = (choice.choice(each, 4, replace=False) for each in (labels, range(6)))
    lines += [f"b[{b}] = measure ${k};" for b, k in zip(bits, measured, strict=True)]
    program = Program(source="\n".join(lines))
    plain = StateVectorSimulator().run_openqasm(program, shots=3)
    ours = execute(program.source, {}, 3)
    assert ours.rows.tolist() == [[int(bit) for bit in row] for row in plain.measurements]
    assert ours.qubits == plain.measuredQubits
