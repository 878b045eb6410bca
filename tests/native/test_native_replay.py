"""What `qdmi record native:...` writes is a device: the same Target, and the contract."""

from __future__ import annotations

import copy
import pickle
from functools import cache

import pytest
from click.testing import CliRunner

from qdmi_qiskit import QDMIProvider, spec_json
from qdmi_qiskit.cli import cli
from qdmi_qiskit.devices import replay
from qdmi_qiskit.testing import CHECKS, Harness, check_device
from qdmi_qiskit.testing.native_device import MINORS, PREFIX
from tests.native.libraries import (
    DDSIM,
    INSTALLED,
    c_library,
    folder,
    needs_compiler,
    needs_core,
    opened,
)

SC = sorted(name for name in INSTALLED if name.startswith("mqt.sc."))
RECORDED = (
    *(pytest.param(f"test-1.{minor}", marks=needs_compiler) for minor in MINORS),
    *(pytest.param(name, marks=needs_core) for name in (*SC, DDSIM)),
)
"""Devices with figures, those included that can only be queried, and a simulator without."""


@cache
def recorded(name):
    """Record a device as users do, and return the file."""
    file = folder() / f"{name}.json"
    words = [f"native:{name}", "--output", str(file)]
    if name.startswith("test-"):
        library = c_library(int(name.rpartition(".")[2]))
        words += ["-o", f"library={library}", "-o", f"prefix={PREFIX}"]
    ran = CliRunner().invoke(cli, ["record", *words])
    assert ran.exit_code == 0, ran.stderr
    assert "cannot be replayed" not in ran.stderr
    return file


def said(target):
    return {
        (name, place): properties and (properties.duration, properties.error)
        for name in target.operation_names
        for place, properties in (target[name] or {None: None}).items()
    }


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_holds_what_the_library_says(name):
    with opened(name) as session:
        wanted, found = session.spec(), spec_json.load(recorded(name))
    assert found.sites == wanted.sites
    assert found.operations == wanted.operations
    assert found.calibration == wanted.calibration


@pytest.mark.parametrize("name", RECORDED)
def test_a_replay_has_the_target_that_was_recorded(name):
    backend = QDMIProvider().get_backend(f"replay:{recorded(name)}")
    options = {}
    if name.startswith("test-"):
        options = {"library": str(c_library(int(name[-1]))), "prefix": PREFIX}
    device = f"native:{name}" if not options else "native:lab"
    wanted = said(QDMIProvider().get_backend(device, **options).target)
    assert len(wanted) > 20
    for each in (backend, pickle.loads(pickle.dumps(backend)), copy.deepcopy(backend)):  # noqa: S301
        assert said(each.target) == wanted


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", RECORDED[: len(MINORS)])
def test_a_replay_keeps_the_contract(name, check):
    # Of its poor figures: the longest circuit of the checks misses one shot in five.
    CHECKS[check](Harness(lambda: replay.driver.open(str(recorded(name))), tolerance=0.25))


@needs_core
@pytest.mark.parametrize("name", [*SC, DDSIM])
def test_a_replay_of_anothers_library_keeps_the_contract(name):
    file = str(recorded(name))
    report = check_device(Harness(lambda: replay.driver.open(file), tolerance=0.25))
    assert report.passed, str(report)
