"""One of several server jobs failed: the others are kept, and what failed says why."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.circuit import Parameter, QuantumCircuit

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import JobStatus
from tests.iqm.loopback import opened
from tests.iqm.test_iqm_sending import PI, SMALL, numbered

SHOTS = 5
WARM = "the fridge is warm"


@pytest.fixture
def backend(server):
    return QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))


def sizes(server):
    return [len(each.payload.circuits) for each in server.jobs]


def check(result, server, failed, words=WARM):
    """Every circuit of the server's job number `failed` failed, and no other."""
    lengths = sizes(server)
    first = sum(lengths[:failed])
    gone = range(first, first + lengths[failed])
    for number in range(sum(lengths)):
        if number in gone:
            assert not result.results[number].success
            assert words in result.results[number].status
            assert str(server.jobs[failed].id) in result.results[number].status
        else:
            assert result.get_counts(number) == {format(number, "04b"): SHOTS}


@pytest.mark.parametrize("failed", [0, 1, 2])
def test_the_parts_that_completed_are_kept(server, backend, failed):
    server.fail_next_job(WARM, skip=failed)
    job = backend.run([numbered(backend, k) for k in range(12)], shots=SHOTS)
    result = job.result(partial=True)
    assert len(server.jobs) > 2
    assert job.qdmi_status() is JobStatus.FAILED
    assert not result.success
    check(result, server, failed)


def test_they_are_kept_for_whoever_finds_the_job_by_its_id(server, backend):
    server.fail_next_job(WARM, skip=1)
    job = backend.run([numbered(backend, k) for k in range(12)], shots=SHOTS)
    job.result(partial=True)
    found = opened(server, "garnet").job(job.device_job_ids[0])
    assert found.wait(200) is JobStatus.FAILED
    outcome = found.result()
    first = sizes(server)[0]
    assert [shots.bits.tolist() for shots in outcome[:first]] == [
        [[[k]] * SHOTS] for k in range(first)
    ]
    lost = outcome[first : first + sizes(server)[1]]
    assert all(shots.valid.tolist() == [0] and WARM in shots.failures[0] for shots in lost)
    assert outcome[-1].bits.tolist() == [[[11]] * SHOTS]
    assert len(outcome) == 12


def test_a_part_that_was_canceled_on_the_server_is_lost_alone(server, backend):
    server.pause()
    job = backend.run([numbered(backend, k) for k in range(12)], shots=SHOTS)
    backend.session.job(str(server.jobs[1].id)).cancel()
    server.resume()
    job.wait(200)
    with pytest.raises(JobFailedError, match="was canceled"):
        job.result()
    check(job.result(partial=True), server, 1, "was canceled")


def test_points_of_a_sweep_in_a_part_that_failed_are_told(server, backend):
    angle = Parameter("a")
    circuit = QuantumCircuit(backend.num_qubits, 1)
    circuit.r(angle, 0.0, 0)
    circuit.measure(0, 0)
    pattern = np.arange(20) % 3 == 1
    server.fail_next_job(WARM, skip=1)
    job = SamplerV2(backend).run([(circuit, pattern[:, None] * PI)], shots=SHOTS)
    with pytest.raises(JobFailedError, match=WARM):
        job.result()
    pub = job.result(partial=True)[0]
    first, second = sizes(server)[:2]
    assert list(pub.metadata["failures"]) == list(range(first, first + second))
    for point, one in enumerate(pattern):
        valid = 0 if first <= point < first + second else SHOTS
        assert pub.metadata["valid_shots"][point] == valid
        if valid:
            assert pub.data.c[point].get_int_counts() == {int(one): SHOTS}


def test_all_parts_failed_is_a_failure(server, backend):
    for _ in range(8):
        server.fail_next_job(WARM)
    job = backend.run([numbered(backend, k) for k in range(12)], shots=SHOTS)
    with pytest.raises(JobFailedError, match=WARM):
        job.result()


def test_only_what_failed_is_sent_again(server, tmp_path, monkeypatch):
    for name, value in server.environment("garnet").items():
        monkeypatch.setenv(name, value)
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(tmp_path / "runs.sqlite")})
    device = provider.get_backend("iqm:garnet", max_job_bytes=SMALL)
    server.fail_next_job(WARM, skip=1)
    job = device.run([numbered(device, k) for k in range(12)], shots=SHOTS)
    assert not job.result(partial=True).success
    lost, before = sizes(server)[1], len(server.jobs)
    result = provider.job(job.job_id()).resubmit().result()
    assert [result.get_counts(k) for k in range(12)] == [
        {format(k, "04b"): SHOTS} for k in range(12)
    ]
    assert sum(sizes(server)[before:]) == lost
