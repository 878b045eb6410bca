"""The loopback Braket when something goes wrong."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    IncompleteReadError,
    ResponseStreamingError,
)

from qdmi_qiskit.testing.braket_service import BraketService
from tests.braket.service_user import BUCKET, REGION, User, box, program

ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60)


FAULTS = {
    "throttled": lambda faults, what: faults.throttle(what, 2),
    "an error of the service": lambda faults, what: faults.refuse(what, 2),
    "dropped before it counts": lambda faults, what: faults.drop(what, 2),
    "dropped after it counts": lambda faults, what: faults.drop(what, 2, accepted=True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_key_makes_one_task_under_every_fault(user, shared, fault):
    FAULTS[fault](shared.faults, "CreateQuantumTask")
    user.create(program(box("", 1)), clientToken=fault)
    assert shared.tasks_per_token[fault] == 1
    assert Counter(call.token for call in shared.calls)[fault] == 3


def test_faults_as_a_client_sees_them_that_does_not_try_again(user, shared):
    once = User(shared, config=ONE_TRY)
    cases = (
        (lambda: shared.faults.throttle("GetDevice"), ClientError, "ThrottlingException"),
        (lambda: shared.faults.refuse("GetDevice"), ClientError, "InternalService"),
        (lambda: shared.faults.drop("GetDevice"), ConnectionClosedError, "closed"),
        (lambda: shared.faults.drop("GetDevice", accepted=True), ConnectionClosedError, "closed"),
        (
            lambda: shared.faults.refuse("GetDevice", error="AccessDeniedException"),
            ClientError,
            "AccessDenied",
        ),
    )
    for arm, error, words in cases:
        arm()
        with pytest.raises(error, match=words):
            once.braket.get_device(deviceArn=once.device)
        once.braket.get_device(deviceArn=once.device)


def test_bodies_that_break_off(user, shared):
    user.s3.put_object(Bucket=BUCKET, Key="long", Body=b"x" * 100_000)
    shared.faults.cut("GetObject")
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        user.s3.get_object(Bucket=BUCKET, Key="long")["Body"].read()
    shared.faults.shorten("GetObject", keep=0.25)
    assert len(user.s3.get_object(Bucket=BUCKET, Key="long")["Body"].read()) == 25_000
    assert len(user.s3.get_object(Bucket=BUCKET, Key="long")["Body"].read()) == 100_000


def test_a_slow_s3_slows_nothing_else(user, shared):
    once = User(shared, config=Config(retries={"total_max_attempts": 1}, read_timeout=0.2))
    task = user.done(user.create(program(box("", 1))))
    shared.faults.delay("GetObject", 2.0)
    with pytest.raises(Exception, match=r"timeout|timed out"):
        once.file(task, "results.json")
    assert user.get(task["quantumTaskArn"])["status"] == "COMPLETED"


def test_s3_says_slow_down(user, shared):
    once = User(shared, config=ONE_TRY)
    shared.faults.throttle("GetObject")
    with pytest.raises(ClientError, match="SlowDown"):
        once.s3.get_object(Bucket=BUCKET, Key="any")


def test_tasks_outlive_a_restart(fresh):
    user = User(fresh)
    fresh.hold("RUNNING")
    task = user.create(program(box("prx(pi, 0) $1;", 1)), clientToken="k")
    fresh.restart()
    assert user.create(program(box("prx(pi, 0) $1;", 1)), clientToken="k") == task
    fresh.release()
    once = User(fresh, config=ONE_TRY)
    with fresh.outage(), pytest.raises(EndpointConnectionError):
        once.get(task)
    assert user.file(user.done(task), "results.json")["measurements"] == [[1]] * 10
    assert len(fresh.tasks) == 1


def test_documented_rates():
    with BraketService(rates=True, buckets={BUCKET: REGION}) as running:
        running.rates.limits["GetDevice"] = (0.0, 2.0)
        once = User(running, config=ONE_TRY)
        for _ in range(2):
            once.braket.get_device(deviceArn=once.device)
        with pytest.raises(ClientError, match="ThrottlingException"):
            once.braket.get_device(deviceArn=once.device)
        once.create(program(box("", 1)))
