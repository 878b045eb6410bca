"""The service as a pytest fixture.

from qdmi_qiskit.testing.braket_service.fixture import braket_service  # in conftest.py
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qdmi_qiskit.testing.braket_service.service import BraketService


@pytest.fixture
def braket_service() -> Iterator[BraketService]:
    """Return a fresh service, to which the environment of this process points during a test."""
    with BraketService() as service, service.activated():
        yield service
