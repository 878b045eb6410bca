"""Opening, what is asked of the server, submitting once, jobs to their end."""

from __future__ import annotations

import base64
import json
import logging
import time
from uuid import uuid4

import numpy as np
import pytest
import requests
import responses
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.iqm import driver, wire
from qdmi_qiskit.devices.iqm import posted as jobs
from qdmi_qiskit.devices.iqm import session as sessions
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    SubmitUnknownError,
    UnavailableError,
)
from qdmi_qiskit.model import DeviceStatus, JobStatus, Program, Task
from qdmi_qiskit.secret import Secret
from tests.iqm import recorded
from tests.iqm.served import API, TOKEN, URL, Served, broken, error

JOB_PATH = f"/jobs/{recorded.JOB}"


@pytest.fixture(autouse=True)
def no_answer_holds(monkeypatch):
    monkeypatch.setattr(jobs, "_FRESH", 0.0)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("IQM_SERVER_URL", "IQM_TOKEN", "IQM_TOKENS_FILE", "IQM_QUANTUM_COMPUTER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pauses(monkeypatch):
    """Seconds that would have been waited between attempts."""
    seen = []
    monkeypatch.setattr(wire.time, "sleep", seen.append)
    return seen


@pytest.fixture
def mock():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as each:
        yield each


@pytest.fixture
def server(mock):
    return Served(mock)


def flip(one=0, width=2):
    circuit = QuantumCircuit(width, width)
    circuit.r(np.pi, 0.0, one)
    circuit.measure(range(width), range(width))
    return circuit


def task(session, circuit, shots=4, values=None):
    program = Program(
        "iqm",
        session.encoders["iqm"](circuit),
        circuit.num_clbits,
        tuple(parameter.name for parameter in circuit.parameters),
    )
    return Task(program, shots, np.empty((1, 0)) if values is None else np.asarray(values, float))


def jwt(seconds):
    body = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time() + seconds)}).encode())
    return f"aaaa.{body.decode().rstrip('=')}.cccc"


# --- opening ---------------------------------------------------------------------------------


def test_open_and_run_a_bell_pair_in_at_most_eight_requests(server, mock):
    backend = QDMIBackend(server.open("garnet"))
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    from qiskit.transpiler import generate_preset_pass_manager

    isa = generate_preset_pass_manager(1, backend=backend).run(circuit)
    counts = SamplerV2(backend).run([isa], shots=100).result()[0].data.meas.get_counts()
    assert set(counts) == {"00", "11"}
    assert len(mock.calls) <= 8


def test_the_chip_has_a_name_even_without_sets(server):
    assert server.open("garnet").spec().version == "M000_W0_A00"
    static = "/quantum-computers/garnet/artifacts/static-quantum-architectures"
    assert server.counts["GET", static] == 0
    sets = f"/calibration-sets/garnet/{recorded.SET}"
    server.instead("GET", f"{sets}/metrics", [error(404)])
    server.instead("GET", sets, [error(404)])
    assert server.open("garnet").spec().version == "M000_W0_A00"
    assert server.counts["GET", static] == 1


def test_queries_ask_nothing(server, mock):
    session = server.open("garnet")
    before = len(mock.calls)
    backend = QDMIBackend(session)
    session.spec()
    assert (backend.target.num_qubits, backend.calibration.id) == (20, recorded.SET)
    assert len(mock.calls) == before


def test_a_name_can_be_alias_id_or_nothing(server):
    for locator in ("garnet", recorded.QC_ID, ""):
        assert server.open(locator).spec().name == "garnet"
    assert driver.names(url=URL) == ("garnet",)


def test_a_wrong_or_missing_name_lists_the_right_ones(mock):
    computers = [{"id": str(uuid4()), "alias": alias} for alias in ("garnet", "emerald")]
    server = Served(mock, computers=computers)
    with pytest.raises(ConfigError, match="'iqm:garnet', 'iqm:emerald'"):
        server.open("")
    with pytest.raises(ConfigError, match="did you mean 'garnet'"):
        server.open("garnett")


def test_a_colon_in_an_alias_is_part_of_the_name(mock):
    server = Served(mock, "garnet:mock", raw=recorded.garnet())
    session = server.open("garnet:mock")
    assert (session.spec().name, session.spec().simulator) == ("garnet:mock", True)
    assert any("garnet%3Amock" in url for url in server.urls)


def test_a_set_without_metrics_still_opens(server):
    server.instead("GET", f"/calibration-sets/garnet/{recorded.SET}/metrics", [error(404)])
    spec = server.open("garnet").spec()
    assert spec.operations[0].sites[0,].fidelity is None
    assert spec.operations[0].sites[0,].duration == 20e-9


def test_a_server_without_limits_has_none(server):
    server.instead("GET", "/quantum-computers/garnet/limits", [error(404)])
    assert server.open("garnet").spec().capabilities.max_total_shots is None


def test_options_of_moves_are_for_stars(server, mock):
    with pytest.raises(ConfigError, match="no star; leave the option out"):
        server.open("garnet", move_gate_validation="allow_prx")
    star = Served(mock, "star")
    session = star.open("star", move_gate_validation="allow_prx")
    session.submit([task(session, flip())], key="k")
    assert star.bodies[-1]["move_gate_validation"] == "allow_prx"


def test_a_set_marked_invalid_is_said(server, caplog):
    _, settings = recorded.figures(server.raw)
    found = (200, {}, json.dumps(settings | {"invalid": True}))
    server.instead("GET", f"/calibration-sets/garnet/{recorded.SET}", [found])
    with caplog.at_level(logging.WARNING):
        server.open("garnet")
    assert "as invalid" in caplog.text


def test_status_knows_queue_and_windows(server):
    session = server.open("garnet")
    state = session.status()
    assert (state.status, state.queue_length) == (DeviceStatus.BUSY, 3)
    window = {"start": "2001-01-01T00:00:00Z", "end": "2101-01-01T00:00:00Z"}
    past = {"start": "2001-01-01T00:00:00Z", "end": "2001-01-02T00:00:00Z"}
    server.instead(
        "GET",
        "/quantum-computers/garnet/queue-availability",
        [(200, {}, json.dumps({"queue_length": 0, "available": [past, window, "odd"]}))],
    )
    server.instead("GET", "/quantum-computers/garnet/health", [(200, {}, '{"healthy": false}')])
    state = session.status()
    assert (state.status, state.queue_length, state.next_window) == (
        DeviceStatus.MAINTENANCE,
        0,
        0.0,
    )


# --- credentials -----------------------------------------------------------------------------


def test_a_token_goes_out_and_is_kept_nowhere(server, mock, monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    session = server.open("garnet", token=Secret("env:LAB_TOKEN"))
    sent = {call.request.headers["Authorization"] for call in mock.calls}
    assert sent == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(session) + repr(vars(session)) + repr(vars(session._wire))


def test_a_token_echoed_by_the_server_is_blotted_out(server, monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", TOKEN)
    server.instead("GET", "/quantum-computers", [error(403, f"Bearer {TOKEN} may not")])
    with pytest.raises(ConfigError, match=r"Bearer \*\*\* may not") as caught:
        server.open("garnet", token=Secret("env:LAB_TOKEN"))
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_a_token_nothing_is_sent_not_even_from_netrc(server, mock, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password dummy\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.open("garnet")
    assert not any("Authorization" in call.request.headers for call in mock.calls)


def test_a_tokens_file_renewed_on_disk_is_read_again(server, mock, tmp_path):
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"access_token": jwt(3600)}))
    session = server.open("garnet", tokens_file=str(file))
    renewed = jwt(7200)
    file.write_text(json.dumps({"access_token": renewed}))
    server.instead("GET", f"{JOB_PATH}", [error(401, "token expired", "unauthorized")])
    server.instead("POST", "/jobs/garnet/circuit", [error(401, "expired", "unauthorized")])
    job = session.submit([task(session, flip())], key="k")
    assert job.wait() is JobStatus.DONE
    assert server.counts["posted"] == 1
    assert mock.calls[-1].request.headers["Authorization"] == f"Bearer {renewed}"


def test_an_expired_tokens_file_says_so(server, tmp_path):
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"access_token": jwt(-5)}))
    with pytest.raises(ConfigError, match=r"expired or is not valid; renew .*tokens.json"):
        server.open("garnet", tokens_file=str(file))
    file.write_text("not json with a dummy-secret")
    with pytest.raises(ConfigError) as caught:
        server.open("garnet", tokens_file=str(file))
    assert "dummy-secret" not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_token_refused_twice_is_an_error(server):
    server.instead("GET", "/quantum-computers", [error(401, "bad", "unauthorized")] * 2)
    with pytest.raises(ConfigError, match="check the token"):
        server.open("garnet")


def test_redirects_are_not_followed(server):
    server.instead("GET", "/quantum-computers", [(302, {"Location": "https://evil.test"}, "")])
    with pytest.raises(ConfigError, match="302"):
        server.open("garnet")


# --- reading again what is safe --------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        error(429),
        error(429, **{"Retry-After": "3"}),
        error(502),
        error(503, "busy"),
        (200, {}, '{"quantum_com'),
        broken(),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("half"),
    ],
    ids=lambda fault: str(fault)[:30],
)
def test_reading_survives_two_faults(server, pauses, fault):
    server.instead("GET", "/quantum-computers", [fault, fault])
    assert server.open("garnet").spec().name == "garnet"
    assert len(pauses) == 2
    if "Retry-After" in str(fault):
        assert pauses == [3.0, 3.0]


def test_reading_gives_up_in_the_end(server, pauses):
    server.instead("GET", "/quantum-computers", [error(503, "closed")] * wire.FIRST_ATTEMPTS)
    with pytest.raises(UnavailableError, match="closed"):
        server.open("garnet")
    assert server.counts["GET", "/quantum-computers"] == wire.FIRST_ATTEMPTS
    assert 1 < sum(pauses) < 5
    session = server.open("garnet")
    pauses.clear()
    server.instead("GET", "/quantum-computers/garnet/health", [error(503, "closed")] * 100)
    with pytest.raises(UnavailableError, match="closed"):
        session.status()
    assert len(pauses) == wire.ATTEMPTS - 1
    assert 10 < sum(pauses) < 60


def test_a_block_of_an_hour_is_not_waited_for(server, pauses):
    server.instead("GET", "/quantum-computers", [error(429, **{"Retry-After": "3600"})])
    with pytest.raises(UnavailableError):
        server.open("garnet")
    assert pauses == []


def test_a_date_to_retry_after_is_understood(server, pauses):
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    server.instead("GET", "/quantum-computers", [error(429, **{"Retry-After": date})])
    server.open("garnet")
    assert pauses == [0.0]


# --- submitting once -------------------------------------------------------------------------


def test_what_is_posted(server):
    session = server.open("garnet")
    a = Parameter("a")
    circuit = QuantumCircuit(1, 1, name="turn")
    circuit.r(a, 0.0, 0)
    circuit.measure(0, 0)
    session.submit([task(session, circuit, values=[[0.5], [1.5]])], key="key-7")
    (body,) = server.bodies
    assert set(body) == {"circuits", "calibration_set_id", "shots"}
    assert (body["calibration_set_id"], body["shots"]) == (recorded.SET, 4)
    assert [set(each) for each in body["circuits"]] == [{"name", "metadata", "instructions"}] * 2
    first, second = body["circuits"]
    assert first["instructions"] == [
        {"name": "prx", "locus": ["QB1"], "args": {"angle": 0.5, "phase": 0.0}},
        {"name": "measure", "locus": ["QB1"], "args": {"key": "c_1_0_0"}},
    ]
    assert second["instructions"][0]["args"]["angle"] == 1.5
    assert server.urls[-1] == f"{API}/jobs/garnet/circuit?use_timeslot=false&tag=key-7"


def test_options_become_fields_and_nothing_else_is_sent(server):
    session = server.open(
        "garnet",
        heralding="zeros",
        active_reset_cycles=2,
        dynamical_decoupling=True,
        dd_strategy={"gate_sequences": [[2, "XX", "center"]]},
        max_circuit_duration_over_t2=0.0,
        use_timeslot=True,
        calibration_set=recorded.SET,
    )
    session.submit([task(session, flip())], key="k" * 60)
    (body,) = server.bodies
    assert {key: value for key, value in body.items() if key != "circuits"} == {
        "calibration_set_id": recorded.SET,
        "shots": 4,
        "heralding_mode": "zeros",
        "active_reset_cycles": 2,
        "dd_mode": "enabled",
        "dd_strategy": {"gate_sequences": [[2, "XX", "center"]]},
        "max_circuit_duration_over_t2": 0.0,
    }
    assert "use_timeslot=true" in server.urls[-1]
    tag = server.urls[-1].split("tag=")[1]
    assert 0 < len(tag) <= 50


@pytest.mark.parametrize(
    "fault",
    [
        broken(),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("half"),
        error(500),
        error(502),
        error(504),
        (503, {}, "upstream connect error"),
        (503, {}, '{"message": "Service Unavailable"}'),  # as a gateway says it
        (201, {}, '{"id": "aaaa'),
        (201, {}, "{}"),
    ],
    ids=lambda fault: str(fault)[:40],
)
def test_an_unknown_outcome_is_not_sent_again(server, pauses, fault):
    session = server.open("garnet")
    server.instead("POST", "/jobs/garnet/circuit", [fault])
    with pytest.raises(SubmitUnknownError, match="tag 'key-9'"):
        session.submit([task(session, flip())], key="key-9")
    assert server.counts["POST", "/jobs/garnet/circuit"] == 1
    assert server.counts["posted"] == 0
    assert pauses == []


@pytest.mark.parametrize(
    "fault",
    [error(429), error(429, **{"Retry-After": "2"}), requests.ConnectTimeout("far")],
    ids=str,
)
def test_what_certainly_did_nothing_is_sent_again(server, pauses, fault):
    session = server.open("garnet")
    server.instead("POST", "/jobs/garnet/circuit", [fault, fault])
    session.submit([task(session, flip())], key="k")
    assert server.counts["posted"] == 1
    assert len(pauses) == 2


def test_a_closed_port_is_unavailable(pauses):
    with pytest.raises(UnavailableError, match="cannot be reached"):
        driver.open("garnet", url="http://127.0.0.1:9")
    lost = wire.Wire("http://127.0.0.1:9", wire.Tokens(None, None), 1.0)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        lost.submit("jobs/garnet/circuit", {}, b"{}", "look")


@pytest.mark.parametrize(
    ("fault", "kind", "match"),
    [
        (error(400, "bad cz", "invalid_job_payload"), RejectedError, "bad cz"),
        (error(422, "angle should be float"), RejectedError, "should be float"),
        (error(413, "", "request_payload_too_large"), RejectedError, "fewer or smaller"),
        (error(403, "", "timeslot_required"), ConfigError, "use_timeslot=True"),
        (error(403, "", "no_booked_timeslots"), UnavailableError, "book a time slot"),
        (error(402, "", "not_enough_credits"), UnavailableError, "credits"),
        (error(404, "", "calibration_set_not_found"), ConfigError, "refresh"),
        (error(503, "maintenance"), UnavailableError, "maintenance"),
    ],
)
def test_refusals_say_what_to_do(server, fault, kind, match):
    session = server.open("garnet")
    server.instead("POST", "/jobs/garnet/circuit", [fault])
    with pytest.raises(kind, match=match):
        session.submit([task(session, flip())], key="k")
    assert server.counts["POST", "/jobs/garnet/circuit"] == 1


def test_what_breaks_the_contract_is_refused_before_it_is_sent(server):
    server.limits = {"max_executions_per_job": 10, "max_circuits_per_job": 2}
    session = server.open("garnet")
    one = task(session, flip())
    for tasks in (
        [],
        [one, task(session, flip(), shots=5)],
        [one] * 3,
        [task(session, flip(), shots=11)],
        [Task(one.program, 4, np.zeros((1, 1)))],
    ):
        with pytest.raises(ProtocolError):
            session.submit(tasks, key="k")
    with pytest.raises(RejectedError, match="own encoder"):
        session.submit([Task(Program("iqm", "text", 1), 4)], key="k")
    assert server.counts["posted"] == 0


def test_batches_are_cut_by_the_servers_limits(server):
    server.limits = {"max_executions_per_job": 60, "max_circuits_per_job": 4}
    backend = QDMIBackend(server.open("garnet"))
    SamplerV2(backend).run([flip()] * 10, shots=20)
    deadline = time.monotonic() + 100
    while server.counts["posted"] < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    sizes = sorted(len(body["circuits"]) for body in server.bodies)
    assert (sum(sizes), max(sizes)) == (10, 3)


# --- jobs ------------------------------------------------------------------------------------


def test_words_of_the_paper_and_unknown_ones(server, caplog):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    assert job.status() is JobStatus.DONE
    words = {
        "received": JobStatus.SUBMITTED,
        "queued": JobStatus.QUEUED,
        "pending execution": JobStatus.RUNNING,
        "post_processing_ended": JobStatus.RUNNING,
        "accepted": JobStatus.RUNNING,
        "ready": JobStatus.DONE,
        "aborted": JobStatus.CANCELED,
        "failed": JobStatus.FAILED,
    }
    for word, want in words.items():
        server.status = word
        assert session.job(recorded.JOB).status() is want, word
    job = session.submit([task(session, flip())], key="k")
    server.status = "levitating"
    with caplog.at_level(logging.WARNING):
        assert job.status() is JobStatus.QUEUED  # as before
    assert "levitating" in caplog.text


def test_an_answer_holds_for_a_moment(server, monkeypatch):
    monkeypatch.setattr(jobs, "_FRESH", 60.0)
    job = server.open("garnet").submit([task(server.open("garnet"), flip())], key="k")
    assert [job.status() for _ in range(50)] == [JobStatus.QUEUED] * 50
    assert server.counts["GET", JOB_PATH] == 0
    assert job.wait() is JobStatus.DONE  # asks in any case


def test_waiting_is_left_to_the_server(server, pauses):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    assert job.wait() is JobStatus.DONE
    assert "wait_until_terminal=true&timeout_seconds=30" in server.urls[-1]
    assert server.counts["GET", JOB_PATH] == 1
    job.status()
    assert server.counts["GET", JOB_PATH] == 1  # final is final


def test_a_server_that_answers_at_once_is_not_hammered(server, pauses):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    running = (200, {}, json.dumps(recorded.job("processing")))
    server.instead("GET", JOB_PATH, [running] * 6)
    assert job.wait() is JobStatus.DONE
    assert len(pauses) == 6
    assert pauses == sorted(pauses)


def test_a_wait_that_ends_leaves_the_job(server):
    session = server.open("garnet")
    server.status = "processing"
    job = session.submit([task(session, flip())], key="k")
    with pytest.raises(TimeoutError, match="still running after 0"):
        job.wait(0)
    with pytest.raises(TimeoutError):
        job.wait(0.05)
    server.status = "completed"
    assert job.wait() is JobStatus.DONE


def test_dropped_polls_say_nothing_about_the_job(server, pauses):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    server.instead("GET", JOB_PATH, [broken(), error(500), error(429), (200, {}, "{half")])
    assert job.wait() is JobStatus.DONE
    assert job.result()[0].bits.tolist() == [[[1]] * 4]
    assert server.counts["posted"] == 1


def test_metadata_has_what_the_server_says(server):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    assert job.metadata["queue_position"] == 2
    data = recorded.job(
        "processing",
        execution={"progress": {"circuits": {"value": 1, "max_value": 4}, "odd": {}}},
        compilation={"calibration_set_id": recorded.SET, "execution_runtime_estimate_ms": 1500},
        runtime_ms=250,
        messages=[{"source": "x", "message": "hello"}],
    )
    server.instead("GET", JOB_PATH, [(200, {}, json.dumps(data))])
    job.status()
    found = job.metadata
    assert found["progress"] == {"circuits": 0.25}
    assert (found["runtime"], found["runtime_estimate"]) == (0.25, 1.5)
    assert found["calibration"] == recorded.SET
    assert found["messages"] == ["hello"]


def test_cancel_of_a_job_that_ended_does_nothing(server):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    server.instead("POST", f"{JOB_PATH}/cancel", [error(403, "ended", "illegal_job_status")])
    job.cancel()
    assert job.status() is JobStatus.DONE
    job.cancel()
    assert server.counts["POST", f"{JOB_PATH}/cancel"] == 1


def test_a_canceled_job_has_no_result(server):
    session = server.open("garnet")
    server.status = "waiting"
    job = session.submit([task(session, flip())], key="k")
    job.cancel()
    assert job.wait() is JobStatus.CANCELED
    with pytest.raises(JobFailedError, match="was canceled") as caught:
        job.result()
    assert caught.value.job_id == recorded.JOB


def test_a_failed_job_says_why(server):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    data = recorded.job("failed", errors=[{"message": "too long", "error_code": "x", "source": ""}])
    server.instead("GET", JOB_PATH, [(200, {}, json.dumps(data))])
    job.wait()
    with pytest.raises(JobFailedError, match=r"too long \[x\]"):
        job.result()


def test_a_job_is_found_by_id_with_its_registers(server):
    session = server.open("garnet")
    circuit = QuantumCircuit(
        QuantumRegister(3), ClassicalRegister(2, "unused"), ClassicalRegister(3, "b")
    )
    circuit.r(np.pi, 0, 2)
    circuit.measure([2, 0], [3, 4])
    first = session.submit([task(session, circuit)] * 2, key="k")
    first.wait()
    found = server.open("garnet").job(first.id)
    assert found.wait() is JobStatus.DONE
    for one, two in zip(first.result(), found.result(), strict=True):
        assert (one.num_bits, one.bits.tolist()) == (two.num_bits, two.bits.tolist())
        assert one.bits[0, 0].tolist() == [8]


def test_ids_that_are_none_are_config_errors(server):
    session = server.open("garnet")
    with pytest.raises(ConfigError, match="ids are UUIDs"):
        session.job("no-such-job")
    other = str(uuid4())
    server.answer("GET", f"{API}/jobs/{other}", lambda _: error(404, "gone", "job_not_found"))
    with pytest.raises(ConfigError, match="may have been deleted"):
        session.job(other)


def test_outcomes_that_are_not_what_was_asked_are_protocol_errors(server):
    for wrong in (
        [],
        {},
        [{}],
        [{"c_2_0_0": [[0]] * 4, "c_2_0_1": [[0]] * 3}],
        [{"c_2_0_0": [[2]] * 4, "c_2_0_1": [[0]] * 4}],
        [{"c_2_0_0": [[0]] * 5, "c_2_0_1": [[0]] * 5}],
        [{"c_2_0_0": "x", "c_2_0_1": [[0]]}],
        [7],
    ):
        session = server.open("garnet")
        job = session.submit([task(session, flip())], key="k")
        job.wait()
        server.instead("GET", f"{JOB_PATH}/artifacts/measurements", [(200, {}, json.dumps(wrong))])
        with pytest.raises(ProtocolError):
            job.result()


# --- heralding -------------------------------------------------------------------------------


def test_heralding_gives_fewer_shots_and_says_so(server):
    server.shots = 92
    backend = QDMIBackend(server.open("garnet", heralding="zeros"))
    result = SamplerV2(backend).run([flip(1)], shots=100).result()[0]
    assert result.data.c.get_counts() == {"10": 92}
    assert result.metadata["shots"] == 92
    assert result.metadata["requested_shots"] == 100


def test_heralding_leaves_the_estimator_unbiased(server):
    server.shots = 92
    backend = QDMIBackend(server.open("garnet", heralding="zeros"))
    circuit = QuantumCircuit(2)
    circuit.r(np.pi, 0, 1)
    from qiskit.quantum_info import SparsePauliOp

    operators = [SparsePauliOp("IZ"), SparsePauliOp("ZI"), SparsePauliOp("ZZ")]
    data = EstimatorV2(backend).run([(circuit, operators)], precision=0.1).result()[0].data
    assert data.evs.tolist() == [1.0, -1.0, -1.0]


# --- calibration sets ------------------------------------------------------------------------


def test_a_drifted_default_is_noticed_and_refresh_moves_to_it(server, monkeypatch, caplog):
    session = server.open("garnet")
    backend = QDMIBackend(session)
    server.default = recorded.garnet(dead=("QB11",), calibration_set=recorded.OTHER_SET)
    server.calibration(recorded.OTHER_SET, lambda: server.default)
    assert recorded.OTHER_SET in session.status().message
    old = task(session, flip())
    session.submit([old], key="k")
    assert server.bodies[-1]["calibration_set_id"] == recorded.SET  # pinned
    monkeypatch.setattr(sessions, "_LOOK_AGAIN", 0.0)
    with caplog.at_level(logging.WARNING):
        session.submit([old], key="k")
    assert "default calibration set" in caplog.text
    assert backend.refresh()
    assert (backend.num_qubits, backend.calibration.id) == (19, recorded.OTHER_SET)
    session.submit([task(session, flip())], key="k")
    assert server.bodies[-1]["calibration_set_id"] == recorded.OTHER_SET
    session.submit([old], key="k")
    assert server.bodies[-1]["calibration_set_id"] == recorded.SET  # as it was encoded
    with pytest.raises(RejectedError, match="different calibration sets"):
        session.submit([old, task(session, flip())], key="k")
    assert not backend.refresh()


def test_a_calibration_set_that_was_chosen_stays(server):
    other = recorded.garnet(calibration_set=recorded.OTHER_SET)
    server.calibration(recorded.OTHER_SET, lambda: other)
    session = server.open("garnet", calibration_set=recorded.OTHER_SET)
    assert session.calibration_set == recorded.OTHER_SET
    session.refresh()
    assert session.calibration_set == recorded.OTHER_SET
    assert session.status().message == ""
    session.refresh(recorded.SET)
    assert session.calibration_set == recorded.SET


def test_a_look_that_fails_harms_no_job(server, monkeypatch):
    session = server.open("garnet")
    monkeypatch.setattr(sessions, "_LOOK_AGAIN", 0.0)
    path = "/calibration-sets/garnet/default/dynamic-quantum-architecture"
    server.instead("GET", path, [error(404)])
    assert session.submit([task(session, flip())], key="k").wait() is JobStatus.DONE


def test_a_job_run_with_another_set_is_said(server, caplog):
    session = server.open("garnet")
    job = session.submit([task(session, flip())], key="k")
    data = recorded.job("completed", compilation={"calibration_set_id": recorded.OTHER_SET})
    server.instead("GET", JOB_PATH, [(200, {}, json.dumps(data))])
    with caplog.at_level(logging.WARNING):
        job.wait()
    assert "although" in caplog.text


def test_a_token_that_cannot_be_read_is_no_unknown_outcome(server, tmp_path):
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps({"access_token": jwt(50)}))  # read anew for every request
    session = server.open("garnet", tokens_file=str(file))
    file.unlink()
    with pytest.raises(ConfigError, match="no IQM token"):
        session.submit([task(session, flip())], key="k")
    assert server.counts["posted"] == 0
