"""The plug-in keeps the contract under each binary interface of QDMI, and on DDSIM."""

from __future__ import annotations

from functools import cache, partial

import pytest

from qdmi_qiskit.testing import CHECKS, Harness, check_device
from tests.native.libraries import (
    DDSIM,
    RUNNING,
    needs_compiler,
    needs_core,
    needs_qir,
    opened,
)


@cache
def harness(name, words="", **options):
    return Harness(partial(opened, name, words, **options))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("device", RUNNING)
def test_the_device_keeps_the_contract(device, check):
    CHECKS[check](harness(device))


STRANGER = {"prefix": "STRANGER", "bit_order": "highest_first"}
"""A library of which this package knows nothing: its gate `flip` is no gate of Qiskit's."""


@needs_compiler
@pytest.mark.parametrize("check", CHECKS)
def test_an_unknown_library_that_can_do_little_keeps_the_contract(check):
    words = "histogram no-cancel no-retrieve one-program qasm2 no-times no-id no-unit"
    CHECKS[check](harness("test-1.4", words, **STRANGER))


@needs_core
@pytest.mark.parametrize("written", ["qasm2", pytest.param("qir-base", marks=needs_qir)])
def test_ddsim_keeps_the_contract_in_its_other_formats(written):
    report = check_device(harness(DDSIM, program_format=written))
    assert report.passed, str(report)
