"""Pytest fixtures: `pytest_plugins = ["qdmi_qiskit.testing.iqm_server.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qdmi_qiskit.testing.iqm_server.server import IQMServer


@pytest.fixture
def iqm_server() -> Iterator[IQMServer]:
    """A fresh server with a noisy Garnet, a Garnet without QB11 and a star."""
    with IQMServer("garnet", "garnet-dead", "deneb") as server:
        yield server
