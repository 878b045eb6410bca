"""A real Slurm for the tests of this folder: two nodes on this machine, as the present user."""

from __future__ import annotations

import os
import sys
import time

import pytest

from qdmi_qiskit.testing.slurm_cluster import Cluster, lacking


@pytest.fixture(scope="package")  # so that other tests have their environment
def cluster():
    """Slurm, found by every client that a test starts; without a user's own configuration."""
    if reason := lacking():
        pytest.skip(reason)
    before = dict(os.environ)
    with Cluster() as running:
        for name in [name for name in os.environ if name.startswith(("SLURM_", "QDMI_"))]:
            del os.environ[name]
        os.environ["SLURM_CONF"] = str(running.conf)
        for name in ("cache", "config", "data"):
            os.environ[f"XDG_{name.upper()}_HOME"] = str(running.folder / name)
        os.environ["QDMI_JOBS_DIR"] = str(running.folder / "jobs")
        yield running
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def idle(cluster):
    """The cluster, on which a test leaves no job behind."""
    yield cluster
    end = time.monotonic() + 120
    while (left := cluster.jobs()) and time.monotonic() < end:
        time.sleep(0.1)  # COMPLETING
    cluster.run("scancel", *left)
    assert not left, f"jobs {left} are still there"


@pytest.fixture
def python():
    """What runs a script of a test."""
    return sys.executable
