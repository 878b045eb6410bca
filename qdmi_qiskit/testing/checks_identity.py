"""Checks of names: ids that find jobs again, keys that make them once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

from qiskit import ClassicalRegister, QuantumCircuit

from qdmi_qiskit.device import Job
from qdmi_qiskit.errors import ConfigError, UnsupportedError
from qdmi_qiskit.model import Task
from qdmi_qiskit.testing.checks_jobs import same
from qdmi_qiskit.testing.circuits import coins, flip
from qdmi_qiskit.testing.harness import Harness

_RACES, _RUNNERS = 5, 4


def check_retrieve_as_declared(harness: Harness) -> None:
    """Declared: `session.job(id)` is the job. Else: UnsupportedError."""
    job = harness.submit(harness.task(coins()))
    if not harness.capabilities.retrieve:
        try:
            harness.session.job(job.id)
        except UnsupportedError:
            harness.outcome(job)
            return
        raise AssertionError(
            "session.job(id) works but is not declared: set Capabilities(retrieve=True)"
        )
    try:
        found = harness.session.job(job.id)
    except UnsupportedError as error:
        raise AssertionError(
            "retrieve is declared but raises UnsupportedError: set Capabilities(retrieve=False)"
        ) from error
    assert found.id == job.id, f"session.job({job.id!r}) returned job {found.id!r}"
    assert same(harness.outcome(found), harness.outcome(job)), (
        "the job found again has another result: look it up by id"
    )


def check_followed_job_reads_like_the_first(harness: Harness) -> None:
    """`session.follow(id, tasks)` puts bits where the tasks say, whatever the record is."""
    circuit = QuantumCircuit(2)
    for name in ("empty", "used"):  # nothing is measured into the first register
        circuit.add_register(ClassicalRegister(2, name))
    circuit.x(0)
    circuit.measure([0, 1], [3, 2])
    task = harness.task(circuit)
    job = harness.submit(task)
    first = harness.outcome(job)
    if not harness.capabilities.retrieve:
        try:
            harness.session.follow(job.id, [task])
        except UnsupportedError:
            return
        raise AssertionError("session.follow() works: set Capabilities(retrieve=True)")
    found = harness.outcome(harness.session.follow(job.id, [task]))
    assert same(found, first), (
        "the job followed by its id has another result, or of other classical bits: read it by "
        "the tasks that follow() gets"
    )


def check_find_as_it_says(harness: Harness) -> None:
    """`session.find(key)` is the job of that key, or None; or UnsupportedError, always."""
    key = uuid4().hex
    job = harness.session.submit([harness.task(flip(0))], key=key)
    harness.outcome(job)
    try:
        found = harness.session.find(key)
    except UnsupportedError:
        return
    assert found is not None, "find() knows nothing of a key that was submitted: a run would repeat"
    assert found.id == job.id, f"find() returned job {found.id!r}, submitted was {job.id!r}"
    other = harness.session.find(uuid4().hex)
    assert other is None, f"find() returned job {other!r} for a key that nobody submitted"


def check_unknown_job_is_an_error_of_ours(harness: Harness) -> None:
    """An id that nobody gave: ConfigError where jobs are found again, else UnsupportedError."""
    expected = ConfigError if harness.capabilities.retrieve else UnsupportedError
    try:
        found = harness.session.job("no-such-job")
    except expected:
        return
    except Exception as error:
        raise AssertionError(
            f"session.job('no-such-job') raised {error!r}: translate it into {expected.__name__}"
        ) from error
    raise AssertionError(f"session.job('no-such-job') returned {found!r}: raise {expected}")


def check_submit_key_as_declared(harness: Harness) -> None:
    """Declared: one key, one job, from however many threads. Else: one key, two jobs."""
    task, key = harness.task(flip(0)), uuid4().hex
    first, second = (harness.session.submit([task], key=key) for _ in range(2))
    other = harness.session.submit([task], key=uuid4().hex)
    for job in (first, second, other):
        harness.outcome(job)
    assert other.id != first.id, "two keys made one job: a key is not a digest of the tasks"
    if harness.capabilities.submit_key:
        assert first.id == second.id, (
            "submit_key is declared, yet one key made two jobs: send the key to the vendor, or "
            "set Capabilities(submit_key=False)"
        )
        for _ in range(_RACES):
            _race(harness, task)
    else:
        assert first.id != second.id, (
            "one key makes one job but that is not declared: set Capabilities(submit_key=True)"
        )


def _race(harness: Harness, task: Task) -> None:
    start, key = Barrier(_RUNNERS), uuid4().hex

    def submit(_: int) -> Job:
        start.wait(harness.timeout)
        return harness.session.submit([task], key=key)

    with ThreadPoolExecutor(_RUNNERS) as pool:
        jobs = list(pool.map(submit, range(_RUNNERS)))
    for job in jobs:
        harness.outcome(job)
    assert len({job.id for job in jobs}) == 1, (
        "one key made several jobs when threads used it at once: look up and note the key under "
        "one lock"
    )
