"""`QDMIBackend`, its jobs and the provider, against Aer's own where Aer has the same."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Clbit
from qiskit.providers import BackendV2, JobStatus, JobV1
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from qdmi_qiskit import QDMIProvider, SamplerV2, config
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, JobFailedError, RejectedError, UnsupportedError
from qdmi_qiskit.model import DeviceState, DeviceStatus
from qdmi_qiskit.model import JobStatus as QdmiStatus
from qdmi_qiskit.testing.poor import PoorJob, PoorSession

AER = QDMIProvider().get_backend("aer")
THEIRS = AerSimulator()


@pytest.fixture
def unconfigured(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("QDMI_BACKEND", "QDMI_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def slow(*, depth: int = 1500) -> QuantumCircuit:
    """Takes a second or so: measured in the middle, so that every shot is a run of its own."""
    circuit = QuantumCircuit(4, 4)
    for _ in range(depth):
        circuit.h(range(4))
        circuit.measure(0, 0)
    circuit.measure(range(4), range(4))
    return circuit


def several_registers(flip: int = 1) -> QuantumCircuit:
    """Asymmetric: c1 = (q2, q0), c0 = (-, q1, -), two bits never written."""
    circuit = QuantumCircuit(QuantumRegister(2, "left"), QuantumRegister(1, "right"), name="many")
    circuit.add_register(ClassicalRegister(2, "c1"), ClassicalRegister(3, "c0"))
    circuit.metadata = {"purpose": "layout"}
    circuit.x(2)
    circuit.rx(np.pi * flip, 1)
    circuit.measure([2, 0, 1], [0, 1, 3])
    return circuit


def overlapping_registers(flip: int = 1) -> QuantumCircuit:
    bits = [Clbit() for _ in range(3)]
    circuit = QuantumCircuit(QuantumRegister(2, "q"))
    circuit.add_bits(bits)
    circuit.add_register(ClassicalRegister(bits=bits[:2], name="a"))
    circuit.add_register(ClassicalRegister(bits=[bits[2], bits[0]], name="b"))
    circuit.rx(np.pi * flip, 0)
    circuit.x(1)
    circuit.measure([0, 1], [0, 2])
    return circuit


# Results ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("make", [several_registers, overlapping_registers])
def test_a_result_is_aers_own(make, flip):
    circuit = make(flip)
    ours = AER.run(circuit, shots=30, memory=True).result()
    theirs = THEIRS.run(circuit, shots=30, memory=True).result()
    assert ours.get_memory() == theirs.get_memory()
    assert ours.get_counts() == theirs.get_counts()
    assert ours.get_counts(circuit) == theirs.get_counts(circuit)
    assert ours.data() == theirs.data()
    assert ours.results[0].header == theirs.results[0].header
    assert ours.results[0].shots == theirs.results[0].shots == 30
    assert ours.results[0].meas_level == theirs.results[0].meas_level
    assert ours.success
    assert ours.backend_name == "aer"


def test_registers_are_parted_by_spaces_the_last_leftmost():
    circuit = several_registers(1)
    assert AER.run(circuit, shots=4).result().get_counts() == {"010 01": 4}
    circuit.h(1)
    circuit.measure(1, 3)
    counts = AER.run(circuit, shots=400, seed=1).result().get_counts()
    assert set(counts) == {"010 01", "000 01"}
    assert abs(counts["010 01"] - 200) < 50  # 5 sigma


def test_a_bit_of_no_register_keeps_its_number():
    circuit = several_registers(1)
    circuit.add_bits([Clbit()])
    circuit.measure(2, 5)
    ours = AER.run(circuit, shots=4).result()
    theirs = THEIRS.run(circuit, shots=4).result()
    assert ours.data()["counts"] == theirs.data()["counts"] == {"0x29": 4}
    assert ours.get_counts() == theirs.get_counts()


def test_without_memory_there_is_none():
    result = AER.run(several_registers(), shots=10).result()
    assert "memory" not in result.data()
    with pytest.raises(Exception, match="memory"):
        result.get_memory()


def test_circuits_of_one_run_come_back_in_order_and_by_name():
    circuits = []
    for ones in ([0], [1], [0, 1]):
        circuit = QuantumCircuit(2, 2, name=f"x{ones}")
        circuit.x(ones)
        circuit.measure([0, 1], [1, 0])
        circuits.append(circuit)
    result = AER.run(circuits, shots=9).result()
    assert [result.get_counts(k) for k in range(3)] == [{"10": 9}, {"01": 9}, {"11": 9}]
    assert result.get_counts("x[1]") == {"01": 9}
    assert result.get_counts() == [{"10": 9}, {"01": 9}, {"11": 9}]


def test_wide_registers_keep_every_bit():
    backend = QDMIProvider().get_backend("aer:stabilizer", num_qubits=70)
    circuit = QuantumCircuit(70, 70)
    circuit.x([0, 63, 64, 69])
    circuit.measure(range(70), range(70))
    word = sum(1 << k for k in (0, 63, 64, 69))
    result = backend.run(circuit, shots=3, memory=True).result()
    assert result.get_memory() == [f"{word:070b}"] * 3
    assert result.get_counts() == {f"{word:070b}": 3}


def test_the_same_seed_gives_the_same_shots_and_circuits_never_share_one():
    circuit = QuantumCircuit(4, 4)
    circuit.h(range(4))
    circuit.measure(range(4), range(4))
    run = [AER.run([circuit, circuit], shots=200, seed=9, memory=True).result() for _ in range(2)]
    assert run[0].get_memory(0) == run[1].get_memory(0)
    assert run[0].get_memory(0) != run[0].get_memory(1)
    synonym = AER.run([circuit, circuit], shots=200, seed_simulator=9, memory=True).result()
    assert synonym.get_memory(0) == run[0].get_memory(0)


# Options ----------------------------------------------------------------------------------------


def test_options_of_the_backend_are_the_defaults_of_run():
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    assert backend.options.shots == 1024
    backend.set_options(shots=17, memory=True)
    result = backend.run(QuantumCircuit(1, 1).compose(measured()), seed=1).result()
    assert len(result.get_memory()) == 17
    assert backend.run(measured(), shots=3).result().results[0].shots == 3
    with pytest.raises(AttributeError):
        backend.set_options(shot=3)


def measured() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


# The backend ------------------------------------------------------------------------------------


def test_a_backend_is_qiskits():
    assert isinstance(AER, BackendV2)
    assert AER.name == "aer"
    assert AER.max_circuits is None
    assert AER.provider is not None
    assert "aer" in repr(AER)


def test_target_is_built_once():
    assert AER.target is AER.target
    assert AER.spec is AER.spec


def test_transpile_takes_the_backend():
    backend = QDMIBackend(PoorSession())
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.measure_all()
    isa = transpile(circuit, backend, seed_transpiler=3)
    assert set(isa.count_ops()) <= {"rz", "sx", "x", "cx", "measure", "barrier"}
    counts = backend.run(isa, shots=400).result().get_counts()
    assert set(counts) == {"000", "001"}
    routed = generate_preset_pass_manager(2, backend=backend, seed_transpiler=3).run(circuit)
    assert backend.run(routed, shots=2).result().success


def test_refresh_takes_a_new_snapshot_and_says_whether_it_differs():
    class Calibrated(PoorSession):
        t1 = 50e-6

        def spec(self):
            spec = super().spec()
            return replace(spec, sites=(replace(spec.sites[0], t1=self.t1), *spec.sites[1:]))

    session = Calibrated()
    backend = QDMIBackend(session)
    before = backend.target
    assert not backend.refresh()
    session.t1 = 70e-6
    assert backend.qubit_properties(0).t1 == 50e-6
    assert backend.target.qubit_properties[0].t1 == 50e-6
    found = backend.refresh()
    assert found
    assert [(each.what, each.where, each.before, each.after) for each in found.changes] == [
        ("T1", ("P1",), 50e-6, 70e-6)
    ]
    assert not found.recalibrated
    assert backend.target is not before
    assert backend.qubit_properties(0).t1 == 70e-6
    assert [q.t2 for q in backend.qubit_properties([0, 1])] == pytest.approx([40e-6, 45e-6])
    assert backend.calibration.id == "poor-1"


# Jobs -------------------------------------------------------------------------------------------


def test_a_job_is_qiskits_and_goes_to_done():
    job = AER.run(measured(), shots=5)
    assert isinstance(job, JobV1)
    assert job.backend() is AER
    assert job.wait(300) is JobStatus.DONE
    assert job.status() is JobStatus.DONE
    assert job.done()
    assert job.in_final_state()
    assert job.qdmi_status() is QdmiStatus.DONE
    assert job.result() is job.result()
    assert job.cancel() is False  # final already
    assert len(job.device_job_ids) == 1
    with pytest.raises(UnsupportedError, match="call that again"):
        job.submit()


def test_a_wait_that_takes_too_long_leaves_the_job_running():
    job = AER.run(slow(), shots=1000)
    with pytest.raises(TimeoutError, match="still"):
        job.result(timeout=1e-3)
    assert job.status() is not JobStatus.ERROR
    assert job.cancel() is True


def test_a_canceled_job_says_so():
    job = AER.run(slow(), shots=1000)
    assert job.cancel() is True
    assert job.status() is JobStatus.CANCELLED
    assert job.cancelled()
    with pytest.raises(JobFailedError, match="canceled"):
        job.result()


def test_a_device_that_cannot_cancel_says_so():
    class Stuck(PoorSession):
        def submit(self, tasks, *, key):
            job = super().submit(tasks, key=key)
            job._states = iter([QdmiStatus.RUNNING] * 99)
            return job

    job = QDMIBackend(Stuck()).run(measured(), shots=2)
    with pytest.raises(UnsupportedError, match="cannot cancel job poor-1"):
        job.cancel()


def test_a_job_that_fails_carries_the_vendors_words():
    class Failing(PoorJob):
        def status(self):
            return QdmiStatus.FAILED

        def result(self):
            raise JobFailedError("the fridge is warm", job_id=self.id)

    class Warm(PoorSession):
        def submit(self, tasks, *, key):
            good = super().submit(tasks, key=key)
            return Failing(good.id, good._shots)

    job = QDMIBackend(Warm()).run(measured(), shots=2)
    assert job.wait() is JobStatus.ERROR
    with pytest.raises(JobFailedError, match="the fridge is warm") as caught:
        job.result()
    assert caught.value.job_id == "poor-1"


def test_jobs_run_from_several_threads():
    found = []

    def work(ones):
        circuit = QuantumCircuit(3, 3)
        circuit.x(ones)
        circuit.measure(range(3), range(3))
        found.append((ones, AER.run(circuit, shots=20).result().get_counts()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(0, {"001": 20}), (1, {"010": 20}), (2, {"100": 20})]


# The provider -----------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["off", "runs.sqlite"])
def test_a_job_is_found_by_its_id_while_somebody_holds_it(
    unconfigured, tmp_path, monkeypatch, journal
):
    monkeypatch.setenv("QDMI_JOURNAL", "off" if journal == "off" else str(tmp_path / journal))
    provider = QDMIProvider()
    job = provider.get_backend("aer").run(measured(), shots=2)
    sampled = SamplerV2(AER).run([measured()])
    assert provider.job(job.job_id()) is job
    assert provider.job(sampled.job_id()) is sampled
    key = job.job_id()
    job.result()
    del job
    gc.collect()
    with pytest.raises(ConfigError, match="keep the job object"):
        provider.job(key)


def test_nothing_said_opens_aer(unconfigured):
    assert QDMIProvider().get_backend().spec.name == "aer"


def test_backends_lists_profiles_and_what_needs_no_account(unconfigured, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(
        '[backends.small]\ndevice = "aer"\nnum_qubits = 3\n'
        '[backends.clifford]\ndevice = "aer:stabilizer"\nnum_qubits = 40\n'
    )
    provider = QDMIProvider(config=file)

    def names(**filters):
        return [backend.name for backend in provider.backends(**filters)]

    assert names() == ["clifford", "small", "aer"]
    assert names(name="small") == ["small"]
    assert names(min_num_qubits=35) == ["clifford"]
    assert names(simulator=False) == []
    assert names(simulator=True) == names()
    assert names(operational=True) == names()
    assert names(operational=False) == []
    assert names(filters=lambda backend: "t" in backend.target) != []
    assert names(filters=lambda backend: backend.num_qubits == 3) == ["small"]


def test_a_profile_that_cannot_be_opened_is_left_out_with_a_warning(unconfigured, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[backends.gone]\ndevice = "nowhere:x"\n')
    provider = QDMIProvider(config=file)
    with pytest.warns(UserWarning, match="'gone' left out: there is no device scheme 'nowhere'"):
        assert [backend.name for backend in provider.backends()] == ["aer"]
    with pytest.raises(ConfigError, match="nowhere"):
        provider.backends("gone")


def test_a_device_says_what_it_is_doing():
    class Resting(PoorSession):
        def status(self):
            return DeviceState(status=DeviceStatus.MAINTENANCE, next_window=3600.0)

    assert AER.device_status().status is DeviceStatus.IDLE
    state = QDMIBackend(Resting()).device_status()
    assert not state.status.operational
    assert state.next_window == 3600.0


def test_a_profile_is_one_line_from_another_device(unconfigured, tmp_path):
    file = tmp_path / "config.toml"
    counts = []
    for device in ("aer", "aer:density_matrix"):
        file.write_text(f'default = "lab"\n[backends.lab]\ndevice = "{device}"\n')
        backend = QDMIProvider(config=file).get_backend()
        assert backend.name == "lab"
        assert backend.spec.name == device
        isa = generate_preset_pass_manager(2, backend=backend).run(several_registers())
        counts.append(backend.run(isa, shots=500, seed=3).result().get_counts())
    assert counts[0].keys() == counts[1].keys()


def test_an_unbound_circuit_is_refused_before_anything_is_sent():
    sent = []

    class Counting(PoorSession):
        def submit(self, tasks, *, key):
            sent.append(key)
            return super().submit(tasks, key=key)

    backend = QDMIBackend(Counting())
    with pytest.raises(RejectedError):
        backend.run([measured(), QuantumCircuit(1, 1)])
    assert sent == []
    assert np.sum(list(backend.run(measured(), shots=250).result().get_counts().values())) == 250
    assert len(sent) == 3  # 250 shots in parts of at most 100
