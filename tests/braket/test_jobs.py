"""Jobs over the wire: states, results in any process, failures that say why."""

import json
import logging
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter

from qdmi_qiskit.devices.braket import job as job_module
from qdmi_qiskit.devices.braket.results import Part, fetch
from qdmi_qiskit.errors import ConfigError, JobFailedError, ProtocolError, UnavailableError
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import JobStatus, Task
from qdmi_qiskit.primitives import SamplerV2
from qdmi_qiskit.testing.checks_jobs import same
from tests.braket.cloud import QPUS, backend, flipped, session


def encoded(device, circuit):
    return encoder(device.spec.capabilities.formats, device.session.encoders)(circuit)


def submitted(device, *words, shots=100):
    tasks = [Task(encoded(device, flipped(device, word)), shots) for word in words]
    return device.session.submit(tasks, key=uuid4().hex)


def read(shots):
    return shots.bits[:, 0, -1].tolist()


@pytest.mark.parametrize("name", ["sv1", *QPUS])
def test_a_task_is_found_again_elsewhere(service, name):
    device = backend(name)
    circuit = QuantumCircuit(3, 9)
    circuit.x(0)
    circuit.measure([2, 0, 0], [8, 3, 6])
    isa = transpile(circuit, device, seed_transpiler=1)
    job = device.session.submit([Task(encoded(device, isa), 100)], key=uuid4().hex)
    job.wait(200)
    found = session(name).job(job.id)
    assert found.id == job.id
    assert same(found.result(), job.result())
    assert found.result()[0].bits[0, 0].tolist() == [0, 0b01001000]
    assert found.result()[0].num_bits == 9


def test_a_program_set_is_found_again_with_its_tasks_and_points(service):
    device = backend("garnet")
    theta = Parameter("θ[0]")
    swept = QuantumCircuit(2, 2)
    swept.rx(theta, 1)
    swept.measure([0, 1], [0, 1])
    silent = QuantumCircuit(1, 1, global_phase=theta)  # a parameter that no program shows
    silent.x(0)
    silent.measure(0, 0)
    circuits = [transpile(each, device, seed_transpiler=1) for each in (swept, silent)]
    values = np.array([[np.pi], [0.0], [0.0], [np.pi]])
    tasks = [
        Task(encoded(device, circuits[0]), 50, values),
        Task(encoded(device, flipped(device, 4)), 50),
        Task(encoded(device, circuits[1]), 50, values[:3]),
        Task(encoded(device, flipped(device, 6)), 50),
    ]
    before = len(service.tasks)
    job = device.session.submit(tasks, key=uuid4().hex)
    job.wait(200)
    assert len(service.tasks) == before + 1
    assert [read(shots) for shots in job.result()] == [[2, 0, 0, 2], [4], [1, 1, 1], [6]]
    assert same(session("garnet").job(job.id).result(), job.result())


@pytest.mark.parametrize(
    "job_id",
    [
        "no-such-job",
        "arn:aws:braket:us-east-1:123456789012:quantum-task/ec8ece96-ab94-4bf5-a21a-f65d43cb02d1",
    ],
)
def test_a_task_that_there_is_not(service, job_id):
    with pytest.raises(ConfigError) as caught:
        session("sv1").job(job_id)
    assert "123456789012" not in str(caught.value)


def test_states_follow_the_table(service):
    job = submitted(backend("sv1"), 1)
    service.hold("CREATED")
    held = submitted(backend("sv1"), 1)
    assert held.status() is JobStatus.CREATED
    service.release()
    assert held.wait(200) is job.wait(200) is JobStatus.DONE


def test_a_state_without_a_meaning_changes_nothing(service, caplog, monkeypatch):
    job = submitted(backend("sv1"), 1)
    job.wait(200)
    again = session("sv1").job(job.id)
    assert again.status() is JobStatus.DONE
    fresh = submitted(backend("sv1"), 1)
    real = fresh._transport.call
    strange = lambda *a, **k: real(*a, **k) | {"status": "NOT_SET"}  # noqa: E731
    monkeypatch.setattr(fresh._transport, "call", strange)
    with caplog.at_level(logging.WARNING):
        assert fresh.status() is JobStatus.CREATED
    assert "NOT_SET" in caplog.text
    assert "123456789012" not in caplog.text


def test_cancel_twice_and_after_the_end(service):
    service.hold("QUEUED")
    job = submitted(backend("sv1"), 1)
    job.cancel()
    job.cancel()
    service.release()
    assert job.wait(200) is JobStatus.CANCELED
    job.cancel()
    with pytest.raises(JobFailedError, match="was canceled") as caught:
        job.result()
    assert caught.value.job_id == job.id
    done = submitted(backend("sv1"), 1)
    done.wait(200)
    done.cancel()
    assert done.result()[0].bits[0, 0, 0] == 1


def test_a_conflict_means_that_it_ended_meanwhile(service):
    service.hold("QUEUED")
    job = submitted(backend("sv1"), 1)
    service.faults.refuse("CancelQuantumTask", error="ConflictException")
    job.cancel()
    service.release()
    assert job.wait(200) is JobStatus.DONE  # left behind, it would meet the faults of other tests


def test_the_reason_of_a_failure_is_told(service):
    service.faults.end_tasks("FAILED", "The qubits went home, 123456789012")
    job = submitted(backend("sv1"), 1)
    assert job.wait(200) is JobStatus.FAILED
    with pytest.raises(JobFailedError, match="The qubits went home") as caught:
        job.result()
    assert "123456789012" not in str(caught.value)


def test_a_wait_that_times_out_says_where_the_task_is(service):
    service.hold("QUEUED")
    job = submitted(backend("sv1"), 1)
    with pytest.raises(TimeoutError, match="queued") as caught:
        job.wait(0.05)
    assert "123456789012" not in str(caught.value)
    service.release()
    assert job.wait(200) is JobStatus.DONE


def test_a_look_that_fails_says_nothing_about_the_task(service):
    device = backend("sv1", attempts=1)
    job = submitted(device, 3)
    service.faults.drop("GetQuantumTask", 3)
    assert job.wait(200) is JobStatus.DONE
    service.faults.throttle("GetObject", 1)
    with pytest.raises(UnavailableError):
        job.result()
    assert read(job.result()[0]) == [3]


@pytest.mark.parametrize("fault", ["cut", "throttle", "drop", "refuse"])
def test_results_are_read_again(service, fault):
    job = submitted(backend("garnet"), 3, 5)
    job.wait(200)
    getattr(service.faults, fault)("GetObject", 2)
    assert [read(shots) for shots in job.result()] == [[3], [5]]


def test_a_restart_of_the_service_loses_nothing(service):
    service.hold("QUEUED")
    job = submitted(backend("garnet"), 3, 5)
    service.restart()
    service.release()
    job.wait(200)
    assert [read(shots) for shots in job.result()] == [[3], [5]]


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED"])
def test_what_failed_is_told_and_the_rest_is_kept(service, status):
    service.faults.fail_executables([1], "Qubit 3 was cold", status=status)
    job = submitted(backend("garnet"), 1, 2, 4)
    job.wait(200)
    first, second, third = job.result()
    assert (read(first), read(third)) == ([1], [4])
    assert first.valid is None
    assert second.valid.tolist() == [0]
    assert not second.bits.any()
    assert second.failures == {0: "Qubit 3 was cold (retryable)"}
    assert not first.failures
    assert not third.failures


def test_a_set_of_which_nothing_came_fails(service):
    service.faults.fail_executables([0, 1], "All cold", status="FAILED")
    job = submitted(backend("garnet"), 1, 2)
    job.wait(200)
    with pytest.raises(JobFailedError, match="All cold"):
        job.result()


def test_shots_from_probabilities_are_marked(service):
    device = backend("forte-enterprise-1")
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, seed_transpiler=1)
    job = device.session.submit([Task(encoded(device, isa), 101)], key=uuid4().hex)
    job.wait(200)
    (shots,) = job.result()
    assert shots.bits.shape == (1, 101, 1)
    assert set(shots.bits[0, :, 0].tolist()) == {2, 3}
    assert job.metadata["synthetic"] is True
    result = SamplerV2(device).run([isa], shots=100).result()
    assert result[0].metadata["ordered_shots"] is False


@pytest.mark.parametrize("name", ["sv1", *QPUS])
def test_registers_of_every_kind_through_counts_memory_and_sampler(service, name):
    device = backend(name)
    qubits = QuantumRegister(3, "q")
    idle, low, high = (
        ClassicalRegister(2, "idle"),
        ClassicalRegister(1, "low"),
        ClassicalRegister(3, "high"),
    )
    circuit = QuantumCircuit(qubits, idle, low, high)
    circuit.x([0, 2])
    circuit.measure(2, high[1])
    circuit.measure(0, low[0])
    circuit.measure(0, high[2])
    circuit.measure(1, high[0])
    isa = transpile(circuit, device, seed_transpiler=1)
    result = device.run(isa, shots=100, memory=True).result(200)
    assert result.get_counts() == {"110 1 00": 100}
    assert result.get_memory() == ["110 1 00"] * 100
    data = SamplerV2(device).run([isa], shots=100).result()[0].data
    assert data.idle.get_counts() == {"00": 100}
    assert data.low.get_counts() == {"1": 100}
    assert data.high.get_counts() == {"110": 100}


def store(files):
    return lambda path: json.dumps(files[path]).encode()


def test_results_that_lie_in_the_file_itself():
    executable = {"inputsIndex": 0, "measurements": [[1, 0]], "measuredQubits": [0, 1]}
    files = {"results.json": {"programResults": [{"executableResults": [executable]}]}}
    found = fetch(store(files), None, 1, None)
    assert found.shots[0].bits.tolist() == [[[1]]]
    assert found.shots[0].num_bits == 2


def test_fewer_shots_than_asked_are_valid_ones():
    files = {"results.json": {"measurements": [[1], [1]], "taskMetadata": {}}}
    (shots,) = fetch(store(files), [Part((0,))], 3, 1).shots
    assert shots.valid.tolist() == [2]
    assert shots.bits.tolist() == [[[1], [1], [0]]]
    with pytest.raises(ProtocolError, match="2 shots came for 1"):
        fetch(store(files), [Part((0,))], 1, 1)


def test_programs_of_others_are_read_as_they_are():
    """Nobody's comment says which column is which: there is one bit for each."""
    files = {
        "results.json": {"programResults": ["programs/0/results.json", "programs/1/results.json"]},
        "programs/0/results.json": {
            "executableResults": ["executables/1.json", "executables/0.json"],
            "source": "program.json",
        },
        "programs/0/program.json": {"source": "OPENQASM 3.0;", "inputs": {"t": [0, 1]}},
        "programs/0/executables/0.json": {"inputsIndex": 0, "measurements": [[0, 0, 1]]},
        "programs/0/executables/1.json": {"inputsIndex": 1, "measurements": [[0, 1, 0]]},
        "programs/1/results.json": {
            "executableResults": [{"inputsIndex": 0, "measurements": [[1]]}],
            "source": "OPENQASM 3.0;",
        },
    }
    first, second = fetch(store(files), None, 3, 3).shots
    assert first.bits.tolist() == [[[4]], [[2]]]
    assert second.bits.tolist() == [[[1]]]


def test_a_sweep_of_which_one_point_came_knows_which(service):
    device = backend("garnet")
    theta = Parameter("t")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(theta, 0)
    circuit.measure(0, 0)
    isa = transpile(circuit, device, seed_transpiler=1)
    service.faults.fail_executables([0, 2], "cold")
    values = np.array([[0.0], [np.pi], [np.pi]])
    job = device.session.submit([Task(encoded(device, isa), 10, values)], key=uuid4().hex)
    job.wait(200)
    assert job.result()[0].valid.tolist() == [0, 10, 0]
    assert job.result()[0].bits[1].tolist() == [[1]] * 10
    assert dict(job.result()[0].failures) == dict.fromkeys((0, 2), "cold (retryable)")
    assert same(session("garnet").job(job.id).result(), job.result())


def test_looks_are_as_far_apart_as_the_device_says(service, monkeypatch):
    service.hold("QUEUED")
    slept, clock = [], [0.0]

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds + 1e-9

    cepheus = backend("cepheus-1-108q", poll_interval=None)
    hinted = submitted(cepheus, 1)
    chosen = submitted(backend("sv1", poll_interval=0.5), 1)
    # Ours alone: the service's threads have the real time.
    ours = SimpleNamespace(sleep=sleep, monotonic=lambda: clock[0])
    monkeypatch.setattr(job_module, "time", ours)
    millis = service.devices["cepheus"].document["service"]["getTaskPollIntervalMillis"]
    with pytest.raises(TimeoutError):
        hinted.wait(9.5 * millis / 1000)
    assert slept[:9] == [millis / 1000] * 9
    slept.clear()
    with pytest.raises(TimeoutError):
        chosen.wait(100)
    assert set(slept[:-1]) == {0.5}  # what the user chose stays, however long it takes
    slept.clear()
    with pytest.raises(TimeoutError):
        hinted.wait(200)
    assert max(slept) == 5.0
