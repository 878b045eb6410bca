"""A canceled job: what the server keeps of it is read, and whose it is is never guessed."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.errors import JobFailedError, ProtocolError
from qdmi_qiskit.model import JobStatus
from tests.iqm.loopback import backend_on, opened
from tests.iqm.test_iqm_sending import numbered

SHOTS = 6


@pytest.fixture
def backend(server):
    return backend_on(server)


def canceled(server, backend, words, keep):
    """Run circuits that return their numbers, and cancel them.

    Args:
        server: It keeps what `keep` makes of the whole outcome, which it had from the same
            circuits before.
        backend: Where they run.
        words: The numbers.
        keep: From a list, a table of each circuit, to what is kept.
    """
    circuits = [numbered(backend, k) for k in words]
    backend.run(circuits, shots=SHOTS).result()
    whole = server.jobs[-1].outcomes
    server.pause()
    job = backend.run(circuits, shots=SHOTS)
    job.cancel()
    server.jobs[-1].outcomes = keep(whole)
    server.resume()
    return job


def first(number, shots=SHOTS):
    """Keep so many circuits, the last of them with so many shots; the others have no outcome."""

    def keep(whole):
        kept = whole[:number]
        kept[-1] = {key: rows[:shots] for key, rows in kept[-1].items()}
        return kept + [{}] * (len(whole) - number)

    return keep


def test_circuits_that_it_finished_are_kept_and_the_others_say_why(server, backend):
    job = canceled(server, backend, (1, 6, 8), first(2))
    with pytest.raises(JobFailedError, match="was canceled"):
        job.result()
    result = job.result(partial=True)
    assert [each.success for each in result.results] == [True, True, False]
    assert result.get_counts(0) == {"0001": SHOTS}
    assert result.get_counts(1) == {"0110": SHOTS}
    assert f"job {server.jobs[-1].id} was canceled" in result.results[2].status
    with pytest.raises(JobFailedError, match="was canceled"):  # it is not the whole
        job.result()


def test_shots_that_it_took_of_a_circuit_are_kept(server, backend):
    job = canceled(server, backend, (4, 2, 7), first(2, shots=2))
    session = opened(server, "garnet")
    for found in (session.job(job.device_job_ids[0]), backend.session.job(job.device_job_ids[0])):
        assert found.status() is JobStatus.CANCELED
        whole, some, none = found.result()
        assert whole.bits[0, :, 0].tolist() == [4] * SHOTS
        assert some.bits[0, :, 0].tolist() == [2, 2, 0, 0, 0, 0]
        assert [list(each.valid) for each in (some, none)] == [[2], [0]]
        assert list(none.failures) == [0]
        assert found.metadata["valid_shots"] == [6, 2, 0]
        assert found.metadata["timeline"][-1]["status"] == "cancelled"


def test_of_fewer_outcomes_than_circuits_none_is_guessed(server, backend):
    job = canceled(server, backend, (1, 6, 8), lambda whole: whole[1:])
    with pytest.raises(JobFailedError, match="outcomes of 2 of its 3 circuits are there, unnamed"):
        backend.session.job(job.device_job_ids[0]).result()
    assert [each.success for each in job.result(partial=True).results] == [False] * 3


def test_a_job_that_never_began_has_nothing(server, backend):
    job = canceled(server, backend, (1, 6), lambda _: None)
    assert [each.success for each in job.result(partial=True).results] == [False] * 2
    with pytest.raises(JobFailedError, match="was canceled"):
        backend.session.job(job.device_job_ids[0]).result()


def test_more_shots_than_asked_for_are_nobodys(server, backend):
    def twice(whole):
        return [{key: np.tile(rows, (2, 1)) for key, rows in whole[0].items()}]

    job = canceled(server, backend, (1,), twice)
    with pytest.raises(ProtocolError, match="asked for 6 shots"):
        backend.session.job(job.device_job_ids[0]).result()


def test_primitives_use_the_shots_that_there_are(server, backend):
    circuit = QuantumCircuit(backend.num_qubits)
    circuit.r(np.pi, 0.0, 1)
    words = ["I" * (backend.num_qubits - 2) + tail for tail in ("ZI", "XI")]
    EstimatorV2(backend).run([(circuit, words)], precision=0.1).result()
    whole = server.jobs[-1].outcomes
    server.pause()
    job = EstimatorV2(backend).run([(circuit, words)], precision=0.1)
    job.cancel()
    (name,) = whole[0]
    by_z = [np.ptp(table[name]) == 0 for table in whole].index(True)  # the basis without chance
    server.jobs[-1].outcomes = [
        {name: table[name][:25]} if k == by_z else {} for k, table in enumerate(whole)
    ]
    server.resume()
    with pytest.raises(JobFailedError, match="was canceled"):
        job.result()
    (pub,) = job.result(partial=True)
    assert pub.data.evs[0] == -1.0
    assert np.isnan(pub.data.evs[1])


def test_what_it_finished_is_not_paid_again(server, tmp_path, monkeypatch):
    for name, value in server.environment("garnet").items():
        monkeypatch.setenv(name, value)
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(tmp_path / "runs.sqlite")})
    device = provider.get_backend("iqm:garnet")
    job = canceled(server, device, (1, 6, 8), first(2))
    assert not job.result(partial=True).success
    result = provider.job(job.job_id()).resubmit().result()
    assert [result.get_counts(k) for k in range(3)] == [
        {"0001": SHOTS},
        {"0110": SHOTS},
        {"1000": SHOTS},
    ]
    assert [len(each.payload.circuits) for each in server.jobs] == [3, 3, 1]


def test_why_it_was_canceled_is_told(server, backend):
    circuit = numbered(backend, 3)
    server.pause()
    job = SamplerV2(backend).run([circuit], shots=SHOTS)
    job.cancel()
    server.jobs[-1].errors.append({"message": "maintenance", "error_code": "x", "source": "s"})
    (pub,) = job.result(partial=True)
    assert "was canceled on IQM: maintenance [x]" in pub.metadata["failures"][0]
