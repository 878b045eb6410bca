"""What mitigation does to values: right without noise, better with it, and paid as it says."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BackendEstimatorV2, StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.dispatch import DispatchEstimator
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.mitigation import DD, DEFAULT, ZNE, MitigatedEstimator, PostSelect, Readout, Twirl
from tests.mitigation.coherent import Coherent, grid20
from tests.mitigation.devices import backend, counted, every, sweep
from tests.mitigation.molecules import isa, optimum

READOUT = ((0.02, 0.07), (0.05, 0.01), (0.03, 0.06))
FAST = {"shot_allocation": "coefficients"}


def exact_of(pub):
    return StatevectorEstimator().run([pub], precision=0).result()[0].data.evs


@pytest.mark.parametrize(
    "stages", [["twirl"], ["readout"], [Readout("inversion")], ["zne"], DEFAULT], ids=str
)
def test_without_noise_nothing_gets_worse_than_stated(stages):
    circuit, points = sweep()
    pub = (circuit, [["ZZI"], ["XYZ"], ["IZX"]], points[:6])
    inner = EstimatorV2(QDMIProvider().get_backend("aer", num_qubits=3), seed=1, **FAST)
    data = MitigatedEstimator(inner, stages, seed=1).run([pub], precision=0.03).result()[0].data
    z = (data.evs - exact_of(pub)) / data.stds
    assert np.abs(z).max() < 4.2
    assert np.sqrt((z**2).mean()) < 1.3


@pytest.mark.parametrize("method", ["trex", "inversion"])
def test_readout_errors_go_away_and_the_error_is_stated(method):
    device = backend(readout=READOUT)
    circuit, points = sweep()
    line = device.pass_manager(1, seed_transpiler=1, initial_layout=[0, 1, 2]).run(circuit)
    labels = every(3)[1::4]
    wide = [["I" + label] for label in labels]
    exact = exact_of((circuit, [[label] for label in labels], points[:2]))
    inner = EstimatorV2(device, seed=3, **FAST)
    raw = inner.run([(line, wide, points[:2])], precision=0.01).result()[0].data
    assert np.abs((raw.evs - exact) / raw.stds).max() > 8
    job = MitigatedEstimator(inner, [Readout(method)], seed=3).run(
        [(line, wide, points[:2])], precision=0.01
    )
    data = job.result()[0].data
    z = (data.evs - exact) / data.stds
    assert np.sqrt((z**2).mean()) < 1.15
    assert np.abs(z).max() < 4.5
    assert np.abs(data.evs - exact).mean() < np.abs(raw.evs - exact).mean() / 2
    told = job.result()[0].metadata["mitigation"]["readout"]
    assert told["calibration"] == "one"


def test_readout_refuses_terms_that_are_read_off_other_qubits():
    """XX and ZZ together are read off one qubit each: the factor of the other is not theirs."""
    device = backend(readout=READOUT)
    circuit = QuantumCircuit(4)
    circuit.r(0.8, 0.1, 0)
    circuit.cz(0, 1)
    pub = (circuit, SparsePauliOp(["IIXX", "IIZZ"]))
    joint = EstimatorV2(device, seed=1, grouping="commuting", **FAST)
    for inner in (joint, MitigatedEstimator(joint, ["twirl"]), DispatchEstimator([joint])):
        with pytest.raises(UnsupportedError, match="grouping='qubit_wise'"):
            MitigatedEstimator(inner, ["readout"], seed=1).run([pub], precision=0.1)
    assert MitigatedEstimator(joint, ["zne"], seed=1).run([pub], precision=0.1).result()
    joint.options.grouping = "qubit_wise"
    assert MitigatedEstimator(joint, ["readout"], seed=1).run([pub], precision=0.1).result()


def test_calibration_is_kept_until_the_device_has_another():
    device = counted(readout=READOUT)
    circuit = QuantumCircuit(4)
    circuit.r(0.8, 0.1, 0)
    kept = MitigatedEstimator(EstimatorV2(device, seed=1, **FAST), ["readout"], seed=1)
    costs = []
    for observable in ("IIIZ", "IIIZ", "IIZZ", "IIIZ"):
        if len(costs) == 3:
            device.session.calibration = "two"
            device.refresh()
        result = kept.run([(circuit, observable)], precision=0.05).result()
        costs.append(result.metadata["calibration_circuits"])
    assert costs == [8, 0, 8, 8]


@pytest.mark.parametrize("method", ["trex", "inversion"])
def test_cost_is_what_was_sent(method):
    device = counted(readout=READOUT)
    circuit = QuantumCircuit(4)
    circuit.r(0.8, 0.1, 0)
    circuit.cz(0, 1)
    stages = [ZNE((1, 3)), Twirl(3), Readout(method, randomizations=4)]
    mitigated = MitigatedEstimator(EstimatorV2(device, seed=1), stages, seed=1)
    result = mitigated.run([(circuit, "IIZZ"), (circuit, "IIXI")], precision=0.05).result()
    spent = sum(pub.metadata["shots"] for pub in result)
    assert device.session.shots == spent + result.metadata["calibration_shots"]
    assert [pub.metadata["circuits"] for pub in result] == [6, 6]
    assert result.metadata["calibration_circuits"] == (4 if method == "trex" else 2)
    assert len(result.metadata["device_jobs"]) >= 2


def test_each_pub_has_its_own_mitigation():
    device = backend(readout=READOUT, fidelity=0.98)
    circuit = QuantumCircuit(4)
    circuit.r(0.8, 0.1, 0)
    circuit.cz(0, 1)
    mitigated = MitigatedEstimator(EstimatorV2(device, seed=1, **FAST), seed=1)
    chosen = [None, ["readout"], [ZNE((1, 3)), "dd"], "twirl"]
    result = mitigated.run([(circuit, "IIIZ")] * 4, precision=0.02, mitigation=chosen).result()
    told = [pub.metadata["mitigation"]["stages"] for pub in result]
    assert told == [[], ["readout"], ["zne", "dd"], ["twirl"]]
    assert set(result[2].metadata["mitigation"]) >= {"zne", "dd"}
    with pytest.raises(ConfigError, match="each of 1 pubs"):
        mitigated.run([(circuit, "IIIZ")], mitigation=["zne", "dd"])


def test_other_peoples_estimators_are_fine_inside():
    circuit = QuantumCircuit(2)
    circuit.ry(0.6, 0)
    circuit.cx(0, 1)
    pub = (circuit, [["ZZ"], ["IZ"]])
    job = MitigatedEstimator(StatevectorEstimator(), ["zne", "twirl"], seed=1).run(
        [pub], precision=0
    )
    np.testing.assert_allclose(job.result()[0].data.evs, exact_of(pub), atol=1e-9)
    aer = BackendEstimatorV2(backend=AerSimulator(seed_simulator=4))
    data = MitigatedEstimator(aer, DEFAULT, seed=1).run([pub], precision=0.02).result()[0].data
    assert (np.abs(data.evs - exact_of(pub)) < 4.5 * data.stds).all()


def test_groups_and_mitigation_compose():
    circuit = QuantumCircuit(2)
    circuit.ry(0.6, 0)
    circuit.cx(0, 1)
    group = DispatchEstimator(["aer", "aer"], seed=1)
    data = MitigatedEstimator(group, ["twirl"], seed=1).run([(circuit, "IZ")], precision=0.02)
    found = data.result()[0].data
    assert abs(found.evs - np.cos(0.6)) < 4.5 * found.stds


def test_jobs_fail_and_cancel_like_any_other():
    from tests.dispatch.faulty import faulty

    circuit = QuantumCircuit(1)
    dead = MitigatedEstimator(EstimatorV2(faulty("dead", failing=range(9))), ["zne"])
    job = dead.run([(circuit, "Z")])
    with pytest.raises(JobFailedError, match="fridge"):
        job.result(300)
    assert job.status().name == "ERROR"
    slow = MitigatedEstimator(EstimatorV2(faulty("slow", open_gate=False)), ["zne"])
    job = slow.run([(circuit, "Z")])
    with pytest.raises(TimeoutError):
        job.result(0.1)
    job.cancel()
    with pytest.raises(JobFailedError):
        job.result(300)
    assert job.cancelled()


def energies(name, device, stages, seeds, precision=0.01):
    """Return errors of the energy and their stated errors, hartree, for each seed."""
    pub, exact = isa(name, device), optimum(name).energy
    found = []
    for seed in seeds:
        inner = EstimatorV2(device, seed=seed, **FAST)
        whole = inner if stages is None else MitigatedEstimator(inner, stages, seed=seed)
        data = whole.run([pub], precision=precision).result()[0].data
        found.append((float(data.evs) - exact, float(data.stds)))
    return np.array(found).T


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seeds", "precision"),
    [("h2", (1, 2), 0.01), ("lih", (1,), 0.01), ("lih6", (1,), 0.05)],
)
def test_energies_of_molecules_get_better_by_a_factor_of_two(name, seeds, precision):
    """Mean absolute error over fixed seeds, on the noise of the recorded grid of 20 qubits."""
    device = QDMIProvider().get_backend("replay:grid20")
    raw, _ = energies(name, device, None, seeds, precision)
    mitigated, stated = energies(name, device, DEFAULT, seeds, precision)
    assert np.abs(raw).mean() > 0.05  # hartree: there is something to mitigate
    assert np.abs(mitigated).mean() < np.abs(raw).mean() / 2
    assert (np.abs(mitigated) < 2.5 * stated).all()  # the fit's and the model's errors are in it


@pytest.mark.slow
@pytest.mark.parametrize("name", ["h2", "lih"])
def test_every_stage_that_meets_its_noise_improves_energies(name):
    """Replays have decay, depolarizing and readout errors: nothing that twirl or dd acts on."""
    device = QDMIProvider().get_backend("replay:grid20")
    (raw,), _ = energies(name, device, None, [3], precision=0.004)
    symmetries = {"ZZZZ": 1, "IIZZ": -1}  # two electrons, one of them alpha
    for stage in (Readout(), Readout("inversion"), ZNE(), PostSelect(symmetries)):
        (found,), _ = energies(name, device, [stage], [3], precision=0.004)
        assert abs(found) < abs(raw) - 0.006, stage  # no chance: the precision of a difference


def test_what_is_the_same_in_every_state_costs_postselection_nothing():
    device = counted(readout=READOUT)
    circuit = QuantumCircuit(4)
    circuit.r(0.8, 0.1, 0)
    inner = EstimatorV2(device, seed=1, **FAST)
    selected = MitigatedEstimator(inner, [PostSelect({"ZIII": 1})])
    terms = [{"IIIZ": 1.0}, {"IIIZ": 1.0, "IIII": -7.5}]
    plain, moved = (
        selected.run(
            [(circuit, SparsePauliOp.from_list(list(each.items())))], precision=0.02
        ).result()[0]
        for each in terms
    )
    assert abs(moved.data.evs + 7.5 - plain.data.evs) < 5 * plain.data.stds
    assert moved.metadata["shots"] < 1.5 * plain.metadata["shots"]


@pytest.mark.slow
def test_twirl_improves_energies_where_gates_err_the_same_way_every_time():
    device = grid20(zz=0.1)
    (raw,), _ = energies("lih", device, None, [1])
    (twirled,), _ = energies("lih", device, ["twirl"], [1])
    assert abs(twirled) < 0.8 * abs(raw)


def test_dd_undoes_what_a_waiting_qubit_drifts():
    device = QDMIBackend(Coherent(backend().session, drift=5e5))
    circuit = QuantumCircuit(4)
    circuit.r(np.pi / 2, 0, 2)
    circuit.delay(2e-6, 2, "s")
    circuit.r(-np.pi / 2, 0, 2)
    inner = EstimatorV2(device, seed=5, **FAST)
    pub = (circuit, "IZII")
    raw = inner.run([pub], precision=0.02).result()[0].data.evs
    assert abs(raw - np.cos(1.0)) < 0.1
    for sequence in ("XX", "XY4"):
        found = MitigatedEstimator(inner, [DD(sequence)]).run([pub], precision=0.02).result()[0]
        assert found.data.evs > 0.97
        assert found.metadata["mitigation"]["dd"]["pulses"] >= 2


def test_dd_is_told_of():
    device = backend()
    circuit = QuantumCircuit(4)
    circuit.r(1.0, 0.2, 3)
    for _ in range(8):
        circuit.cz(0, 1)
    for _ in range(8):
        circuit.cz(1, 2)
    circuit.cz(2, 3)
    inner = EstimatorV2(device, seed=5, **FAST)
    found = MitigatedEstimator(inner, [DD("XX")]).run([(circuit, "ZIII")], precision=0.02).result()
    assert found[0].metadata["mitigation"]["dd"]["pulses"] >= 2
    assert abs(found[0].data.evs - np.cos(1.0)) < 4.5 * found[0].data.stds
