"""Part of the work failed: the rest is kept, and what failed says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import JobFailedError, ProtocolError
from qdmi_qiskit.merge import Place, Shape, merge
from qdmi_qiskit.model import JobStatus, Shots


class Patchy(Session):
    """Aer, where jobs and points of jobs fail on demand.

    `limit` is the most executables in a job; `failing` the numbers of jobs that fail as a whole;
    `points` maps a job's number to the executables of its first task that fail.
    """

    def __init__(self, *, limit=None, failing=(), points=None):
        self._inner = QDMIProvider(environ={}).get_backend("aer").session
        self._limit, self._failing, self._points = limit, set(failing), points or {}
        self._count = 0

    @property
    def gates(self):
        return self._inner.gates

    def spec(self):
        spec = self._inner.spec()
        caps = replace(spec.capabilities, max_executables=self._limit, max_jobs=1)
        return replace(spec, capabilities=caps)

    def submit(self, tasks, *, key):
        number, self._count = self._count, self._count + 1
        job = self._inner.submit(tasks, key=key)
        return PatchyJob(job, number, number in self._failing, self._points.get(number, ()))


class PatchyJob(Job):
    def __init__(self, inner, number, fails, points):
        self.id, self._inner = f"patchy-{number}", inner
        self._fails, self._points = fails, points

    @property
    def metadata(self):
        return {"price": 0.25, "currency": "EUR"}

    def status(self):
        status = self._inner.status()
        return JobStatus.FAILED if status.final and self._fails else status

    def result(self):
        found = self._inner.result()
        if self._fails:
            raise JobFailedError(f"job {self.id} failed: the fridge warmed up", job_id=self.id)
        if not self._points:
            return found
        first = found[0]
        valid = np.full(len(first.bits), first.bits.shape[1])
        valid[list(self._points)] = 0
        bits = first.bits * (valid > 0)[:, None, None].astype(np.uint8)
        failures = dict.fromkeys(self._points, "pulse too long")
        return (replace(first, bits=bits, valid=valid, failures=failures), *found[1:])


def opened(**faults):
    return QDMIBackend(Patchy(**faults), name="patchy")


def flipped(*qubits):
    circuit = QuantumCircuit(3, name="-".join(map(str, qubits)))
    circuit.x(qubits)
    circuit.measure_all()
    return circuit


def rotated():
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(theta, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_backend_run_keeps_the_circuits_whose_job_did_not_fail():
    job = opened(limit=1, failing=[1]).run([flipped(0), flipped(1), flipped(1, 2)], shots=20)
    with pytest.raises(JobFailedError, match="the fridge warmed up"):
        job.result()
    result = job.result(partial=True)
    assert [each.success for each in result.results] == [True, False, True]
    assert result.get_counts(0) == {"001": 20}
    assert result.get_counts(2) == {"110": 20}
    assert "the fridge warmed up" in result.results[1].status
    assert not result.success
    with pytest.raises(JobFailedError):  # a partial result is not kept as the whole one
        job.result()


def test_what_the_vendor_told_of_each_job_is_in_the_result():
    backend = opened(limit=1)
    told = [{"id": f"patchy-{k}", "price": 0.25, "currency": "EUR"} for k in range(2)]
    result = backend.run([flipped(0), flipped(1)], shots=5).result()
    assert result.metadata["device_jobs"] == told
    sampled = SamplerV2(opened(limit=1)).run([flipped(0), flipped(1)], shots=5).result()
    assert sampled.metadata["device_jobs"] == told
    plain = flipped(0).remove_final_measurements(inplace=False)
    estimator = EstimatorV2(opened(), shot_allocation="coefficients")
    assert estimator.run([(plain, "IIZ")]).result().metadata["device_jobs"] == told[:1]


def test_an_executable_that_failed_alone_says_why_in_the_sampler():
    job = SamplerV2(opened(points={0: [1]})).run([(rotated(), [0.0, np.pi, np.pi])], shots=30)
    with pytest.raises(JobFailedError, match=r"points \[1\] of pub 0 .*pulse too long"):
        job.result()
    pub = job.result(partial=True)[0]
    assert pub.metadata["failures"] == {1: "pulse too long"}
    assert pub.metadata["valid_shots"] == [30, 0, 30]
    assert pub.data.c[0].get_counts() == {"00": 30}
    assert pub.data.c[2].get_counts() == {"10": 30}


def test_a_pub_that_lost_every_point_has_no_shots_and_says_so():
    job = SamplerV2(opened(limit=1, failing=[0])).run([flipped(0), flipped(2)], shots=9)
    lost, kept = job.result(partial=True)
    assert lost.data.meas.num_shots == 0
    assert "warmed up" in lost.metadata["failures"][0]
    assert kept.data.meas.get_counts() == {"100": 9}


def test_values_that_need_what_failed_are_nan_and_the_others_are_right():
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.rx(theta, 1)
    observables = [["ZI"], ["XX"]]
    backend = opened(limit=1, failing=[1])  # jobs: two points of ZI, then two of XX
    estimator = EstimatorV2(backend, shot_allocation="coefficients", seed=3)
    job = estimator.run([(circuit, observables, [0.0, np.pi], 0.05)])
    with pytest.raises(JobFailedError, match="warmed up"):
        job.result()
    pub = job.result(partial=True)[0]
    assert np.isnan(pub.data.evs).sum() == np.isnan(pub.data.stds).sum() == 1
    assert pub.data.evs[0, 0] == 1.0
    assert np.isnan(pub.data.evs[0, 1])
    assert abs(pub.data.evs[1]).max() < 5 * 0.05
    assert "warmed up" in pub.metadata["failures"][1]


def test_a_point_of_which_some_shots_were_lost_keeps_the_others():
    shape = Shape(2, 10, 1)
    ones = Shots(np.ones((2, 5, 1), np.uint8), 1)
    gone = Shots(np.zeros((2, 5, 1), np.uint8), 1, np.array([5, 0]), {1: "too hot"})
    places = [[Place(0, (0, 2), (0, 5))], [Place(0, (0, 2), (5, 10))]]
    (whole,) = merge([shape], places, [[ones], [gone]])
    assert whole.valid.tolist() == [10, 5]
    assert whole.failures == {1: "too hot"}
    assert whole.bits[1, :5].all()


@pytest.mark.parametrize("valid", [None, np.array([3, 3]), np.array([3, 0])])
def test_a_device_whose_failures_do_not_fit_its_shots_is_told_so(valid):
    failures = {2: "beyond"} if valid is not None and not valid.all() else {1: "failed"}
    shots = Shots(np.zeros((2, 3, 1), np.uint8), 1, valid, failures)
    with pytest.raises(ProtocolError, match="failed"):
        merge([Shape(2, 3, 1)], [[Place(0, (0, 2), (0, 3))]], [[shots]])
