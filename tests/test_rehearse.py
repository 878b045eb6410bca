"""`qdmi rehearse`: a command finds the service, its exit code comes back, nothing is left."""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from qdmi_qiskit.cli.plugins import Plugin

ROOT = Path(__file__).parent.parent
QDMI = [sys.executable, "-m", "qdmi_qiskit.cli"]


def has(*packages):
    return all(importlib.util.find_spec(each.split(".")[0]) for each in packages)


braket = pytest.mark.skipif(not has("boto3", "braket"), reason="the extra braket is not there")
iqm = pytest.mark.skipif(not has("iqm", "requests"), reason="the extra iqm is not there")


@pytest.fixture
def environment(tmp_path):
    """No configuration and no account of anyone."""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("QDMI_", "AWS_", "IQM_"))}
    own = {"HOME": str(tmp_path), "QDMI_CONFIG": str(tmp_path / "config.toml")}
    (tmp_path / "config.toml").write_text("")
    found = sysconfig.get_path("scripts") + os.pathsep + known["PATH"]
    return known | own | {"PATH": found, "PYTHONPATH": str(ROOT)}


def qdmi(environment, *arguments, timeout=300):
    return subprocess.run(
        [*QDMI, *arguments],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def rehearsed(environment, name, script):
    return qdmi(environment, "rehearse", name, "--", sys.executable, "-c", script)


FLIPPED = """
from qiskit import QuantumCircuit
from qdmi_qiskit import QDMIProvider
device = QDMIProvider().get_backend({name})
circuit = QuantumCircuit(3, 3)
circuit.x(1)
circuit.measure([0, 1, 2], [2, 0, 1])
job = device.run(device.pass_manager(1, seed_transpiler=1).run(circuit), shots=100)
counts = job.result().get_counts()
print(max(counts, key=counts.get), device.name)
"""


@braket
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sv1", marks=pytest.mark.slow),
        "garnet",
        pytest.param("forte-enterprise-1", marks=pytest.mark.slow),
    ],
)
def test_a_script_runs_on_braket_without_an_account(environment, name):
    ran = rehearsed(environment, f"braket:{name}", FLIPPED.format(name=""))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("001 ")
    assert name.split("-")[0] in ran.stdout.lower()


@pytest.mark.slow
@braket
def test_a_profile_with_an_endpoint_of_its_own_is_led_to_the_rehearsal(environment, tmp_path):
    (tmp_path / "config.toml").write_text(
        '[backends.paid]\ndevice = "braket:garnet"\nendpoint = "https://braket.invalid"\n'
        's3_endpoint = "https://s3.invalid"\n'
    )
    ran = rehearsed(environment, "paid", FLIPPED.format(name="'paid'"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("001 ")


@braket
def test_a_boto3_of_the_users_finds_it_too(environment):
    script = "import boto3; print(boto3.client('braket').search_devices(filters=[])['devices'])"
    ran = rehearsed(environment, "braket:garnet", script)
    assert "eu-north-1::device/qpu/iqm/Garnet" in ran.stdout, ran.stderr


@braket
def test_the_command_of_the_readme(environment):
    lines = re.findall(r"^    (qdmi rehearse .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 1
    ran = subprocess.run(
        ["bash", "-c", lines[0].replace("qdmi", " ".join(QDMI))],  # noqa: S607
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "braket:garnet" in ran.stdout.lower()


@iqm
@pytest.mark.parametrize(
    "profile",
    [
        "iqm:garnet",
        pytest.param("lab", marks=pytest.mark.slow),
        pytest.param("filed", marks=pytest.mark.slow),
    ],
)
def test_a_script_runs_on_iqm_without_an_account(environment, tmp_path, profile):
    """A profile that names a server of its own is led to the rehearsal all the same."""
    (tmp_path / "config.toml").write_text(
        '[backends.lab]\ndevice = "iqm:garnet"\nurl = "https://iqm.invalid"\n'
        'token = "env:LAB_TOKEN"\n'
        '[backends.filed]\ndevice = "iqm:garnet"\ntokens_file = "/none.json"\n'
    )
    environment |= {"IQM_TOKENS_FILE": "/nowhere"}
    ran = rehearsed(environment, profile, FLIPPED.format(name=repr(profile)))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("001 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("slurm:braket:garnet", marks=braket),
        pytest.param("cluster", marks=iqm),
    ],
)
def test_a_device_inside_an_allocation_is_rehearsed(environment, tmp_path, name):
    from qdmi_qiskit.testing.slurm_cluster import Cluster, lacking

    if reason := lacking():
        pytest.skip(reason)
    (tmp_path / "config.toml").write_text(
        '[backends.cluster]\ndevice = "slurm:lab"\n'
        '[backends.lab]\ndevice = "iqm:garnet"\nurl = "https://iqm.invalid"\n'
        'token = "file:/none"\n'
    )
    with Cluster() as running:
        found = environment | {"SLURM_CONF": str(running.conf)}
        ran = rehearsed(found, name, FLIPPED.format(name=""))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"001 {name}\n"


@braket
@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("exit 7", 7, marks=pytest.mark.slow),
        ("kill -TERM $$", 143),
        ("no-such-program-here", 127),
    ],
)
def test_the_exit_code_is_the_commands(environment, command, code):
    assert (
        qdmi(environment, "rehearse", "braket:sv1", "--", "bash", "-c", command).returncode == code
    )


@braket
def test_a_program_that_there_is_not(environment):
    ran = qdmi(environment, "rehearse", "braket:sv1", "--", "no-such-program-here")
    assert ran.returncode == 127
    assert "no-such-program-here" in ran.stderr
    assert "Traceback" not in ran.stderr


WAITING = "import os, time; print(os.environ['AWS_ENDPOINT_URL'], flush=True); time.sleep(600)"


@braket
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_ends_it_ends_the_command_and_the_service(environment, number, code):
    with subprocess.Popen(
        [*QDMI, "rehearse", "braket:sv1", "--", sys.executable, "-c", WAITING],
        env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(300) == code
        told = process.stderr.read()
    assert "rehearse.py" not in told  # the command may show a traceback, qdmi does not
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(url.removeprefix("http://"), timeout=5).connect()


def test_the_list_needs_no_package(environment):
    names = qdmi(environment, "rehearse", "--list").stdout.split()
    assert {"braket:garnet", "braket:sv1", "iqm:garnet", "iqm:deneb"} <= set(names)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["braket:garnt", "--", "true"], "did you mean 'braket:garnet'"),
        (["aer", "--", "true"], "--list"),
        (["braket:garnet"], "say what to run"),
        ([], "say what to run"),
    ],
)
def test_what_cannot_be_rehearsed_is_said(environment, arguments, words):
    ran = qdmi(environment, "rehearse", *arguments)
    assert ran.returncode == 2
    assert words in ran.stderr


def test_a_missing_extra_is_named(monkeypatch):
    from click.testing import CliRunner

    from qdmi_qiskit.cli import cli

    lacking = Plugin("iqm", "qdmi-qiskit", "iqm", ("no-such-distribution",))
    monkeypatch.setattr("qdmi_qiskit.cli.plugins.plugins", lambda: [lacking])
    ran = CliRunner().invoke(cli, ["rehearse", "iqm:garnet", "--", "true"])
    assert ran.exit_code == 4
    assert "pip install 'qdmi-qiskit[iqm]'" in ran.output
