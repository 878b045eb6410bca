"""Jobs that outlive the process: found again by id, key or number, whole or in part."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.devices.slurm import driver
from qdmi_qiskit.devices.slurm.folder import write
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.model import JobStatus, Program, Task
from tests.slurm.works import (
    LONG_ENOUGH,
    OPTIONS,
    backend,
    crooked,
    is_empty,
    long,
    requeued,
    until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detached(cluster):
    """`slurm:aer` whose jobs are batch jobs; the snapshot is taken once."""
    return backend(detach=True)


def task(circuit, shots=100, seed=5):
    return Task(Program("qiskit", circuit, circuit.num_clbits), shots, seed=seed)


def setting(bits):
    """A circuit with one outcome."""
    circuit = QuantumCircuit(4, 4)
    for bit in range(4):
        if bits >> bit & 1:
            circuit.x(bit)
    circuit.measure(range(4), range(4))
    return circuit


def test_outcomes_are_those_of_the_device_opened_here(detached, idle):
    assert is_empty(idle)  # the snapshot's allocation has gone
    aer = QDMIProvider().get_backend("aer", num_qubits=5)
    circuit = aer.pass_manager().run(crooked())
    here, there = (
        each.run([circuit, setting(5)], shots=300, seed=3, memory=True).result(timeout=300)
        for each in (aer, detached)
    )
    for k in (0, 1):
        assert there.get_memory(k) == here.get_memory(k)
    (told,) = there.metadata["device_jobs"]
    assert told["id"].startswith("qdmi-")
    assert told["slurm_job"].isdigit()
    state = aer.pass_manager().run(setting(3).remove_final_measurements(inplace=False))
    estimator = EstimatorV2(detached, seed=4)
    assert estimator.run([(state, "ZIIZ")], precision=0.1).result()[0].data.evs == -1


ANOTHER = """
import sys
sys.path.insert(0, {root!r})
from qdmi_qiskit.devices.slurm import driver
from qdmi_qiskit.bits import to_ints
job = driver.open("aer", detach=True).job({job!r})
job.wait(300)
print(job.id, job.slurm_id, sorted(set(to_ints(job.result()[0].bits[0]))))
"""


def test_another_process_finds_a_job_by_id_and_by_number(detached, idle, python):
    job = detached.session.submit([task(setting(9))], key="found")
    folder = job.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.glob("*.json"))
    for name in (job.id, job.slurm_id):
        code = ANOTHER.format(root=str(Path.cwd()), job=name)
        said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        assert said.stdout.split(maxsplit=2) == [job.id, job.slurm_id, "[9]\n"]
    assert is_empty(idle)


def test_one_key_is_one_job_in_any_session(detached, idle):
    first = detached.session.submit([task(setting(1))], key="once")
    again = driver.open("aer", **OPTIONS, detach=True)
    again._said = detached.session._said
    second = again.submit([task(setting(1))], key="once")
    assert (second.id, second.slurm_id) == (first.id, first.slurm_id)
    (first.folder / "slurm.json").unlink()  # as if we had died after sbatch
    third = driver.open("aer", **OPTIONS, detach=True)
    third._said = detached.session._said
    assert third.submit([task(setting(1))], key="once").slurm_id == second.slurm_id
    assert first.wait(300) is JobStatus.DONE


def test_an_array_shares_the_circuits_out(cluster, idle):
    spread = backend(detach=True, array=3)
    tasks = [task(setting(bits), shots=10 + bits) for bits in range(7)]
    job = spread.session.submit(tasks, key="array")
    job.wait(300)
    for bits, shots in enumerate(job.result()):
        assert shots.bits.shape == (1, 10 + bits, 1)
        assert set(shots.bits.ravel().tolist()) == {bits}
    events = [
        [json.loads(line) for line in (job.folder / f"events-{k}.jsonl").read_text().splitlines()]
        for k in range(3)
    ]
    done = [[e["piece"] for e in each if e["event"] == "done"] for each in events]
    assert done == [[0, 3, 6], [1, 4], [2, 5]]


def test_a_requeued_job_goes_on_where_it_was(detached, idle):
    tasks = [task(setting(6)), task(setting(7)), task(long(), shots=LONG_ENOUGH), task(setting(8))]
    job = detached.session.submit(tasks, key="requeued")
    folder = job.folder
    assert until(lambda: (folder / "results" / "0001.json").exists())
    first = job.partial()
    assert set(first[0].bits.ravel().tolist()) == {6}
    assert first[3].valid.tolist() == [0]
    assert "not there yet" in first[3].failures[0]
    requeued(idle, job)
    assert job.wait(300) is JobStatus.DONE
    assert [set(shots.bits.ravel().tolist()) for shots in job.result()[:2]] == [{6}, {7}]
    events = [json.loads(line) for line in (folder / "events-0.jsonl").read_text().splitlines()]
    sent = [event["piece"] for event in events if event["event"] == "sending"]
    assert sent == [0, 1, 2, 2, 3]  # what was done is not done again
    assert events[-1]["restarts"] == 1


def test_a_cancelled_job_is_cancelled_and_can_be_resumed(detached, idle):
    job = detached.session.submit(
        [task(setting(2)), task(long(), shots=LONG_ENOUGH)], key="cancelled"
    )
    assert until(lambda: (job.folder / "results" / "0000.json").exists())
    job.cancel()
    assert until(lambda: job.status() is JobStatus.CANCELED)
    with pytest.raises(JobFailedError, match=r"CANCELLED.*1 pieces without an outcome"):
        job.result()
    job.cancel()
    assert job.status() is JobStatus.CANCELED
    assert until(lambda: idle.jobs() == [])
    job.resume()
    assert job.wait(300) is JobStatus.DONE
    assert set(job.result()[0].bits.ravel().tolist()) == {2}
    with pytest.raises(ConfigError, match="nothing to resume"):
        job.resume()


def test_a_worker_that_dies_is_a_failure_with_its_words(detached, idle):
    broken = driver.open("aer", **OPTIONS, detach=True, python="/bin/false")
    broken._said = detached.session._said
    job = broken.submit([task(setting(1))], key="broken")
    assert until(lambda: job.status() is JobStatus.FAILED)
    with pytest.raises(JobFailedError, match=r"Slurm \d+: FAILED"):
        job.result()


def test_completed_without_a_result_is_a_failure(detached, idle):
    silent = driver.open("aer", **OPTIONS, detach=True, python="/bin/true")
    silent._said = detached.session._said
    job = silent.submit([task(setting(1))], key="silent")
    assert until(lambda: job.status() is JobStatus.FAILED)
    with pytest.raises(JobFailedError, match="COMPLETED"):
        job.result()


def test_what_the_device_on_the_node_refuses_is_told(detached, idle):
    bent = driver.open("aer", **{**OPTIONS, "device_options": {"num_qubits": 99}}, detach=True)
    bent._said = detached.session._said
    job = bent.submit([task(setting(1))], key="bent")
    assert until(lambda: job.status() is JobStatus.FAILED)
    with pytest.raises(JobFailedError, match="ask for fewer"):
        job.result()


def test_what_slurm_refuses_is_told_before_anything_is_queued(detached, idle):
    wrong = driver.open("aer", detach=True, partition="nosuch")
    wrong._said = detached.session._said
    with pytest.raises(ConfigError, match="invalid partition"):
        wrong.submit([task(setting(1))], key="wrong")
    assert idle.jobs() == []


def test_dependencies_that_never_come_true_end_the_job(detached, idle):
    failed = driver.open("aer", **OPTIONS, detach=True, python="/bin/false")
    failed._said = detached.session._said
    before = failed.submit([task(setting(1))], key="before")
    after = driver.open(
        "aer", **OPTIONS, detach=True, extra=(f"--dependency=afterok:{before.slurm_id}",)
    )
    after._said = detached.session._said
    job = after.submit([task(setting(1))], key="after")
    assert until(lambda: job.status() in (JobStatus.CANCELED, JobStatus.FAILED))


def test_a_sweep_comes_back_in_order(detached, idle):
    circuit = QuantumCircuit(2, 2)
    circuit.rx(Parameter("a"), 0)
    circuit.measure([0, 1], [1, 0])
    points = np.array([[0.0], [np.pi], [np.pi], [0.0], [np.pi]])
    data = SamplerV2(detached, seed=1).run([(circuit, points)], shots=20).result()[0].data.c
    assert [set(row.ravel().tolist()) for row in data.array] == [{0}, {2}, {2}, {0}, {2}]


JOURNAL = """
import sys
from qdmi_qiskit import QDMIProvider
(row,) = [row for row in QDMIProvider().jobs() if row.id == {job!r}]
result = QDMIProvider().job({job!r}).result(timeout=300)
print(row.device, result.get_counts(0), result.get_counts(1))
"""


def test_a_run_that_is_detached_is_in_the_journal(cluster, idle, python, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    session = backend()
    isa = session.pass_manager().run(crooked())
    counts = session.run([isa, setting(5)], shots=40, seed=2).result().get_counts(0)
    job = session.run([isa, setting(5)], shots=40, seed=2, detach=True)
    session.session.close()
    code = JOURNAL.format(job=job.job_id())
    del job
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout == f"slurm:aer {counts} {{'0101': 40}}\n", said.stderr
    aer = QDMIProvider().get_backend("aer")
    with pytest.raises(UnsupportedError, match="'slurm:aer' detaches them"):
        aer.run(setting(1), detach=True)


def test_a_snapshot_is_kept_so_that_a_submission_waits_for_nobody(cluster, idle):
    first = backend(detach=True)
    before = cluster.jobs("COMPLETED")
    again = backend(detach=True)
    assert again.spec == first.spec
    assert again.operation_names == first.operation_names
    assert cluster.jobs("COMPLETED") == before  # it asked for no allocation
    again.refresh()
    assert cluster.jobs("COMPLETED") != before


def test_failed_with_all_results_is_a_result(detached, idle):
    """A worker that is ended after its last result has done its work."""
    job = detached.session.submit([task(setting(4))], key="late")
    assert job.wait(300) is JobStatus.DONE
    assert until(lambda: job.seen() is not None and job.seen().status.final)
    again = driver.open("aer", **OPTIONS, detach=True, python="/bin/false").job(job.id)
    write(job.folder / "slurm.json", {"job": "99999"})  # Slurm has forgotten it
    assert again.seen() is None
    assert again.status() is JobStatus.DONE
    assert set(again.result()[0].bits.ravel().tolist()) == {4}
    (job.folder / "results" / "0000.json").unlink()
    lost = driver.open("aer", detach=True).job(job.id)
    assert lost.status() is JobStatus.FAILED
    with pytest.raises(JobFailedError, match="unknown to Slurm"):
        lost.result()
