"""Tests of `native:` skip what this machine has no compiler or package for."""

import pytest

from qdmi_qiskit.testing.native_device import compiler as found


@pytest.fixture(scope="session")
def compiler():
    if found() is None:
        pytest.skip("needs a C compiler")
