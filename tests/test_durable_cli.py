"""`qdmi jobs`, `status`, `result`, `wait`, `resume`, `cancel`, `prune`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.cli.app import cli
from tests.crashes import Nursery, dut, noted, right
from tests.lasting import flipped


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A journal with a finished job of each kind; their ids by kind."""
    path = tmp_path_factory.mktemp("cli") / "runs.sqlite"
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    backend = provider.get_backend("aer", num_qubits=4, journal=True)
    circuit = flipped(11)
    jobs = {
        "sampler": SamplerV2(backend).run([circuit, (circuit, None, 7)], shots=5, tags=["mine"]),
        "estimator": EstimatorV2(backend).run(
            [(circuit.remove_final_measurements(inplace=False), ["ZIII", "IZII"])], precision=0.1
        ),
        "backend": backend.run(circuit, shots=9, memory=True),
    }
    for job in jobs.values():
        job.result()
    return path, {kind: job.job_id() for kind, job in jobs.items()}


@pytest.fixture
def qdmi(kept, monkeypatch):
    path, ids = kept
    monkeypatch.setenv("QDMI_JOURNAL", str(path))

    def call(*words, code=0):
        ran = CliRunner().invoke(cli, list(words))
        assert ran.exit_code == code, ran.output
        return ran.output

    return call, ids


def test_jobs_are_listed_and_filtered(qdmi):
    call, ids = qdmi
    lines = call("jobs").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        ids[kind][:12] for kind in ("backend", "estimator", "sampler")
    ]
    (one,) = json.loads(call("jobs", "--tag", "mine", "--json"))
    assert (one["id"], one["state"], one["results"]) == (ids["sampler"], "done", 1)
    assert len(json.loads(call("jobs", "-n", "2", "--json"))) == 2
    assert json.loads(call("jobs", "--since", "1h", "--state", "done", "--json"))
    assert "no such jobs" in call("jobs", "--backend", "iqm:garnet")
    assert "did you mean 'done'" in call("jobs", "--state", "dne", code=2)
    assert "wanted a date" in call("jobs", "--since", "yesterday", code=2)


def test_the_beginning_of_an_id_will_do(qdmi):
    call, ids = qdmi
    said = json.loads(call("status", ids["sampler"][:10], "--json"))
    assert (said["id"], said["state"], said["ended"]) == (ids["sampler"], "done", 1)
    assert "state        done" in call("status", ids["backend"])
    assert "no job 'zzz'" in call("status", "zzz", code=2)


def test_results_of_every_kind_are_printed(qdmi, tmp_path):
    call, ids = qdmi
    document = json.loads(call("result", ids["sampler"], "--json"))
    assert document["pubs"][0]["data"] == {"high": {"10": 5}, "low": {"11": 5}}
    assert document["pubs"][1]["data"]["low"] == {"11": 7}
    assert json.loads(call("result", ids["estimator"], "--json"))["pubs"][0]["data"]["evs"] == [
        -1.0,
        1.0,
    ]
    (circuit,) = json.loads(call("result", ids["backend"], "--json"))["circuits"]
    assert (circuit["counts"], circuit["success"]) == ({"11 10": 9}, True)
    for kind, names in (
        ("sampler", {"0.high", "0.low", "1.high", "1.low"}),
        ("estimator", {"0.evs", "0.stds"}),
        ("backend", {"0.memory"}),
    ):
        file = tmp_path / f"{kind}.npz"
        call("result", ids[kind], "--npz", str(file))
        assert set(np.load(file)) == names
        assert call("result", ids[kind])
    memory = np.load(tmp_path / "backend.npz")["0.memory"]
    assert (memory == 0b1110).all()
    assert memory.shape == (1, 9, 1)


def test_a_job_that_ended_can_be_waited_for_resumed_and_canceled(qdmi):
    call, ids = qdmi
    assert "is done" in call("wait", ids["sampler"])
    assert "is done" in call("resume", ids["sampler"])
    assert "the job is done" in call("cancel", ids["sampler"])
    assert "wanted KEY=JOB" in call("resume", ids["sampler"], "--found", "x", code=2)
    assert "say which" in call("prune", code=2)
    assert "0 jobs forgotten" in call("prune", "--older", "3d")


def test_a_killed_run_is_finished_at_the_command_line(tmp_path, monkeypatch):
    environment = dut(tmp_path, "aer", journal=True, num_qubits=8)
    with Nursery(**environment) as nursery:
        assert nursery.ask("run", split=True, step=90)["signal"] == signal.SIGKILL
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    job_id = noted(environment).id
    waited = CliRunner().invoke(cli, ["wait", job_id])
    assert waited.exit_code == 1
    assert f"qdmi resume {job_id[:12]}" in waited.output
    resumed = CliRunner().invoke(cli, ["resume", job_id])
    assert resumed.exit_code == 0, resumed.output
    document = json.loads(CliRunner().invoke(cli, ["result", job_id, "--json"]).output)
    assert [max(pub["data"]["c"]) for pub in document["pubs"]] == right()


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(tmp_path):
    script = tmp_path / "waits.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from qdmi_qiskit import SamplerV2\n"
        "from qdmi_qiskit.cli.app import cli\n"
        "from qdmi_qiskit import provider\n"
        "from tests.lasting import Cloud, flipped\n"
        "cloud = Cloud()\n"
        "cloud.held = True\n"
        "job = SamplerV2(cloud.backend(Path(sys.argv[1]))).run([flipped(3)])\n"
        "print('ready', flush=True)\n"
        "cli(['wait', job.job_id()])\n"
    )
    path = tmp_path / "runs.sqlite"
    with subprocess.Popen(
        [sys.executable, str(script), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "QDMI_JOURNAL": str(path), "PYTHONPATH": str(Path.cwd())},
    ) as process:
        assert process.stdout.readline() == "ready\n"
        assert "queued" in process.stderr.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the job goes on; come back with: qdmi wait" in said
