"""Aer, Amazon Braket and IQM Server (both on loopback) as one sampler: exact, shot for shot."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if any(find_spec(name) is None for name in ("boto3", "braket", "iqm", "requests")):
    pytest.skip("needs the extras braket and iqm", allow_module_level=True)

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.dispatch import DispatchEstimator, DispatchSampler, SplitShots, State
from qdmi_qiskit.testing.braket_service import BraketService
from tests.dispatch.circuits import flipped, tilted, two_registers
from tests.iqm.loopback import backend_on, exact


@pytest.fixture(scope="module")
def service():
    with BraketService(step=0.0) as running:
        yield running


@pytest.fixture
def devices(service, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with service.activated("us-east-1"):
        braket = QDMIBackend(driver.open("garnet", poll_interval=0.01), name="braket:garnet")
        yield [QDMIProvider().get_backend("aer"), braket, backend_on(exact())]


def test_counts_add_up_shot_for_shot(devices):
    group = DispatchSampler(devices, SplitShots([1, 2, 3]), optimization_level=1, seed=2)
    job = group.run([two_registers(), (flipped(1), None, 100)], shots=1001)
    result = job.result(300)
    counts = result[0].join_data().get_counts()
    assert sum(counts.values()) == 1001
    assert [row["obtained_shots"] for row in result[0].metadata["shards"]] == [167, 334, 500]
    parts = [pubs[0].join_data().get_counts() for pubs in job.by_member().values()]
    assert counts == {
        word: sum(part.get(word, 0) for part in parts) for word in set().union(*parts)
    }
    assert set(parts[0]) == {"010", "111"}
    assert set(parts[2]) == {"010", "111"}  # this IQM server has no noise; Braket's has
    assert counts["010"] + counts["111"] > 950
    second = result[1].join_data().get_counts()
    assert sum(second.values()) == 100
    assert second["010"] > 90
    assert len(result.metadata["device_jobs"]) >= 3


def test_a_member_killed_midway_costs_no_finished_result(devices, service):
    service.faults.end_tasks("FAILED", "the fridge is warm", times=None)
    job = DispatchSampler(devices, optimization_level=1, seed=2).run([two_registers()], shots=900)
    counts = job.result(300)[0].join_data().get_counts()
    service.faults.clear()
    assert sum(counts.values()) == 900
    assert set(counts) == {"010", "111"}
    failed = [shard for shard in job.shards if shard.state is State.FAILED]
    assert [shard.member for shard in failed] == [1]
    assert "fridge" in str(failed[0].error)
    assert {shard.turn for shard in job.shards if shard.state is State.DONE} == {0, 1}


def test_estimates_of_three_devices(devices):
    group = DispatchEstimator([devices[0], devices[2]], optimization_level=1, seed=2)
    found = group.run([(tilted(), ["ZZ", "XI"])], precision=0.02).result(300)[0]
    exact_values = (
        DispatchEstimator(devices[:1], optimization_level=1)
        .run([(tilted(), ["ZZ", "XI"])], precision=0)
        .result()[0]
        .data.evs
    )
    assert (abs(found.data.evs - exact_values) < 4 * found.data.stds).all()
    assert found.metadata["consistency"]["p"] > 1e-4
