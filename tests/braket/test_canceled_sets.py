"""A program set that was canceled keeps what it finished."""

from __future__ import annotations

import numpy as np
import pytest

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit import job as job_module
from qdmi_qiskit.errors import ConfigError, JobFailedError
from qdmi_qiskit.model import JobStatus
from tests.braket.cloud import backend, flipped, session
from tests.braket.test_jobs import read, submitted

SHOTS = 20


def canceled(service, *executables):
    service.faults.fail_executables(executables, "Canceled by the user", status="CANCELLED")


def forget(service, name):
    """Take an object of the last task away, though the service announced it."""
    task = service.tasks[-1]
    del service.objects.buckets[task.request["outputS3Bucket"]].objects[f"{task.directory}/{name}"]


def test_what_it_finished_is_kept_and_the_rest_says_why(service):
    device = backend("garnet")
    circuits = [flipped(device, word) for word in (1, 2, 4)]
    canceled(service, 1)
    job = device.run(circuits, shots=SHOTS)
    job.wait(200)
    assert job.qdmi_status() is JobStatus.CANCELED
    with pytest.raises(JobFailedError, match="was canceled"):
        job.result()
    result = job.result(partial=True)
    assert [each.success for each in result.results] == [True, False, True]
    assert result.get_counts(0) == {"001": SHOTS}
    assert result.get_counts(2) == {"100": SHOTS}
    assert "Canceled by the user" in result.results[1].status
    with pytest.raises(JobFailedError, match="was canceled"):  # it is not the whole
        job.result()


def test_executables_of_which_nothing_is_there_were_not_run(service):
    device = backend("garnet")
    canceled(service)  # none failed: the cancellation came before the last was written
    job = submitted(device, 1, 2, 4)
    assert job.wait(200) is JobStatus.CANCELED
    forget(service, "programs/2/executables/0.json")
    for found in (job, session("garnet").job(job.id)):
        first, second, third = found.result()
        assert (read(first), read(second)) == ([1], [2])
        assert third.valid.tolist() == [0]
        assert "was canceled" in third.failures[0]


def test_a_set_that_completed_lacks_nothing_in_silence(service):
    job = submitted(backend("garnet"), 1, 2)
    job.wait(200)
    forget(service, "programs/1/executables/0.json")
    with pytest.raises(ConfigError, match="no such thing"):
        job.result()


def test_a_set_that_was_canceled_in_the_queue_has_nothing(service):
    service.hold("QUEUED")
    device = backend("garnet")
    job = device.run([flipped(device, word) for word in (1, 2)], shots=SHOTS)
    job.cancel()
    service.release()
    job.wait(200)
    result = job.result(partial=True)
    assert [each.success for each in result.results] == [False, False]
    assert "was canceled" in result.results[0].status


def test_primitives_return_what_there_is_on_request(service):
    device = backend("garnet")
    circuits = [flipped(device, word) for word in (1, 2)]
    canceled(service, 1)
    job = SamplerV2(device).run(circuits, shots=SHOTS)
    with pytest.raises(JobFailedError):
        job.result()
    kept, lost = job.result(partial=True)
    assert kept.data.c.get_counts() == {"001": SHOTS}
    assert "Canceled by the user" in lost.metadata["failures"][0]
    canceled(service, 0)
    bare = flipped(device, 1).remove_final_measurements(inplace=False)
    first = "I" * (bare.num_qubits - 1)
    job = EstimatorV2(device).run([(bare, [f"{first}Z", f"{first}X"])], precision=0.2)
    with pytest.raises(JobFailedError):
        job.result()
    values = job.result(partial=True)[0].data.evs
    assert sorted(map(bool, np.isnan(values))) == [False, True]


@pytest.fixture
def provider(tmp_path):
    return QDMIProvider(environ={"QDMI_JOURNAL": str(tmp_path / "runs.sqlite")})


@pytest.fixture
def device(service, provider):
    return provider.get_backend("braket:garnet", poll_interval=0.01)


def elsewhere(provider, job):
    """Return the job as a process finds it that did not send it."""
    job_module._JOBS.pop(job.job_id())
    return provider.job(job.job_id())


def test_another_process_asks_for_what_it_finished(service, provider, device):
    canceled(service, 1)
    job = device.run([flipped(device, word) for word in (1, 2, 4)], shots=SHOTS)
    job.wait(200)  # and the process ends here: nothing was fetched
    again = elsewhere(provider, job)
    assert again is not job
    assert again.qdmi_status() is JobStatus.CANCELED
    with pytest.raises(JobFailedError, match="was canceled"):
        again.result()
    result = again.result(partial=True)
    assert [each.success for each in result.results] == [True, False, True]
    assert result.get_counts(2) == {"100": SHOTS}


def test_what_failed_again_costs_nothing_of_what_did_not(service, provider, device):
    service.faults.fail_executables([1], "cold")
    job = device.run([flipped(device, word) for word in (1, 2, 4)], shots=SHOTS)
    job.result(partial=True)
    service.faults.end_tasks("FAILED", "cold again")
    for kept in (job.resubmit().result(), elsewhere(provider, job).result(partial=True)):
        assert [each.success for each in kept.results] == [True, False, True]
        assert kept.get_counts(0) == {"001": SHOTS}
    before = len(service.tasks)
    result = provider.job(job.job_id()).resubmit().result()
    assert [next(iter(result.get_counts(k))) for k in range(3)] == ["001", "010", "100"]
    assert [task.request["shots"] for task in service.tasks[before:]] == [SHOTS]


def test_what_it_finished_is_not_paid_again(service, provider, device):
    """The journal keeps it; `resubmit` sends the others alone."""
    circuits = [flipped(device, word) for word in (1, 2, 4)]
    canceled(service, 0, 1)
    job = device.run(circuits, shots=SHOTS)
    assert [each.success for each in job.result(partial=True).results] == [False, False, True]
    before = len(service.tasks)
    result = elsewhere(provider, job).resubmit().result()
    assert [result.get_counts(k) for k in range(3)] == [
        {"001": SHOTS},
        {"010": SHOTS},
        {"100": SHOTS},
    ]
    (sent,) = service.tasks[before:]
    assert sent.request["shots"] == 2 * SHOTS
