"""Tasks of the loopback Braket: states, queues, cancellation, search."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from botocore.exceptions import (
    ClientError,
)

from qdmi_qiskit.testing.braket_service import BraketService
from tests.braket.service_user import BUCKET, REGION, User, box, program

STATES = ("CREATED", "QUEUED", "RUNNING")


@pytest.fixture
def service(fresh):
    return fresh


@pytest.fixture
def user(service):
    """A user of its Garnet."""
    return User(service)


def test_one_token_makes_one_task(user, service):
    action = program(box("prx(pi, 0) $4;", 4))
    first = user.create(action, clientToken="a-key")
    assert user.create(action, clientToken="a-key") == first
    with pytest.raises(ClientError, match="other parameters"):
        user.create(action, clientToken="a-key", shots=7)
    assert service.tasks_per_token["a-key"] == 1
    assert Counter(call.token for call in service.calls)["a-key"] == 3


def test_states_of_a_task(user, service):
    for state in STATES:
        service.hold(state)
    task = user.create(program(box("", 1)))
    seen = []
    for state in STATES:
        seen.append(user.until(task, {state}))
        service.release(state)
    assert [each["status"] for each in seen] == ["CREATED", "QUEUED", "RUNNING"]
    assert [each["queueInfo"]["position"] for each in seen] == ["1", "1", "None"]
    end = user.done(task)
    assert end["status"] == "COMPLETED"
    assert end["endedAt"] >= end["createdAt"]


def test_places_in_the_queue(user, service):
    service.hold("QUEUED")
    tasks = [user.create(program(box("", 1))) for _ in range(3)]
    assert [user.get(task)["queueInfo"]["position"] for task in tasks] == ["1", "2", "3"]


@pytest.mark.parametrize("state", ["CREATED", "QUEUED", "RUNNING"])
def test_a_task_can_be_cancelled_once(user, service, state):
    service.hold(state)
    service.hold("CANCELLING")
    task = user.create(program(box("", 1)))
    user.until(task, {state})
    assert user.cancel(task) == "CANCELLING"
    assert user.cancel(task) == "CANCELLING"
    service.release()
    assert user.done(task)["status"] == "CANCELLED"
    with pytest.raises(ClientError, match="ConflictException"):
        user.cancel(task)
    with pytest.raises(ClientError, match="NoSuchKey"):
        user.file(user.get(task), "results.json")


def test_a_running_task_may_complete_although_cancelled(user, service):
    service.faults.ignore_cancel()
    service.hold("RUNNING")
    task = user.create(program(box("prx(pi, 0) $1;", 1)))
    user.until(task, {"RUNNING"})
    assert user.cancel(task) == "CANCELLING"
    service.release()
    assert user.done(task)["status"] == "COMPLETED"


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_tasks_that_end_otherwise(user, service, status):
    service.faults.end_tasks(status, "because")
    task = user.done(user.create(program(box("", 1))))
    assert (task["status"], task["failureReason"]) == (status, "because")
    assert user.done(user.create(program(box("", 1))))["status"] == "COMPLETED"


def test_what_the_simulator_refuses_is_a_failure(user):
    source = box("prx(pi) $4;", 4)
    task = user.done(user.create(program(source)))
    assert task["status"] == "FAILED"
    assert task["failureReason"]


def test_execution_windows(user, service):
    now = [datetime(2026, 1, 4, 12, tzinfo=UTC)]  # a Sunday
    service.clock = lambda: now[0]
    task = user.create(program(box("", 1)))
    user.until(task, {"QUEUED"})
    later = user.create(program(box("", 1)))
    assert user.get(later)["queueInfo"]["position"] == "2"
    now[0] = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert user.done(task)["status"] == user.done(later)["status"] == "COMPLETED"


def test_too_many_tasks_at_once():
    with BraketService(concurrent=2, buckets={BUCKET: REGION}) as running:
        running.hold("QUEUED")
        user = User(running)
        for _ in range(2):
            user.create(program(box("", 1)))
        with pytest.raises(ClientError, match="ServiceQuotaExceeded"):
            user.create(program(box("", 1)))


def test_tasks_can_be_searched(user, service):
    tasks = [user.create(program(box("", 1)), tags={"n": str(n)}) for n in range(3)]
    assert user.search("status", "EQUAL", "COMPLETED", *STATES) == tasks[::-1]
    assert user.search("quantumTaskArn", "EQUAL", tasks[1]) == [tasks[1]]
    assert user.search("createdAt", "LT", "2000-01-01T00:00:00.000Z") == []
    assert user.search("createdAt", "BETWEEN", "2000-01-01", "2999-01-01", size=2) == tasks[::-1]
    with pytest.raises(ClientError, match="unknown filter"):
        user.search("color", "EQUAL", "red")


def test_devices_can_be_searched(user):
    rule = {"name": "deviceArn", "values": [user.device]}
    found = user.braket.search_devices(filters=[rule])["devices"]
    assert [each["deviceName"] for each in found] == ["Garnet"]


def test_the_queue_of_a_device_counts_what_waits(user, service):
    service.hold("QUEUED")
    user.create(program(box("", 1)))
    user.create(program(box("", 1)))
    queue = user.braket.get_device(deviceArn=user.device)["deviceQueueInfo"]
    assert [each["queueSize"] for each in queue[:2]] == ["2", "0"]
    service.devices["garnet"].queue[0] = ("QUANTUM_TASKS_QUEUE", ">4000", "Normal")
    queue = user.braket.get_device(deviceArn=user.device)["deviceQueueInfo"]
    assert queue[0]["queueSize"] == ">4000"


def test_a_state_that_nobody_knows(user, service):
    task = user.create(program(box("", 1)))
    service.faults.show_status("NOT_SET")
    assert user.get(task)["status"] == "NOT_SET"
    assert user.done(task)["status"] == "COMPLETED"
