"""The VQE driver: right at its end, gone on with after a kill, within its budget."""

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
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BackendEstimatorV2
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.chemistry import VQE, uccsd
from qdmi_qiskit.chemistry.energies import cost_of, price_of
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Price
from tests.chemistry.molecules import problem_of

# Minimum -1.5 * 2 ** 0.5 at a = pi / 4, b = pi; gradients of the two angles differ.
TOY = SparsePauliOp(["IZ", "IX", "ZI"], [-1.0, -1.0, 1.5 * 2**0.5 - 2**0.5])


def toy() -> tuple[QuantumCircuit, dict[str, float]]:
    circuit = QuantumCircuit(2, name="toy")
    a, b = ParameterVector("t", 2)
    circuit.ry(a, 0)
    circuit.ry(b, 1)
    return circuit, {"t[0]": 0.1, "t[1]": 2.5}


@pytest.fixture(scope="module")
def aer():
    return QDMIProvider().get_backend("aer")


@pytest.mark.parametrize("method", ["SLSQP", "L-BFGS-B", "COBYLA"])
def test_exact_energies_lead_to_the_minimum(aer, method):
    circuit, start = toy()
    found = VQE(
        aer,
        circuit,
        TOY,
        method=method,
        maxiter=60,
        precision=0,
        step=1e-3 if method != "COBYLA" else 0.1,
    ).run(start)
    assert found.energy == pytest.approx(-1.5 * 2**0.5, abs=2e-4)
    assert found.parameters["t[0]"] == pytest.approx(np.pi / 4, abs=2e-2)
    assert found.parameters["t[1]"] == pytest.approx(np.pi, abs=3e-2)
    assert (found.error, found.shots, found.replayed) == (0, 0, 0)
    assert found.steps[0].energy > found.steps[-1].energy


def test_a_gradient_is_one_pub_and_right(aer, tmp_path):
    circuit, start = toy()
    record = tmp_path / "toy.jsonl"
    VQE(aer, circuit, TOY, maxiter=1, precision=0, step=0.01, record=record).run(start)
    calls = [json.loads(line) for line in record.read_text().splitlines()[1:]]
    sizes = [len(call["points"]) for call in calls if "energies" in call]
    assert sizes[:2] == [1, 4]
    assert sizes[-1] == 1
    gradient = next(call for call in calls if len(call["points"]) == 4 and "energies" in call)
    energies = np.array(gradient["energies"]).reshape(2, 2)
    slopes = (energies[0] - energies[1]) / 0.02
    exact = [np.sin(0.1) - np.cos(0.1), -(0.5 * 2**0.5) * np.sin(2.5)]
    np.testing.assert_allclose(slopes, exact, atol=1e-4)


def test_no_iteration_measures_the_start(aer):
    problem = problem_of("h2")
    circuit, start = uccsd(problem)
    found = VQE(aer, circuit, problem.hamiltonian, maxiter=0, precision=0).run(start)
    assert (found.calls, found.stopped, found.steps) == (1, "maxiter=0", [])
    assert found.parameters == start
    assert 0 <= problem.error(found.energy) < 0.001


def test_shots_lead_to_the_ground_state_of_h2(aer):
    problem = problem_of("h2")
    circuit, start = uccsd(problem)
    zero = dict.fromkeys(start, 0.0)
    found = VQE(aer, circuit, problem.hamiltonian, maxiter=6, precision=2e-3, seed=4).run(zero)
    assert problem.error(problem.hf_energy) > 20
    assert abs(problem.error(found.energy)) < 5 + 5 * 1000 * found.error
    assert found.error < 2.2e-3
    assert found.shots > 1000


def test_a_record_answers_everything_again(aer, tmp_path):
    circuit, start = toy()
    record = tmp_path / "toy.jsonl"
    first = VQE(aer, circuit, TOY, maxiter=4, precision=0.02, seed=3, record=record).run(start)
    size = record.stat().st_size
    again = VQE(aer, circuit, TOY, maxiter=4, precision=0.02, seed=99, record=record).run(start)
    assert again.replayed == again.calls == first.calls
    assert first.replayed == 0
    assert (again.energy, again.parameters) == (first.energy, first.parameters)
    assert again.shots == first.shots
    assert record.stat().st_size == size
    longer = VQE(aer, circuit, TOY, maxiter=30, precision=0.02, seed=3, record=record).run(start)
    assert 0 < longer.replayed <= longer.calls


SCRIPT = """
import sys, time
from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.chemistry import VQE
from tests.chemistry.test_vqe import TOY, toy
circuit, start = toy()
backend = QDMIProvider().get_backend("aer")
def slow(step): time.sleep(float(sys.argv[2]))
found = VQE(backend, circuit, TOY, method=sys.argv[3], maxiter=9, precision=0.02, seed=5,
            record=sys.argv[1], callback=slow).run(start)
print(repr(found.energy), sorted(found.parameters.items()), found.calls, found.replayed, sep="|")
"""


def child(record: Path, delay: float, method: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(record), str(delay), method],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def finished(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    return out.strip().split("|")


def measured(record: Path) -> int:
    return record.read_bytes().count(b'"energies"') if record.exists() else 0


@pytest.mark.parametrize("method", ["SLSQP", pytest.param("COBYLA", marks=pytest.mark.slow)])
def test_a_killed_vqe_goes_on_to_the_same_optimum(tmp_path, method):
    whole = finished(child(tmp_path / "whole.jsonl", 0, method))
    record = tmp_path / "killed.jsonl"
    for wanted in (3, 5):
        process = child(record, 0.4, method)
        end = time.monotonic() + 400
        while measured(record) < wanted and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    known = measured(record)
    with record.open("ab") as file:
        file.write(b'{"circuit": "loop", "poi')  # what a kill in the middle of a line leaves
    energy, point, calls, replayed = finished(child(record, 0, method))
    assert [energy, point, calls] == whole[:3]
    assert int(replayed) == known >= 5
    assert measured(record) == int(calls)  # nothing twice


def test_a_job_that_outlived_its_process_is_not_paid_again(tmp_path):
    backend = QDMIProvider().get_backend("aer", journal=True)
    circuit, start = toy()
    record = tmp_path / "toy.jsonl"
    first = VQE(backend, circuit, TOY, maxiter=0, precision=0.02, record=record).run(start)
    lines = record.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3  # header, job sent, result
    record.write_bytes(b"".join(lines[:2]))
    jobs = len(backend.provider.jobs(limit=None))
    again = VQE(backend, circuit, TOY, maxiter=0, precision=0.02, record=record).run(start)
    assert again.energy == first.energy
    assert len(backend.provider.jobs(limit=None)) == jobs
    assert record.read_bytes().splitlines()[-1] == lines[-1].strip()


def test_a_record_of_something_else_is_refused(aer, tmp_path):
    circuit, start = toy()
    record = tmp_path / "toy.jsonl"
    VQE(aer, circuit, TOY, maxiter=0, precision=0, record=record).run(start)
    other = VQE(aer, circuit, 2 * TOY, maxiter=0, precision=0, record=record)
    with pytest.raises(ConfigError, match=r"another VQE \(hamiltonian differ\)"):
        other.run(start)
    broken = tmp_path / "broken.jsonl"
    broken.write_text("not json\n")
    with pytest.raises(ConfigError, match="no record of a VQE"):
        VQE(aer, circuit, TOY, maxiter=0, precision=0, record=broken).run(start)
    assert broken.read_text() == "not json\n"


def test_two_processes_do_not_share_a_record(aer, tmp_path):
    circuit, start = toy()
    record = tmp_path / "toy.jsonl"
    other = VQE(aer, circuit, TOY, maxiter=0, precision=0, record=record)

    def meanwhile(_):
        with pytest.raises(ConfigError, match="in use"):
            other.run(start)

    vqe = VQE(aer, circuit, TOY, maxiter=1, precision=0, record=record, callback=meanwhile)
    assert vqe.run(start).steps


def test_the_budget_holds(aer):
    circuit, start = toy()
    free = VQE(aer, circuit, TOY, method="COBYLA", maxiter=50, precision=0.02, seed=1)
    spent = free.run(start).shots
    vqe = VQE(
        aer, circuit, TOY, method="COBYLA", maxiter=50, precision=0.02, seed=1, max_shots=spent // 2
    )
    found = vqe.run(start)
    assert found.stopped == "max_shots"
    assert spent / 5 < found.shots <= spent // 2
    assert found.error > 0
    assert found.energy < found.steps[0].energy
    tiny = VQE(aer, circuit, TOY, precision=0.02, max_shots=100)
    with pytest.raises(ConfigError, match="may take"):
        tiny.run(start)


def test_a_preview_bounds_what_is_spent(aer):
    circuit, start = toy()
    vqe = VQE(aer, circuit, TOY, method="COBYLA", maxiter=12, precision=0.05, seed=2)
    preview = vqe.preview()
    assert (preview.energies, preview.circuits) == (13, 26)  # X on qubit 0 has a basis of its own
    found = vqe.run(start)
    assert found.calls <= preview.energies
    assert 0 < found.shots <= preview.shots
    assert (preview.price, preview.currency) == (0, "USD")
    assert "about 13 energies: 26 circuits" in str(preview)
    assert "free" in str(preview)
    assert str(VQE(aer, circuit, TOY, maxiter=0).preview()).startswith("one energy: 2 circuits")
    steps = VQE(aer, circuit, TOY, maxiter=3).preview()
    assert steps.energies == 2 + 3 * (2 * 2 + 2)


def test_a_price_is_of_tasks_and_shots(aer):
    class Priced:
        class spec:  # noqa: N801 - as a backend has it
            price = Price(per_task=0.3, per_shot=0.001, currency="EUR")
            simulator = False

            class capabilities:  # noqa: N801
                max_executables = 10

    assert price_of(Priced, 25, 1000) == (pytest.approx(3 * 0.3 + 1.0), "EUR")
    assert price_of(object(), 25, 1000) is None


def test_the_bound_on_shots_is_the_estimators(aer):
    from qdmi_qiskit import EstimatorV2

    circuit, start = toy()
    isa = aer.pass_manager(0).run(circuit)
    estimator = EstimatorV2(aer, shot_allocation="coefficients", seed=1)
    result = estimator.run([(isa, TOY, list(start.values()), 0.03)]).result()[0]
    assert cost_of(TOY, 0.03).shots == result.metadata["shots"]


def test_any_estimator_may_measure(aer):
    circuit, start = toy()
    estimator = BackendEstimatorV2(backend=aer, options={"seed_simulator": 3})
    found = VQE(aer, circuit, TOY, maxiter=0, precision=0.02, estimator=estimator).run(start)
    exact = -np.cos(0.1) - np.sin(0.1) + 0.5 * 2**0.5 * np.cos(2.5)
    assert found.energy == pytest.approx(exact, abs=0.1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "SLSQ"}, "known: .*SLSQP"),
        ({"maxiter": -1}, "at least 0"),
        ({"method": "COBYLA", "maxiter": 3}, "at least 4"),
        ({"step": 0}, "above 0"),
        ({"precision": -1}, "at least 0"),
    ],
)
def test_wrong_arguments_are_said(aer, wrong, words):
    with pytest.raises(ConfigError, match=words):
        VQE(aer, toy()[0], TOY, **wrong)


def test_a_start_must_fit(aer):
    with pytest.raises(ConfigError, match="each parameter"):
        VQE(aer, toy()[0], TOY).run({"t[0]": 1.0})
