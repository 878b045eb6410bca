"""The four experiments of the QCPaaS paper, as somebody runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "mitigation.py"


def ran(scenario):
    found = subprocess.run(
        [sys.executable, str(EXAMPLE), "--scenario", scenario, "--seed", "3"],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.mark.slow
def test_a_custom_mitigation_on_one_circuit():
    alone, around = ran("1")
    assert around["stages"] == ["bounded", "zne", "dd"]
    assert around["circuits"] == 3
    assert around["error"] < alone["error"] - 2 * around["stated"]


@pytest.mark.slow
def test_a_batch_with_another_mitigation_for_each_circuit():
    report = ran("2")
    assert [row["stages"] for row in report] == [
        ["readout"],
        ["zne", "dd"],
        ["zne", "twirl", "readout"],
    ]
    assert [row["circuits"] for row in report] == [8, 2, 12]


@pytest.mark.slow
def test_a_learning_loop_with_mitigated_values():
    *steps, end = ran("3")
    assert end["right"] == 4
    assert steps[-1]["loss"] < steps[0]["loss"] / 3


@pytest.mark.slow
def test_a_batch_with_every_mitigation_of_the_library():
    report = {"+".join(row["stages"]): row["error"] for row in ran("4")}
    assert report["zne+twirl+readout"] < report[""] / 2
    assert report["readout"] < report[""]
    assert report["zne"] < report[""]
    assert report["postselect"] < report[""]
