"""The SPANK plug-in on a real Slurm: what it gives, each refusal, and no node that goes down."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from qdmi_qiskit.devices.slurm import render, site
from qdmi_qiskit.errors import ConfigError
from tests.slurm.works import backend, crooked, until

ROOT = Path(__file__).parents[2]
HEADER = Path("/usr/include/slurm/spank.h")

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("make") is None or not HEADER.exists(),
    reason="needs gcc, make and libslurm-dev",
)

INI = """
[site]
devices = aer, emerald, hidden, keyless
; a comment
[partition quantum]
default = aer
allow = aer, emerald, keyless
[device aer]
license = aer
[device emerald]
license = iqm_emerald
device = iqm:emerald
url = https://iqm.example.org
tokens_file = {folder}/tokens-%u.json
[device hidden]
url = https://hidden.example.org
[device keyless]
device = iqm:keyless
tokens_file = {folder}/nowhere-%u.json
"""


@pytest.fixture(scope="module")
def plugged(cluster, tmp_path_factory):
    """The cluster with the plug-in built by its own Makefile, warnings being errors."""
    build = tmp_path_factory.mktemp("spank")
    for name in ("Makefile", "qdmi_spank.c"):
        shutil.copy(ROOT / "spank" / name, build)
    ran = subprocess.run(
        [shutil.which("make"), "-C", build], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "-Wall -Wextra -Werror" in ran.stdout
    library = cluster.folder / "qdmi_spank.so"
    shutil.copy(build / "qdmi_spank.so", library)
    ini = cluster.folder / "site.ini"
    ini.write_text(INI.format(folder=cluster.folder))
    (cluster.folder / f"tokens-{os.getuid()}.json").write_text("{}")
    cluster.plugstack(f"required {library} config={ini}")
    yield cluster
    cluster.plugstack()


@pytest.fixture(autouse=True)
def nodes_stay_up(plugged, idle):
    yield
    assert until(lambda: set(plugged.states()) == {"idle"}), plugged.run("sinfo", "-R").stdout


def srun(cluster, *flags, command=("env",), **variables):
    return cluster.run("srun", "-t", "1", *flags, *command, **variables)


def given(ran):
    pairs = (line.split("=", 1) for line in ran.stdout.splitlines() if line.startswith("QDMI_"))
    return {k: v for k, v in pairs if k != "QDMI_JOBS_DIR"}


def test_the_partition_says_which_device(plugged):
    ran = srun(plugged, "-p", "quantum", "-L", "aer:1")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert given(ran) == {"QDMI_BACKEND": "aer", "QDMI_GRANTED": "aer"}


def test_device_endpoint_and_credential_come_as_one(plugged):
    ran = srun(plugged, "-p", "quantum", "-L", "iqm_emerald:1", "--qdmi-device=emerald")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert given(ran) == {
        "QDMI_BACKEND": "emerald",
        "QDMI_GRANTED": "emerald",
        "QDMI_EMERALD_DEVICE": "iqm:emerald",
        "QDMI_EMERALD_URL": "https://iqm.example.org",
        "QDMI_EMERALD_TOKENS_FILE": f"{plugged.folder}/tokens-{os.getuid()}.json",
    }


def test_a_user_can_redirect_nothing(plugged):
    evil = {
        "QDMI_BACKEND": "hidden",
        "QDMI_EMERALD_URL": "http://evil",
        "QDMI_EMERALD_TIMEOUT": "1",
        "SLURM_JOB_PARTITION": "classical",
    }
    flags = ("-p", "quantum", "-L", "iqm_emerald:1", "--qdmi-device=emerald")
    ran = srun(plugged, *flags, **evil)
    assert given(ran) == given(srun(plugged, *flags))


def test_silent_where_nothing_quantum_is_asked(plugged):
    ran = srun(plugged, "-p", "classical")
    assert (ran.returncode, ran.stderr, given(ran)) == (0, "", {})


REFUSED = [
    (("-p", "quantum", "--qdmi-device=typo"), "no device 'typo' at this site. Known: aer, emerald"),
    (("-p", "quantum", "--qdmi-device=a b;c"), "not a device name"),
    (("-p", "quantum", f"--qdmi-device={'x' * 65}"), "not a device name"),
    (("-p", "classical", "--qdmi-device=aer"), "partition 'classical' has no QDMI devices"),
    (("-p", "quantum", "--qdmi-device=hidden"), "device 'hidden' is not allowed in partition"),
    (("-p", "quantum"), "resubmit with -L aer:1 (held: none)"),
    (
        ("-p", "quantum", "-L", "aer:1", "--qdmi-device=emerald"),
        "resubmit with -L iqm_emerald:1 (held: aer",
    ),
    (("-p", "quantum", "--qdmi-device=keyless"), "cannot be read by uid"),
]


@pytest.mark.parametrize(("flags", "words"), REFUSED)
def test_srun_refuses_with_the_reason_and_a_failure(plugged, flags, words):
    ran = srun(plugged, *flags, command=("echo", "it", "ran"))
    assert ran.returncode != 0
    assert words in ran.stderr
    assert "it ran" not in ran.stdout


# `sbatch -W` looks every two seconds; what is refused before it queues takes none.
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        pytest.param(*each, marks=pytest.mark.slow if k in (3, 4, 6, 7) else ())
        for k, each in enumerate(REFUSED)
    ],
)
def test_sbatch_refuses_with_the_reason_and_a_failure(plugged, flags, words, tmp_path):
    out = plugged.folder / "refused.out"
    out.unlink(missing_ok=True)
    ran = plugged.run(
        "sbatch", "-W", "-t", "1", f"--output={out}", *flags, "--wrap", "echo it ran", timeout=300
    )
    assert ran.returncode != 0
    said = ran.stderr + (out.read_text() if out.exists() else "")
    assert words in said
    assert "it ran" not in said


def test_a_name_without_a_section_is_refused_on_the_node(plugged):
    ini = plugged.folder / "site.ini"
    before = ini.read_text()
    ini.write_text(before.replace("keyless\n", "keyless, ghost\n"))
    try:
        ran = srun(plugged, "-p", "quantum", "--qdmi-device=ghost")
    finally:
        ini.write_text(before)
    assert ran.returncode != 0
    assert "has no section [device ghost]" in ran.stderr


def test_without_its_file_it_is_silent_until_asked(plugged):
    ini = plugged.folder / "site.ini"
    kept = ini.rename(plugged.folder / "site.away")
    try:
        plain = srun(plugged, "-p", "quantum")
        asked = srun(plugged, "-p", "quantum", "--qdmi-device=aer")
    finally:
        kept.rename(ini)
    assert (plain.returncode, plain.stderr, given(plain)) == (0, "", {})
    assert asked.returncode != 0
    assert "is missing on this node; ask your administrator" in asked.stderr


def test_a_batch_job_and_its_steps_have_the_device(plugged):
    out = plugged.folder / "batch.out"
    ran = plugged.run(
        "sbatch", "-W", "-t", "1", "-p", "quantum", "-L", "aer:1", f"--output={out}",
        "--qdmi-device=aer", "--wrap", "env | grep ^QDMI_B; srun env | grep ^QDMI_B", timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0
    assert out.read_text() == "QDMI_BACKEND=aer\nQDMI_BACKEND=aer\n"


NAMELESS = """
from qdmi_qiskit import QDMIProvider
backend = QDMIProvider().get_backend()
print(backend.name, backend.session)
"""


def test_in_a_job_a_backend_without_a_name_is_the_sites(plugged, python):
    ran = srun(plugged, "-p", "quantum", "-L", "aer:1", command=(python, "-c", NAMELESS))
    assert ran.stdout.startswith("aer <qdmi_qiskit.devices.aer.session.AerSession")


def test_a_session_asks_for_a_device_of_the_site(plugged):
    found = backend(extra=("--qdmi-device=aer",))
    assert found.run(crooked(), shots=5).result().success
    found.session.close()
    with pytest.raises(ConfigError, match="no device 'typo' at this site"):
        backend(extra=("--qdmi-device=typo",))
    with pytest.raises(ConfigError, match="resubmit with -L iqm_emerald:1"):
        backend(extra=("--qdmi-device=emerald",))


def test_the_licence_is_added_by_what_render_prints(plugged):
    """job_submit.lua: no licence need be typed, and mistakes are refused before they queue."""
    rules = site.read(plugged.folder / "site.ini")
    before = plugged.conf.read_text()
    (plugged.folder / "job_submit.lua").write_text(render.job_submit(rules))
    plugged.reconfigure("JobSubmitPlugins=lua")
    try:
        plain = srun(plugged, "-p", "quantum")
        chosen = srun(plugged, "-p", "quantum", "--qdmi-device=emerald")
        held = srun(plugged, "-p", "quantum", "-L", "aer:1", "--qdmi-device=aer")
        wrong = srun(plugged, "-p", "classical", "--qdmi-device=aer")
        forbidden = srun(plugged, "-p", "quantum", "--qdmi-device=hidden")
    finally:
        plugged._write("slurm.conf", before)
        plugged.run("scontrol", "reconfigure")
    assert given(plain)["QDMI_BACKEND"] == "aer"
    assert given(chosen)["QDMI_BACKEND"] == "emerald"
    assert given(held)["QDMI_BACKEND"] == "aer"
    assert wrong.returncode != 0
    assert "has no QDMI devices" in wrong.stderr
    assert forbidden.returncode != 0
    assert "'hidden' is not allowed in partition quantum" in forbidden.stderr
