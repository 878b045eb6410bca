"""`slurm:aer` keeps the contract of a device, in an allocation and detached."""

from __future__ import annotations

import pytest

from qdmi_qiskit.devices.slurm import driver
from qdmi_qiskit.testing import Harness, parametrize_with_checks

SESSION = Harness(
    lambda: driver.open(
        "aer", partition="quantum", licenses="aer:1", device_options={"num_qubits": 5}
    )
)


@pytest.fixture(scope="module", autouse=True)
def allocation(cluster):
    yield
    SESSION.session.close()
    assert cluster.jobs() == []
    assert cluster.licenses()["aer"] == 0


@parametrize_with_checks(SESSION)
def test_slurm_aer_keeps_the_contract(harness, check):
    check(harness)
