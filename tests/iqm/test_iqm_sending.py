"""One run, as many server jobs as its size needs; each circuit posted once."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.iqm import wire
from qdmi_qiskit.devices.iqm.sending import tag_of
from qdmi_qiskit.errors import ConfigError, RejectedError, SubmitUnknownError
from qdmi_qiskit.model import JobStatus
from tests.iqm.loopback import opened

PI = 3.141592653589793
SMALL = 3000  # bytes: a handful of circuits


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(wire, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(wire, "_LONGEST_PAUSE", 0.05)


def numbered(backend, number):
    """A circuit that returns its number."""
    circuit = QuantumCircuit(backend.num_qubits, 4)
    for k in range(4):
        if number >> k & 1:
            circuit.r(PI, 0.0, k)
    circuit.measure(range(4), range(4))
    return circuit


def statuses(server):
    return [seen.status for seen in server.log.requests if seen.method == "POST"]


def words(result, number=12):
    return [result.get_counts(k) for k in range(number)]


WORDS = [{format(k, "04b"): 5} for k in range(12)]


def test_what_is_too_large_for_one_job_is_several(server):
    server.behaviour.max_body = SMALL
    backend = QDMIBackend(opened(server, "garnet"))
    circuits = [numbered(backend, k) for k in range(12)]
    job = backend.run(circuits, shots=5)
    assert words(job.result()) == WORDS
    assert server.jobs_created > 1
    assert sum(len(each.payload.circuits) for each in server.jobs) == 12
    assert all(len(each.body) <= SMALL for each in server.jobs)
    assert statuses(server).count(201) == server.jobs_created
    assert 0 < statuses(server).count(413) <= 3  # halves, not one circuit less
    (found,) = job.result().metadata["device_jobs"]
    assert [part["id"] for part in found["parts"]] == [str(each.id) for each in server.jobs]
    tags = [part["tag"] for part in found["parts"]]
    assert tags == [each.tag for each in server.jobs]
    assert tags == [f"{job.job_id()}-0.{k}" for k in range(1, len(tags) + 1)]
    server.log.clear()
    assert words(backend.run(circuits, shots=5).result()) == WORDS
    assert set(statuses(server)) == {201}  # what was learned is not asked again


def test_a_sweep_too_large_for_one_job_keeps_its_points(server):
    server.behaviour.max_body = SMALL
    backend = QDMIBackend(opened(server, "garnet"))
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(backend.num_qubits, 2)
    circuit.r(a, 0.0, 0)
    circuit.r(b, 0.0, 1)
    circuit.measure([0, 1], [0, 1])
    pattern = [0, 1, 1, 2, 3, 0, 2, 1, 1, 3, 2, 0, 0, 1, 3, 1, 2, 2]
    values = np.array([[(k & 1) * PI, (k >> 1) * PI] for k in pattern])
    data = SamplerV2(backend).run([(circuit, values)], shots=3).result()[0].data.c
    assert [data.get_int_counts(k) for k in range(len(pattern))] == [{k: 3} for k in pattern]
    assert server.jobs_created > 1
    operators = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], 20) for q in (0, 1)]
    bare = circuit.remove_final_measurements(inplace=False)
    found = EstimatorV2(backend).run([(bare, [[o] for o in operators], values)], precision=0.2)
    signs = [[1.0 - 2 * (k >> q & 1) for k in pattern] for q in (0, 1)]
    assert found.result()[0].data.evs.tolist() == signs


def test_several_jobs_are_found_again_by_one_id(server):
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    job = backend.run([numbered(backend, k) for k in range(12)], shots=5)
    job.result()
    (job_id,) = job.device_job_ids
    assert job_id.count(",") == server.jobs_created - 1 > 0
    found = opened(server, "garnet").job(job_id)
    assert found.wait(200) is JobStatus.DONE
    assert [shots.bits.tolist() for shots in found.result()] == [[[[k]] * 5] for k in range(12)]


def test_a_limit_that_is_known_is_never_tried(server):
    server.behaviour.max_body = SMALL
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    circuits = [numbered(backend, k) for k in range(12)]
    assert words(backend.run(circuits, shots=5).result()) == WORDS
    assert set(statuses(server)) == {201}
    assert max(len(each.body) for each in server.jobs) > SMALL / 2  # and they are filled


def test_a_single_circuit_too_large_is_refused(server):
    server.behaviour.max_body = 300
    backend = QDMIBackend(opened(server, "garnet"))
    with pytest.raises(RejectedError, match=r"a single circuit takes \d+ bytes"):
        backend.run([numbered(backend, k) for k in range(12)], shots=5)
    assert server.jobs_created == 0


def test_cancel_stops_every_part(server):
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    server.pause()
    job = backend.run([numbered(backend, k) for k in range(12)], shots=5)
    job.cancel()
    assert job.qdmi_status() is JobStatus.CANCELED
    assert {each.status for each in server.jobs} == {"cancelled"}


# --- when one of several is refused ----------------------------------------------------------


def test_a_refusal_in_the_middle_cancels_what_was_queued(server):
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    server.pause()
    server.inject_submit("error", skip=1, status=403)
    with pytest.raises(ConfigError, match="before these were canceled"):
        backend.run([numbered(backend, k) for k in range(12)], shots=5)
    assert [each.status for each in server.jobs] == ["cancelled"]
    assert statuses(server)[:2] == [201, 403]


def test_a_refusal_after_a_part_that_ran_says_where_its_outcome_is(server):
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    server.inject_submit("error", skip=1, status=403)
    server.inject("error", method="POST", path="cancel", times=-1, status=404)
    with pytest.raises(SubmitUnknownError, match="could not be canceled") as caught:
        backend.run([numbered(backend, k) for k in range(12)], shots=5)
    (job,) = server.jobs
    assert f"session.job('{job.id}')" in str(caught.value)
    found = backend.session.job(str(job.id))
    found.wait(200)
    assert [shots.bits[0, 0, 0] for shots in found.result()] == list(range(len(found.result())))


def test_an_unknown_outcome_in_the_middle_names_tag_and_jobs(server):
    backend = QDMIBackend(opened(server, "garnet", max_job_bytes=SMALL))
    server.inject_submit("drop_after", skip=1)
    with pytest.raises(SubmitUnknownError) as caught:
        backend.run([numbered(backend, k) for k in range(12)], shots=5)
    first, second = server.jobs
    assert f"session.job('{first.id}')" in str(caught.value)
    assert repr(second.tag) in str(caught.value)
    assert server.posts == 2


def test_tags_fit_and_tell_parts_apart():
    for key in ("k", "k" * 48, "k" * 50, "k" * 200):
        tags = [tag_of(key), *(tag_of(key, part) for part in range(1, 1200))]
        assert len(set(tags)) == len(tags)
        assert max(map(len, tags)) <= 50
    assert (tag_of("run-0"), tag_of("run-0", 2)) == ("run-0", "run-0.2")
