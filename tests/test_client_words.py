"""Words that clients of IBM's backends say to every backend."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import ConfigError


def measured(backend):
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    return backend.pass_manager(0).run(circuit)


def test_job_tags_are_tags():
    backend = QDMIProvider().get_backend("aer", num_qubits=2, journal=True)
    job = backend.run(measured(backend), tags="mine", job_tags=["M3 calibration"])
    assert job.tags == ("M3 calibration", "mine")
    assert job.result().get_counts() == {"10": 1024}


def test_what_is_so_anyway_may_be_said():
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    job = backend.run(measured(backend), shots=5, rep_delay=None, meas_level=2, job_tags=None)
    assert job.result().get_counts() == {"10": 5}


@pytest.mark.parametrize("wanted", [{"rep_delay": 1e-3}, {"meas_level": 1}])
def test_what_is_not_so_may_not(wanted):
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    with pytest.raises(ConfigError, match=next(iter(wanted))):
        backend.run(measured(backend), **wanted)


def test_the_configuration_is_that_of_the_device():
    backend = QDMIProvider().get_backend("replay:grid20")
    found = backend.configuration()
    assert found.num_qubits == 20
    assert found.max_shots == backend.spec.capabilities.max_shots == 20_000
    assert found.simulator is backend.spec.simulator is True
    assert found.max_experiments > 1000
