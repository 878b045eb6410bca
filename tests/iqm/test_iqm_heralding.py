"""Heralding: fewer shots come back, and nothing is biased or silent about it."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.loopback import backend_on, isa_for

LOSS = 0.08


@pytest.fixture
def server():
    with IQMServer("garnet", noise=False, herald_loss=LOSS, seed=6) as found:
        yield found


def turned():
    circuit = QuantumCircuit(2)
    circuit.rx(Parameter("a"), 0)
    circuit.x(1)
    return circuit


def test_the_sampler_says_how_many_shots_are_left(server):
    backend = backend_on(server, heralding="zeros")
    isa = isa_for(backend, turned().measure_all(inplace=False))
    shots, points = 4000, 6
    result = SamplerV2(backend).run([(isa, np.zeros(points))], shots=shots).result()
    (pub,) = result
    valid = pub.metadata["valid_shots"]
    sigma = np.sqrt(shots * LOSS * (1 - LOSS))
    assert all(abs(each - shots * (1 - LOSS)) < 5 * sigma for each in valid)
    assert len(set(valid)) > 1  # it differs by circuit
    assert (pub.metadata["requested_shots"], pub.metadata["shots"]) == (shots, min(valid))
    assert [pub.data.meas.get_counts(k) for k in range(points)] == [{"10": min(valid)}] * points
    (device_job,) = result.metadata["device_jobs"]
    assert device_job["valid_shots"] == valid


def test_the_estimator_is_unbiased_and_its_errors_are_right(server):
    """(value - exact) / error over 150 points: mean 0, rms 1; a zero for each lost shot is 8 %."""
    backend = backend_on(server, heralding="zeros")
    isa = isa_for(backend, turned())
    operators = [SparsePauliOp(label).apply_layout(isa.layout) for label in ("IZ", "ZI", "ZZ")]
    angles = np.linspace(0.4, 1.2, 150)
    pub = (isa, [[each] for each in operators], angles[:, None])
    result = EstimatorV2(backend).run([pub], precision=0.03).result()
    data = result[0].data
    exact = np.array([np.cos(angles), -np.ones(150), -np.cos(angles)])
    assert (data.evs[1] == -1.0).all()
    pull = (data.evs[0] - exact[0]) / data.stds[0]
    assert abs(pull.mean()) < 6 / np.sqrt(150)  # 8 % would be 25 of these sigma
    assert abs(np.sqrt((pull**2).mean()) - 1) < 6 / np.sqrt(2 * 150)
    assert abs(np.mean(data.evs[0] / exact[0]) - 1) < 0.02  # 8 % would be missing
    kept = np.concatenate([job["valid_shots"] for job in result.metadata["device_jobs"]])
    asked = np.repeat(
        [job.payload.shots for job in server.jobs],
        [len(job.payload.circuits) for job in server.jobs],
    )
    assert len(kept) == len(asked)
    share = kept.sum() / asked.sum()
    assert abs(share - (1 - LOSS)) < 5 * np.sqrt(LOSS * (1 - LOSS) / asked.sum())


def test_a_shot_count_of_zero_is_a_failure_not_a_zero(server):
    server.behaviour.herald_loss = 1.0
    backend = backend_on(server, heralding="zeros")
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    job = SamplerV2(backend).run([isa_for(backend, circuit)], shots=50)
    with pytest.raises(JobFailedError, match="heralding left no shots"):
        job.result()
