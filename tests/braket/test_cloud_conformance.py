"""The device keeps the contract over the wire: a simulator and QPUs of three kinds.

Garnet's labels are 1 to 20, Cepheus's have a gap, Forte counts in radians and has no Euler basis
that Qiskit knows.
"""

import pytest

from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.testing import Harness, parametrize_with_checks
from qdmi_qiskit.testing.braket_service import BraketService

SERVICE: list[BraketService] = []


@pytest.fixture(scope="module", autouse=True)
def _service():
    with BraketService(step=0.0) as service:
        SERVICE.append(service)
        yield
        SERVICE.remove(service)


@pytest.fixture(autouse=True)
def _here(_no_aws):
    with SERVICE[0].activated("us-east-1"):
        yield


def harness(name, **given):
    return Harness(
        lambda: driver.open(name, poll_interval=0.005, cache_seconds=0, **given),
        most_shots=1000,
        shots=given.pop("harness_shots", 64),
    )


@parametrize_with_checks(harness("sv1"))
def test_a_simulator_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(harness("garnet"))
def test_labels_from_one_keep_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(harness("garnet", experimental=True))
def test_feedback_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(harness("cepheus-1-108q"))
def test_labels_with_a_gap_keep_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(harness("forte-enterprise-1"))
def test_ions_keep_the_contract(harness, check):
    check(harness)
