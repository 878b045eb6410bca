"""`qdmi slurm` and `qdmi submit` at a shell, on a real Slurm."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from qdmi_qiskit.devices.slurm import render, site
from qdmi_qiskit.errors import ConfigError

QDMI = str(Path(sysconfig.get_path("scripts")) / "qdmi")
ROOT = Path(__file__).parents[2]

INI = """
[site]
devices = aer, emerald
[partition quantum]
default = aer
allow = aer, emerald
[device aer]
license = aer
[device emerald]
license = iqm_emerald
device = iqm:emerald
url = https://iqm.example.org
tokens_file = /etc/qdmi/%u.json
[account chemistry]
iqm_emerald = 600
"""


def qdmi(*arguments):
    return subprocess.run([QDMI, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def ini(tmp_path):
    path = tmp_path / "site.ini"
    path.write_text(INI)
    path.chmod(0o644)
    return path


def test_the_doctor_proves_an_installation(idle, ini):
    options = [f"--option={each}" for each in ("partition=quantum", "licenses=aer:1", "time=5")]
    said = qdmi("slurm", "doctor", "--json", *options)
    assert said.returncode == 0, said.stdout + said.stderr
    found = {each["what"]: each for each in json.loads(said.stdout)}
    assert "X on qubit 0 reads 1" in found["session on aer"]["said"]
    assert "slurm 22.05" in found["controller"]["said"] or "UP" in found["controller"]["said"]
    assert list(found) == [
        "Slurm's commands", "controller", "start", "session on aer", "folder of jobs"
    ]  # fmt: skip


def test_the_doctor_says_what_is_wrong(idle, ini):
    ini.write_text(
        INI.replace("license = aer", "license = aer_new") + "[partition qpu]\nallow = aer\n"
    )
    ini.chmod(0o666)
    wrong = ("--option=partition=quantum", "--option=licenses=nosuch:1")
    said = qdmi("slurm", "doctor", "--ini", str(ini), *wrong)
    assert said.returncode == 1
    for words in (
        f"WRONG  site file: {ini} can be written by others",
        "WRONG  licences: Slurm has no licence aer_new",
        "WRONG  partitions: Slurm has no partition qpu; it has classical, quantum",
        "WRONG  SPANK plug-in: srun knows no --qdmi-device",
        "WRONG  start: ",
        "WRONG  session on aer: Slurm refuses the allocation",
    ):
        assert words in said.stdout, said.stdout


def test_the_doctor_without_slurm(cluster, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/nowhere/slurm.conf")
    said = qdmi("slurm", "doctor")
    assert said.returncode == 1
    assert (
        "SLURM_CONF=/nowhere/slurm.conf is no file" in said.stdout
        or "there is no srun" in said.stdout
    )


def test_render_prints_what_the_site_needs(ini):
    said = qdmi("slurm", "render", str(ini)).stdout
    for words in (
        "Licenses=aer:1,iqm_emerald:1",
        f"optional /usr/lib/slurm/qdmi_spank.so config={ini}",
        "TRESBillingWeights=CPU=0.1,license/aer=100,license/iqm_emerald=100",
        "PriorityType=priority/multifactor",
        '["emerald"] = "iqm_emerald"',
        "sacctmgr -i modify account chemistry set GrpTRESMins=license/iqm_emerald=600",
    ):
        assert words in said
    assert qdmi(
        "slurm", "render", str(ini), "--part", "job_submit.lua"
    ).stdout == render.job_submit(site.read(ini))


def test_a_rendered_task_prolog_gives_the_device(idle, ini):
    """What is there for sites that take no plug-in."""
    prolog = idle.folder / "prolog"
    prolog.write_text(render.task_prolog(site.read(ini)))
    prolog.chmod(0o755)
    before = idle.conf.read_text()
    idle.reconfigure(f"TaskProlog={prolog}")
    try:
        plain = idle.run("srun", "-p", "quantum", "env").stdout
        asked = idle.run("srun", "-p", "quantum", "env", QDMI_BACKEND="emerald").stdout
        wrong = idle.run("srun", "-p", "quantum", "env", QDMI_BACKEND="other")
        elsewhere = idle.run("srun", "-p", "classical", "env", QDMI_BACKEND="other")
    finally:
        idle._write("slurm.conf", before)
        idle.run("scontrol", "reconfigure")
    assert "QDMI_BACKEND=aer\n" in plain
    for line in ("QDMI_BACKEND=emerald", "QDMI_EMERALD_DEVICE=iqm:emerald"):
        assert f"{line}\n" in asked
    assert "QDMI_EMERALD_TOKENS_FILE=/etc/qdmi/" in asked
    assert "%u" not in asked
    assert wrong.returncode != 0
    assert "'other' is not allowed in partition quantum" in wrong.stdout
    assert elsewhere.returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tokens_file = /etc/qdmi/%u.json", "token = abcdef0123456789", "must be a reference"),
        ("license = aer", "license = iqm:aer", "are syntax"),
        ("default = aer", "default = other", "the default 'other' is not allowed"),
        ("devices = aer, emerald", "devices = aer", r"\[device emerald\] is not in 'devices'"),
        ("allow = aer, emerald", "allow = aer, emeral", "did you mean 'emerald'"),
        ("[account chemistry]", "[acount chemistry]", "did you mean 'account'"),
        ("= 600", "= many", "wanted minutes"),
        ("[site]", "site", "no INI file"),
    ],
)
def test_a_wrong_site_file_is_refused(ini, old, new, words):
    ini.write_text(INI.replace(old, new, 1))
    with pytest.raises(ConfigError, match=words) as refused:
        site.read(ini)
    assert "abcdef0123456789" not in str(refused.value)


def test_submit_and_fetch_from_another_shell(idle, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    options = ["--option=partition=quantum", "--option=licenses=aer:1"]
    bell = str(ROOT / "examples" / "bell.qasm")
    said = qdmi("submit", bell, "--backend", "slurm:aer", "-n", "200", "--array", "2", *options)
    assert said.returncode == 0, said.stderr
    job = said.stdout.strip()
    waited = qdmi("wait", job)
    assert waited.returncode == 0, waited.stderr
    result = qdmi("result", job, "--json")
    assert result.returncode == 0, result.stderr
    (counts,) = [each["counts"] for each in json.loads(result.stdout)["circuits"]]
    assert sum(counts.values()) == 200
    assert set(counts) == {"00", "11"}
    refused = qdmi("submit", bell, "--backend", "aer")
    assert refused.returncode == 2
    assert "'slurm:aer' detaches them" in refused.stderr
