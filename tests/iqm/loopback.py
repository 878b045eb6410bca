"""Loopback servers that live as long as the tests, and sessions on them."""

from __future__ import annotations

import atexit
import os
from functools import cache

from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.iqm import driver
from qdmi_qiskit.secret import Secret
from qdmi_qiskit.testing.iqm_server import IQMServer

NAMES = ("garnet", "garnet-dead", "deneb")
ORDERS = ("program", "sorted", "reversed")


@cache
def exact(order="program"):
    """A server without noise; nothing of it is changed by tests."""
    return kept(IQMServer(*NAMES, noise=False, key_order=order))


def kept(server):
    """Start a server that ends with the process."""
    server.__enter__()
    atexit.register(server.close)
    return server


def opened(server, name, **options):
    """A session with the server's own token, by reference."""
    variable = f"QDMI_TEST_IQM_TOKEN_{server.url.rpartition(':')[2]}"
    os.environ[variable] = server.token
    return driver.open(name, url=server.url, token=Secret(f"env:{variable}"), **options)


def backend_on(server, name="garnet", **options):
    return QDMIBackend(opened(server, name, **options))


def isa_for(backend, circuit, level=1, **options):
    manager = generate_preset_pass_manager(level, backend=backend, seed_transpiler=5, **options)
    return manager.run(circuit)
