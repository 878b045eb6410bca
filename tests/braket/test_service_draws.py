"""The random numbers of the loopback Braket: by content and count, not by arrival."""

from __future__ import annotations

import itertools

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from qdmi_qiskit.testing.braket_service import BraketService
from tests.braket.service_user import BUCKET, PI, REGION, User, box, program, program_set

SHOTS = 60
ONCE = Config(retries={"total_max_attempts": 1, "mode": "standard"})
HALF = program(box("prx(pi/2, 0) $4;", 4))


@pytest.fixture
def user():
    with BraketService(seed=9, step=0.002, buckets={BUCKET: REGION}) as running:
        found = User(running, config=ONCE)
        yield found
        found.close()


def bits(user, task):
    return user.file(user.done(task), "results.json")["measurements"]


def asked(user, *actions):
    """Return the shots of tasks that are created in this order and run together."""
    user.service.hold("QUEUED")
    tasks = [user.create(action, SHOTS) for action in actions]
    user.service.release()
    return [bits(user, task) for task in tasks]


def test_the_same_tasks_have_the_same_bits_in_any_order():
    actions = [HALF, program(box("prx(pi/3, 0) $4;", 4)), HALF]
    found = set()
    for order in itertools.islice(itertools.permutations(range(3)), 0, 6, 2):
        with BraketService(seed=9, step=0.002, buckets={BUCKET: REGION}) as running:
            user = User(running)
            shots = asked(user, *(actions[k] for k in order))
            user.close()
        alike = [rows for k, rows in zip(order, shots, strict=True) if k != 1]
        found.add(str([*alike, shots[order.index(1)]]))
        assert alike[0] != alike[1]
    assert len(found) == 1


@pytest.fixture(scope="module")
def want():
    with BraketService(seed=9, step=0.002, buckets={BUCKET: REGION}) as running:
        user = User(running)
        yield asked(user, HALF, HALF)
        user.close()


def test_a_task_that_failed_shifts_nothing(user, want):
    user.service.faults.end_tasks()
    assert user.done(user.create(HALF, SHOTS))["status"] == "FAILED"
    assert asked(user, HALF, HALF) == want


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING"])
def test_a_cancelled_task_shifts_nothing(user, want, state):
    user.service.hold(state)
    task = user.create(HALF, SHOTS)
    user.until(task, {state})
    user.cancel(task)
    user.service.release()
    assert user.done(task)["status"] == "CANCELLED"
    assert asked(user, HALF, HALF) == want


def test_a_task_that_did_not_hear_of_its_cancellation_counts(user, want):
    user.service.faults.ignore_cancel()
    user.service.hold("RUNNING")
    task = user.create(HALF, SHOTS)
    user.until(task, {"RUNNING"})
    user.cancel(task)
    user.service.release()
    assert [bits(user, task), *asked(user, HALF)] == want


@pytest.mark.parametrize("fault", ["refuse", "drop", "drop after"])
def test_a_request_that_is_sent_again_shifts_nothing(user, want, fault):
    if fault == "refuse":
        user.service.faults.refuse("CreateQuantumTask")
    else:
        user.service.faults.drop("CreateQuantumTask", accepted=fault == "drop after")
    with pytest.raises((ClientError, ConnectionClosedError)):
        user.create(HALF, SHOTS, clientToken="mine")
    again = user.create(HALF, SHOTS, clientToken="mine")
    assert [bits(user, again), *asked(user, HALF)] == want


def test_an_executable_that_failed_leaves_the_others_their_bits(user):
    sweep = box("prx(t, 0) $4;", 4, head="input float t;\n")
    action = program_set((sweep, {"t": [PI / 2, PI / 3]}))

    def rows(user):
        task = user.done(user.create(action, 2 * SHOTS))
        (name,) = user.file(task, "results.json")["programResults"]
        listed = user.file(task, name)["executableResults"]
        return [user.file(task, f"{name.rpartition('/')[0]}/{each}") for each in listed]

    user.service.faults.fail_executables([0])
    failed, later = rows(user), rows(user)
    with BraketService(seed=9, step=0.002, buckets={BUCKET: REGION}) as running:
        other = User(running)
        whole = rows(other)
        other.close()
    assert "measurements" not in failed[0]
    assert failed[1]["measurements"] == whole[1]["measurements"] != later[1]["measurements"]
