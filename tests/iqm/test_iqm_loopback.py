"""The whole road on the loopback server: bits, physics, faults, heralding, calibration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from scipy.stats import chi2

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.aer import driver as aer
from qdmi_qiskit.devices.iqm import driver, wire
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    SubmitUnknownError,
    UnavailableError,
    UnsupportedError,
)
from qdmi_qiskit.model import JobStatus
from qdmi_qiskit.testing.iqm_server import IQMServer, write_tokens_file
from tests.iqm.loopback import NAMES, backend_on, isa_for, opened


@pytest.fixture
def server():
    with IQMServer(*NAMES, noise=False) as found:
        yield found


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(wire, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(wire, "_LONGEST_PAUSE", 0.05)


def agree(counts, others):
    """p-value of chi-square: do two histograms come from one distribution?"""
    words = sorted({*counts, *others})
    table = np.array([[each.get(word, 0) for word in words] for each in (counts, others)], float)
    rare = table.sum(axis=0) < 10
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    want = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = ((table - want) ** 2 / want).sum()
    return chi2.sf(statistic, table.shape[1] - 1)


@pytest.mark.parametrize("kind", ["ghz", "random"])
def test_noise_of_the_device_is_the_noise_of_its_figures(kind):
    """The wire's circuit with the server's noise, and the ISA circuit with Aer's from our spec.

    A virtual Z costs nothing and a pulse is a pulse on either side, so the ISA circuit that Aer
    gets is the one that the wire had: one pulse for each prx.
    """
    if kind == "ghz":
        circuit = QuantumCircuit(5)
        circuit.h(0)
        for k in range(4):
            circuit.cx(k, k + 1)
    else:
        circuit = random_circuit(6, 4, max_operands=2, seed=8)
    circuit.measure_all()
    shots = 8000
    with IQMServer("garnet", seed=3) as server:
        backend = backend_on(server)
        isa = isa_for(backend, circuit, 2)
        counts = SamplerV2(backend).run([isa], shots=shots).result()[0].data.meas.get_counts()
        twin = QDMIBackend(aer.open("", noise=backend.spec))
        folded = as_sent(backend, isa)
        direct = SamplerV2(twin, seed=11).run([folded], shots=shots).result()[0]
    assert agree(counts, direct.data.meas.get_counts()) > 5e-7  # seeded on either side
    assert sum(counts.values()) == shots


def as_sent(backend, isa):
    """The circuit on the wire, in Qiskit, with the registers of the ISA circuit."""
    program = backend.session.encoders["iqm"](isa)
    (text,) = program.circuits(np.empty((1, 0)), 0)
    index = {site.name: site.index for site in backend.spec.sites}
    bits = {column.key: column.bit for column in program.columns}
    out = isa.copy_empty_like()
    for each in json.loads(text)["instructions"]:
        at, args = [index[name] for name in each["locus"]], each["args"]
        if each["name"] == "prx":
            out.r(args["angle"], args["phase"], at[0])
        elif each["name"] == "cz":
            out.cz(*at)
        elif each["name"] == "measure":
            out.measure(at[0], bits[args["key"]])
    return out


def test_mid_circuit_measurement_reset_and_feedback(server):
    backend = backend_on(server)
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.measure(0, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 2)
    isa = isa_for(backend, circuit)
    counts = SamplerV2(backend).run([isa], shots=20).result()[0].data.c.get_counts()
    assert counts == {"101": 20}


def test_a_sweep_is_one_job(server):
    backend = backend_on(server)
    a = Parameter("a")
    circuit = QuantumCircuit(2)
    circuit.rx(a, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    isa = isa_for(backend, circuit)
    values = np.linspace(0, np.pi, 20)
    before = server.jobs_created
    data = SamplerV2(backend).run([(isa, values)], shots=2000).result()[0].data.meas
    assert server.jobs_created == before + 1
    for point, value in enumerate(values):
        counts = data.get_counts(point)
        assert set(counts) <= {"00", "11"}
        p = np.sin(value / 2) ** 2
        assert abs(counts.get("11", 0) / 2000 - p) < 5 * np.sqrt(0.25 / 2000)


# --- faults ----------------------------------------------------------------------------------


def sampled(backend, shots=30):
    circuit = QuantumCircuit(3)
    circuit.x(2)
    circuit.measure_all()
    isa = isa_for(backend, circuit)
    return SamplerV2(backend).run([isa], shots=shots).result()[0].data.meas.get_counts()


@pytest.mark.parametrize("kind", ["throttle", "error", "drop_before", "truncate", "garbage"])
def test_reading_survives_every_fault(server, kind):
    backend = backend_on(server)
    server.inject(kind, times=3, method="GET", path="jobs/")
    assert sampled(backend) == {"100": 30}
    assert (server.jobs_created, server.posts) == (1, 1)


@pytest.mark.parametrize("after", [None, 0.05])
def test_a_throttled_submission_is_sent_again_and_makes_one_job(server, after):
    backend = backend_on(server)
    server.inject("throttle", times=2, method="POST", path="circuit", retry_after=after)
    assert sampled(backend) == {"100": 30}
    assert (server.jobs_created, server.posts) == (1, 3)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate", "garbage"])
def test_a_submission_cut_off_is_sent_once_and_found_by_its_tag(server, kind):
    backend = backend_on(server)
    server.inject(kind, times=1, method="POST", path="circuit")
    with pytest.raises(SubmitUnknownError) as caught:
        sampled(backend)
    assert server.posts == 1
    if kind != "drop_before":
        (job,) = server.jobs
        assert job.tag
        assert job.tag in str(caught.value)
    assert sampled(backend) == {"100": 30}


@pytest.mark.parametrize("seed", range(3))
def test_jobs_posted_are_jobs_asked_for_in_a_storm(server, seed):
    """Faults of every kind, drawn at random; only a submission cut off may not come out."""
    source = np.random.default_rng(seed)
    backend = backend_on(server)
    asked = unknown = 0
    for _ in range(8):
        server.clear_faults()
        for _ in range(3):
            kind = source.choice(["throttle", "error", "drop_before", "truncate", "garbage"])
            server.inject(str(kind), method="GET", path="jobs/", skip=int(source.integers(3)))
        posting = str(source.choice(["", "throttle", "drop_after", "truncate"]))
        if posting == "throttle":
            after = None if source.random() < 0.5 else 0.02
            server.inject_submit("throttle", times=2, retry_after=after)
        elif posting:
            server.inject_submit(posting)
        asked += 1
        if posting in ("", "throttle"):
            assert sampled(backend) == {"100": 30}
            continue
        unknown += 1
        with pytest.raises(SubmitUnknownError) as caught:
            sampled(backend)
        assert repr(server.jobs[-1].tag) in str(caught.value)
    assert server.jobs_created == asked == 8
    assert 0 < unknown < 8
    assert len({job.tag for job in server.jobs}) == asked


def test_one_connection_serves_all_requests(server):
    sampled(backend_on(server))
    assert server.log.connections == 1
    assert len(server.log.requests) == 8


def test_a_session_serves_several_threads(server):
    backend = backend_on(server)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda shots: sampled(backend, shots), range(5, 17)))
    assert found == [{"100": shots} for shots in range(5, 17)]
    assert server.jobs_created == 12


def test_a_restart_while_waiting_is_survived(server):
    backend = backend_on(server)
    server.pause()
    circuit = QuantumCircuit(3)
    circuit.x(2)
    circuit.measure_all()
    job = SamplerV2(backend).run([isa_for(backend, circuit)], shots=30)
    waiting = threading.Thread(target=job.result)
    waiting.start()
    time.sleep(0.2)
    server.restart()
    server.resume()
    waiting.join(100)
    assert job.result()[0].data.meas.get_counts() == {"100": 30}
    assert server.jobs_created == 1


def test_cancel_and_find_again(server):
    session = opened(server, "garnet")
    backend = QDMIBackend(session)
    circuit = QuantumCircuit(3, 3)
    circuit.x(2)
    circuit.measure([2, 0], [1, 2])
    isa = isa_for(backend, circuit)
    server.pause()
    job = backend.run([isa], shots=10)
    (job_id,) = job.device_job_ids
    found = opened(server, "garnet").job(job_id)
    assert found.status() is JobStatus.QUEUED
    assert found.metadata["queue_position"] is not None
    other = backend.run([isa], shots=10)
    other.cancel()
    assert other.qdmi_status() is JobStatus.CANCELED
    server.resume()
    assert found.wait(200) is JobStatus.DONE
    (shots,) = found.result()
    assert (shots.num_bits, set(shots.bits[0, :, 0].tolist())) == (3, {0b010})
    found.cancel()
    assert found.metadata["calibration"] == session.calibration_set


def test_a_recalibration_is_noticed(server):
    backend = backend_on(server)
    before = backend.calibration.id
    server.recalibrate("garnet")
    assert "backend.refresh()" in backend.device_status().message
    assert sampled(backend) == {"100": 30}
    assert backend.refresh()
    assert backend.calibration.id != before
    assert sampled(backend) == {"100": 30}


def test_open_and_a_bell_pair_take_eight_requests_at_most(server):
    backend = backend_on(server)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    SamplerV2(backend).run([isa_for(backend, circuit)], shots=100).result()
    assert len(server.log.requests) <= 8


def test_by_name_and_environment_alone(server):
    script = (
        "from qdmi_qiskit.provider import QDMIProvider\n"
        "backend = QDMIProvider().get_backend('iqm:garnet')\n"
        "print(backend.name, backend.num_qubits)\n"
        "import sys\n"
        "print([m for m in ('iqm.iqm_client', 'iqm.pulse', 'pandas') if m in sys.modules])\n"
    )
    environment = os.environ | server.environment("deneb")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split("\n")[:2] == ["iqm:garnet 20", "[]"]


# --- calibration runs ------------------------------------------------------------------------


def test_a_calibration_is_run_by_who_says_so_only(server):
    session = opened(server, "garnet")
    with pytest.raises(ConfigError, match="changes garnet for everybody"):
        session.calibrate({}, changes_the_machine=False)
    with pytest.raises(UnsupportedError, match="lets nobody calibrate"):
        session.calibrate({}, changes_the_machine=True)
    server.behaviour.calibration_runs = True
    run = session.calibrate({"scope": "all"}, changes_the_machine=True)
    backend = QDMIBackend(session)
    found = run.result()
    assert run.status() is JobStatus.DONE
    assert backend.calibration.id != found
    assert backend.refresh()
    assert backend.calibration.id == found
    run.cancel()


def test_a_calibration_can_be_stopped_and_makes_no_set(server):
    server.behaviour.calibration_runs, server.behaviour.calibration_seconds = True, 60.0
    run = opened(server, "garnet").calibrate({}, changes_the_machine=True)
    with pytest.raises(TimeoutError):
        run.wait(0.01)
    run.cancel()
    with pytest.raises(JobFailedError, match="canceled"):
        run.result()


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("garnet", {"heralding": "zeros"}),
        ("garnet", {"active_reset_cycles": 2}),
        ("garnet", {"dynamical_decoupling": True}),
        (
            "garnet",
            {
                "dynamical_decoupling": True,
                "dd_strategy": {"gate_sequences": [[2, "XX", "center"]]},
            },
        ),
        ("garnet", {"max_circuit_duration_over_t2": 5.0}),
        ("deneb", {"move_gate_validation": "allow_prx"}),
        (
            "deneb",
            {"move_gate_validation": "none", "move_gate_frame_tracking": "no_detuning_correction"},
        ),
    ],
    ids=str,
)
def test_the_server_takes_every_option(server, name, options):
    backend = backend_on(server, name, **options)
    assert set(sampled(backend)) == {"100"}


def test_a_circuit_that_is_too_long_fails_with_the_servers_words(server):
    backend = backend_on(server, max_circuit_duration_over_t2=0.01)
    with pytest.raises(JobFailedError, match=r"(?i)t2|duration|long"):
        sampled(backend)


def test_a_timeslot_that_is_needed_is_asked_for(server):
    server.behaviour.timeslot_required = True
    with pytest.raises(ConfigError, match="use_timeslot=True"):
        sampled(backend_on(server))
    with pytest.raises(UnavailableError, match="book a time slot"):
        sampled(backend_on(server, use_timeslot=True))
    assert server.jobs_created == 0


def test_a_job_goes_into_the_timeslot_that_is_booked(server):
    server.behaviour.timeslot_required = True
    place = f"{server.url}/api/v1/quantum-computers/garnet/timeslots"
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {server.token}"
    slot = session.get(place, timeout=10).json()["available_slots"][0]["reference"]
    booked = session.post(place, json={"timeslots": [{"reference": slot}]}, timeout=10)
    session.close()
    assert booked.status_code == 201
    backend = backend_on(server, use_timeslot=True)
    assert sampled(backend) == {"100": 30}
    assert [job.timeslot for job in server.jobs] == [True]
    with pytest.raises(ConfigError, match="use_timeslot=True"):
        sampled(backend_on(server))
    server.behaviour.timeslot_required = False
    assert sampled(backend_on(server)) == {"100": 30}
    assert [job.timeslot for job in server.jobs] == [True, False]


def test_statuses_that_nobody_knows_are_survived(server):
    server.behaviour.renamed = {"waiting": "pondering", "processing": "juggling"}
    server.behaviour.queue_seconds = 0.3
    assert sampled(backend_on(server)) == {"100": 30}


def test_a_token_that_expired_is_an_error_that_says_so(server):
    backend = backend_on(server)
    server.tokens.expire()
    with pytest.raises(ConfigError, match="check the token"):
        sampled(backend)
    assert server.jobs_created == 0


def test_a_token_renewed_on_disk_while_a_job_waits_is_taken_up(server, tmp_path):
    file = tmp_path / "tokens.json"
    write_tokens_file(file, server.tokens.issue(3600))
    session = driver.open("garnet", url=server.url, tokens_file=str(file))
    backend = QDMIBackend(session)
    circuit = QuantumCircuit(3)
    circuit.x(2)
    circuit.measure_all()
    isa = isa_for(backend, circuit)
    server.pause()
    job = SamplerV2(backend).run([isa], shots=30)
    server.tokens.expire()
    write_tokens_file(file, server.tokens.issue(3600))
    server.resume()
    assert job.result()[0].data.meas.get_counts() == {"100": 30}
    assert (server.jobs_created, server.posts) == (1, 1)
