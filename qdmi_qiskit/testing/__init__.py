"""Checks that every device must pass, devices to try them on, and devices that must not pass.

    from qdmi_qiskit.testing import Harness, parametrize_with_checks

    HARNESS = Harness(open=lambda: driver.open("mock"), tolerance=0.02)

    @parametrize_with_checks(HARNESS)
    def test_keeps_the_contract(harness, check):
        check(harness)

In two directions: what a device declares must work, and what works must be declared. Devices in
memory: `testing.poor` and `testing.heralding`; wrong ones, to test a suite: `testing.broken`.
"""

from qdmi_qiskit.testing.harness import Harness
from qdmi_qiskit.testing.suite import (
    CHECKS,
    Check,
    Outcome,
    Report,
    check_device,
    outcome,
    outcomes,
    parametrize_with_checks,
)

__all__ = [
    "CHECKS",
    "Check",
    "Harness",
    "Outcome",
    "Report",
    "check_device",
    "outcome",
    "outcomes",
    "parametrize_with_checks",
]
