"""Every script of `examples/slurm`, as a user would start it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from qdmi_qiskit.devices.slurm import executor
from qdmi_qiskit.errors import MissingPluginError
from tests.slurm.works import until

EXAMPLES = Path(__file__).parents[2] / "examples" / "slurm"

pytestmark = pytest.mark.slow


@pytest.fixture
def shell(idle, python, monkeypatch, tmp_path):
    """Run a script on the login node, or by sbatch."""
    monkeypatch.setenv("PYTHON", python)
    monkeypatch.setenv("EXAMPLES", str(EXAMPLES))
    monkeypatch.setenv("QDMI", str(Path(sysconfig.get_path("scripts")) / "qdmi"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    def run(name, *flags):
        command = [str(EXAMPLES / name)]
        if flags:
            command = ["sbatch", f"--chdir={tmp_path}", *flags, *command]
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=600, env=dict(os.environ)
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert until(lambda: not flags or idle.jobs() == [], 600)
        return said.stdout

    return run


def right(text):
    """The energy is within 5 sigma of the optimum, and the loop's own noise: 3 precisions."""
    found = json.loads(text.splitlines()[-1])
    assert abs(found["energy"] - found["exact"]) < 5 * found["std"] + 0.03
    return found


def test_in_a_job_the_site_names_the_device(shell, tmp_path, idle):
    shell("in_job.sh", "--output=out", "--licenses=aer:1", "--export=ALL,QDMI_BACKEND=aer")
    found = right((tmp_path / "out").read_text())
    assert found["backend"] == "aer"
    assert found["slurm_job"].isdigit()


def test_a_classical_job_takes_a_second_allocation(shell, tmp_path, idle):
    shell("from_classical_job.sh", "--output=out")
    assert right((tmp_path / "out").read_text())["backend"] == "slurm:aer"


def test_an_array_of_couplings(shell, tmp_path, idle):
    shell("array.sh", "--export=ALL,QDMI_BACKEND=aer")
    found = [right((tmp_path / f"coupling-{k}.json").read_text()) for k in range(3)]
    assert [each["coupling"] for each in found] == [0.5, 1.0, 1.5]


def test_from_a_login_node(shell, idle):
    found = right(shell("from_login.sh"))
    assert (found["backend"], found["slurm_job"]) == ("slurm:aer", None)


def test_detached_at_a_shell(shell, idle):
    (counts,) = [each["counts"] for each in json.loads(shell("detach.sh"))["circuits"]]
    assert sum(counts.values()) == 1000
    assert set(counts) == {"00", "11"}


def square(number):
    return number * number, os.environ["SLURM_JOB_PARTITION"]


def fail():
    raise ValueError("on purpose")


def test_any_function_runs_on_slurm(idle, tmp_path):
    pytest.importorskip("submitit")
    pool = executor(tmp_path, partition="quantum", licenses="aer:1", time=2)
    jobs = [pool.submit(square, number) for number in (3, 4)]
    assert [job.result() for job in jobs] == [(9, "quantum"), (16, "quantum")]
    with pytest.raises(Exception, match="on purpose"):
        pool.submit(fail).result()


def test_without_submitit_the_extra_is_named(idle, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(MissingPluginError, match=r"pip install 'qdmi-qiskit\[slurm\]'"):
        executor(tmp_path)
