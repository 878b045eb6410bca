"""Whatever an IQM server answers: an error of ours or a right result, in little memory."""

from __future__ import annotations

import copy
import json
import random

import numpy as np
import pytest
import requests
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdmi_qiskit.answers import understood
from qdmi_qiskit.devices.iqm import posted, wire
from qdmi_qiskit.devices.iqm.keys import Column
from qdmi_qiskit.devices.iqm.outcome import Lost, Reading, read, readings_from
from qdmi_qiskit.devices.iqm.refusals import refusal
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import JobStatus
from qdmi_qiskit.target import target_from
from tests.iqm import recorded
from tests.iqm.served import API, Served
from tests.junk import ANY, DEEP, little_memory, spoil, spoilt

SOME = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
READINGS = (Reading((Column("a", 0, 1), Column("b", 0, 0)), 2, 1, 3),)
TABLES = [{"a": [[1], [0], [1]], "b": [[0], [0], [1]], "c": [[1, 1], [0, 0], [0, 1]]}]
PAYLOAD = {
    "shots": 3,
    "circuits": [
        {
            "name": "c",
            "instructions": [
                {"name": "measure", "locus": ["QB1"], "args": {"key": "a"}},
                {"name": "measure", "locus": ["QB2"], "args": {"key": "b"}},
            ],
            "metadata": {},
        }
    ],
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(wire, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(wire, "ATTEMPTS", 3)
    monkeypatch.setattr(posted, "_FRESH", 0.0)


def test_the_right_outcome_is_the_right_one():
    (shots,) = read(TABLES, READINGS)
    assert shots.bits.tolist() == [[[2], [0], [3]]]


@pytest.mark.parametrize("odd", [0.5, "1", None, -1, 2, 1e300, [1]])
def test_what_is_no_bit_is_not_read_as_one(odd):
    with pytest.raises(QdmiError):
        read([{**TABLES[0], "a": [[1], [0], [odd]]}], READINGS)


@SOME
@given(spoilt(TABLES) | ANY)
def test_any_measurements(tables):
    try:
        with understood("it"):  # as a job does
            (shots,) = read(tables, READINGS)
    except QdmiError:
        return
    assert shots.bits.shape == (1, 3, 1)
    assert shots.bits.dtype == np.uint8
    assert (shots.bits <= 3).all()


@SOME
@given(spoilt(PAYLOAD) | ANY, st.just(TABLES) | spoilt(TABLES), st.booleans())
def test_any_payload_of_somebody_else(payload, tables, lost):
    if lost:
        tables = [Lost("it failed")]
    try:
        with understood("it"):  # as a job does
            outcome = read(tables, readings_from(payload, tables))
    except QdmiError:
        return
    for shots in outcome:
        assert shots.bits.nbytes < 10**6


@pytest.mark.parametrize("claim", [10**9, 10**400, -1, True, "3", 1e300, None])
def test_shots_are_only_claimed(claim):
    payload = {**PAYLOAD, "shots": claim}
    with little_memory():
        try:
            read(TABLES, readings_from(payload, TABLES))
        except QdmiError:
            return


@SOME
@given(spoilt(recorded.job("completed")) | ANY)
def test_any_job(data):
    try:
        job = posted.Posted(Nobody(), data)
    except QdmiError:
        return
    assert isinstance(job.status, JobStatus)
    assert isinstance(job.why(), str)
    json.dumps([job.facts, job.warnings])


class Nobody:
    """A wire that nobody asks."""


@given(st.integers(200, 599), st.text() | ANY.map(json.dumps))
def test_any_refusal(status, text):
    found = refusal(status, text)
    assert isinstance(found.error, QdmiError)
    assert len(str(found.error)) < len(text) + 300


@pytest.mark.parametrize(
    "text", ["[" * DEEP * 40, '{"a":' * DEEP * 40, "1" * 5000, "NaN", "\ufeff{}", "", "nonsense"]
)
def test_any_text(text):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add("GET", f"{API}/quantum-computers", body=text.encode())
        with pytest.raises(QdmiError):
            Served.open(type("S", (), {})(), "garnet")
        refusal(400, text)


SETUP = {
    "architecture": recorded.garnet(),
    "star": recorded.star(),
    "computers": {
        "quantum_computers": [{"id": recorded.QC_ID, "alias": "garnet", "display_name": "G"}]
    },
    "limits": {
        "max_executions_per_job": 100,
        "max_circuits_per_job": 5,
        "max_shots_per_circuit": 9,
    },
    "health": {"healthy": True, "updated_at": None},
    "queue": {"queue_length": 3, "available": [{"start": "2026-01-01T00:00:00Z"}]},
}


@settings(SOME, max_examples=200)
@given(
    st.sampled_from(["architecture", "star", "metrics", "set", *list(SETUP)[2:]]), st.integers(0)
)
def test_any_answer_about_a_machine(what, seed):
    chance = random.Random(seed)  # noqa: S311 - it only spoils
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        raw = SETUP["star" if what == "star" else "architecture"]
        metrics, sets = recorded.figures(copy.deepcopy(raw))
        answers = {**SETUP, "architecture": raw, "metrics": metrics, "set": sets}
        which = "architecture" if what == "star" else what
        answers[which] = spoil(answers[which], chance)
        qc, found = f"{API}/quantum-computers/garnet", f"{API}/calibration-sets/garnet"
        mock.add("GET", f"{API}/quantum-computers", **body(answers["computers"]))
        mock.add("GET", f"{qc}/artifacts/static-quantum-architectures", **body([]))
        for name, place in (
            ("limits", "limits"),
            ("health", "health"),
            ("queue", "queue-availability"),
        ):
            mock.add("GET", f"{qc}/{place}", **body(answers[name]))
        for each in ("default", recorded.SET):
            base = f"{found}/{each}"
            mock.add("GET", f"{base}/dynamic-quantum-architecture", **body(answers["architecture"]))
            mock.add("GET", f"{base}/metrics", **body(answers["metrics"]))
            mock.add("GET", base, **body(answers["set"]))
        try:
            session = Served.open(type("S", (), {})(), "garnet", timeout=5.0)
            spec = session.spec()
            target_from(spec, session.gates)
            session.status()
        except QdmiError:
            return
        except requests.RequestException as error:
            assert "Connection refused by Responses" in str(error)  # noqa: PT017 - another name
        else:
            assert len(spec.sites) <= 20


def body(document):
    text = json.dumps(document).encode("utf-8", "replace")
    return {"body": text, "content_type": "application/json"}
