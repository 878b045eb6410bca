"""Qiskit's own provider for Braket, unmodified, runs against the loopback service."""

from __future__ import annotations

import pytest

pytest.importorskip("qiskit_braket_provider")

from qiskit import QuantumCircuit, transpile

from tests.braket.unmodified import UNMODIFIED

pytestmark = [
    *UNMODIFIED,
    pytest.mark.filterwarnings("ignore:Device does not support global phase:UserWarning"),
]


@pytest.fixture
def provider():
    from qiskit_braket_provider import BraketProvider

    return BraketProvider()


@pytest.fixture
def circuit():
    found = QuantumCircuit(3, 3)
    found.x(0)
    found.measure([0, 1, 2], [1, 2, 0])
    return found


def test_virtual_qubits_on_a_simulator(provider, circuit):
    backend = provider.get_backend("SV1")
    assert backend.run(circuit, shots=20).result().get_counts() == {"010": 20}


@pytest.mark.parametrize("name", ["Garnet", "Forte Enterprise 1"])
def test_verbatim_on_a_qpu(provider, circuit, name):
    backend = provider.get_backend(name)
    isa = transpile(circuit, backend, optimization_level=1, seed_transpiler=1)
    found = backend.run(isa, shots=200, verbatim=True).result().get_counts()
    assert found == {"010": 200}


def test_its_sampler_sends_a_program_set(polled, provider, circuit):
    from qiskit_braket_provider import BraketSampler

    sampler = BraketSampler(provider.get_backend("Garnet"))
    found = sampler.run([circuit, circuit], shots=10).result()
    assert [each.data.c.get_counts() for each in found] == [{"010": 10}, {"010": 10}]
    assert polled.tasks[-1].work.program_set
