"""The chemistry examples as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm2
from qiskit.quantum_info import Statevector

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    paths = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), str(EXAMPLES.parent)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_qsci_runs_by_name_and_beats_its_control():
    ran = run("qsci.py", "--backend", "aer", "--precision", "0.02", "--seed", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    assert report["sector_dimension"] == 225
    assert report["qsci"]["num_determinants"] < 30
    assert 0 <= report["qsci"]["error_mha"] < 1.6
    assert report["qsci"]["hf_seen"]
    assert report["control"]["dimension"] == report["qsci"]["dimension"] < 30
    assert 0 <= report["sqd"]["error_mha"] < report["qsci"]["error_mha"]
    assert report["sqd"]["dimension"] < 225
    assert report["batches"]["mean"] > report["qsci"]["energy"]
    assert report["control"]["best_error_mha"] > 1.6
    assert report["vqe"]["evaluations"] == 1
    vqe = report["vqe"]
    assert abs(vqe["error_mha"]) < 6 * vqe["standard_error_mha"]


@pytest.mark.slow
def test_qsci_prints_a_table_for_the_small_molecule():
    ran = run("qsci.py", "--molecule", "h2", "--bond", "1", "--shots", "500", "--determinants", "4")
    assert ran.returncode == 0, ran.stderr
    for words in ("-1.06610865", "-1.10115033", "Sector fraction", "random control", "VQE"):
        assert words in ran.stdout


def test_vqe_finds_the_ground_state_from_hartree_fock():
    ran = run("vqe.py", "--backend", "aer", "--start", "hf", "--seed", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    vqe = report["vqe"]
    assert 3 < vqe["evaluations"] <= 31
    assert 0 < vqe["standard_error_mha"] < 5.5
    assert abs(vqe["error_mha"]) < 6 * vqe["standard_error_mha"]
    assert vqe["error_mha"] < report["hf"]["error_mha"] / 2


@pytest.mark.slow
def test_vqe_previews_what_it_takes_and_ends():
    ran = run("vqe.py", "--preview", "--method", "SLSQP", "--maxiter", "5")
    assert ran.returncode == 0, ran.stderr
    assert "about 22 energies: 110 circuits" in ran.stdout
    assert "Hartree-Fock" not in ran.stdout


@pytest.mark.slow
def test_vqe_goes_on_from_its_record(tmp_path):
    arguments = ["--record", str(tmp_path / "h2.jsonl"), "--maxiter", "4", "--json"]
    first, again = (json.loads(run("vqe.py", *arguments).stdout)["vqe"] for _ in range(2))
    assert again["replayed"] == again["evaluations"] == first["evaluations"] > 3
    assert again["energy"] == first["energy"]
    other = run("vqe.py", *arguments, "--molecule", "lih", "--maxiter", "0")
    assert other.returncode == 1
    assert "another VQE" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.slow
def test_vqe_prints_a_table():
    ran = run("vqe.py", "--maxiter", "0")
    assert ran.returncode == 0, ran.stderr
    for words in ("-1.11699900", "-1.13730604", "VQE", "+-", "energies measured: 1"):
        assert words in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "no-such-device"], "--backend no-such-device"),
        pytest.param(["--maxiter", "2"], "at least 3", marks=pytest.mark.slow),
        pytest.param(["--maxiter", "-1"], "at least 0", marks=pytest.mark.slow),
        pytest.param(["--bond", "0"], "above 0", marks=pytest.mark.slow),
        pytest.param(["--precision", "nan"], "at least 0", marks=pytest.mark.slow),
        pytest.param(["--molecule", "caffeine"], "invalid choice", marks=pytest.mark.slow),
    ],
)
def test_bad_arguments_end_with_a_sentence(arguments, words):
    ran = run("vqe.py", "--molecule", "h2", *arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_more_determinants_than_the_sector_are_refused():
    ran = run("qsci.py", "--molecule", "h2", "--determinants", "5")
    assert ran.returncode == 2
    assert "the sector has 4" in ran.stderr


@pytest.mark.parametrize(
    ("package", "script"),
    [
        ("pyscf", "qsci.py"),
        pytest.param("pyscf", "vqe.py", marks=pytest.mark.slow),
        pytest.param("qiskit_nature", "qsci.py", marks=pytest.mark.slow),
        pytest.param("qiskit_nature", "vqe.py", marks=pytest.mark.slow),
    ],
)
def test_a_missing_extra_is_named(script, package):
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; "
        f"sys.path.insert(0, {str(EXAMPLES)!r}); "
        f"runpy.run_path({str(EXAMPLES / script)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "pip install 'qdmi-qiskit[chemistry]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_bell_reads_as_a_measured_pair():
    circuit = qasm2.load(EXAMPLES / "bell.qasm")
    assert dict(circuit.count_ops()) == {"h": 1, "cx": 1, "measure": 2}
    state = Statevector(circuit.remove_final_measurements(inplace=False))
    np.testing.assert_allclose(state.probabilities(), [0.5, 0, 0, 0.5], atol=1e-12)
