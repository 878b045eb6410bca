"""Going on with runs, on a cloud in memory: what is sent, and what the user is told."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.batch import Session
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    SubmitUnknownError,
    UnavailableError,
    UnsupportedError,
)
from qdmi_qiskit.journal import JobRow, journal_at
from qdmi_qiskit.model import JobStatus, Price
from tests.lasting import Cloud, flipped, readings
from tests.test_run import until

WORDS = [1, 6, 11, 8, 13]
RIGHT = [f"{word:04b}" for word in WORDS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.sqlite"


def sampled(cloud, path, **options):
    return SamplerV2(cloud.backend(path)).run([flipped(word) for word in WORDS], **options)


def elsewhere(path, job, cloud, backend=None):
    """The job as a process sees it that did not send it."""
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    journal_at(path).flush()
    row = journal_at(path).find(job.id if isinstance(job, JobRow) else job.job_id())
    from functools import partial

    from qdmi_qiskit.journal import Intent, Ledger
    from qdmi_qiskit.primitives.estimator import restored as estimator
    from qdmi_qiskit.primitives.sampler import restored as sampler

    ledger = Ledger(journal_at(path), row, journal_at(path).inputs(row.number), Intent())
    restored = {"sampler": sampler, "estimator": estimator}[row.kind]
    return restored(ledger, partial(provider._reopened, backend or cloud.backend(path)))


def test_a_finished_run_needs_no_device(path):
    cloud = Cloud()
    job = sampled(cloud, path, tags=["b", "a"])
    assert readings(job.result()) == RIGHT
    asked = cloud.asked
    found = elsewhere(path, job, cloud)
    assert readings(found.result()) == RIGHT
    assert found.result().metadata["device_jobs"] == job.result().metadata["device_jobs"]
    assert (found.tags, found.job_id()) == (("a", "b"), job.job_id())
    assert cloud.asked == asked


def test_what_was_sent_is_followed_and_not_sent_again(path):
    cloud = Cloud()
    job = sampled(cloud, path)
    job.wait()
    found = elsewhere(path, job, cloud)
    assert readings(found.result()) == RIGHT
    assert set(cloud.posted.values()) == {1}
    assert len(cloud.posted) == len(WORDS)


def test_what_was_refused_is_sent_on_resuming_and_nothing_else(path):
    cloud = Cloud(refused=[2])
    job = sampled(cloud, path)
    with pytest.raises(UnavailableError, match="full"):
        job.result()
    before = dict(cloud.posted)
    assert len(before) == len(WORDS) - 1
    assert readings(job.resume().result()) == RIGHT
    assert len(cloud.posted) == len(WORDS)
    assert set(cloud.posted.values()) == {1}
    assert journal_at(path).rows()[0].state is JobStatus.DONE


@pytest.mark.parametrize("exists", [True, False])
def test_an_unknown_submission_is_searched_where_the_device_can(path, exists):
    cloud = Cloud(lost={3: exists}, searches=True)
    job = sampled(cloud, path)
    with pytest.raises(SubmitUnknownError):
        job.result()
    assert readings(job.resume().result()) == RIGHT
    assert set(cloud.posted.values()) == {1}
    assert len(cloud.posted) == len(WORDS)


@pytest.mark.parametrize("exists", [True, False])
def test_an_unknown_submission_is_the_users_to_settle_where_it_cannot(path, exists):
    cloud = Cloud(lost={3: exists})
    job = sampled(cloud, path)
    with pytest.raises(SubmitUnknownError):
        job.result()
    job.resume()
    with pytest.raises(SubmitUnknownError, match=r"keys \(tags\)") as caught:
        job.result()
    (key,) = [row.key for row in job._ledger.stages[0].rows if row.step.value == "sending"]
    assert key in str(caught.value)
    there = {"found": {key: cloud.keys[key]}} if exists else {"absent": [key]}
    assert readings(job.resume(**there).result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_an_unknown_submission_is_sent_again_where_keys_are_known(path):
    cloud = Cloud(lost={3: True}, submit_key=True)
    job = sampled(cloud, path)
    with pytest.raises(SubmitUnknownError):
        job.result()
    assert readings(job.resume().result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_a_run_whose_first_submission_is_unknown_can_be_taken_up_at_once(path):
    cloud = Cloud(lost={0: True}, searches=True)
    with pytest.raises(SubmitUnknownError) as caught:
        sampled(cloud, path)
    (row,) = journal_at(path).rows()
    assert any(row.id in note for note in caught.value.__notes__)
    assert readings(elsewhere(path, row, cloud).resume().result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_ctrl_c_says_how_to_come_back(path, monkeypatch):
    job = sampled(Cloud(), path)

    def interrupted(*_given, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(job._work, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        job.wait()
    assert job.job_id() in caught.value.__notes__[0]


def test_what_failed_is_kept_apart_and_sent_again_only_on_request(path):
    cloud = Cloud(failing=[1])
    job = sampled(cloud, path)
    with pytest.raises(JobFailedError, match="fridge"):
        job.result()
    partial = elsewhere(path, job, cloud).result(partial=True)
    bad = [k for k, pub in enumerate(partial) if "failures" in pub.metadata]
    assert len(bad) == 1
    assert "fridge" in str(partial[bad[0]].metadata["failures"])
    with pytest.raises(JobFailedError, match="fridge"):
        job.resume().result()
    assert len(cloud.posted) == len(WORDS)
    assert readings(elsewhere(path, job, cloud).resubmit().result()) == RIGHT
    assert len(cloud.posted) == len(WORDS) + 1
    assert sum(key.endswith("-r1") for key in cloud.posted) == 1


def test_executables_that_failed_in_a_job_are_sent_again_without_the_others(path):
    cloud = Cloud(limit=None, points={0: [1, 3]})
    angle = Parameter("a")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(angle, 0)
    circuit.x(1)
    circuit.measure([0, 1], [1, 0])
    angles = np.array([0.0, np.pi, 0.0, np.pi, np.pi])
    job = SamplerV2(cloud.backend(path)).run([(circuit, angles)], shots=30)
    with pytest.raises(JobFailedError, match="pulse too long"):
        job.result()
    again = elsewhere(path, job, cloud).resubmit()
    counts = [again.result()[0].data.c.get_counts(k) for k in range(5)]
    assert counts == [{"01": 30}, {"11": 30}, {"01": 30}, {"11": 30}, {"11": 30}]
    sent = [outcome[0].bits.shape[0] for _, outcome in cloud.jobs.values()]
    assert sent == [5, 2]
    kept = elsewhere(path, job, cloud).result()[0].data.c
    assert [kept.get_counts(k) for k in range(5)] == counts


def test_a_budget_counts_what_the_run_spent_before_it_was_resumed(path):
    cloud = Cloud(refused=[2], price=Price(1.0, 0.01, "EUR"))  # 1.1 for a job of 10 shots
    block = Session(cloud.backend(path), budget=20.0)
    job = SamplerV2(block.backend).run([flipped(word) for word in WORDS], shots=10)
    with pytest.raises(UnavailableError):
        job.result()
    assert block.spent == pytest.approx(5.5)
    for budget in (5.4, 4.4, 1.2):
        small = Session(cloud.backend(path), budget=budget)
        with pytest.raises(ConfigError, match="nothing was sent"):
            elsewhere(path, job, cloud, small.backend).resume()
    assert len(cloud.posted) == 4
    enough = Session(cloud.backend(path), budget=5.5)
    resumed = elsewhere(path, job, cloud, enough.backend).resume()
    assert readings(resumed.result()) == RIGHT
    assert enough.spent == pytest.approx(5.5)
    assert readings(job.resume().result()) == RIGHT
    assert block.spent == pytest.approx(5.5), "counted twice by the process that began it"


def test_a_budget_counts_what_is_sent_once_more(path):
    cloud = Cloud(failing=[1], price=Price(1.0, 0.0, "EUR"))
    job = sampled(cloud, path)
    with pytest.raises(JobFailedError, match="fridge"):
        job.result()
    small = Session(cloud.backend(path), budget=5.5)
    with pytest.raises(ConfigError, match=r"costs up to 1 EUR, and 0\.5 of the budget"):
        elsewhere(path, job, cloud, small.backend).resubmit()
    assert len(cloud.posted) == 5
    with pytest.raises(JobFailedError, match="fridge"):  # not sent behind the user's back
        elsewhere(path, job, cloud).resume().result()
    assert len(cloud.posted) == 5
    enough = Session(cloud.backend(path), budget=6.0)
    again = elsewhere(path, job, cloud, enough.backend).resubmit()
    assert readings(again.result()) == RIGHT
    assert enough.spent == pytest.approx(6.0)


def test_both_stages_of_an_estimate_come_back_the_same(path):
    cloud = Cloud(limit=2)
    circuit = QuantumCircuit(3)
    circuit.ry(0.4, 0)
    circuit.cx(0, 1)
    circuit.rx(Parameter("t"), 2)
    pub = (circuit, [["ZZI"], [{"XXZ": 0.5, "IYI": 2.0}]], [0.2, 0.9, 1.4], 0.02)
    job = EstimatorV2(cloud.backend(path), seed=5).run([pub])
    value = job.result()[0].data
    posted = dict(cloud.posted)
    assert any("-s1-" in key for key in posted), "no second stage: the test shows nothing"
    found = elsewhere(path, job, cloud).result()[0].data
    assert (found.evs == value.evs).all()
    assert (found.stds == value.stds).all()
    again = elsewhere(path, job, cloud).resume().result()[0].data
    assert (again.evs == value.evs).all()
    assert cloud.posted == posted


def test_an_estimate_goes_on_where_its_second_stage_was_refused(path):
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.cx(0, 1)
    pub = (circuit, {"ZZ": 1.0, "XX": 0.5, "YI": 0.3}, [], 0.02)
    whole = EstimatorV2(Cloud(limit=None).backend(path), seed=5).run([pub]).result()[0].data
    cloud = Cloud(limit=None, refused=[1])
    job = EstimatorV2(cloud.backend(path), seed=5).run([pub])
    with pytest.raises(UnavailableError):
        job.result()
    value = elsewhere(path, job, cloud)
    del job
    gc.collect()
    value = value.resume().result()[0].data
    assert (value.evs, value.stds) == (whole.evs, whole.stds)
    assert set(cloud.posted.values()) == {1}
    assert len(cloud.posted) == 2


def test_a_run_that_is_being_sent_is_not_sent_by_another(path):
    cloud = Cloud(limit=1)
    hold = threading.Event()
    submit = cloud.simulator.submit

    def slow(tasks, *, key):
        if key.endswith("-3"):
            hold.wait(300)
        return submit(tasks, key=key)

    cloud.simulator.submit = slow
    job = sampled(cloud, path)
    try:
        with pytest.raises(ConfigError, match="is sending this run"):
            elsewhere(path, job, cloud).resume()
        with pytest.raises(ConfigError, match="being sent by this process"):
            job.resume()
    finally:
        hold.set()
    assert readings(job.result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_a_wait_calls_back_and_leaves_the_job_running(path):
    cloud = Cloud()
    cloud.held = True
    job = sampled(cloud, path)
    seen = []
    until(lambda: len(job.device_job_ids) == 5)
    with pytest.raises(TimeoutError):
        job.wait(0.3, callback=seen.append)
    assert seen[-1].status is JobStatus.QUEUED
    assert (seen[-1].device_jobs, seen[-1].final) == (5, 0)
    cloud.held = False
    job.wait(callback=seen.append)
    assert (seen[-1].status, seen[-1].final) == (JobStatus.DONE, 5)


def test_a_job_that_nobody_keeps_cannot_be_resumed(tmp_path):
    backend = QDMIProvider(environ={}).get_backend("aer", num_qubits=6)
    job = SamplerV2(backend).run([flipped(3)])
    with pytest.raises(UnsupportedError, match="journal=True"):
        job.resume()
    assert not job.is_journaled
    with pytest.raises(ConfigError, match="tag 3"):
        SamplerV2(backend).run([flipped(3)], tags=[3])


def test_a_circuit_that_qpy_cannot_write_runs_all_the_same(path, monkeypatch):
    from qdmi_qiskit import saved

    def broken(*_given, **_named):
        raise TypeError("no")

    monkeypatch.setattr(saved.qpy, "dump", broken)
    job = sampled(Cloud(), path)
    assert readings(job.result()) == RIGHT


def test_eight_threads_of_fifty_runs_do_not_mix_up(path):
    cloud = Cloud(limit=None)
    sampler = SamplerV2(cloud.backend(path))
    wrong = []

    def work(thread):
        for number in range(50):
            word = (7 * thread + number) % 16
            job = sampler.run([flipped(word), flipped(15 - word)], shots=5)
            if readings(job.result()) != [f"{word:04b}", f"{15 - word:04b}"]:
                wrong.append((thread, number))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    rows = journal_at(path).rows(limit=None)
    assert len(rows) == 400
    assert {row.state for row in rows} == {JobStatus.DONE}
