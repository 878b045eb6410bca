"""`qdmi experiment`: what a file says is done, once, and gone on with."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.cli import main
from qdmi_qiskit.cli.app import cli
from qdmi_qiskit.cli.circuits import read
from qdmi_qiskit.dispatch import State
from qdmi_qiskit.dispatch.experiment import Attempt
from qdmi_qiskit.errors import ConfigError
from tests.dispatch.faulty import faulty

assert main
ONE = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nx q[1];\nmeasure q -> c;\n'
STATE = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\nry(0.6) q[0];\ncx q[0],q[1];\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "one.qasm").write_text(ONE)
    (tmp_path / "state.qasm").write_text(STATE)
    return tmp_path


def said(place, text):
    path = place / "experiment.toml"
    path.write_text(text)
    return path


def run(path, *arguments):
    ran = CliRunner().invoke(cli, ["experiment", str(path), *arguments])
    return ran.exit_code, ran.output


SHOTS = 'circuits = ["one.qasm"]\nbackends = ["aer", "aer", "aer"]\nshots = 100\nseed = 4\n'


def test_counts_of_all_backends_come_out_and_stay(place):
    path = said(place, SHOTS)
    code, output = run(path, "--json")
    assert code == 0, output
    assert json.loads(output) == [{"pub": 0, "circuit": "one", "shots": 100, "counts": {"10": 100}}]
    table = json.loads((place / "results" / "table.json").read_text())
    assert [row["shots"] for row in table] == [34, 33, 33]
    before = [row["job_id"] for row in table]
    code, again = run(path, "--json")
    assert (code, again) == (0, output)
    table = json.loads((place / "results" / "table.json").read_text())
    assert [row["job_id"] for row in table] == before  # nothing was sent again


def test_a_plan_sends_nothing(place):
    code, output = run(said(place, SHOTS), "--plan", "--json")
    assert code == 0, output
    assert json.loads(output)["asked"] == [{"aer": 34, "aer#2": 33, "aer#3": 33}]
    assert not (place / "results").exists()


def test_progress_is_told_as_it_happens(place):
    code, output = run(said(place, SHOTS))
    assert code == 0, output
    for name in ("aer", "aer#2", "aer#3"):
        assert f"pub 0 on {name}: done" in output


def test_estimates(place):
    text = 'circuits = ["state.qasm"]\nbackends = ["aer", "aer"]\nprecision = 0.02\nseed = 1\n'
    code, output = run(said(place, text + 'observables = ["ZZ", {XX = 0.5, ZI = 2.0}]\n'), "--json")
    assert code == 0, output
    (found,) = json.loads(output)
    exact = [1.0, 0.5 * 0.5646424733950354 + 2 * 0.8253356149096783]
    for value, std, wanted in zip(found["evs"], found["stds"], exact, strict=True):
        assert abs(value - wanted) < 5 * std + 1e-6


def test_distances_to_a_reference_and_results_of_each(place):
    text = (
        'circuits = ["one.qasm", "one.qasm"]\nbackends = ["aer", "replay:grid20"]\nshots = 500\n'
        'split = "replicate"\nseed = 4\n'
    )
    code, output = run(said(place, text + 'merge = "distance"\nreference = "aer"\n'), "--json")
    assert code == 0, output
    (distances,) = json.loads(output).values()
    assert len(distances) == 2
    assert all(0 < distance < 0.3 for distance in distances)
    # The same work shown otherwise: the results are there already.
    code, output = run(said(place, text + 'merge = "each"\n'), "--json")
    assert code == 0, output
    assert json.loads(output)["aer"][1]["counts"] == {"10": 500}


def test_another_experiment_does_not_use_the_folder(place):
    assert run(said(place, SHOTS))[0] == 0
    code, output = run(said(place, SHOTS.replace("100", "200")))
    assert code == 2
    assert "holds another experiment" in output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("circuits = [", "not valid TOML"),
        (SHOTS + "spilt = 'even'", "did you mean 'split'"),
        (SHOTS + "split = 'shot'", "did you mean 'shots'"),
        (SHOTS + "merge = 'distance'", "goes with reference"),
        (SHOTS + "merge = 'distance'\nreference = 'aer9'", "no backend 'aer9'"),
        (SHOTS + "observables = ['ZZ']", "precision, not shots"),
        (SHOTS.replace('["one.qasm"]', "[]"), "wanted circuits"),
        (SHOTS.replace('"aer", "aer"', '{backend = "aer", prise = 1}'), "did you mean 'price'"),
        (SHOTS.replace('"aer", "aer"', "{}"), "wanted a backend name"),
    ],
)
def test_mistakes_are_named(place, text, words):
    code, output = run(said(place, text))
    assert code == 2, output
    assert words in output.replace("\n", " ")


class Two:
    """A provider of two faulty devices."""

    def __init__(self, **options):
        self.devices = {name: faulty(name, **options.get(name, {})) for name in ("a", "b")}

    def get_backend(self, name, **_):
        return self.devices[name]

    def job(self, job_id):
        return QDMIProvider().job(job_id)


TWO = 'circuits = ["one.qasm"]\nbackends = ["a", "b"]\nshots = 100\n'


def test_what_failed_is_sent_again_and_nothing_else(place):
    path = said(place, TWO + 'split = "replicate"\nmerge = "each"\n')
    first = Attempt(path, read, Two(a={"failing": {0}}))
    job, _ = first.start()
    job.wait(300)
    assert [shard.state for shard in job.shards] == [State.FAILED, State.DONE]
    second = Attempt(path, read, two := Two())
    job, _ = second.start()
    job.wait(300)
    assert (two.devices["a"].session.sent, two.devices["b"].session.sent) == ([100], [])
    assert {name: pubs[0]["counts"] for name, pubs in second.outcome(job).items()} == {
        "a": {"10": 100},
        "b": {"10": 100},
    }
    job, _ = Attempt(path, read, two := Two()).start()
    job.wait(300)
    assert two.devices["a"].session.sent == []


def test_what_moved_is_not_sent_again(place):
    path = said(place, TWO)
    job, _ = Attempt(path, read, Two(a={"failing": {0}})).start()
    job.result(300)
    again = Attempt(path, read, two := Two())
    job, _ = again.start()
    assert again.outcome(job)[0]["counts"] == {"10": 100}
    assert [device.session.sent for device in two.devices.values()] == [[], []]


CRASH = """
import os, sys
from pathlib import Path
from qdmi_qiskit.cli.circuits import read
from qdmi_qiskit.dispatch.experiment import Attempt
from tests.dispatch.test_experiment import Two
two = Two(a={"open_gate": False})
two.devices["a"].session.submit = lambda tasks, *, key: os._exit(7)
if sys.argv[2] == "after":
    two.devices["b"].session.submit, submit = two.devices["a"].session.submit, None
job, _ = Attempt(Path(sys.argv[1]), read, two).start()
job.wait(300)
"""


def test_a_crash_in_the_middle_of_a_submission_is_never_paid_twice(place):
    path = said(place, TWO)
    ran = subprocess.run(
        [sys.executable, "-c", CRASH, str(path), "after"], check=False, timeout=500
    )
    assert ran.returncode == 7
    attempt = Attempt(path, read, two := Two())
    job, _ = attempt.start()
    job.wait(300)
    unknown = [shard for shard in job.shards if shard.state is State.UNKNOWN]
    assert unknown
    for shard in unknown:
        assert two.devices["ab"[shard.member]].session.sent == []
    with pytest.raises(Exception, match="--resend"):
        attempt.outcome(job)
    attempt = Attempt(path, read, Two())
    job, _ = attempt.start(resend=True)
    assert attempt.outcome(job)[0]["counts"] == {"10": 100}
    assert sum(shard.obtained for shard in job.shards) == 100


def test_the_example(place):
    from pathlib import Path

    source = Path(__file__).parents[2] / "examples"
    for name in ("experiment.toml", "bell.qasm"):
        text = (source / name).read_text().replace("../results/bell", "results")
        (place / name).write_text(text)
    code, output = run(place / "experiment.toml", "--json")
    assert code == 0, output
    assert 0 < json.loads(output)["replay:grid20"][0] < 0.2


def test_a_wrong_observable_is_named(place):
    text = 'circuits = ["state.qasm"]\nbackends = ["aer"]\nprecision = 0.1\nobservables = ["QQ"]\n'
    with pytest.raises(ConfigError, match="observables"):
        Attempt(said(place, text), read)
