"""Sessions on the loopback service, and small things to run there."""

from qiskit import QuantumCircuit, transpile

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.braket import driver

QPUS = ("garnet", "cepheus-1-108q", "forte-enterprise-1")


def session(name="sv1", **options):
    return driver.open(name, **{"poll_interval": 0.01, **options})


def backend(name="sv1", **options):
    return QDMIBackend(session(name, **options))


def flipped(device, word, width=3):
    """Return an ISA circuit whose outcome is `word`."""
    circuit = QuantumCircuit(width, width)
    for bit in range(width):
        if word >> bit & 1:
            circuit.x(bit)
    circuit.measure(range(width), range(width))
    return transpile(circuit, device, seed_transpiler=1, optimization_level=1)
