"""What somebody meets in the first minutes: empty journals, absent folders, no cluster."""

from __future__ import annotations

import json

from click.testing import CliRunner

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.cli.app import cli
from tests.lasting import flipped


def call(*words, code=0):
    ran = CliRunner().invoke(cli, list(words))
    assert ran.exit_code == code, ran.output
    return ran.output


def test_an_empty_list_of_jobs_says_which_journal_was_read(monkeypatch, tmp_path):
    monkeypatch.setenv("QDMI_JOURNAL", str(tmp_path / "none.sqlite"))
    assert f"there is no journal {tmp_path / 'none.sqlite'} yet" in call("jobs")
    assert json.loads(call("jobs", "--json")) == []
    monkeypatch.setenv("QDMI_JOURNAL", "off")
    assert "the journal is off" in call("jobs")


def test_arrays_into_a_folder_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("QDMI_JOURNAL", str(tmp_path / "runs.sqlite"))
    job = QDMIProvider().get_backend("aer", journal=True).run(flipped(11), shots=3)
    job.result()
    said = call("result", job.job_id(), "--npz", str(tmp_path / "no" / "x.npz"), code=1)
    assert "no/x.npz" in said
    assert "not foreseen" not in said


def test_slurm_needs_no_extra():
    schemes = json.loads(call("devices", "--json"))["schemes"]
    (slurm,) = [row for row in schemes if row["scheme"] == "slurm"]
    assert (slurm["installed"], slurm["missing"]) == (True, [])


def test_a_machine_of_no_cluster(monkeypatch, tmp_path):
    """With the words of Slurm 22.05 where nobody ever configured it."""
    srun = tmp_path / "srun"
    srun.write_text(
        "#!/bin/sh\necho 'srun: fatal: Could not establish a configuration source' >&2\nexit 1\n"
    )
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("SLURM_CONF", raising=False)
    said = call("run", "examples/bell.qasm", "--backend", "slurm:aer", code=3)
    assert "belongs to no Slurm cluster" in said
    assert "qdmi slurm doctor" in said
