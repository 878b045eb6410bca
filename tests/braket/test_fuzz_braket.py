"""Whatever Braket answers: an error of ours or a right result, in little memory."""

from __future__ import annotations

import json
import logging
import random
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qdmi_qiskit.devices.braket import cache as kept_answers
from qdmi_qiskit.devices.braket import session, states
from qdmi_qiskit.devices.braket.capability import Device
from qdmi_qiskit.devices.braket.options import CloudOptions
from qdmi_qiskit.devices.braket.results import Part, fetch
from qdmi_qiskit.devices.braket.session import BraketSession
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import DeviceSpec, JobStatus
from qdmi_qiskit.testing.braket_service import documents
from tests.junk import ANY, DEEP, ODD, little_memory, spoil, spoilt

SOME = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
ROWS = [[1, 0, 0], [1, 1, 0]]
TASK = {
    "braketSchemaHeader": {"name": "braket.task_result.gate_model_task_result", "version": "1"},
    "measurements": ROWS,
    "measuredQubits": [0, 1, 2],
    "measurementProbabilities": None,
    "taskMetadata": {"id": "x", "shots": 2},
    "additionalMetadata": {
        "action": {"source": "OPENQASM 3.0;"},
        "simulatorMetadata": {"executionDuration": 3},
        "ionqMetadata": {"sharpenedProbabilities": {"000": 1.0}},
    },
}
SHARES = {**TASK, "measurements": None, "measurementProbabilities": {"100": 0.5, "110": 0.5}}
EXECUTABLE = {"inputsIndex": 0, "measurements": ROWS, "measuredQubits": [0, 1, 2]}
FAILED = {"inputsIndex": 1, "failureMetadata": {"failureReason": "hot", "retryable": True}}
PROGRAM = {"executableResults": ["e0.json", FAILED], "source": {"source": "OPENQASM 3.0;"}}
TOP = {"programResults": ["p/results.json"], "taskMetadata": {}}
LAYOUT = [Part((0, 1, 2), 2)]


def checked(found, shots, points):
    """See that an outcome is one: shapes, and no bit that nobody measured."""
    assert len(found.shots) == 1
    (one,) = found.shots
    assert one.bits.dtype == np.uint8
    assert one.bits.shape[:2] == (points, shots)
    assert one.valid is None or ((one.valid >= 0).all() and (one.valid <= shots).all())
    assert json.dumps(dict(found.told)) is not None


def outcome(files, layout, shots, executables, missing=None):
    texts = {name: json.dumps(each).encode("utf-8", "replace") for name, each in files.items()}

    def get(path):
        if path not in texts:
            raise_missing(path)
        return texts[path]

    return fetch(get, layout, shots, executables, missing)


def raise_missing(path):
    from qdmi_qiskit.errors import ConfigError

    raise ConfigError(f"no object {path}")


@SOME
@given(st.one_of(spoilt(TASK), spoilt(SHARES), ANY))
@example({**SHARES, "measurementProbabilities": {"100": "much", "110": None}})
@example({**SHARES, "measurementProbabilities": {"": 1.0}})
@example({**SHARES, "measurementProbabilities": {"100": 1e400}})
def test_any_result_of_a_task(document):
    try:
        found = outcome({"results.json": document}, [Part((0, 1, 2))], 2, None)
    except QdmiError:
        return
    checked(found, 2, 1)


@SOME
@given(st.one_of(spoilt(TASK), spoilt(SHARES)))
def test_any_result_of_a_task_of_somebody_else(document):
    try:
        outcome({"results.json": document}, None, 2, None)
    except QdmiError:
        return


@SOME
@given(
    st.one_of(st.just(TOP), spoilt(TOP)),
    st.one_of(st.just(PROGRAM), spoilt(PROGRAM), ANY),
    st.one_of(st.just(EXECUTABLE), spoilt(EXECUTABLE), ANY),
    st.sampled_from([LAYOUT, None]),
    st.sampled_from([None, 0, 1, 2, 10**9]),
    st.sampled_from([None, "it was canceled"]),
)
def test_any_result_of_a_program_set(top, program, executable, layout, executables, missing):
    files = {"results.json": top, "p/results.json": program, "p/e0.json": executable}
    try:
        found = outcome(files, layout, 4, executables, missing)
    except QdmiError:
        return
    if layout is not None and executables:
        checked(found, 4 // executables, 2)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * DEEP * 40,
        b'{"a":' * DEEP * 40 + b"1" + b"}" * DEEP * 40,
        b'{"measurements": ' + b"[" * DEEP * 40 + b"}",
        b'{"measurementProbabilities": {"0": ' + b"9" * 6000 + b"}}",
        b'{"measurements": [[0' + b",0" * 100_000 + b"]]}",
        b"",
        b"\xff\xfe{}",
        b"null",
    ],
    ids=range(8),
)
def test_any_text(text):
    for where in ("results.json", "p/results.json", "p/e0.json"):
        files = {"results.json": TOP, "p/results.json": PROGRAM, "p/e0.json": EXECUTABLE}
        texts = {name: json.dumps(each).encode() for name, each in files.items()} | {where: text}
        with pytest.raises(QdmiError):
            fetch(texts.__getitem__, LAYOUT, 4, 2)


@pytest.mark.parametrize("document", [TASK, SHARES], ids=["few", "probabilities"])
def test_a_thousand_million_shots_are_only_claimed(document):
    """A task says how many shots it had; who believes that needs a gigabyte for two rows."""
    with little_memory(), pytest.raises(QdmiError):
        outcome({"results.json": document}, [Part((0, 1, 2))], 10**9, None)


def test_a_thousand_million_points_are_only_claimed():
    files = {"results.json": TOP, "p/results.json": PROGRAM}
    files["p/e0.json"] = {**EXECUTABLE, "inputsIndex": 10**9}
    with little_memory(), pytest.raises(QdmiError):
        outcome(files, None, 4, 2)


# Devices.


class Says:
    """A transport that answers with one thing."""

    region, endpoint = "us-east-1", "http://127.0.0.1:9"

    def __init__(self, answer):
        self.answer = answer

    def call(self, *_given, **_named):
        return self.answer


@cache
def known(name):
    return documents.devices()[name]


NAMES = ("sv1", "garnet", "forte", "cepheus")


def answer_for(device, document):
    return {
        "deviceArn": device.arn,
        "deviceName": device.name,
        "providerName": device.provider,
        "deviceType": "QPU",
        "deviceStatus": "ONLINE",
        "deviceCapabilities": json.dumps(document),
        "deviceQueueInfo": [{"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "3"}],
    }


def opened(answer):
    return BraketSession("arn:dummy", Says(answer), CloudOptions(cache_seconds=0))


def used(session):
    spec = session.spec()
    assert isinstance(spec, DeviceSpec)
    from qdmi_qiskit.target import target_from

    target_from(spec, session.gates)
    session.status()


@settings(SOME, max_examples=80)
@given(st.sampled_from(NAMES), st.integers(0, 2**32))
def test_any_capability_document(name, seed):
    device = known(name)
    document = spoil(device.document, random.Random(seed))  # noqa: S311 - it only spoils
    try:
        used(opened(answer_for(device, document)))
    except QdmiError:
        return


@SOME
@given(st.integers(0, 2**32))
@example(10157)  # half of a surrogate pair in the name
def test_any_answer_about_a_device(seed):
    device = known("garnet")
    answer = spoil(answer_for(device, device.document), random.Random(seed))  # noqa: S311
    try:
        used(opened(answer))
    except QdmiError:
        return


@SOME
@given(ODD | ANY)
def test_any_states(said):
    assert states.position({"queueInfo": said}) in (None, *range(10**6))
    found = states.device_state(said, said, said, busy_above=5, reserved=False)
    assert found.queue_length is None or found.queue_length >= 0


TASK_ANSWER = {
    "status": "COMPLETED",
    "shots": 2,
    "deviceArn": "arn:dummy",
    "quantumTaskArn": "arn:aws:braket:us-east-1:123456789012:quantum-task/1",
    "outputS3Bucket": "b",
    "outputS3Directory": "d",
    "queueInfo": {"queue": "QUANTUM_TASKS_QUEUE", "position": "3"},
    "actionMetadata": {"actionType": "braket.ir.openqasm.program", "executableCount": 1},
    "failureReason": "",
    "tags": {"a": "b"},
}


class Task(Says):
    def read(self, bucket, key):
        return json.dumps(TASK).encode()


@SOME
@given(spoilt(TASK_ANSWER).filter(lambda answer: isinstance(answer, dict)))
def test_any_answer_about_a_task(answer):
    logging.disable(logging.WARNING)
    job = session.BraketJob(Task(answer), "arn:x", interval=0.001)
    try:
        if job.status() is JobStatus.DONE:
            found = job.result()
            assert all(shots.bits.nbytes < 10**7 for shots in found)
        json.dumps(job.metadata)
    except QdmiError:
        return
    finally:
        logging.disable(logging.NOTSET)


@SOME
@given(spoilt({"layout": 2, "asked": 1e12, "answer": {"arn": "a", "region": "r"}}) | ANY)
@example({"layout": 2, "asked": 10**400, "answer": {}})  # no float holds it
def test_any_cache_on_disk(tmp_path, monkeypatch, document):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for key in (("device", "a"), ("name", "a")):
        path = kept_answers._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(json.dumps(document).encode("utf-8", "replace"))
    kept = kept_answers.device(("a",), 10.0)
    assert kept is None or isinstance(kept, Device)
    found = kept_answers.place(("a",), 10.0)
    assert found is None or all(isinstance(each, str) for each in found)
