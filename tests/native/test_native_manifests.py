"""Devices are found by their manifests, and nobody's Python is imported for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from qdmi_qiskit.devices.native import driver, manifests
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.testing.native_device import PREFIX
from tests.native.libraries import INSTALLED, c_library, needs_core


def manifest(path, *devices, version=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema-version": version, "qdmi": {"devices": list(devices)}}))
    return path


@pytest.fixture
def user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(manifests, "SYSTEM", tmp_path / "etc" / "qdmi.json")
    return tmp_path / "config" / "mqt-core" / "qdmi.json"


@needs_core
def test_installed_devices_are_listed():
    assert {"mqt.ddsim.default", "mqt.sc.iqm.garnet"} <= INSTALLED


def test_the_users_file_names_devices(user, compiler):
    library = c_library(4)
    manifest(user, {"id": "lab.one", "library": str(library), "prefix": PREFIX})
    assert "lab.one" in driver.names()
    with driver.open("lab.one") as session:
        assert session.spec().name == "lab.one"


def test_files_are_merged_field_by_field(user, tmp_path):
    system = manifests.SYSTEM
    manifest(
        system,
        {"id": "a", "library": "lib.so", "prefix": "A", "session": {"token": "t", "custom1": "x"}},
        {"id": "b", "library": "lib.so", "prefix": "B"},
    )
    manifest(user, {"id": "a", "session": {"custom1": "y"}}, {"id": "b", "enabled": False})
    found = manifests.entries()
    assert found["a"].library == str(system.parent / "lib.so")
    assert found["a"].session == {"token": "t", "custom1": "y"}
    assert "token" not in repr(found["a"])
    assert "b" not in driver.names()
    with pytest.raises(ConfigError, match="no QDMI device"):
        driver.open("b")


def test_a_configuration_file_lies_beside_its_manifest(tmp_path):
    device = {"id": "a", "session": {"device-config": {"file": "a.json"}}}
    found = manifests.read(manifest(tmp_path / "x.qdmi.json", device))
    assert found["a"].config == {"file": str(tmp_path / "a.json")}


@pytest.mark.parametrize(
    "text", ["no json", "{}", '{"schema-version": 1, "qdmi": {"devices": [{}]}}']
)
def test_a_users_broken_file_is_named_and_not_quoted(user, text):
    user.parent.mkdir(parents=True)
    user.write_text(text)
    with pytest.raises(ConfigError, match=r"qdmi.json cannot be read"):
        driver.names()


def test_unknown_words_and_versions_are_refused(tmp_path):
    device = {"id": "a", "session": {"tokn": "secret-value"}}
    with pytest.raises(ConfigError) as raised:
        manifests.read(manifest(tmp_path / "x.qdmi.json", device))
    assert "secret-value" not in str(raised.value)
    with pytest.raises(ConfigError, match="schema-version"):
        manifests.read(manifest(tmp_path / "y.qdmi.json", version=2))


def test_the_current_directory_is_not_searched(tmp_path, monkeypatch, user):
    manifest(tmp_path / "qdmi.json", {"id": "trap", "library": "trap.so", "prefix": "T"})
    monkeypatch.chdir(tmp_path)
    assert "trap" not in driver.names()


def test_a_near_name_is_proposed(user, compiler):
    manifest(user, {"id": "lab.first", "library": "/nowhere/lib.so", "prefix": "A"})
    with pytest.raises(ConfigError, match=r"did you mean 'lab.first'"):
        driver.open("lab.frist")
    with pytest.raises(ConfigError, match=r"there is no QDMI library /nowhere/lib.so"):
        driver.open("lab.first")


def test_naming_imports_no_vendor():
    code = (
        "import sys\nfrom qdmi_qiskit.devices.native import driver\ndriver.names()\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('mqt', 'iqm', 'amazon')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_a_token_is_given_to_the_library_and_shown_nowhere(compiler, monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "very-secret-token")
    from qdmi_qiskit.secret import Secret

    session = driver.open(
        "", library=str(c_library(4)), prefix=PREFIX, token=Secret("env:LAB_TOKEN")
    )
    assert "very-secret-token" not in repr(session) + repr(session.spec())
    with pytest.raises(ConfigError, match="no session parameter password") as raised:
        driver.open("", library=str(c_library(4)), prefix=PREFIX, password=Secret("env:LAB_TOKEN"))
    assert "very-secret-token" not in str(raised.value)


def test_a_device_configuration_needs_a_library_that_takes_one(compiler):
    with pytest.raises(ConfigError, match="no device configuration"):
        driver.open("", library=str(c_library(4)), prefix=PREFIX, device_config="/x.json")
