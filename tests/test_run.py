"""The one road to a device: chunks, keys, limits on jobs in flight, timeouts, cancelling."""

from __future__ import annotations

import gc
import itertools
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit

import qdmi_qiskit
from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError, JobFailedError, RejectedError, UnavailableError
from qdmi_qiskit.model import Capabilities, DeviceSpec, JobStatus, Operation, Shots, Site
from qdmi_qiskit.plan import Request
from qdmi_qiskit.run import seeds, start


class HeldJob(Job):
    """Runs until it is let go."""

    def __init__(self, device, number, tasks):
        self.id, self._device, self._tasks = f"held-{number}", device, tasks
        self.go = threading.Event()
        self.state = JobStatus.RUNNING

    def status(self):
        if self.state is JobStatus.RUNNING and (self.go.is_set() or self._device.open.is_set()):
            self.state = JobStatus.DONE
        return self.state

    def cancel(self):
        if not self.status().final:
            self.state = JobStatus.CANCELED

    def result(self):
        if self.state is not JobStatus.DONE:
            raise JobFailedError("no result", job_id=self.id)
        return tuple(
            Shots(np.full((task.points, task.shots, 1), 1, np.uint8), task.program.num_bits)
            for task in self._tasks
        )


class Held(Session):
    """Takes 10 shots of one program per job; jobs run until `open` is set."""

    def __init__(self, *, opened=False, **claims):
        self.claims = {"max_shots": 10, "cancel": True} | claims
        self.open = threading.Event()
        if opened:
            self.open.set()
        self.jobs, self.keys, self.lock = [], [], threading.Lock()
        self.most_at_once = 0
        self.refuse = {}

    def spec(self):
        return DeviceSpec(
            name="held",
            version="1",
            sites=(Site(0),),
            operations=(Operation("x", 1), Operation("measure", 1)),
            capabilities=Capabilities(formats=("qiskit",), **self.claims),
        )

    def submit(self, tasks, *, key):
        with self.lock:
            if len(self.keys) in self.refuse:
                raise self.refuse[len(self.keys)]
            self.keys.append(key)
            job = HeldJob(self, len(self.jobs), tasks)
            self.jobs.append(job)
            running = sum(not job.status().final for job in self.jobs)
            self.most_at_once = max(self.most_at_once, running)
        return job


def circuit():
    one = QuantumCircuit(1, 1)
    one.x(0)
    one.measure(0, 0)
    return one


def started(session, shots, **options):
    request = Request(circuit(), np.empty((1, 0)), shots, 1)
    return start(session, session.spec(), [request], **options)


def until(condition, seconds=120.0):
    """Wait for what another thread does; fail if it never does."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("it never came about")


def test_chunks_are_put_together_and_keys_number_them():
    session = Held(opened=True)
    run = started(session, 35, key="mine")
    (shots,) = run.result()
    assert shots.bits.shape == (1, 35, 1)
    assert (shots.bits == 1).all()
    assert sorted(session.keys) == ["mine-0", "mine-1", "mine-2", "mine-3"]
    assert len(run.job_ids) == 4
    assert run.status() is JobStatus.DONE
    assert run.result() is run.result()


def test_a_key_is_fresh_unless_given():
    session = Held(opened=True)
    assert started(session, 1).key != started(session, 1).key


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_jobs_are_in_flight_than_the_device_wants(limit):
    session = Held(max_jobs=limit)
    run = started(session, 60)
    until(lambda: len(session.jobs) == limit)
    threading.Event().wait(0.1)
    assert len(session.jobs) == limit
    assert run.status() is JobStatus.CREATED  # some are not sent yet
    session.jobs[0].go.set()
    until(lambda: len(session.jobs) == limit + 1)
    session.open.set()
    run.result(300)
    assert len(session.jobs) == 6
    assert session.most_at_once <= limit


def test_without_a_limit_all_chunks_go_out_at_once():
    session = Held()
    run = started(session, 60)
    until(lambda: len(session.jobs) == 6)
    assert run.status() is JobStatus.RUNNING
    session.open.set()
    run.result(300)


def test_a_wait_that_takes_too_long_raises_and_the_run_goes_on():
    session = Held(max_jobs=1)
    run = started(session, 20)
    for call in (run.wait, run.result):
        with pytest.raises(TimeoutError, match="still"):
            call(0.01)
    session.jobs[0].go.set()
    with pytest.raises(TimeoutError, match="still"):
        run.wait(0.2)
    session.open.set()
    assert run.wait(300) is JobStatus.DONE
    assert len(run.result()) == 1


@pytest.mark.parametrize("limit", [None, 1])
def test_cancel_stops_what_runs_and_what_is_not_sent_never_is(limit):
    session = Held(max_jobs=limit)
    run = started(session, 200)
    until(lambda: len(session.jobs) == (20 if limit is None else 1))
    run.cancel()
    assert run.wait(300) is JobStatus.CANCELED
    assert all(job.state is JobStatus.CANCELED for job in session.jobs)
    assert len(session.jobs) == len(run.job_ids) == (20 if limit is None else 1)
    with pytest.raises(JobFailedError, match="canceled"):
        run.result()


def test_cancel_keeps_later_chunks_from_being_sent_where_senders_are_busy():
    session = Held()
    gate = threading.Event()
    submit = session.submit

    def slowly(tasks, *, key):
        if not key.endswith("-0"):
            gate.wait(300)
        return submit(tasks, key=key)

    session.submit = slowly
    run = started(session, 500)
    canceler = threading.Thread(target=run.cancel)
    canceler.start()
    until(lambda: run._sender.canceled)
    gate.set()
    canceler.join(120)
    assert run.wait(300) is JobStatus.CANCELED
    assert len(session.jobs) < 50
    assert run.job_ids == tuple(
        job.id for job in sorted(session.jobs, key=lambda job: run.job_ids.index(job.id))
    )
    with pytest.raises(JobFailedError, match="canceled"):
        run.result()


def test_a_refusal_of_the_first_chunk_is_raised_at_once():
    session = Held()
    session.refuse[0] = RejectedError("no")
    with pytest.raises(RejectedError):
        started(session, 20)


def test_a_refusal_of_a_later_chunk_is_raised_by_result():
    session = Held(opened=True, max_jobs=1)
    session.refuse[2] = UnavailableError("busy")
    run = started(session, 50)
    assert run.wait(300) is JobStatus.FAILED
    with pytest.raises(UnavailableError):
        run.result()


def test_a_job_that_fails_fails_the_run():
    session = Held()
    run = started(session, 5)
    session.jobs[0].state = JobStatus.FAILED
    assert run.wait() is JobStatus.FAILED
    with pytest.raises(JobFailedError):
        run.result()


def test_nothing_to_send_is_done_at_once():
    session = Held()
    request = Request(QuantumCircuit(1, 3), np.empty((1, 0)), 7, 3, writes=False)
    run = start(session, session.spec(), [request])
    assert run.status() is run.wait(0) is JobStatus.DONE
    (shots,) = run.result(0)
    assert shots.bits.shape == (1, 7, 1)
    assert not shots.bits.any()
    assert run.job_ids == ()


def test_what_could_never_be_held_is_refused_before_anything_is_sent():
    session = Held()
    with pytest.raises(ConfigError, match="ask for fewer shots"):
        started(session, 10**14)
    assert session.keys == []


def test_seeds_are_all_different_and_go_on_from_call_to_call():
    first, second = ([*itertools.islice(seeds(7, call=k), 100)] for k in (0, 1))
    assert first[0] == 7
    assert len({*first, *second}) == 200
    assert [*itertools.islice(seeds(7), 100)] == first
    assert all(0 <= seed < 2**62 for seed in first[1:] + second)


def test_seeds_reach_only_a_device_that_takes_them():
    for takes in (False, True):
        session = Held(opened=True, seeds=takes)
        seen = []
        submit = session.submit
        session.submit = lambda tasks, *, key, submit=submit, seen=seen: (
            seen.extend(task.seed for task in tasks) or submit(tasks, key=key)
        )
        started(session, 30, seeds=seeds(3)).result(300)
        assert (len(set(seen)) == 3) if takes else (seen == [None] * 3)


def test_primitives_wait_cancel_and_time_out_like_a_run():
    session = Held()
    backend = QDMIBackend(session)
    sampled = SamplerV2(backend).run([circuit()], shots=5)
    estimated = EstimatorV2(backend).run([(QuantumCircuit(1), "Z")], precision=0.5)
    for job in (sampled, estimated):
        assert job.running()
        assert not job.done()
        assert not job.in_final_state()
        with pytest.raises(TimeoutError):
            job.result(timeout=0.01)
        with pytest.raises(TimeoutError):
            job.wait(0.01)
        assert job.cancel() is True
        assert job.cancelled()
        assert job.cancel() is True
        with pytest.raises(JobFailedError):
            job.result()


def test_a_job_costs_few_calls():
    """`benchmarks` measures what the layer costs; here, that nobody makes it longer unseen."""
    session = Held(opened=True, sweeps=True, max_executables=None, max_shots=None)
    spec = session.spec()
    request = Request(circuit(), np.empty((1, 0)), 1, 1)
    start(session, spec, [request]).result()
    calls = []
    gc.collect()  # what other tests left is not to be finalised while we count
    gc.disable()
    sys.setprofile(lambda frame, event, _: event == "call" and calls.append(frame.f_code))
    try:
        start(session, spec, [request]).result()
    finally:
        sys.setprofile(None)
        gc.enable()
    home = str(Path(qdmi_qiskit.__file__).parent)
    ours = [code.co_name for code in calls if code.co_filename.startswith(home)]
    assert len(ours) <= 45, ours
