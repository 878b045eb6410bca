"""Checks of a job's life."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from qdmi_qiskit.device import Job
from qdmi_qiskit.errors import JobFailedError, UnsupportedError
from qdmi_qiskit.model import JobStatus, Shots
from qdmi_qiskit.testing.circuits import coins, flip
from qdmi_qiskit.testing.harness import Harness

_STAGE = {
    JobStatus.CREATED: 0,
    JobStatus.SUBMITTED: 1,
    JobStatus.QUEUED: 2,
    JobStatus.RUNNING: 3,
    JobStatus.DONE: 4,
    JobStatus.CANCELED: 4,
    JobStatus.FAILED: 4,
}


def _submitted(harness: Harness) -> Job:
    return harness.submit(harness.task(flip(0)))


def same(first: tuple[Shots, ...], second: tuple[Shots, ...]) -> bool:
    """Return whether two results agree bit by bit."""
    return len(first) == len(second) and all(
        np.array_equal(a.bits, b.bits)
        and a.num_bits == b.num_bits
        and np.array_equal(np.array(a.valid), np.array(b.valid))
        for a, b in zip(first, second, strict=True)
    )


def check_status_moves_forward(harness: Harness) -> None:
    """Created, submitted, queued, running, final: never back, and final is final."""
    job = _submitted(harness)
    seen = [job.status()]
    end = time.monotonic() + harness.timeout
    while not seen[-1].final and time.monotonic() < end:
        time.sleep(0.01)
        seen.append(job.status())
    seen += [job.status() for _ in range(3)]
    for status in seen:
        assert isinstance(status, JobStatus), (
            f"status() returned {status!r}: map the vendor's word to a JobStatus"
        )
    path = " -> ".join(dict.fromkeys(status.value for status in seen))
    stages = [_STAGE[status] for status in seen]
    assert stages == sorted(stages), f"status went backwards ({path}): states come in QDMI's order"
    assert len({status for status in seen if status.final}) == 1, (
        f"a job that runs an X gate ended as {path}: a final status does not change"
    )
    assert seen[-1] is JobStatus.DONE, f"a job that runs an X gate ended as {seen[-1]}"


def check_result_twice_is_equal(harness: Harness) -> None:
    """A result does not change once it is there."""
    job = harness.submit(harness.task(coins()))
    first, second = harness.outcome(job), job.result()
    assert same(first, second), "the second result() differs from the first: keep what came"


def check_jobs_have_ids(harness: Harness) -> None:
    """Every job has an id of its own, which stays."""
    first, second = _submitted(harness), _submitted(harness)
    for job in (first, second):
        assert isinstance(job.id, str), f"Job.id is {job.id!r}: wanted a string"
        assert job.id, "Job.id is empty: return the vendor's id, or make one up"
    assert first.id != second.id, f"two jobs have one id {first.id!r}: make ids unique"
    before = first.id
    harness.outcome(first)
    harness.outcome(second)
    assert first.id == before, "Job.id changed while the job ran"


def check_cancel_as_declared(harness: Harness) -> None:
    """Declared: it works, and does nothing to a final job. Else: UnsupportedError."""
    job = _submitted(harness)
    if not harness.capabilities.cancel:
        _refuses_cancel(job)
        harness.outcome(job)
        _refuses_cancel(job)
        return
    try:
        job.cancel()
    except UnsupportedError as error:
        raise AssertionError(
            "cancel is declared but raises UnsupportedError: set Capabilities(cancel=False)"
        ) from error
    status = job.wait(harness.timeout)
    assert status in (JobStatus.CANCELED, JobStatus.DONE), f"a canceled job ended as {status}"
    if status is JobStatus.CANCELED:
        _has_no_result(job)
    done = _submitted(harness)
    before = harness.outcome(done)
    done.cancel()
    assert done.status() is JobStatus.DONE, (
        f"cancel() made a job that was done {done.status()}: leave final jobs alone"
    )
    assert same(before, done.result()), "cancel() of a job that was done changed its result"


def _refuses_cancel(job: Job) -> None:
    try:
        job.cancel()
    except UnsupportedError:
        return
    raise AssertionError("cancel works but is not declared: set Capabilities(cancel=True)")


def _has_no_result(job: Job) -> None:
    try:
        job.result()
    except JobFailedError as error:
        if error.job_id == job.id:
            return
        raise AssertionError(
            f"JobFailedError.job_id is {error.job_id!r}, not {job.id!r}"
        ) from error
    raise AssertionError("result() of a canceled job returned: raise JobFailedError")


def check_wait_leaves_the_job_running(harness: Harness) -> None:
    """`wait(timeout)` returns a final status or raises TimeoutError, and stops nothing."""
    job = _submitted(harness)
    for timeout in (0.0, 0.001):
        try:
            status = job.wait(timeout)
        except TimeoutError:
            continue
        assert status.final, f"wait({timeout}) returned {status}: raise TimeoutError instead"
    status = job.wait(harness.timeout)
    assert status is JobStatus.DONE, (
        f"after a wait() that timed out the job ended as {status}: a timeout stops nothing"
    )
    harness.compare(job.result()[0], 1, "a timeout spoils nothing")


def check_session_works_from_threads(harness: Harness) -> None:
    """Jobs are submitted in several threads at once and read in another."""
    tasks = [harness.task(flip(k % 2)) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        jobs = list(pool.map(harness.submit, tasks))
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(harness.outcome, jobs))
    for k, outcome in enumerate(outcomes):
        harness.compare(outcome[0], 1 << k % 2, "threads share a session: keep no state per call")


def check_session_closes_twice(harness: Harness) -> None:
    """`close` releases what the session holds, and may be called again."""
    with harness.open() as session:
        assert session.spec().num_qubits, "a second session on the device is empty"
    session.close()
