"""The line to an IQM server: slower when throttled, never without a timeout, not deaf to Ctrl-C."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.devices.iqm import wire
from qdmi_qiskit.errors import SubmitUnknownError
from tests.interrupts import interrupted
from tests.iqm.loopback import backend_on, isa_for


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(wire, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(wire, "_LONGEST_PAUSE", 0.05)


def ones(backend, *places):
    """A circuit on three qubits whose outcome has these bits."""
    circuit = QuantumCircuit(3, 3)
    for place in places:
        circuit.r(np.pi, 0.0, place)
    circuit.measure(range(3), range(3))
    return isa_for(backend, circuit)


def test_a_server_that_throttles_is_asked_for_fewer_things_at_once(server):
    backend = backend_on(server)
    width = backend.session._wire.width
    assert width.limit == 16
    server.inject("throttle", times=3, method="GET", retry_after=0.01)
    backend.session.status()
    assert width.limit < 4
    server.inject("error", times=3, method="GET")
    server.inject("drop_before", times=3, method="GET")
    backend.session.status()
    assert width.limit < 5
    for _ in range(100):
        backend.session._wire.get("quantum-computers")
    assert width.limit > 10


def test_a_throttled_long_poll_counts_as_well_but_takes_no_width(server):
    backend = backend_on(server)
    width = backend.session._wire.width
    server.pause()
    before = width.limit
    # Before the job: a poll under way is held back for 30 s, and others leave it to that one.
    server.inject("throttle", times=1, method="GET", path="jobs/", retry_after=0.01)
    job = SamplerV2(backend).run([ones(backend, 0)], shots=3)
    threads = [threading.Thread(target=job.result) for _ in range(3)]
    for thread in threads:
        thread.start()
    while server.log.requests[-1].path.count("jobs/") == 0 or width.limit == before:
        threading.Event().wait(0.01)
    assert (width.limit, width.busy) == (before // 2, 0)
    server.resume()
    for thread in threads:
        thread.join(100)
    assert job.result()[0].data.c.get_counts() == {"001": 3}


def test_no_request_goes_without_a_timeout(server, monkeypatch):
    seen = []
    send = wire.requests.Session.request

    def noting(*given, **named):
        seen.append(named.get("timeout"))
        return send(*given, **named)

    monkeypatch.setattr(wire.requests.Session, "request", noting)
    backend = backend_on(server, timeout=7.0)
    job = SamplerV2(backend).run([ones(backend, 0)], shots=3)
    job.result()
    assert len(seen) == len(server.log.requests)
    assert all(connect == 10.0 and read in (7.0, 37.0) for connect, read in seen), seen


@pytest.mark.parametrize("what", ["wait_for_final_state", "result"])
def test_ctrl_c_leaves_the_job_running(server, what, monkeypatch):
    backend = backend_on(server)
    server.pause()
    job = backend.run([ones(backend, 0, 1), ones(backend, 2)], shots=4)
    began = threading.Event()
    get = wire.Wire.get

    def noting(*given, patience=0.0, **named):
        if patience:
            began.set()  # what follows is held back by the server
        return get(*given, patience=patience, **named)

    monkeypatch.setattr(wire.Wire, "get", noting)
    interrupted(began.is_set, {"result": job.result}.get(what, job.wait))
    assert [each.status for each in server.jobs] == ["waiting"]
    server.resume()
    assert job.result().get_counts() == [{"011": 4}, {"100": 4}]
    assert (server.jobs_created, server.posts) == (1, 1)


def test_ctrl_c_while_a_job_is_posted_posts_no_second_one(server, tmp_path, monkeypatch):
    from qdmi_qiskit import QDMIProvider

    monkeypatch.setenv("QDMI_TEST_PACE_TOKEN", server.token)
    monkeypatch.setenv("QDMI_JOURNAL", str(tmp_path / "runs.sqlite"))
    provider = QDMIProvider()
    backend = provider.get_backend(
        "iqm:garnet",
        url=server.url,
        token="env:QDMI_TEST_PACE_TOKEN",  # noqa: S106 - a reference
    )
    came, go_on = threading.Event(), threading.Event()

    def held(method, path):
        if method == "POST" and path.endswith("/circuit"):
            came.set()
            go_on.wait(60)

    server.draw_faults(held)
    width, circuit = backend.session._wire.width, ones(backend, 2)
    interrupted(came.is_set, lambda: backend.run([circuit], shots=4))
    go_on.set()
    assert width.busy == 0
    (row,) = provider.jobs()
    with pytest.raises(SubmitUnknownError, match=row.id):
        provider.job(row.id).resume().result()
    while not server.jobs:
        threading.Event().wait(0.01)
    key = f"{row.id}-0"
    assert [job.tag for job in server.jobs] == [key]
    found = provider.job(row.id).resume(found={key: str(server.jobs[0].id)})
    assert found.result().get_counts() == {"100": 4}
    assert (server.jobs_created, server.posts) == (1, 1)
