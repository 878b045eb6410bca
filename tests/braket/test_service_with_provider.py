"""Qiskit's own provider for Braket, unmodified, runs against the loopback service."""

from __future__ import annotations

import gc

import pytest

pytest.importorskip("qiskit_braket_provider")

from qiskit import QuantumCircuit, transpile

from qdmi_qiskit.testing.braket_service import BraketService

pytestmark = [
    # The SDK leaves event loops and sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Device does not support global phase:UserWarning"),
]


@pytest.fixture(scope="module")
def service():
    with BraketService(poll=20) as running:
        yield running


@pytest.fixture(autouse=True)
def _point_at_the_service(service):
    with service.activated("us-east-1"):
        yield
    gc.collect()  # while the warnings of the SDK's event loops are ignored


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


def test_its_sampler_sends_a_program_set(service, provider, circuit):
    from qiskit_braket_provider import BraketSampler

    sampler = BraketSampler(provider.get_backend("Garnet"))
    found = sampler.run([circuit, circuit], shots=10).result()
    assert [each.data.c.get_counts() for each in found] == [{"010": 10}, {"010": 10}]
    assert service.tasks[-1].work.program_set
