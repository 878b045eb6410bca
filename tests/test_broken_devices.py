"""The suite catches what it is for: every wrong device fails the check named for its fault."""

from __future__ import annotations

import pytest

from qdmi_qiskit.testing import CHECKS, Harness, check_device, outcome
from qdmi_qiskit.testing.broken import MUTANTS, Wrong

BLUNDERS = ("TypeError", "AttributeError", "NameError", "IndexError")


@pytest.mark.parametrize("fault", MUTANTS)
def test_a_wrong_device_fails_the_check_for_its_fault(fault):
    mutant = MUTANTS[fault]
    found = outcome(mutant.harness(), mutant.check)
    assert found.outcome == "failed", f"{mutant.check} does not notice: {fault}"
    assert not found.message.startswith(BLUNDERS), found.message


def test_the_device_that_mutants_are_made_of_passes():
    report = check_device(Harness(Wrong))
    assert report.passed, str(report)


def test_every_check_has_a_device_that_fails_it():
    assert {mutant.check for mutant in MUTANTS.values()} == set(CHECKS)
