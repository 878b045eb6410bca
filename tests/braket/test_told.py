"""What the service tells of a job reaches the user: price, times, how shots came, what failed."""

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter
from qiskit.exceptions import QiskitError

from qdmi_qiskit.devices.braket import job as job_module
from qdmi_qiskit.errors import ConfigError, JobFailedError, RejectedError
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import JobStatus, Task
from qdmi_qiskit.primitives import EstimatorV2, SamplerV2
from tests.braket.cloud import backend, flipped, session


def swept(device):
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(theta, 1)
    circuit.measure([0, 1], [0, 1])
    return transpile(circuit, device, seed_transpiler=1)


def test_price_and_times_are_in_a_result(service):
    device = backend("garnet", tags={"who": "me"})
    result = device.run([flipped(device, word) for word in (1, 6)], shots=10).result(200)
    (job,) = result.metadata["device_jobs"]
    assert job["id"] == service.tasks[-1].arn
    assert job["price"] == pytest.approx(0.3 + 20 * 0.00145)  # one task, two executables
    assert (job["currency"], job["synthetic"], job["tags"]) == ("USD", False, {"who": "me"})
    began, ended = (datetime.fromisoformat(job[key]) for key in ("submitted_at", "ended_at"))
    assert began <= ended
    assert began.tzinfo is not None
    assert "queue_position" not in job
    assert json.loads(json.dumps(job)) == job


def test_the_price_of_each_task_where_there_is_no_set(service):
    device = backend("cepheus-1-108q", program_sets=False, price_per_task=0.5)
    job = SamplerV2(device).run([flipped(device, word) for word in (1, 6)], shots=40)
    told = job.result().metadata["device_jobs"]
    assert [each["price"] for each in told] == pytest.approx([0.5 + 40 * 0.000425] * 2)


def test_a_task_found_again_tells_the_same(service):
    device = backend("garnet")
    encode = encoder(device.spec.capabilities.formats, device.session.encoders)
    job = device.session.submit([Task(encode(flipped(device, 5)), 20)], key=uuid4().hex)
    job.wait(200)
    job.result()
    again = session("garnet").job(job.id)
    assert "synthetic" not in again.metadata  # it is not known before the result is there
    again.result()
    assert again.metadata == job.metadata
    other = session("cepheus-1-108q").job(job.id)  # another device has another price
    assert "price" not in other.metadata


def test_time_on_a_simulator_is_told_and_its_price_is_not_known(service):
    device = backend("sv1")
    result = device.run(flipped(device, 5), shots=10).result(200)
    (job,) = result.metadata["device_jobs"]
    assert job["runtime"] == pytest.approx(0.001)
    assert "price" not in job


def test_a_place_in_the_queue_while_there_is_one(service):
    device = backend("garnet", program_sets=False)
    encode = encoder(device.spec.capabilities.formats, device.session.encoders)
    service.hold("QUEUED")
    jobs = [device.session.submit([Task(encode(flipped(device, 1)), 5)], key=uuid4().hex)
            for _ in range(3)]  # fmt: skip
    for job in jobs:
        job.status()
    assert [job.metadata["queue_position"] for job in jobs] == [1, 2, 3]
    service.release()
    for job in jobs:
        job.wait(200)
        assert "queue_position" not in job.metadata


def test_a_reservation_is_not_paid_by_the_shot(service):
    reservation = "arn:aws:braket:eu-north-1:123456789012:reservation/abc"
    device = backend("garnet", reservation_arn=reservation, max_cost=1.0)
    assert device.spec.price is None
    with pytest.raises(ConfigError, match="does not say what a task costs"):
        device.run(flipped(device, 1), shots=5)


def test_shots_from_probabilities_are_marked_in_results_and_primitives(service):
    device = backend("forte-enterprise-1")
    circuit = flipped(device, 5)
    job = device.run(circuit, shots=100)
    assert job.result(200).metadata["device_jobs"][0]["synthetic"] is True
    assert not job.result().results[0].ordered_shots
    sampled = SamplerV2(device).run([circuit], shots=100).result()
    assert sampled.metadata["device_jobs"][0]["synthetic"] is True
    assert sampled[0].data.c.get_counts() == {"101": 100}
    bare = circuit.remove_final_measurements(inplace=False)
    value = EstimatorV2(device).run([(bare, "I" * 33 + "ZIZ")], precision=0.1).result()
    assert value.metadata["device_jobs"][0]["synthetic"] is True
    assert value[0].data.evs == 1.0


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_a_circuit_that_failed_says_why_and_the_others_are_there(service, status):
    device = backend("garnet")
    service.faults.fail_executables([1], "Qubit 3 was cold", status=status)
    result = device.run([flipped(device, word) for word in (1, 2, 4)], shots=10).result(200)
    assert not result.success
    assert [each.success for each in result.results] == [True, False, True]
    assert "Qubit 3 was cold" in result.results[1].status
    assert [result.get_counts(k) for k in (0, 2)] == [{"001": 10}, {"100": 10}]
    with pytest.raises(QiskitError, match="Qubit 3 was cold"):
        result.get_counts(1)


def test_points_that_failed_are_named_by_the_primitives_and_the_rest_can_be_had(service):
    device = backend("garnet")
    values = np.array([[np.pi], [0.0], [np.pi], [0.0]])
    service.faults.fail_executables([2], "Qubit 3 was cold")
    job = SamplerV2(device).run([(swept(device), values)], shots=10)
    with pytest.raises(JobFailedError, match="Qubit 3 was cold"):
        job.result()
    pub = job.result(partial=True)[0]
    assert pub.data.c.get_counts(0) == {"10": 10}
    assert pub.data.c.get_counts(1) == {"00": 10}
    assert list(pub.metadata["failures"]) == [2]

    bare = swept(device).remove_final_measurements(inplace=False)
    observable = "I" * 20
    where = bare.layout.final_index_layout()[1]
    label = observable[: 19 - where] + "Z" + observable[20 - where :]
    service.faults.fail_executables([1], "Qubit 3 was cold")
    job = EstimatorV2(device).run([(bare, label, values)], precision=0.1)
    with pytest.raises(JobFailedError, match="Qubit 3 was cold"):
        job.result()
    evs = job.result(partial=True)[0].data.evs
    assert np.isnan(evs[1])
    assert evs[[0, 2, 3]].tolist() == [-1.0, -1.0, 1.0]


def test_debias_end_to_end(service):
    from braket.device_schema.ionq import IonqDeviceParameters

    device = backend("forte-enterprise-1", debias=True)
    circuit = flipped(device, 5)
    before = len(service.tasks)
    with pytest.raises(ConfigError, match="at least 2500"):
        device.run(circuit, shots=2499)
    assert len(service.tasks) == before
    result = device.run(circuit, shots=2500).result(200)
    assert result.get_counts() == {"101": 2500}
    (job,) = result.metadata["device_jobs"]
    assert job["sharpenedProbabilities"] == {"101": 1.0}
    request = service.tasks[-1].request
    sent = IonqDeviceParameters.parse_raw_schema(request["deviceParameters"])
    assert [scheme.type.name for scheme in sent.errorMitigation] == ["debias"]
    assert sent.paradigmParameters.qubitCount == 3


def test_tasks_of_a_device_are_listed_and_found_again(service):
    device = backend("cepheus-1-108q", tags={"who": "me"})
    other = backend("garnet")
    start = datetime.now(UTC)
    sent = [device.run(flipped(device, word), shots=10) for word in (1, 2, 4)]
    other.run(flipped(other, 1), shots=10).result(200)
    words = [next(iter(job.result(200).get_counts())) for job in sent]
    listed = session("cepheus-1-108q").tasks(since=start)
    assert [each["tags"] for each in listed] == [{"who": "me"}] * 3
    assert [each["shots"] for each in listed] == [10] * 3
    found = [device.session.job(each["id"]).result()[0].bits[0, 0, 0] for each in listed]
    assert found == [int(word, 2) for word in reversed(words)]
    assert len(device.session.tasks(most=2)) == 2
    assert session("cepheus-1-108q").tasks(since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_a_set_of_too_few_shots_is_refused_before_it_is_sent(service):
    limits = service.devices["garnet"].document["action"]["braket.ir.openqasm.program_set"]
    limits["minimumTotalShots"] = 50
    try:
        device = backend("garnet", cache_seconds=0)
        before = len(service.tasks)
        circuits = [flipped(device, word) for word in (1, 2, 4)]
        with pytest.raises(RejectedError, match="at least 17 for each"):
            device.run(circuits, shots=16)
        assert len(service.tasks) == before
        assert device.run(circuits, shots=17).result(200).success
        assert device.run(circuits[0], shots=1).result(200).success  # a program, no set
    finally:
        del limits["minimumTotalShots"]


def test_ctrl_c_while_waiting_leaves_the_task_running(service, monkeypatch):
    device = backend("sv1")
    encode = encoder(device.spec.capabilities.formats, device.session.encoders)
    service.hold("QUEUED")
    job = device.session.submit([Task(encode(flipped(device, 6)), 20)], key=uuid4().hex)

    def interrupted(_seconds):
        raise KeyboardInterrupt

    ours = SimpleNamespace(sleep=interrupted, monotonic=time.monotonic)
    with monkeypatch.context() as patched:
        patched.setattr(job_module, "time", ours)
        with pytest.raises(KeyboardInterrupt):
            job.wait()
    assert service.count("CancelQuantumTask") == 0
    service.release()
    assert job.wait(200) is JobStatus.DONE
    assert job.result()[0].bits.tolist() == [[[6]] * 20]


def test_refresh_does_not_believe_the_disk(service):
    first = session("garnet")
    first.spec()
    asked = service.count("GetDevice")
    second = session("garnet")
    second.spec()
    assert service.count("GetDevice") == asked  # the document is on disk
    third = session("garnet")
    third.refresh()
    third.spec()
    assert service.count("GetDevice") == asked + 1
