"""Large jobs: outcomes in their places though cut into pieces, and little held at a time."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.noise import NoiseModel, ReadoutError

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.aer import pieces
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.merge import Place, Shape, merge
from qdmi_qiskit.model import JobStatus, Shots

ROADS = {"states": {}, "memory": {"sample_states": False}}


def marked(number, num_bits=9):
    """A circuit whose every shot is `number`."""
    circuit = QuantumCircuit(num_bits)
    for bit in range(num_bits):
        if number >> bit & 1:
            circuit.x(bit)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("held", [1, 2**17])
def test_outcomes_of_pieces_land_in_their_places(monkeypatch, road, held):
    monkeypatch.setattr(pieces, "HELD", held)
    sampler = SamplerV2(QDMIProvider().get_backend("aer", **ROADS[road]))
    angle = Parameter("a")
    turned = QuantumCircuit(2)
    turned.rx(angle, 1)
    turned.measure_all()
    table = np.pi * np.array([0, 1, 1, 0, 1])
    shots = 40 if held == 1 else 700
    pubs = [*((marked(k), None, 30 + k) for k in range(1, 400, 37)), (turned, table, shots)]
    *several, sweep = sampler.run(pubs).result()
    for number, pub in zip(range(1, 400, 37), several, strict=True):
        assert pub.data.meas.get_counts() == {f"{number:09b}": 30 + number}
    for row, value in enumerate([0, 2, 2, 0, 2]):
        assert sweep.data.meas[row].get_int_counts() == {value: shots}


def test_pieces_of_one_point_have_shots_of_their_own_and_a_seed_repeats_them(monkeypatch):
    monkeypatch.setattr(pieces, "HELD", 2**14)  # 127 shots in a piece
    backend = QDMIProvider().get_backend("aer", sample_states=False)
    circuit = QuantumCircuit(2)
    circuit.rx(0.8, 0)  # 0.1516 of the shots are 1
    circuit.h(1)
    circuit.measure_all()
    first, again = (
        SamplerV2(backend, seed=4).run([circuit], shots=12_700).result()[0].data.meas
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.array, again.array)
    cuts = [first.array[a : a + 127].tobytes() for a in range(0, 12_700, 127)]
    assert len(set(cuts)) == 100
    ones = first.slice_bits([0]).get_int_counts()[1]
    mean = np.sin(0.4) ** 2
    assert abs(ones - 12_700 * mean) < 5 * np.sqrt(12_700 * mean * (1 - mean))


def test_noise_stays_in_every_piece(monkeypatch):
    monkeypatch.setattr(pieces, "HELD", 2**16)
    noise = NoiseModel(basis_gates=["x"])
    noise.add_readout_error(ReadoutError([[1, 0], [1, 0]]), [1])  # reads 0 whatever is there
    sampler = SamplerV2(QDMIProvider().get_backend("aer", noise=noise))
    for pub in sampler.run([marked(3, 2)] * 20, shots=100).result():
        assert pub.data.meas.get_int_counts() == {1: 100}


def test_an_energy_in_pieces_is_right(monkeypatch):
    monkeypatch.setattr(pieces, "HELD", 2**16)
    angle = Parameter("a")
    circuit = QuantumCircuit(3)
    circuit.rx(angle, 0)
    circuit.cx(0, 2)
    operator = SparsePauliOp(["IIZ", "YIX", "ZIZ", "XIY"], [0.7, -0.4, 0.2, 0.3])
    table = np.linspace(0.1, 2.9, 12)
    estimator = EstimatorV2(QDMIProvider().get_backend("aer"), seed=2)
    exact = estimator.run([(circuit, operator, table)], precision=0).result()[0].data.evs
    data = estimator.run([(circuit, operator, table)], precision=0.02).result()[0].data
    assert (np.abs(data.evs - exact) < 5 * data.stds).all()


def test_a_long_job_that_is_canceled_has_no_outcome(monkeypatch):
    monkeypatch.setattr(pieces, "HELD", 2**14)
    backend = QDMIProvider().get_backend("aer", sample_states=False)
    job = SamplerV2(backend).run([marked(5)] * 400, shots=100)
    assert job.cancel()
    with pytest.raises(JobFailedError, match="canceled"):
        job.result()


def test_a_circuit_changed_after_its_submission_runs_as_it_was(monkeypatch):
    monkeypatch.setattr(pieces, "HELD", 2**14)
    backend = QDMIProvider().get_backend("aer", sample_states=False)
    circuits = [marked(5, 3) for _ in range(300)]
    job = SamplerV2(backend).run(circuits, shots=100)
    for circuit in circuits[200:]:
        circuit.data.pop(0)
    assert all(pub.data.meas.get_int_counts() == {5: 100} for pub in job.result())


def test_what_waits_to_be_read_is_bounded(monkeypatch):
    """Aer's words of all shots would take 100 bytes each, 20 MiB."""
    monkeypatch.setattr(pieces, "HELD", 2**20)
    backend = QDMIProvider().get_backend("aer", sample_states=False)
    circuits = [marked(5, 3)] * 100
    SamplerV2(backend).run(circuits[:2], shots=10).result()
    tracemalloc.start()
    try:
        SamplerV2(backend).run(circuits, shots=2000).result()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20


def test_merging_holds_no_outcome_but_the_one_that_came():
    alive = []

    def results():
        for k in range(20):
            assert sum(each() is not None for each in alive) <= 1  # the last one
            bits = np.full((1, 5, 1), k, np.uint8)
            alive.append(weakref.ref(bits))
            yield (Shots(bits, 8),)

    places = [[Place(0, (k // 2, k // 2 + 1), (5 * (k % 2), 5 * (k % 2) + 5))] for k in range(20)]
    (whole,) = merge([Shape(10, 10, 8)], places, results())
    gc.collect()
    assert whole.bits[3, :, 0].tolist() == [6] * 5 + [7] * 5


def test_a_run_of_several_jobs_lets_go_of_their_outcomes():
    from benchmarks.works import AtOnce
    from qdmi_qiskit import QDMIBackend

    class Remembering(Job):
        def __init__(self, outcome):
            self.id, self.outcome = "r", outcome

        def status(self):
            return JobStatus.DONE

        def result(self):
            return self.outcome

    jobs = []

    class Device(AtOnce):
        def spec(self):
            from dataclasses import replace

            found = super().spec()
            return replace(found, capabilities=replace(found.capabilities, max_executables=1))

        def submit(self, tasks, *, key):
            job = Remembering(super().submit(tasks, key=key).result())
            jobs.append(weakref.ref(job))
            return job

    job = SamplerV2(QDMIBackend(Device(3))).run([marked(0, 3)] * 6, shots=4)
    result = job.result()
    assert len(jobs) == 6
    for _ in range(1200):  # a thread that sent one may still be about to return
        gc.collect()
        if all(each() is None for each in jobs):
            break
        threading.Event().wait(0.1)
    assert not any(each() is not None for each in jobs)
    assert [each["id"] for each in result.metadata["device_jobs"]] == ["r"] * 6
    assert job.done()
