"""Recordings of Braket devices: labels with gaps, ions with gates of their own, simulators."""

from __future__ import annotations

from functools import partial

import pytest
from qiskit import QuantumCircuit
from scipy.stats import chisquare

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices import braket
from qdmi_qiskit.devices.replay import driver
from qdmi_qiskit.testing import CHECKS, Harness
from qdmi_qiskit.testing.braket_service import BraketService
from tests.braket.cloud import QPUS
from tests.branches import distribution
from tests.twins import assert_a_twin, recorded

NAMES = (*QPUS, "sv1")
SHOTS = 4000


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Files by name, each with the open session that it was taken from."""
    folder = tmp_path_factory.mktemp("recordings")
    with BraketService(step=0.0) as service, service.activated("us-east-1"):
        sessions = {
            name: braket.driver.open(name, poll_interval=0.01, cache_seconds=0) for name in NAMES
        }
        yield {name: (recorded(each, folder, name), each) for name, each in sessions.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_looks_like_the_device(name, recordings):
    file, session = recordings[name]
    assert_a_twin(session, session.gates, file)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_twin_keeps_the_contract(name, check, recordings):
    file, _ = recordings[name]
    CHECKS[check](Harness(partial(driver.open, str(file)), tolerance=0.35, shots=256))


@pytest.mark.parametrize("name", QPUS)
def test_every_bit_of_a_twin_is_where_the_circuit_says(name, recordings):
    """The commonest outcome is the only one without noise; the noise is there."""
    backend = QDMIBackend(driver.open(str(recordings[name][0])))
    circuit = QuantumCircuit(4, 5)
    circuit.x(0)
    circuit.cx(0, 2)
    circuit.cx(1, 3)
    circuit.measure([0, 1, 2, 3], [4, 0, 2, 1])
    (word,) = distribution(circuit)
    isa = backend.pass_manager(2, seed_transpiler=3).run(circuit)
    counts = backend.run(isa, shots=SHOTS, seed=2).result().get_counts()
    assert max(counts, key=counts.get) == f"{word:05b}"
    assert 0.6 * SHOTS < counts[f"{word:05b}"] < SHOTS


def test_ions_entangle_by_their_own_gates(recordings):
    """Chi-square at 5e-7, seeded, on the recording without its figures."""
    from dataclasses import replace

    from qdmi_qiskit import QDMIProvider, spec_json
    from qdmi_qiskit.model import Figures

    spec = spec_json.load(recordings["forte-enterprise-1"][0])
    sites = tuple(
        replace(site, t1=None, t2=None, prob_meas1_prep0=None, prob_meas0_prep1=None)
        for site in spec.sites
    )
    operations = tuple(
        replace(op, sites=op.sites and dict.fromkeys(op.sites, Figures())) for op in spec.operations
    )
    ideal = replace(spec, sites=sites, operations=operations)
    backend = QDMIProvider().get_backend("aer", noise=ideal)
    circuit = QuantumCircuit(3, 3)
    circuit.ry(0.9, 0)
    circuit.cx(0, 1)
    circuit.cry(1.3, 1, 2)
    circuit.measure([0, 1, 2], [1, 2, 0])
    isa = backend.pass_manager(2, seed_transpiler=3).run(circuit)
    assert {"gpi2_rad", "gpi_rad"} & isa.count_ops().keys()
    chances = distribution(circuit)
    counts = backend.run(isa, shots=SHOTS, seed=2).result().get_counts()
    seen = {int(word, 2): number for word, number in counts.items()}
    assert seen.keys() <= chances.keys()
    words = sorted(chances)
    wanted = [chances[word] * SHOTS for word in words]
    assert chisquare([seen.get(word, 0) for word in words], wanted).pvalue > 5e-7
