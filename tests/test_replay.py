"""Recorded devices as devices: the same Target, noise by the figures, limits, wrong files."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import average_gate_fidelity
from scipy.stats import chi2

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2, recordings, spec_json
from qdmi_qiskit.devices.aer import driver as aer
from qdmi_qiskit.devices.aer.noise import gate_error, operation_error
from qdmi_qiskit.devices.aer.recorded import RecordedDevice
from qdmi_qiskit.devices.replay import driver
from qdmi_qiskit.errors import ConfigError, ProtocolError, RejectedError
from qdmi_qiskit.model import Calibration, DeviceStatus, Figures, Operation, Program, Task
from qdmi_qiskit.recordings import synthetic
from qdmi_qiskit.target import target_from
from qdmi_qiskit.testing import CHECKS, Harness, check_device, poor
from tests.branches import distribution
from tests.twins import assert_a_twin, recorded, said

SHOTS = 20_000


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", recordings.NAMES)
def test_a_packaged_device_keeps_the_contract(name, check):
    CHECKS[check](HARNESSES[name])


HARNESSES = {name: Harness(partial(driver.open, name), tolerance=0.25) for name in recordings.NAMES}


@pytest.mark.parametrize("kind", ["aer", "aer:stabilizer", "poor"])
def test_a_recording_of_a_simulator_keeps_the_contract(kind, tmp_path):
    sessions = {
        "aer": partial(aer.open, "", num_qubits=5),
        "aer:stabilizer": partial(aer.open, "stabilizer", num_qubits=5),
        "poor": partial(poor.driver.open, ""),
    }
    session = sessions[kind]()
    file = recorded(session, tmp_path)
    assert_a_twin(session, session.gates, file)
    tolerance = 0.15 if kind == "poor" else 0.0
    report = check_device(Harness(lambda: driver.open(str(file)), tolerance=tolerance))
    assert report.passed, str(report)


@pytest.mark.parametrize("name", recordings.NAMES)
def test_the_target_is_the_recorded_one(name):
    backend = QDMIProvider().get_backend(f"replay:{name}")
    spec = recordings.load(name)
    assert said(backend.target) == said(target_from(spec))
    assert [site.name for site in backend.spec.sites] == [site.name for site in spec.sites]
    assert (
        backend.calibration
        == spec.calibration
        == Calibration(f"{name}-2026-11-20", synthetic._TAKEN)
    )
    state = backend.device_status()
    assert state.status is DeviceStatus.IDLE
    assert f"a replay of calibration {name}-2026-11-20" in state.message


@pytest.mark.parametrize("name", recordings.NAMES)
def test_packaged_files_come_from_their_generator(name):
    assert spec_json.dumps(synthetic.RECORDINGS[name]()) == spec_json.dumps(recordings.load(name))
    assert set(synthetic.RECORDINGS) == set(recordings.NAMES) == set(driver.names())


def test_packaged_shapes():
    grid, star, lattice = (recordings.load(name) for name in ("grid20", "star6", "lattice107"))
    pairs = {
        spec.name: next(op.sites for op in spec.operations if op.name == "cz")
        for spec in (grid, star, lattice)
    }
    assert len(grid.sites) == 20
    assert len(pairs["grid20"]) == 2 * (4 * 4 + 3 * 5 - 1)
    assert (6, 7) not in pairs["grid20"]
    assert len(lattice.sites) == 107
    assert [site.name for site in lattice.sites][7:9] == ["7", "9"]
    assert len(pairs["lattice107"]) == 2 * (9 * 11 + 8 * 12 - 3)
    assert (7, 8) not in pairs["lattice107"]
    assert len(pairs["star6"]) == 30  # Q6 has no MOVE, but each of the others has
    assert {each.duration for each in pairs["star6"].values()} == {290e-9}


@pytest.mark.parametrize("name", recordings.NAMES)
def test_the_error_of_every_gate_is_the_recorded_one(name):
    """Exactly, by the average gate fidelity of the channel that Aer gets."""
    spec = recordings.load(name)
    relaxing = 0
    for operation in spec.operations:
        if operation.name in ("measure", "delay", "reset"):
            continue
        for place, figures in list((operation.sites or {}).items())[:25]:
            sites = [spec.sites[site] for site in place]
            error = operation_error(operation.name, figures, sites)
            got = 1.0 if error is None else average_gate_fidelity(error)
            assert got == pytest.approx(figures.fidelity, abs=1e-12), (operation.name, place)
            alone = gate_error(Figures(figures.duration), sites)
            relaxing += alone is not None and average_gate_fidelity(alone) < 1 - 1e-4
    assert relaxing > 10  # lifetimes matter, and are not charged on top


def ghz(num_qubits):
    """A chain from qubit 0, every bit elsewhere than its qubit, one qubit turned out of order."""
    circuit = QuantumCircuit(num_qubits, num_qubits)
    circuit.h(0)
    for qubit in range(1, num_qubits - 1):
        circuit.cx(qubit - 1, qubit)
    circuit.x(num_qubits - 1)
    circuit.ry(0.7, 1)
    order = np.random.default_rng(3).permutation(num_qubits).tolist()
    circuit.measure(range(num_qubits), order)
    return circuit


def unlikely(counts, chances, shots):
    """Return the probability of a chi-square as large; outcomes expected under 5 times pooled."""
    rare, statistic, cells = [0.0, 0.0], 0.0, 0
    for outcome, chance in chances.items():
        seen, wanted = counts.get(outcome, 0), chance * shots
        if wanted < 5:
            rare[0] += seen
            rare[1] += wanted
        else:
            statistic += (seen - wanted) ** 2 / wanted
            cells += 1
    strange = sum(number for outcome, number in counts.items() if outcome not in chances)
    rare[0] += strange
    if rare[1] > 0:
        statistic += (rare[0] - rare[1]) ** 2 / max(rare[1], 1.0)
        cells += 1
    elif strange:
        return 0.0
    return chi2.sf(statistic, cells - 1)


@pytest.mark.parametrize("name", recordings.NAMES)
def test_without_noise_every_bit_is_right(name):
    """Chi-square at 5e-7, seeded: the figures taken away, the lattice of 107 stays."""
    spec = recordings.load(name)
    sites = tuple(
        replace(site, t1=None, t2=None, prob_meas1_prep0=None, prob_meas0_prep1=None)
        for site in spec.sites
    )
    operations = tuple(
        replace(op, sites=op.sites and dict.fromkeys(op.sites, Figures())) for op in spec.operations
    )
    ideal = replace(spec, sites=sites, operations=operations)
    backend = QDMIProvider().get_backend("aer", noise=ideal)
    circuit = ghz(5)
    assert backend.spec.capabilities.bases  # the fast road
    for seed in (1, 2):
        isa = backend.pass_manager(2, seed_transpiler=seed).run(circuit)
        counts = backend.run(isa, shots=SHOTS, seed=seed).result().get_counts()
        seen = {int(word, 2): number for word, number in counts.items()}
        assert unlikely(seen, distribution(circuit), SHOTS) > 5e-7


PLACES = {"grid20": [7, 12, 11, 8], "star6": [4, 1, 0, 3], "lattice107": [48, 49, 61, 60]}
"""Next to each other; on the lattice Aer fails to diagonalise the error of the first pair."""


def test_places_have_qubits_of_both_kinds():
    for name, places in PLACES.items():
        sites = [recordings.load(name).sites[place] for place in places]
        assert {site.t2 > site.t1 for site in sites} == {True, False}, name


def exact_with_noise(spec, isa):
    """The distribution by density matrices in numpy, from the channels of the figures."""
    active = sorted({isa.find_bit(q).index for item in isa.data for q in item.qubits})
    index = {site: k for k, site in enumerate(active)}
    tables = {op.name: op.sites for op in spec.operations}
    from qiskit.quantum_info import DensityMatrix, SuperOp

    state = DensityMatrix.from_label("0" * len(active))
    reads = {}
    for item in isa.data:
        place = tuple(isa.find_bit(q).index for q in item.qubits)
        if item.name == "barrier":
            continue
        if item.name == "measure":
            reads[isa.find_bit(item.clbits[0]).index] = place[0]
            continue
        qubits = [index[site] for site in place]
        state = state.evolve(item.operation, qubits)
        figures = tables[item.name][place]
        error = gate_error(figures, [spec.sites[site] for site in place])
        if error is not None:
            state = state.evolve(SuperOp(error), qubits)
    chances = state.probabilities([index[reads[bit]] for bit in sorted(reads)])
    for k, bit in enumerate(sorted(reads)):
        site = spec.sites[reads[bit]]
        p10, p01 = site.prob_meas1_prep0, site.prob_meas0_prep1
        cube = chances.reshape(-1, 2, 2**k)
        zero = cube[:, 0] * (1 - p10) + cube[:, 1] * p01
        one = cube[:, 1] * (1 - p01) + cube[:, 0] * p10
        chances = np.stack([zero, one], axis=1).reshape(-1)
    return dict(enumerate(chances.tolist()))


@pytest.mark.parametrize("method", ["automatic", "statevector", "matrix_product_state"])
@pytest.mark.parametrize("name", recordings.NAMES)
def test_with_noise_the_distribution_is_the_exact_one(name, method):
    """Chi-square at 5e-7, seeded; the ideal distribution is refuted by the same shots.

    The automatic method takes density matrices here, the others follow random trajectories.
    """
    backend = QDMIProvider().get_backend(f"replay:{name}", method=method)
    spec = recordings.load(name)
    circuit = ghz(4)
    layout = PLACES[name]
    isa = backend.pass_manager(2, seed_transpiler=5, initial_layout=layout).run(circuit)
    chances = exact_with_noise(spec, isa)
    assert sum(chances.values()) == pytest.approx(1)
    shots = SHOTS if method == "automatic" else 4000
    data = SamplerV2(backend, seed=4).run([isa], shots=shots).result()[0].data.c
    counts = data.get_int_counts()
    assert unlikely(counts, chances, shots) > 5e-7
    ideal = {word: chance + 1e-9 for word, chance in distribution(circuit).items()}
    assert unlikely(counts, ideal, shots) < 1e-30


def test_a_sweep_on_the_large_lattice_has_the_right_points_and_bits():
    backend = QDMIProvider().get_backend("replay:lattice107")
    theta = Parameter("theta")
    circuit = QuantumCircuit(3, 3)
    circuit.rx(theta, 0)
    circuit.x(2)
    circuit.measure([0, 1, 2], [2, 0, 1])
    isa = backend.pass_manager(1, initial_layout=[105, 40, 8]).run(circuit)
    values = np.array([0.0, np.pi / 2, np.pi])
    data = SamplerV2(backend, seed=9).run([(isa, values)], shots=4000).result()[0].data.c
    rates = [[data[k].slice_bits(bit).bitcount().mean() for bit in range(3)] for k in range(3)]
    np.testing.assert_allclose(rates, [[0, 1, 0], [0, 1, 0.5], [0, 1, 1]], atol=0.06)


def test_aer_is_given_the_noise_of_the_gates_in_use_and_simulates_their_qubits():
    """All of a lattice would cost seconds a run, and 107 qubits fit into no memory."""
    device = RecordedDevice(recordings.load("lattice107"), ["sx", "x", "rz", "cz"])
    circuit = QuantumCircuit(107, 2)
    circuit.x(105)
    circuit.cz(105, 106)
    circuit.measure([106, 105], [0, 1])
    errors = device.noise([circuit]).to_dict()["errors"]
    told = sorted((each["operations"][0], *each["gate_qubits"][0]) for each in errors)
    assert told == [("cz", 105, 106), ("measure", 105), ("measure", 106), ("x", 105)]
    assert device.noise([circuit.copy()]) is device.noise([circuit])  # to build it takes long
    circuit.x(3)
    assert len(device.noise([circuit]).to_dict()["errors"]) == 5
    backend = QDMIProvider().get_backend("replay:lattice107")
    counts = backend.run(circuit, shots=500, seed=1).result().get_counts()
    assert counts["10"] > 440


def test_estimates_see_the_noise():
    backend = QDMIProvider().get_backend("replay:grid20")
    circuit = QuantumCircuit(2)
    circuit.x(1)
    isa = backend.pass_manager(1, initial_layout=[3, 11]).run(circuit)
    site = backend.spec.sites[11]
    from qiskit.quantum_info import SparsePauliOp

    wanted = SparsePauliOp("ZI").apply_layout(isa.layout)
    data = EstimatorV2(backend, seed=6).run([(isa, wanted)], precision=0.004).result()[0].data
    x_error = 1 - backend.target["r"][11,].error
    excited = 1 - (1 - x_error) * 1.5  # depolarising and relaxation, to first order
    ideal = excited * (1 - site.prob_meas0_prep1) + (1 - excited) * site.prob_meas1_prep0
    assert data.evs == pytest.approx(1 - 2 * ideal, abs=5 * 0.004)
    assert data.evs > -0.99


# Limits, copies, names, wrong files ------------------------------------------------------------


def test_limits_of_the_device_are_rehearsed():
    backend = QDMIProvider().get_backend("replay:lattice107")
    capabilities = backend.spec.capabilities
    limits = (capabilities.min_shots, capabilities.max_shots, capabilities.max_qubits)
    assert limits == (10, 20_000, 84)
    assert capabilities.sweeps
    assert capabilities.seeds
    assert capabilities.max_executables is None  # what fits into a job is not rehearsed
    circuit = QuantumCircuit(107, 1)
    circuit.x(range(85))
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="uses 85 qubits, lattice107 runs at most 84"):
        backend.run(circuit)
    few = QuantumCircuit(107, 1)
    few.measure(0, 0)
    with pytest.raises(ConfigError, match="10"):
        backend.run(few, shots=9)
    assert sum(backend.run(few, shots=20_001).result().get_counts().values()) == 20_001
    with pytest.raises(ProtocolError, match="10 to 20000 shots, the planner sent 9"):
        backend.session.submit([Task(Program("qiskit", few, 1), 9)], key="k")


def test_backends_and_sessions_copy():
    backend = QDMIProvider().get_backend("replay:star6")
    circuit = backend.pass_manager(1).run(ghz(3))
    wanted = backend.run(circuit, shots=300, seed=8).result().get_counts()
    for again in (pickle.loads(pickle.dumps(backend)), copy.deepcopy(backend)):  # noqa: S301
        assert again.spec == backend.spec
        assert said(again.target) == said(backend.target)
        assert again.run(circuit, shots=300, seed=8).result().get_counts() == wanted


def test_refresh_reads_the_file_again(tmp_path):
    spec = recordings.load("star6")
    file = tmp_path / "lab.json"
    file.write_text(spec_json.dumps(spec))
    backend = QDMIProvider().get_backend(f"replay:{file}")
    assert not backend.refresh()
    later = replace(spec, calibration=Calibration("later"), operations=spec.operations[:-1])
    file.write_text(spec_json.dumps(later))
    assert backend.refresh()
    assert backend.calibration == Calibration("later")
    assert "delay" not in backend.target.operation_names
    assert not backend.session.refresh()
    alone = pickle.loads(pickle.dumps(backend.session))  # noqa: S301
    assert alone.spec() == backend.spec


def test_profiles_environment_and_noise_take_a_recording_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text(
        '[backends.lab]\ndevice = "replay:star6"\nmethod = "density_matrix"\n'
        '[backends.noisy]\ndevice = "aer"\nnoise = "replay:star6"\n'
        '[backends.file]\ndevice = "replay:./mine.json"\n'
    )
    (tmp_path / "mine.json").write_text(spec_json.dumps(recordings.load("grid20")))
    (tmp_path / "grid20").write_text("not the packaged one")
    provider = QDMIProvider(config=config)
    assert provider.get_backend("lab").spec.name == "star6"
    assert provider.get_backend("noisy").spec.sites == recordings.load("star6").sites
    assert provider.get_backend("file").spec.name == "grid20"
    assert provider.get_backend("replay:grid20").num_qubits == 20
    monkeypatch.setenv("QDMI_LAB_DEVICE", "replay:lattice107")
    assert provider.get_backend("lab").num_qubits == 107
    monkeypatch.setenv("HOME", str(tmp_path))
    assert provider.get_backend("replay:~/mine.json").spec.name == "grid20"


def broken(change):
    document = json.loads(spec_json.dumps(recordings.load("star6")))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format="else"), "format: got 'else'"),
        (lambda d: d.pop("sites"), "sites: missing"),
        (lambda d: d["sites"][2].update(t1="long"), r"sites\[2\]\.t1: got 'long'"),
        (lambda d: d["operations"][2]["sites"][3].update(sites=[0, 9]), r"sites\[3\]\.sites"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(change, words, tmp_path):
    file = tmp_path / "wrong.json"
    file.write_text(broken(change))
    with pytest.raises(ConfigError, match=words) as error:
        QDMIProvider().get_backend(f"replay:{file}")
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("", {}, "wanted grid20, lattice107, star6 or the path of a file"),
        ("grid2", {}, "no packaged recording and no file 'grid2'; did you mean 'grid20'"),
        ("nowhere/at/all.json", {}, "nowhere/at/all.json: No such file"),
        ("grid20", {"noise": "x.json"}, "no option 'noise'"),
        ("grid20", {"num_qubits": 3}, "no option 'num_qubits'"),
        ("grid20", {"sead": 3}, "grid20 runs on Aer; aer: unknown option 'sead'"),
    ],
)
def test_what_cannot_be_opened_says_why(name, options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words.replace("?", ".")):
        driver.open(name, **options)


@pytest.mark.parametrize("value", [-0.1, 1.2])
def test_figures_that_are_no_fractions_are_refused_by_field(value, tmp_path):
    spec = recordings.load("star6")
    places = {(0,): Figures(fidelity=value)}
    wrong = replace(spec, operations=(Operation("x", 1, (), places), *spec.operations))
    with pytest.raises(ConfigError, match=r"operations\[0\]\.sites.*fidelity"):
        QDMIProvider().get_backend("aer", noise=wrong)
