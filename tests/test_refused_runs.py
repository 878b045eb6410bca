"""A run whose first submission fails: the caller has an error and no job, and goes on by id."""

from __future__ import annotations

import pytest

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import SubmitUnknownError, UnavailableError
from tests.lasting import Cloud, flipped


def gone_on_with(cloud, path, kind):
    """Run three circuits; return the error, which keeps the whole call alive, and the job."""
    backend = cloud.backend(path)
    with pytest.raises(kind) as caught:
        backend.run([flipped(word) for word in (1, 2, 4)], shots=5)
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    return caught, provider.job(provider.jobs()[0].id, backend=backend)


def test_a_run_that_was_refused_is_free_at_once(tmp_path):
    cloud = Cloud(refused=[0])
    caught, job = gone_on_with(cloud, tmp_path / "j.sqlite", UnavailableError)
    resumed = job.resume()
    assert resumed.result().get_counts() == [{word: 5} for word in ("01 00", "10 00", "00 01")]
    assert sum(cloud.posted.values()) == 3
    assert caught.value.__traceback__ is not None


@pytest.mark.parametrize("arrived", [True, False])
def test_a_run_of_unknown_outcome_is_free_at_once(tmp_path, arrived):
    cloud = Cloud(lost={0: arrived})
    caught, job = gone_on_with(cloud, tmp_path / "j.sqlite", SubmitUnknownError)
    key = f"{job.job_id()}-0"
    said = {"found": {key: cloud.keys[key]}} if arrived else {"absent": [key]}
    resumed = job.resume(**said)
    assert len(resumed.result().get_counts()) == 3
    assert set(cloud.posted.values()) == {1}
    assert len(cloud.posted) == 3
    assert caught.value.__traceback__ is not None
