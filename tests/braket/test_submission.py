"""One key, one task, whatever happens on the line."""

import gc
import re
import threading
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit import pace as pace_module
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    RejectedError,
    SubmitUnknownError,
    UnavailableError,
)
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import Task
from qdmi_qiskit.pace import Rate
from qdmi_qiskit.testing.braket_service import BraketService
from tests.braket.cloud import backend, flipped, session


def task(device, word=5, shots=10):
    encode = encoder(device.spec.capabilities.formats, device.session.encoders)
    return Task(encode(flipped(device, word)), shots)


@pytest.fixture
def device(service):
    return backend("sv1", attempts=3)


def created(service, key):
    return service.tasks_per_token[key]


FAULTS = {
    "throttled": lambda faults: faults.throttle("CreateQuantumTask"),
    "server error": lambda faults: faults.refuse("CreateQuantumTask"),
    "dropped before": lambda faults: faults.drop("CreateQuantumTask"),
    "dropped after": lambda faults: faults.drop("CreateQuantumTask", accepted=True),
    "dropped twice after": lambda faults: faults.drop("CreateQuantumTask", 2, accepted=True),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_makes_one_task(service, device, fault):
    key = uuid4().hex
    fault(service.faults)
    job = device.session.submit([task(device)], key=key)
    job.wait(200)
    assert job.result()[0].bits.tolist() == [[[5]] * 10]
    assert created(service, key) == 1


def test_a_storm_makes_one_task_for_each_key_and_loses_no_result(service):
    """Everything at once: throttled, failing, dropped before and after, restarted, slow S3."""
    device = backend("sv1", attempts=12)
    kinds = [flipped(device, word) for word in range(8)]
    words = [k * 3 % 8 for k in range(30)]
    before = len(service.tasks)
    service.faults.drop("CreateQuantumTask", accepted=True)  # the first, which run() sends itself
    service.faults.delay("GetObject", 0.02)
    service.latency = 0.03
    job = device.run([kinds[word] for word in words], shots=5)
    for operation in ("CreateQuantumTask", "GetQuantumTask", "GetObject"):  # the rest, by threads
        service.faults.throttle(operation, 2)
        service.faults.refuse(operation, 2)
        service.faults.drop(operation, 2)
        service.faults.drop(operation, 2, accepted=True)
    service.restart()
    counts = job.result(400).get_counts()
    assert counts == [{f"{word:03b}": 5} for word in words]
    assert len(service.tasks) == before + 30
    assert set(service.tasks_per_token.values()) == {1}


@pytest.mark.parametrize("ending", ["FAILED", "CANCELLED"])
def test_a_task_that_ends_badly_is_not_sent_again(service, ending):
    device = backend("sv1")
    before = len(service.tasks)
    service.faults.end_tasks(ending, "midway", times=None)
    job = device.run([flipped(device, word) for word in (1, 2, 3)], shots=5)
    for _ in range(2):
        with pytest.raises(JobFailedError):
            job.result(200)
    assert len(service.tasks) == before + 3


@pytest.mark.usefixtures("_no_aws")
def test_a_hundred_tasks_stay_within_the_documented_rate():
    """The service refuses what is above it."""
    with BraketService(step=0.0, rates=True) as strict, strict.activated("us-east-1"):
        device = backend("sv1", poll_interval=1.0)
        circuit = flipped(device, 6)
        counts = device.run([circuit] * 100, shots=5).result(400).get_counts()
        assert counts == [{"110": 5}] * 100
        assert set(strict.tasks_per_token.values()) == {1}
        assert len(strict.tasks) == 100
        asked = strict.count("CreateQuantumTask")
    # A few may arrive early, more of them on a loaded machine; without a pace it would be hundreds.
    assert asked <= 200


def test_a_line_that_stays_broken_leaves_it_open_and_the_key_settles_it(service, device):
    key = uuid4().hex
    service.faults.drop("CreateQuantumTask", None, accepted=True)
    with pytest.raises(SubmitUnknownError, match="same key"):
        device.session.submit([task(device)], key=key)
    service.faults.clear()
    job = device.session.submit([task(device)], key=key)
    job.wait(200)
    assert created(service, key) == 1


def test_one_lost_answer_makes_a_later_refusal_to_connect_doubtful(service, device):
    key = uuid4().hex
    service.faults.drop("CreateQuantumTask", 1, accepted=True)
    service.faults.throttle("CreateQuantumTask", None)
    with pytest.raises(SubmitUnknownError):
        device.session.submit([task(device)], key=key)
    assert created(service, key) == 1


def test_throttled_for_good_is_unavailable_and_nothing_was_made(service, device):
    key = uuid4().hex
    service.faults.throttle("CreateQuantumTask", None)
    with pytest.raises(UnavailableError):
        device.session.submit([task(device)], key=key)
    assert created(service, key) == 0


def test_a_closed_port_is_unavailable(service, device):
    ready = task(device)
    device.session.submit([ready], key=uuid4().hex).wait(200)
    with service.outage(), pytest.raises(UnavailableError, match="cannot be reached"):
        device.session.submit([ready], key=uuid4().hex)


def test_a_key_that_is_too_long_is_still_one_key(service, device):
    key = "k" * 200
    jobs = [device.session.submit([task(device)], key=key) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    assert max(len(token) for token in service.tasks_per_token) <= 64


def test_what_the_service_refuses_is_rejected_without_an_account(service, device):
    service.faults.refuse(
        "CreateQuantumTask",
        error="ValidationException",
        message="arn:aws:braket:us-east-1:123456789012:quantum-task/x is wrong",
    )
    with pytest.raises(RejectedError, match="is wrong") as caught:
        device.session.submit([task(device)], key=uuid4().hex)
    assert "123456789012" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        ("AccessDeniedException", ConfigError),
        ("DeviceRetiredException", ConfigError),
        ("DeviceOfflineException", UnavailableError),
        ("ServiceQuotaExceededException", UnavailableError),
    ],
)
def test_refusals_in_our_words(service, device, error, ours):
    service.faults.refuse("CreateQuantumTask", error=error)
    with pytest.raises(ours):
        device.session.submit([task(device)], key=uuid4().hex)


def test_the_request_carries_the_options(service):
    reservation = "arn:aws:braket:us-east-1:123456789012:reservation/abc"
    service.objects.create("amazon-braket-lab", "us-east-1")
    device = backend(
        "sv1",
        s3="s3://amazon-braket-lab/mine/here",
        tags={"who": "me"},
        device_parameters={"some": "thing"},
        reservation_arn=reservation,
        experimental=True,
    )
    job = device.session.submit([task(device)], key=uuid4().hex)
    request = service.tasks[-1].request
    assert request["outputS3Bucket"] == "amazon-braket-lab"
    assert request["outputS3KeyPrefix"] == "mine/here"
    assert request["tags"] == {"who": "me"}
    assert request["deviceParameters"] == '{"some": "thing"}'
    assert request["associations"] == [{"arn": reservation, "type": "RESERVATION_TIME_WINDOW_ARN"}]
    assert request["experimentalCapabilities"] == {"enabled": "ALL"}
    job.wait(200)


def test_without_options_the_request_is_bare(service, device):
    device.session.submit([task(device)], key=uuid4().hex).wait(200)
    request = service.tasks[-1].request
    assert set(request) == {
        "clientToken", "deviceArn", "shots", "action", "outputS3Bucket", "outputS3KeyPrefix",
    }  # fmt: skip
    assert re.fullmatch(r"amazon-braket-us-east-1-\d{12}", request["outputS3Bucket"])


def test_the_place_of_results_is_the_sdk_s_variable_unless_said(service, monkeypatch):
    for name in ("amazon-braket-lab", "amazon-braket-other"):
        service.objects.create(name, "us-east-1")
    monkeypatch.setenv("AMZN_BRAKET_TASK_RESULTS_S3_URI", "s3://amazon-braket-lab/mine")
    for place, wanted in ((None, "amazon-braket-lab"), ("s3://amazon-braket-other", "other")):
        device = backend("sv1", s3=place)
        device.session.submit([task(device)], key=uuid4().hex).wait(200)
        assert service.tasks[-1].request["outputS3Bucket"].endswith(wanted)
    monkeypatch.setenv("AMZN_BRAKET_TASK_RESULTS_S3_URI", "s3:/oops")
    device = backend("sv1")
    with pytest.raises(ConfigError, match="s3://BUCKET/PREFIX"):
        device.session.submit([task(device)], key=uuid4().hex)


def test_the_budget_is_kept_and_a_key_is_paid_once(service):
    device = backend("garnet", max_cost=0.75)
    ready = task(device, shots=10)  # 0.3 + 10 * 0.00145
    assert device.session.estimate([ready]) == pytest.approx(0.3145)
    key, before = uuid4().hex, len(service.tasks)
    for _ in range(3):
        job = device.session.submit([ready], key=key)
    assert job.metadata["price"] == pytest.approx(0.3145)
    assert job.metadata["currency"] == "USD"
    device.session.submit([ready], key=uuid4().hex)
    assert device.session.spent == pytest.approx(0.629)
    with pytest.raises(ConfigError, match="nothing was sent"):
        device.session.submit([ready], key=uuid4().hex)
    assert len(service.tasks) == before + 2


def test_a_resumed_run_has_spent_what_it_spent(service):
    options = {"program_sets": False, "poll_interval": 0.01}
    device = QDMIProvider().get_backend("braket:garnet", max_cost=0.75, **options)
    job = device.run([flipped(device, word) for word in (1, 2, 3)], shots=10)  # 0.3145 each
    with pytest.raises(ConfigError, match=r"max_cost=0\.75"):
        job.result(200)
    job_id, made = job.job_id(), len(service.tasks)
    assert len(job.device_job_ids) == 2
    del job
    gc.collect()
    found = QDMIProvider().job(job_id)
    with pytest.raises(ConfigError, match=r"0\.6290 of max_cost=0\.75"):
        found.resubmit().result(200)
    assert len(service.tasks) == made
    del found
    gc.collect()
    found = QDMIProvider().job(job_id, backend=backend("garnet", max_cost=0.95, program_sets=False))
    counts = found.resubmit().result(200).get_counts()
    assert [int(next(iter(each)), 2) for each in counts] == [1, 2, 3]


def test_a_refused_task_costs_nothing(service):
    device = backend("garnet", max_cost=0.5, attempts=1)
    service.faults.throttle("CreateQuantumTask")
    with pytest.raises(UnavailableError):
        device.session.submit([task(device)], key=uuid4().hex)
    assert device.session.spent == 0


def test_a_budget_needs_a_price(service):
    device = backend("sv1", max_cost=1.0)
    with pytest.raises(ConfigError, match="does not say what a task costs"):
        device.session.submit([task(device)], key=uuid4().hex)


def test_an_endless_queue_does_not_block_run(service):
    device = backend("sv1")
    circuits = [flipped(device, word) for word in range(8)] * 3
    service.hold("QUEUED")
    waiting_for_it = threading.Timer(120, service.release)  # a failure, not a test without end
    waiting_for_it.start()
    job = device.run(circuits, shots=5)
    assert not job.qdmi_status().final
    waiting_for_it.cancel()
    service.release()
    counts = job.result(200).get_counts()
    assert [int(next(iter(each)), 2) for each in counts] == list(range(8)) * 3


def test_tasks_are_sent_at_once_up_to_the_burst_then_at_the_rate(monkeypatch):
    slept, now = [], [100.0]

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    ours = SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    monkeypatch.setattr(pace_module, "time", ours)
    pace = Rate(20.0, 40)
    for _ in range(100):
        pace.wait()
    assert len(slept) == 60
    assert now[0] - 100 == pytest.approx(3.0)
    now[0] += 1000
    for _ in range(40):
        pace.wait()
    assert len(slept) == 60


def test_sessions_of_a_region_share_the_rate(service):
    assert session("sv1")._transport._paced is session("sv1")._transport._paced


def test_no_credentials_is_a_sentence(service, monkeypatch):
    device = backend("sv1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert np.isfinite(device.num_qubits)
    with pytest.raises(ConfigError, match="credentials"):
        session("sv1", cache_seconds=0)
