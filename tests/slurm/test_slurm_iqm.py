"""A vendor's device inside an allocation: a server on loopback, a token by file, one payment."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.devices.slurm import driver
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnavailableError
from qdmi_qiskit.model import JobStatus, Program, Task
from tests.slurm.works import is_empty, requeued, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("iqm", "requests")), reason="needs the extra iqm"
    ),
]


@pytest.fixture
def server():
    from qdmi_qiskit.testing.iqm_server import IQMServer

    with IQMServer("garnet", noise=False) as found:
        yield found


@pytest.fixture
def token_file(server, idle):
    path = idle.folder / "token"
    path.touch(0o600)
    path.write_text(server.token)
    return path


def options(server, token_file):
    inside = {"url": server.url, "token": f"file:{token_file}"}
    return {"partition": "quantum", "licenses": "iqm_emerald:1", "device_options": inside}


def crooked(backend):
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.x(2)
    circuit.cx(2, 1)
    circuit.measure([2, 1, 0], [0, 1, 2])
    circuit.x(2)
    return backend.pass_manager(1).run(circuit.copy()), {"111": 50}


def test_a_qpu_in_an_allocation_and_back(server, token_file, idle):
    backend = QDMIProvider().get_backend("slurm:iqm:garnet", **options(server, token_file))
    assert idle.licenses()["iqm_emerald"] == 1
    assert backend.num_qubits == 20
    isa, counts = crooked(backend)
    result = backend.run(isa, shots=50).result()
    assert result.get_counts() == counts
    assert result.metadata["device_jobs"][0]["calibration"]
    backend.session.close()
    assert is_empty(idle)


def places_with(token, cluster):
    """Everywhere a token could lie: Slurm's state, spools and logs, processes, the queue."""
    found = []
    for path in cluster.folder.rglob("*"):
        if path.is_file() and path.name != "token" and token.encode() in path.read_bytes():
            found.append(str(path))
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (process / name).read_bytes()
            except OSError:
                continue
            if token.encode() in content and int(process.name) != os.getpid():
                found.append(f"{process / name}")
    for command in (("squeue", "-o", "%all"), ("scontrol", "show", "job"), ("sinfo", "-R")):
        if token in cluster.run(*command).stdout:
            found.append(" ".join(command))
    return found


def test_a_token_is_never_found(server, token_file, idle, monkeypatch):
    monkeypatch.setenv("QDMI_IQM_TOKEN", server.token)  # in vain: not passed on
    monkeypatch.setenv("IQM_TOKEN", server.token)
    control = idle.folder / "log" / "control"
    control.write_text(server.token)
    assert places_with(server.token, idle) == [str(control)]
    control.unlink()
    session = driver.open("iqm:garnet", **options(server, token_file))
    spec = session.spec()
    assert places_with(server.token, idle) == []
    shown = repr(session) + repr(spec) + repr(session._options) + repr(session._allocation)
    assert server.token not in shown
    session.close()
    server.pause()
    batch = session.detached()
    circuit = QuantumCircuit(20, 1)
    circuit.r(3.141592653589793, 0.0, 0)
    circuit.measure(0, 0)
    job = batch.submit([Task(Program("qiskit", circuit, 1), 20)], key="secret")
    assert until(lambda: server.jobs_created == 1)
    assert places_with(server.token, idle) == []
    server.resume()
    assert job.wait(300) is JobStatus.DONE
    assert set(job.result()[0].bits.ravel().tolist()) == {1}
    assert places_with(server.token, idle) == []


@pytest.mark.parametrize("reference", ["env:IQM_TOKEN", "keyring:iqm/me"])
def test_a_token_that_a_node_cannot_read_is_refused(reference):
    with pytest.raises(ConfigError, match=r"write 'file:PATH'"):
        driver.open("iqm:garnet", device_options={"token": reference})
    with pytest.raises(ConfigError, match="must be a reference"):
        driver.open("iqm:garnet", device_options={"token": "ab" * 20})


def test_a_requeued_job_finds_the_qpus_job_and_pays_once(server, token_file, idle):
    session = driver.open("iqm:garnet", **options(server, token_file))
    session.spec()
    session.close()
    server.pause()
    circuit = QuantumCircuit(20, 1)
    circuit.r(3.141592653589793, 0.0, 3)
    circuit.measure(3, 0)
    job = session.detached().submit([Task(Program("qiskit", circuit, 1), 20)], key="paid")
    assert until(lambda: server.jobs_created == 1)
    assert until(lambda: any((json_of(job.folder / "state-0.json") or {}).values()))
    requeued(idle, job)
    events = job.folder / "events-0.jsonl"
    assert until(lambda: "found again" in events.read_text())
    server.resume()
    assert job.wait(300) is JobStatus.DONE
    assert set(job.result()[0].bits.ravel().tolist()) == {1}
    assert server.jobs_created == 1


def flipped():
    circuit = QuantumCircuit(20, 1)
    circuit.r(3.141592653589793, 0.0, 3)
    circuit.measure(3, 0)
    return Task(Program("qiskit", circuit, 1), 20)


def test_what_a_session_leaves_behind_is_cancelled_at_the_qpu(server, token_file, idle):
    session = driver.open("iqm:garnet", **options(server, token_file))
    server.pause()
    job = session.submit([flipped()], key="left")
    assert until(lambda: server.jobs_created == 1)
    assert job.status() is JobStatus.QUEUED
    session.close()
    assert until(lambda: [each.status for each in server.jobs] == ["cancelled"])
    with pytest.raises(JobFailedError, match=r"was (lost|canceled)"):
        job.result()


def test_cancelling_a_job_cancels_it_at_the_qpu(server, token_file, idle):
    session = driver.open("iqm:garnet", **options(server, token_file))
    server.pause()
    job = session.submit([flipped()], key="first")
    job.cancel()
    assert job.wait(300) is JobStatus.CANCELED
    assert [each.status for each in server.jobs] == ["cancelled"]
    session.close()
    batch = session.detached().submit([flipped()], key="second")
    assert until(lambda: any((json_of(batch.folder / "state-0.json") or {}).values()))
    batch.cancel()
    assert until(lambda: [each.status for each in server.jobs] == ["cancelled"] * 2)
    assert until(lambda: batch.status() is JobStatus.CANCELED)


def test_a_job_that_fails_at_the_qpu_says_so_in_its_words(server, token_file, idle):
    session = driver.open("iqm:garnet", **options(server, token_file))
    session.spec()
    server.fail_next_job()
    job = session.submit([flipped()], key="one")
    assert job.wait(300) is JobStatus.FAILED
    with pytest.raises(JobFailedError) as here:
        job.result()
    assert here.value.job_id == job.id
    session.close()
    server.fail_next_job()
    batch = session.detached().submit([flipped()], key="two")
    assert batch.wait(300) is JobStatus.FAILED
    with pytest.raises(JobFailedError, match="1 pieces without an outcome"):
        batch.result()
    batch.resume()  # another attempt, which the QPU takes
    assert batch.wait(300) is JobStatus.DONE
    assert server.jobs_created == 3


def json_of(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def test_a_server_that_is_away_is_an_error_of_the_device(token_file, idle):
    gone = {"url": "http://127.0.0.1:9", "token": f"file:{token_file}"}
    session = driver.open("iqm:garnet", partition="quantum", device_options=gone)
    with pytest.raises(UnavailableError):
        session.spec()
    assert until(lambda: idle.jobs() == [])
