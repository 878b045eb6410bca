"""The SDK's simulators on this machine keep the contract."""

from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.testing import Harness, parametrize_with_checks

VECTOR = Harness(lambda: driver.open("local", num_qubits=5))
MIXED = Harness(lambda: driver.open("local-dm", num_qubits=5))


@parametrize_with_checks(VECTOR)
def test_local_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(MIXED)
def test_local_dm_keeps_the_contract(harness, check):
    check(harness)
