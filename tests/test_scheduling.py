"""Queues, estimates, filters, sessions and batches: figures with sources, nothing over a budget."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.batch import Batch, Session
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.model import DeviceState, DeviceStatus, JobStatus, Price
from qdmi_qiskit.testing.poor import PoorJob, PoorSession
from tests.dispatch.faulty import faulty


class Gated(PoorJob):
    """Runs until it is let go."""

    def __init__(self, inner, gate):
        self.id, self._inner, self._gate = inner.id, inner, gate

    def status(self):
        return self._inner.status() if self._gate.is_set() else JobStatus.RUNNING

    def result(self):
        return self._inner.result()


class Dear(PoorSession):
    """Hardware that charges 0.3 a job and 0.01 a shot, and notes what it was sent."""

    price = Price(0.3, 0.01, "EUR")
    state = DeviceState(status=DeviceStatus.BUSY, queue_length=4)
    most = 100

    def __init__(self, seed=0):
        super().__init__(seed)
        self.sent, self.gate = [], threading.Event()
        self.gate.set()

    def spec(self):
        spec = super().spec()
        caps = replace(spec.capabilities, max_shots=self.most)
        return replace(spec, price=self.price, simulator=False, capabilities=caps)

    def status(self):
        return self.state

    def submit(self, tasks, *, key):
        self.sent.append([(task.points, task.shots) for task in tasks])
        return Gated(super().submit(tasks, key=key), self.gate)

    @property
    def charged(self):
        shots = sum(points * shots for tasks in self.sent for points, shots in tasks)
        return 0.3 * len(self.sent) + 0.01 * shots


@pytest.fixture
def device():
    return QDMIBackend(Dear())


def prepared(device, measured=True):
    circuit = QuantumCircuit(3)
    theta = Parameter("t")
    circuit.rx(theta, 2)
    circuit.cx(2, 1)
    circuit.x(0)
    if measured:
        circuit.measure_all()
    return device.pass_manager(1, seed_transpiler=3, initial_layout=[0, 1, 2]).run(circuit)


def test_an_estimate_is_what_is_sent_and_charged(device):
    pubs = [(prepared(device), [[0.1], [0.2], [0.3]], 250), (prepared(device), [0.4])]
    found = device.estimate(pubs, shots=40)
    assert device.session.sent == []
    assert (found.shots, found.executables, found.currency) == (3 * 250 + 40, 4, "EUR")
    SamplerV2(device).run(pubs, shots=40).result()
    assert found.device_jobs == len(device.session.sent)
    assert found.price == pytest.approx(device.session.charged)
    assert "poor" in found.sources["price"]
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.measure(1, 0)
    alone = device.estimate(circuit, shots=50)
    assert alone.duration == pytest.approx(50 * (32e-9 + 180e-9 + 1.2e-6))
    assert "poor-1" in alone.sources["duration"]
    assert QDMIBackend(PoorSession()).estimate(circuit).price == 0


def test_an_estimate_of_an_estimate_is_a_bound(device):
    isa = prepared(device, measured=False)
    observable = SparsePauliOp(["IIZ", "XII", "ZZI"], [1.0, 0.5, 0.25]).apply_layout(isa.layout)
    for pubs in ([(isa, observable, [0.3])], [(isa, observable, [[0.3], [1.2]])]):
        device.session.sent.clear()
        found = device.estimate(pubs, precision=0.05)
        assert "bound" in found.sources["shots"]
        EstimatorV2(device, seed=1).run(pubs, precision=0.05).result()
        assert 0 < device.session.charged <= found.price * (1 + 1e-9)
        assert found.price <= 20 * device.session.charged
    assert device.estimate([(isa, observable, [0.3])]).shots > 0  # known by the observable
    assert device.estimate([(isa, "ZIIII", [0.3])]).sources["shots"].startswith("bound")
    assert device.estimate([(prepared(device), {"t": [0.3]})]).sources["shots"] == "asked for"


def test_a_budget_is_never_passed_and_nothing_is_sent_in_vain(device):
    isa = prepared(device)
    with Session(device, budget=2.5) as session:
        sampler = SamplerV2(session.backend)
        sampler.run([(isa, [0.1])], shots=100).result()  # 1.30
        assert session.spent == pytest.approx(1.3)
        with pytest.raises(ConfigError, match=r"costs up to 2\.6 EUR, and 1\.2 of the budget"):
            sampler.run([(isa, [0.1])], shots=200)  # two jobs, of which one would do
        assert len(device.session.sent) == 1
        sampler.run([(isa, [0.1])], shots=90).result()  # 1.20
        assert session.spent == pytest.approx(device.session.charged) == pytest.approx(2.5)
    bare = prepared(device, measured=False)
    observable = SparsePauliOp(["IIZ", "XII"], [1.0, 0.5]).apply_layout(bare.layout)
    most = device.estimate([(bare, observable, [0.3])], precision=0.02).price
    with Session(device, budget=0.9 * most) as session, pytest.raises(ConfigError, match="budget"):
        EstimatorV2(session.backend).run([(bare, observable, [0.3])], precision=0.02)
    assert len(device.session.sent) == 2  # not even a pilot
    device.session.price = None
    with pytest.raises(ConfigError, match="states no price"):
        Session(QDMIBackend(device.session), budget=1.0)


def test_no_more_jobs_at_once_than_allowed(device):
    isa, inner = prepared(device), device.session
    inner.gate.clear()
    with Session(device, max_jobs=2) as session:
        sampler = SamplerV2(session.backend)
        jobs, done = [], threading.Event()

        def send():
            jobs.extend(sampler.run([(isa, [0.1])], shots=10) for _ in range(5))
            done.set()

        threading.Thread(target=send, daemon=True).start()
        deadline = time.monotonic() + 120
        while len(inner.sent) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not done.wait(0.3)
        assert len(inner.sent) == 2
        inner.gate.set()
        assert done.wait(300)
    assert [job.result()[0].data.meas.num_shots for job in jobs] == [10] * 5


def test_a_batch_is_one_run_and_each_job_has_its_part():
    provider = QDMIProvider()
    device = provider.get_backend("aer", journal=False)
    isa = []
    for word in (1, 6, 3):
        circuit = QuantumCircuit(3)
        for bit in range(3):
            if word >> bit & 1:
                circuit.x(bit)
        circuit.measure_all()
        isa.append(circuit)
    with Batch(device) as batch:
        sampler, estimator = batch.sampler(), batch.estimator()
        first = sampler.run(isa[:2], shots=7)
        second = sampler.run([isa[2]], shots=9)
        third = estimator.run([(isa[0].remove_final_measurements(inplace=False), "IIZ")])
        with pytest.raises(ConfigError, match="not sent yet"):
            first.result()
    assert [pub.data.meas.get_counts() for pub in first.result()] == [{"001": 7}, {"110": 7}]
    assert [pub.data.meas.get_counts() for pub in second.result()] == [{"011": 9}]
    assert float(third.result()[0].data.evs) == -1
    assert first.job is second.job
    assert len(first.job.device_job_ids) == 1
    with suppress(ZeroDivisionError), Batch(device) as batch:
        lost = batch.sampler().run(isa, shots=5)
        raise ZeroDivisionError
    with pytest.raises(ConfigError, match="not sent yet"):
        lost.result()


def test_a_batch_is_canceled_before_and_after_it_is_sent(device):
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    with Batch(device) as batch:
        dropped = batch.sampler().run([circuit], shots=5)
        batch.cancel()
        kept = batch.sampler().run([circuit], shots=6)
    with pytest.raises(JobFailedError, match="canceled before it was sent"):
        dropped.result()
    assert kept.result()[0].data.meas.get_counts() == {"0": 6}
    batch.cancel()  # what is over stays
    assert kept.result()[0].data.meas.get_counts() == {"0": 6}
    closed = faulty("closed", open_gate=False)
    with Batch(closed) as batch:
        job = batch.sampler().run([circuit], shots=5)
    batch.cancel()
    with pytest.raises(JobFailedError, match="canceled"):
        job.result(300)


def test_nothing_is_held_where_nothing_is_reserved(device):
    assert not Session(device).held
    with pytest.raises(UnsupportedError, match="use_timeslot=True"):
        Session(device, must_hold=True)


def test_a_queue_says_whose_figures_it_tells(device):
    found = device.queue()
    assert (found.length, found.expected_start, dict(found.sources)) == (
        4,
        None,
        {"length": "device"},
    )
    device.session.state = DeviceState(status=DeviceStatus.BUSY, queue_length=4, next_window=3600.0)
    ahead = (device.queue().expected_start - datetime.now(UTC)).total_seconds()
    assert 3590 < ahead <= 3600

    class Past:
        def waits(self, name):
            return [30.0, 90.0, 40.0]

    device.session.state = DeviceState(status=DeviceStatus.BUSY, queue_length=4)
    again = QDMIBackend(device.session, provider=Past()).queue()
    assert 38 < (again.expected_start - datetime.now(UTC)).total_seconds() <= 40
    assert again.sources["expected_start"] == "journal: median wait of the latest 3 jobs"


class Shelf(QDMIProvider):
    def __init__(self, **devices):
        super().__init__(environ={})
        self._devices = devices

    def _names(self):
        return list(self._devices)

    def get_backend(self, name=None, **options):
        return QDMIBackend(self._devices[name], name=name, provider=self)


def busy(length, price=None, status=DeviceStatus.BUSY, window=None):
    found = Dear()
    found.price = price
    found.state = DeviceState(status=status, queue_length=length, next_window=window)
    return found


def test_filters_and_the_least_busy():
    shelf = Shelf(
        unknown=busy(None),
        long=busy(9, Price(0, 0.001)),
        short=busy(2, Price(0.3, 0.01)),
        later=busy(0, window=600.0),
        off=busy(0, status=DeviceStatus.OFFLINE),
    )

    def names(**filters):
        return [each.name for each in shelf.backends(**filters)]

    assert shelf.least_busy().name == "short"
    assert shelf.least_busy(most_price=5).name == "long"
    assert shelf.least_busy(filters=lambda each: each.name != "short").name == "long"
    assert names(most_price=10.3) == ["long", "short"]
    assert names(gates=("cx", "sx")) == names()
    assert names(gates=("cx", "ecr")) == []
    assert names(state="offline") == names(operational=False) == ["off"]
    with pytest.raises(ConfigError, match="offline"):
        names(state="ofline")
    with pytest.raises(ConfigError, match="no device fits"):
        shelf.least_busy(min_num_qubits=6)
    assert np.isclose(shelf.least_busy(simulator=False).spec.price.per_task, 0.3)


@pytest.mark.parametrize("variable", ["QRMI_JOB_QPU_RESOURCES", "SLURM_JOB_QPU_RESOURCES"])
def test_a_job_sees_the_devices_that_it_was_granted(tmp_path, variable):
    file = tmp_path / "config.toml"
    file.write_text(
        '[backends.left]\ndevice = "replay:grid20"\n[backends.right]\ndevice = "replay:star6"\n'
    )
    home = {"HOME": str(tmp_path), "QDMI_CONFIG": str(file)}
    assert [each.name for each in QDMIProvider(environ=home).backends()] == ["left", "right", "aer"]
    environ = {**home, variable: "right, other"}
    assert [each.name for each in QDMIProvider(environ=environ).backends()] == ["right"]
    environ = {**home, variable: ""}
    assert QDMIProvider(environ=environ).backends() == []


def test_on_drift_keeps_what_was_compiled_where_nothing_drifted(device):
    device.recompile = "on_drift"
    isa, compiled = prepared(device), device.compiled
    for _ in range(2):
        SamplerV2(device).run([(isa, [0.1])], shots=10).result()
    assert device.compiled is compiled
    assert device.pass_manager(1) is device.pass_manager(1)
