"""Recordings of IQM devices: the twin looks the same, keeps the contract, and errs alike."""

from __future__ import annotations

from functools import cache, partial

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import average_gate_fidelity
from scipy.stats import chi2_contingency

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.aer.noise import gate_error
from qdmi_qiskit.devices.replay import driver
from qdmi_qiskit.testing import CHECKS, Harness
from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.loopback import NAMES, exact, kept, opened
from tests.twins import assert_a_twin, recorded

SHOTS = 4000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_looks_like_the_device(name, folder):
    session = opened(exact(), name)
    file = recorded(session, folder, name)
    assert exact().token not in file.read_text()
    assert_a_twin(session, session.gates, file)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_twin_keeps_the_contract(name, check, folder):
    file = folder / f"{name}.json"
    if not file.exists():
        recorded(opened(exact(), name), folder, name)
    CHECKS[check](Harness(partial(driver.open, str(file)), tolerance=0.35))


@cache
def noisy():
    return kept(IQMServer("garnet", "deneb", noise=True, seed=7))


def circuit():
    """Three qubits in an order of their own; every CZ moves another pair."""
    made = QuantumCircuit(3, 3)
    made.h(0)
    made.cx(0, 1)
    made.ry(0.9, 1)
    made.cx(1, 2)
    made.x(0)
    made.measure([0, 1, 2], [2, 0, 1])
    return made


def table(*counts):
    words = sorted(set().union(*counts))
    rows = [[count.get(word, 0) for word in words] for count in counts]
    return [list(row) for row in zip(*rows, strict=True) if sum(row) >= 20]


def both(name, folder, isa_of):
    session = opened(noisy(), name)
    real = QDMIBackend(session)
    twin = QDMIBackend(driver.open(str(recorded(session, folder, f"noisy-{name}"))))
    isa = isa_of(real)
    return isa, twin, [each.run(isa, shots=SHOTS, seed=5).result() for each in (real, twin)]


def test_a_twin_of_a_lattice_errs_as_the_device_does(folder):
    """Homogeneity of two samples, seeded, at 5e-7; the ideal device is refuted by the same.

    The encoder makes one pulse of two that follow each other, the twin charges for both: 0.001
    each, which this many shots do not see.
    """
    isa_of = lambda real: real.pass_manager(1, initial_layout=[9, 4, 5]).run(circuit())  # noqa: E731
    isa, twin, results = both("garnet", folder, isa_of)
    counts = [result.get_counts() for result in results]
    assert chi2_contingency(table(*counts)).pvalue > 5e-7
    isa.metadata = {}  # the ideal machine has another calibration, and would say so
    ideal = QDMIBackend(opened(exact(), "garnet")).run(isa, shots=SHOTS).result().get_counts()
    assert chi2_contingency(table(counts[1], ideal)).pvalue < 1e-12
    assert twin.spec.name == "garnet"


def test_a_twin_of_a_star_charges_for_every_move(folder):
    """The fictional CZ costs MOVE, CZ, MOVE, and takes as long; shots agree to first order."""
    isa_of = lambda real: real.pass_manager(1, initial_layout=[4, 0, 2]).run(circuit())  # noqa: E731
    isa, twin, results = both("deneb", folder, isa_of)
    sites = twin.spec.sites
    (cz,) = (op for op in twin.spec.operations if op.name == "cz")
    for place, figures in cz.sites.items():
        error = gate_error(figures, [sites[site] for site in place])
        assert average_gate_fidelity(error) == pytest.approx(figures.fidelity, abs=1e-12)
        assert figures.duration == pytest.approx(2 * 96e-9 + 120e-9)
    counts = [result.get_counts() for result in results]
    isa.metadata = {}  # the ideal machine has another calibration, and would say so
    ideal = QDMIBackend(opened(exact(), "deneb")).run(isa, shots=SHOTS).result().get_counts()
    words = set().union(*counts, ideal)
    real, ours = (
        sum(abs(count.get(word, 0) - ideal.get(word, 0)) for word in words) / 2 / SHOTS
        for count in counts
    )
    assert real > 0.03
    # Statistical error of either distance: below 0.012 (5 sigma); the model's: a third.
    assert abs(ours - real) < 0.03 + real / 3
    assert "move" not in isa.count_ops()
