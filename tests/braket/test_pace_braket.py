"""The line to Braket: slower when throttled, wary of broken answers, not deaf to Ctrl-C."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from qdmi_qiskit.errors import ProtocolError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import JobStatus, Task
from tests.braket.cloud import backend, flipped, session
from tests.interrupts import interrupted


def task(device, word=5, shots=10):
    encode = encoder(device.spec.capabilities.formats, device.session.encoders)
    return Task(encode(flipped(device, word)), shots)


@pytest.fixture
def pauses(monkeypatch):
    seen = []
    monkeypatch.setattr("qdmi_qiskit.devices.braket.transport.time.sleep", seen.append)
    return seen


@pytest.mark.parametrize("asked", ["seconds", "date"])
def test_what_the_service_asks_for_is_waited(service, pauses, asked):
    device = session("sv1")
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100))
    service.faults.throttle("GetDevice", 2, retry_after=soon if asked == "date" else "95")
    device.status()
    assert len([each for each in pauses if 80 < each <= 100]) == 2


def test_a_block_of_an_hour_is_not_waited_for(service):
    device = session("sv1")
    service.faults.throttle("GetDevice", 1, retry_after="3600")
    before = service.count("GetDevice")
    with pytest.raises(UnavailableError, match="Rate exceeded"):
        device.status()
    assert service.count("GetDevice") == before + 1


@pytest.mark.parametrize("fault", ["garble", "shorten", "cut"])
@pytest.mark.parametrize("operation", ["GetDevice", "GetQuantumTask", "GetObject"])
def test_a_broken_answer_is_asked_for_again(service, fault, operation):
    device = backend("sv1")
    job = device.session.submit([task(device)], key=uuid4().hex)
    getattr(service.faults, fault)(operation, 2)
    device.session.status()
    assert job.wait(200) is JobStatus.DONE
    assert job.result()[0].bits.tolist() == [[[5]] * 10]


@pytest.mark.parametrize("fault", ["garble", "shorten", "cut", "drop", "throttle", "refuse"])
@pytest.mark.parametrize("operation", ["GetCallerIdentity", "CreateBucket"])
def test_the_place_for_results_is_found_through_faults(service, fault, operation):
    device = backend("sv1")
    getattr(service.faults, fault)(operation, 1)
    assert device.session._transport.destination()[0].startswith("amazon-braket-us-east-1-")


@pytest.mark.parametrize("fault", ["garble", "shorten", "cut"])
def test_a_broken_answer_to_a_submission_makes_no_second_task(service, fault):
    device, key = backend("sv1"), uuid4().hex
    getattr(service.faults, fault)("CreateQuantumTask", 2)
    job = device.session.submit([task(device)], key=key)
    job.wait(200)
    assert job.result()[0].bits.tolist() == [[[5]] * 10]
    assert service.tasks_per_token[key] == 1


def test_answers_that_stay_broken_are_an_error_of_ours(service):
    device = backend("sv1", attempts=2)
    job = device.session.submit([task(device)], key=uuid4().hex)
    job.wait(200)
    service.faults.garble("GetObject", 2)
    with pytest.raises((UnavailableError, ProtocolError), match="broken"):
        job.result()
    service.faults.garble("CreateQuantumTask", 2)
    with pytest.raises(SubmitUnknownError):
        device.session.submit([task(device)], key=uuid4().hex)


def test_a_service_that_throttles_is_asked_for_fewer_things_at_once(service, pauses):
    device = session("sv1")
    transport = device._transport
    assert (transport.width.limit, transport.s3_width.limit) == (32, 32)
    service.faults.throttle("GetDevice", 3)
    device.status()
    assert (transport.width.limit, transport.s3_width.limit) == (4, 32)
    service.faults.refuse("GetDevice", 3)  # says nothing about how much is too much
    device.status()
    assert transport.width.limit == 4
    for _ in range(60):
        device.status()
    assert 10 < transport.width.limit < 14
    service.faults.drop("GetDevice", 3)
    device.status()
    assert 10 < transport.width.limit < 14


def test_no_more_calls_are_under_way_than_the_width_allows(service):
    device = session("sv1")
    width = device._transport.width
    service.latency = 0.01
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: device.status(), range(48)))
        assert width.peak > 3
        for _ in range(4):
            width.narrow()
        assert (width.limit, width.peak) == (2, 0)
        list(pool.map(lambda _: device.status(), range(6)))
        assert 1 <= width.peak <= width.limit <= 4


@pytest.mark.parametrize("what", ["wait", "result"])
def test_ctrl_c_leaves_the_task_running(service, what):
    device = backend("garnet")
    service.hold("QUEUED")
    job = device.run([flipped(device, 3), flipped(device, 5)], shots=4)
    looks = service.count("GetQuantumTask")
    interrupted(lambda: service.count("GetQuantumTask") > looks + 1, getattr(job, what))
    assert service.tasks[-1].state == "QUEUED"
    service.release()
    assert job.result(200).get_counts() == [{"011": 4}, {"101": 4}]


def test_ctrl_c_while_a_task_is_sent_makes_no_second_one(service):
    device, key = backend("sv1"), uuid4().hex
    came, go_on = threading.Event(), threading.Event()

    def held(operation):
        if operation == "CreateQuantumTask":
            came.set()
            go_on.wait(100)

    service.faults.draw(held)
    work = task(device)
    interrupted(came.is_set, lambda: device.session.submit([work], key=key))
    go_on.set()
    assert device.session._transport.width.busy == 0
    service.faults.clear()
    job = device.session.submit([task(device)], key=key)
    job.wait(200)
    assert job.result()[0].bits.tolist() == [[[5]] * 10]
    assert service.tasks_per_token[key] == 1


def test_no_call_goes_without_a_timeout(service):
    transport = session("sv1", timeout=7.0)._transport
    transport.destination()
    job_client = transport._client("s3", None)
    for client in (transport._braket, job_client):
        assert client.meta.config.read_timeout == 7.0
        assert client.meta.config.connect_timeout == 7.0
        assert client.meta.config.retries["total_max_attempts"] == 1
