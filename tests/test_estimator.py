"""`EstimatorV2`: shapes, operators, exact values, precision, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import MCPhaseGate, get_standard_gate_name_mapping
from qiskit.primitives import StatevectorEstimator
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import (
    DensityMatrix,
    Kraus,
    Operator,
    Pauli,
    SparseObservable,
    SparsePauliOp,
    Statevector,
)
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, JobFailedError, QdmiError, RejectedError
from qdmi_qiskit.model import Capabilities, DeviceSpec, Figures, Operation, Site
from qdmi_qiskit.primitives.observables import collect, grouped
from qdmi_qiskit.testing.heralding import HeraldingSession
from qdmi_qiskit.testing.poor import PoorSession
from tests.references import exact, line_device, random_state, random_sum

AER = QDMIProvider().get_backend("aer")


def estimated(pubs, *, backend=AER, precision=None, **options):
    return EstimatorV2(backend, **options).run(pubs, precision=precision).result()


def qiskits(pubs):
    return StatevectorEstimator().run(pubs, precision=0).result()


def turning():
    """Asymmetric in its qubits and its parameters."""
    a = ParameterVector("a", 3)
    circuit = QuantumCircuit(3)
    circuit.ry(a[0], 0)
    circuit.rx(a[1] * 0.7, 1)
    circuit.cx(0, 2)
    circuit.crz(a[2], 2, 1)
    circuit.sx(0)
    circuit.rz(0.3, 0)
    circuit.ry(0.4, 1)
    return circuit


# Broadcasting -----------------------------------------------------------------------------------

OPERATORS = [
    "XYZ",
    "ZII",
    {"IXI": 0.5, "YYI": -1.5, "III": 0.25},
    SparsePauliOp(["ZZZ", "XIX"], [2, 3]),
]


@pytest.mark.parametrize(
    ("observables", "points"),
    [
        ((), ()),
        ((), (5,)),
        ((4,), ()),
        ((4,), (4,)),
        ((4, 1), (3,)),
        ((1, 4), (2, 1)),
        ((2, 2), (2, 2)),
        ((2, 1, 2), (3, 1)),
    ],
)
@pytest.mark.parametrize("precision", [0, 0.02])
def test_shapes_broadcast_as_qiskits(observables, points, precision):
    rng = np.random.default_rng(1)
    size = int(np.prod(observables))
    table = np.empty(size, object)
    table[:] = [OPERATORS[k] for k in range(size)]
    table = OPERATORS[3] if observables == () else table.reshape(observables).tolist()
    values = rng.uniform(-3, 3, (*points, 3))
    pub = (turning(), table, values)
    (ours,), (theirs,) = estimated([pub], precision=precision, seed=6), qiskits([pub])
    assert ours.data.shape == theirs.data.shape
    assert ours.data.evs.shape == ours.data.stds.shape == theirs.data.evs.shape
    if precision == 0:
        np.testing.assert_allclose(ours.data.evs, theirs.data.evs, atol=1e-10)
        assert not ours.data.stds.any()
    else:
        assert (np.abs(ours.data.evs - theirs.data.evs) <= 5 * ours.data.stds).all()
        assert (ours.data.stds <= 1.1 * precision).all()


def test_results_are_in_the_order_of_the_pubs_exact_or_not():
    pubs = [
        (turning(), "IIZ", [0.3, 0.2, 0.1], 0),
        (turning(), ["XYZ", "ZZI"], [0.3, 0.2, 0.1], 0.05),
        (turning(), "IYI", [[0.3, 0.2, 0.1], [1, 2, 3]], 0),
        (turning(), "ZII", [0.5, 0.2, 0.1], 0.02),
    ]
    ours = estimated(pubs, seed=2)
    theirs = qiskits([pub[:3] for pub in pubs])
    for mine, yours, pub in zip(ours, theirs, pubs, strict=True):
        assert mine.metadata["target_precision"] == pub[3]
        error = np.abs(mine.data.evs - yours.data.evs)
        assert (error <= 5 * mine.data.stds + 1e-10).all()


# Operators --------------------------------------------------------------------------------------


def dense(label: str) -> np.ndarray:
    """The matrix of a product of Paulis and projectors, the last letter on qubit 0."""
    x, y, z, one = (Pauli(name).to_matrix() for name in "XYZI")
    letters = {"X": x, "Y": y, "Z": z, "I": one}
    for pair, pauli in {"01": z, "+-": x, "rl": y}.items():
        letters |= {pair[0]: (one + pauli) / 2, pair[1]: (one - pauli) / 2}
    matrix = np.eye(1)
    for letter in label:
        matrix = np.kron(matrix, letters[letter])
    return matrix


@pytest.mark.parametrize("precision", [0, 0.01])
def test_projectors_are_sums_of_paulis(precision):
    circuit = random_state(np.random.default_rng(8), 3, 0)
    labels = ["0++", "1-I", "rIl", "XlZ", "ZY1", "00r"]
    pub = (circuit, [SparseObservable.from_label(label) for label in labels])
    (ours,) = estimated([pub], precision=precision, seed=3)
    state = Statevector(circuit)
    wanted = [np.real(state.expectation_value(Operator(dense(label)))) for label in labels]
    tolerance = 1e-10 if precision == 0 else 5 * ours.data.stds
    assert (np.abs(ours.data.evs - wanted) <= tolerance).all()


def test_an_identity_is_never_sent():
    sent = []

    class Counting(PoorSession):
        def submit(self, tasks, *, key):
            sent.append(tasks)
            return super().submit(tasks, key=key)

    circuit = QuantumCircuit(2)
    circuit.x(0)
    (result,) = estimated([(circuit, {"II": 1.25})], backend=QDMIBackend(Counting()), precision=0.1)
    assert (result.data.evs, result.data.stds) == (1.25, 0)
    assert sent == []
    pub = (circuit, ["II", {"IZ": 2, "II": 3}])
    (result,) = estimated([pub], backend=QDMIBackend(Counting()), precision=0.5)
    np.testing.assert_allclose(result.data.evs, [1, 1], atol=0.6)
    assert result.data.stds[0] == 0
    assert sent


def test_terms_that_cancel_or_repeat_are_added():
    circuit = random_state(np.random.default_rng(2), 2, 0)
    operator = SparsePauliOp(["XZ", "XZ", "YY", "YY"], [1.0, 0.5, 2.0, -2.0])
    wanted = exact(circuit, operator, np.empty(0))
    (ours,) = estimated([(circuit, operator)], precision=0.01, seed=1)
    assert abs(ours.data.evs - wanted) <= 5 * ours.data.stds
    (ours,) = estimated([(circuit, operator)], precision=0)
    assert ours.data.evs == pytest.approx(wanted, abs=1e-10)


def test_commuting_terms_share_a_circuit_unless_told():
    circuit = random_state(np.random.default_rng(2), 3, 0)
    operator = SparsePauliOp(["ZZI", "IZZ", "ZIZ", "XXI", "IXX", "YIY"])
    table = collect(EstimatorPub.coerce((circuit, operator)).observables, 3)
    assert len(grouped(table)) == 3
    assert len(grouped(table, abelian=False)) == 6
    (apart,) = estimated([(circuit, operator)], seed=1, abelian_grouping=False)
    wanted = exact(circuit, operator, np.empty(0))
    assert abs(apart.data.evs - wanted) <= 5 * apart.data.stds


@pytest.mark.parametrize("precision", [0, 0.1])
def test_registers_wider_than_a_machine_word(precision):
    n = 70
    backend = QDMIProvider().get_backend("aer:stabilizer", num_qubits=n)
    circuit = QuantumCircuit(n)
    circuit.x([0, 63, 69])
    circuit.h(5)
    ones = {0, 63, 69}

    def label(*places):
        return "".join("Z" if n - 1 - k in places else "I" for k in range(n))

    groups = [(0,), (1,), (63, 64), (69, 0), (0, 63, 69), tuple(k for k in range(n) if k != 5)]
    labels = [label(*places) for places in groups] + ["I" * (n - 6) + "X" + "I" * 5]
    wanted = [(-1.0) ** len(ones.intersection(places)) for places in groups] + [1.0]
    (ours,) = estimated([(circuit, labels)], backend=backend, precision=precision, seed=1)
    np.testing.assert_allclose(ours.data.evs, wanted, atol=1e-10)


# Exact values -----------------------------------------------------------------------------------


def test_exact_values_are_the_statevectors():
    rng = np.random.default_rng(31)
    for k in range(12):
        n = int(rng.integers(2, 6))
        circuit = random_state(rng, n, 2)
        operator = random_sum(rng, n, 9)
        points = rng.uniform(-np.pi, np.pi, (4, 2))
        isa = generate_preset_pass_manager(k % 4, backend=AER, seed_transpiler=k).run(circuit)
        pub = (isa, operator.apply_layout(isa.layout), points)
        (ours,) = estimated([pub], precision=0)
        wanted = [exact(circuit, operator, point) for point in points]
        np.testing.assert_allclose(ours.data.evs, wanted, atol=1e-10)
        assert ours.metadata["shots"] == 0


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
def test_every_method_that_computes_values_agrees(method):
    backend = QDMIProvider().get_backend(f"aer:{method}", num_qubits=3)
    gates = ["rx", "ry", "rz", "sx", "cx"]
    circuit = transpile(turning(), basis_gates=gates, optimization_level=0)
    pub = (circuit, [["XYZ"], ["IZY"]], np.random.default_rng(2).uniform(-3, 3, (3, 3)))
    (ours,), (theirs,) = estimated([pub], backend=backend, precision=0), qiskits([pub])
    np.testing.assert_allclose(ours.data.evs, theirs.data.evs, atol=1e-9)


def noisy_spec(**changes) -> DeviceSpec:
    """Two qubits with lives and errors; nothing wrong with the readout."""
    one = {(0,): Figures(50e-9, 0.998), (1,): Figures(60e-9, 0.995)}
    spec = DeviceSpec(
        name="lossy",
        version="1",
        sites=(Site(0, t1=20e-6, t2=15e-6), Site(1, t1=12e-6, t2=20e-6)),
        operations=(
            Operation("rz", 1, ("a",)),
            Operation("sx", 1, (), one),
            Operation("cz", 2, (), {(0, 1): Figures(300e-9, 0.96), (1, 0): Figures(300e-9, 0.96)}),
            Operation("measure", 1, (), {(0,): Figures(), (1,): Figures()}),
            Operation("reset", 1, (), {(0,): Figures(), (1,): Figures()}),
        ),
        capabilities=Capabilities(formats=("qiskit",)),
    )
    return replace(spec, **changes)


def relaxed(rho: DensityMatrix, qubit: int, site: Site, time: float) -> DensityMatrix:
    """Amplitude damping, then pure dephasing. Source: Nielsen and Chuang, section 8.3."""
    gamma = 1 - np.exp(-time / site.t1)
    pure = np.exp(-time * (1 / site.t2 - 1 / (2 * site.t1)))
    decay = [np.array([[1, 0], [0, np.sqrt(1 - gamma)]]), np.array([[0, np.sqrt(gamma)], [0, 0]])]
    flip = (1 - pure) / 2
    dephase = [np.sqrt(1 - flip) * np.eye(2), np.sqrt(flip) * np.diag([1, -1])]
    return rho.evolve(Kraus(decay), [qubit]).evolve(Kraus(dephase), [qubit])


def relaxation_fidelity(sites, time: float) -> float:
    """Average gate fidelity of relaxation alone, from the traces of its Pauli transfer matrices."""
    trace = 1.0
    for site in sites:
        trace *= 1 + 2 * np.exp(-time / site.t2) + np.exp(-time / site.t1)
    dim = 2 ** len(sites)
    return (trace / dim**2 * dim + 1) / (dim + 1)


def after(rho: DensityMatrix, qubits, sites, figures: Figures) -> DensityMatrix:
    """Relaxation for the gate's duration, and depolarising down to the gate's fidelity.

    A qubit whose T2 exceeds its T1 relaxes after that, the others before.
    """
    pairs = list(zip(qubits, sites, strict=True))
    for qubit, site in pairs:
        if site.t2 <= site.t1:
            rho = relaxed(rho, qubit, site, figures.duration)
    dim = 2 ** len(qubits)
    alone = relaxation_fidelity(sites, figures.duration)
    mix = (alone - figures.fidelity) / (alone - 1 / dim)
    assert 0 < mix < 1
    mixed = rho.evolve(Kraus(_depolarised(dim)), qubits)
    rho = DensityMatrix((1 - mix) * rho.data + mix * mixed.data)
    for qubit, site in pairs:
        if site.t2 > site.t1:
            rho = relaxed(rho, qubit, site, figures.duration)
    return rho


def _depolarised(dim: int):
    """The channel to the maximally mixed state."""
    found = []
    for k in range(dim):
        for m in range(dim):
            matrix = np.zeros((dim, dim))
            matrix[k, m] = 1 / np.sqrt(dim)
            found.append(matrix)
    return found


def noisy_reference(circuit: QuantumCircuit, spec: DeviceSpec) -> DensityMatrix:
    rho = DensityMatrix.from_int(0, 2**circuit.num_qubits)
    figures = {op.name: op.sites or {} for op in spec.operations}
    for item in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in item.qubits]
        rho = rho.evolve(item.operation, qubits)
        known = figures[item.operation.name].get(tuple(qubits))
        if known is not None:
            rho = after(rho, qubits, [spec.sites[q] for q in qubits], known)
    return rho


def test_exact_values_under_noise_are_the_density_matrixs():
    spec = noisy_spec()
    backend = QDMIProvider().get_backend("aer", noise=spec)
    circuit = QuantumCircuit(2)
    for k in range(3):
        circuit.sx(0)
        circuit.rz(0.3 + k, 0)
        circuit.sx(1)
        circuit.cz(0, 1)
        circuit.rz(0.2 * k, 1)
        circuit.sx(1)
    labels = ["IX", "ZI", "YX", "ZZ", "XY", "IZ", "YI"]
    rho = noisy_reference(circuit, spec)
    wanted = [np.real(rho.expectation_value(SparsePauliOp(label))) for label in labels]
    ideal = [exact(circuit, SparsePauliOp(label), np.empty(0)) for label in labels]
    assert np.abs(np.array(wanted) - ideal).max() > 0.02  # the noise matters
    (ours,) = estimated([(circuit, labels)], backend=backend, precision=0)
    np.testing.assert_allclose(ours.data.evs, wanted, atol=1e-10)
    assert not ours.data.stds.any()
    (drawn,) = estimated([(circuit, labels)], backend=backend, precision=0.005, seed=4)
    assert (np.abs(drawn.data.evs - wanted) <= 5 * drawn.data.stds).all()


def test_exact_values_average_over_a_reset():
    circuit = QuantumCircuit(2)
    circuit.ry(1.1, 0)
    circuit.cx(0, 1)
    circuit.reset(0)
    (ours,) = estimated([(circuit, ["ZI", "IZ"])], precision=0)
    np.testing.assert_allclose(ours.data.evs, [np.cos(1.1), 1.0], atol=1e-10)


def test_exact_values_of_a_circuit_with_measurements_are_refused():
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.h(0)
    with pytest.raises(QdmiError, match=r"measure, which makes its final state random.*remove it"):
        estimated([(circuit, "IX")], precision=0)
    (ours,) = estimated([(circuit, ["IX", "IZ"])], precision=0.02, seed=1)
    np.testing.assert_allclose(ours.data.evs, [0, 0], atol=0.1)


def test_exact_values_are_refused_where_the_readout_errs():
    sites = (replace(noisy_spec().sites[0], prob_meas1_prep0=0.05), noisy_spec().sites[1])
    backend = QDMIProvider().get_backend("aer", noise=noisy_spec(sites=sites))
    with pytest.raises(QdmiError, match="ask for a precision > 0"):
        estimated([(QuantumCircuit(2), "IZ")], backend=backend, precision=0)
    (ours,) = estimated([(QuantumCircuit(2), "IZ")], backend=backend, precision=0.01, seed=3)
    assert abs(ours.data.evs - 0.9) <= 5 * ours.data.stds  # the readout is part of the device


def test_exact_values_are_refused_by_a_device_that_computes_none():
    with pytest.raises(QdmiError, match=r"poor does not compute.*precision > 0"):
        estimated([(QuantumCircuit(2), "ZZ")], backend=QDMIBackend(PoorSession()), precision=0)
    with pytest.raises(QdmiError, match="precision=0"):
        estimated([(QuantumCircuit(2), "ZZ")], backend=GenericBackendV2(2, seed=1), precision=0)


ANGLES = ("cp", "crx", "cry", "crz", "cu1", "cu3", "cu", "mcp", "mcphase")


@pytest.mark.parametrize("name", ANGLES)
def test_the_angle_of_a_controlled_gate_is_bound(name):
    """Aer by itself runs such gates with angle 0: its issues 2323, 2391 and 2403."""
    kinds = get_standard_gate_name_mapping()
    angles = ParameterVector("t", len(kinds[name].params) if name in kinds else 1)
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.u(0.3 + qubit, 0.4, 0.5, qubit)
    if name in kinds:
        circuit.append(type(kinds[name])(*angles), [2, 1])
    else:
        gate = MCPhaseGate(angles[0], 2)
        gate.name = name
        circuit.append(gate, [2, 1, 0])
    circuit.u(0.7, 0.1, 0.2, 1)
    labels = ["XYZ", "ZXI", "YZX", "IXY"]
    values = np.random.default_rng(3).uniform(-3, 3, (3, len(angles)))
    operators = [[SparsePauliOp(label)] for label in labels]
    pub = (circuit, operators, values)
    for precision in (0, 0.02):
        (ours,) = estimated([pub], precision=precision, seed=1)
        wanted = [[exact(circuit, op, v) for v in values] for (op,) in operators]
        tolerance = 1e-10 + 5 * ours.data.stds
        assert (np.abs(ours.data.evs - wanted) <= tolerance).all()


# Standard errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("allocation", ["variance", "coefficients", "uniform"])
def test_an_eigenstate_does_not_make_the_error_zero(allocation):
    """An outcome that never came is not impossible."""
    circuit = QuantumCircuit(1)
    circuit.x(0)
    (ours,) = estimated([(circuit, "Z")], precision=0.05, shot_allocation=allocation, seed=1)
    assert ours.data.evs == -1
    assert 0 < ours.data.stds <= 0.05


def test_the_covariance_within_a_group_counts():
    """For the state 00 + 11 the two terms always agree, or always cancel."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    pub = (circuit, [{"ZI": 1, "IZ": 1}, {"ZI": 1, "IZ": -1}])
    (ours,) = estimated([pub], precision=0.05, shot_allocation="coefficients", seed=1)
    shots = ours.metadata["shots"]
    assert ours.data.stds[0] == pytest.approx(2 / np.sqrt(shots), rel=0.05)
    assert ours.data.stds[1] < 0.1 * ours.data.stds[0]


def test_the_pilot_saves_shots_and_takes_a_job_of_its_own():
    jobs = []

    class Counting(HeraldingSession):
        def submit(self, tasks, *, key):
            jobs.append(key)
            return super().submit(tasks, key=key)

    backend = QDMIBackend(Counting())
    circuit = QuantumCircuit(3)
    for qubit in range(3):
        circuit.rz(0.4 + qubit, qubit)
        circuit.sx(qubit)
    labels = ["ZII", "IZI", "IIZ", "XXI", "IYX", "YIY", "XYZ", "ZXY"]
    pub = (circuit, SparsePauliOp(labels))
    spent = {}
    for allocation in ("coefficients", "variance"):
        jobs.clear()
        job = EstimatorV2(backend, shot_allocation=allocation, seed=2).run([pub], precision=0.03)
        (result,) = job.result()
        spent[allocation] = result.metadata["shots"]
        assert len(jobs) == len(job.device_job_ids) == (2 if allocation == "variance" else 1)
        assert (result.metadata.get("pilot_shots", 0) > 0) is (allocation == "variance")
        wanted = exact(circuit, pub[1], np.empty(0))
        assert abs(result.data.evs - wanted) <= 5 * result.data.stds
        # Every fifth shot is lost, which the pilot finds out.
        assert result.data.stds <= 1.05 * 0.03
        assert "precision_missed" not in result.metadata
    assert 0.8 * spent["variance"] < 0.7 * spent["coefficients"]


def test_discarded_shots_are_not_counted():
    backend = QDMIBackend(HeraldingSession())
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    pub = (circuit, ["IZ", "IX"], [[0.0]], 0.02)
    (ours,) = estimated([pub], backend=backend, shot_allocation="coefficients", seed=1)
    kept = 0.8 * 0.02**-2
    np.testing.assert_allclose(ours.data.stds, 1 / np.sqrt(kept), rtol=0.03)
    assert ours.metadata["precision_missed"] is True  # without a pilot nobody knew
    assert (np.abs(ours.data.evs) <= 5 * ours.data.stds).all()


def test_a_basis_that_lost_every_shot_is_an_error():
    class Lossy(HeraldingSession):
        def submit(self, tasks, *, key):
            job = super().submit(tasks, key=key)
            for shots in job._outcome:
                shots.valid[:] = 0
            return job

    with pytest.raises(JobFailedError, match="discarded all"):
        estimated([(QuantumCircuit(2), "ZZ")], backend=QDMIBackend(Lossy()), precision=0.2)


def test_a_seed_repeats_a_sequence_of_calls_but_no_call():
    found = []
    for _ in range(2):
        estimator = EstimatorV2(AER, seed=4)
        circuit = random_state(np.random.default_rng(1), 2, 0)
        runs = [estimator.run([(circuit, ["XZ", "ZI"])]).result()[0].data.evs for _ in range(3)]
        found.append(np.array(runs))
    np.testing.assert_array_equal(found[0], found[1])
    assert len({tuple(row) for row in found[0]}) == 3


def test_two_points_with_the_same_values_differ():
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.rz(Parameter("a"), 0)
    (ours,) = estimated([(circuit, "Z", [[0.1]] * 6)], seed=1)
    assert len(set(ours.data.evs.tolist())) > 1


# Devices ----------------------------------------------------------------------------------------


def test_the_basis_is_measured_in_the_devices_own_gates():
    """rz and sx only, on qubits that a layout has permuted."""
    backend = QDMIProvider().get_backend("aer", noise=line_device(4))
    circuit = random_state(np.random.default_rng(12), 4, 0)
    operators = [SparsePauliOp(label) for label in ("XYZI", "IYXZ", "YIIX", "IIIY", "XIII")]
    isa = generate_preset_pass_manager(2, backend=backend, seed_transpiler=4).run(circuit)
    pub = (isa, [operator.apply_layout(isa.layout) for operator in operators])
    (ours,) = estimated([pub], backend=backend, precision=0.01, seed=9)
    wanted = [exact(circuit, operator, np.empty(0)) for operator in operators]
    assert (np.abs(ours.data.evs - wanted) <= 5 * ours.data.stds).all()


def test_the_circuits_own_bits_do_not_disturb():
    circuit = QuantumCircuit(2, 11)
    circuit.x(0)
    circuit.measure(0, 9)
    circuit.reset(0)
    circuit.x(1)
    (ours,) = estimated([(circuit, ["ZI", "IZ", "ZZ"])], precision=0.1, seed=1)
    np.testing.assert_array_equal(ours.data.evs, [-1, 1, -1])


def test_a_refreshed_backend_is_used():
    class Changing(PoorSession):
        def spec(self):
            spec = super().spec()
            kept = tuple(op for op in spec.operations if op.name != getattr(self, "lost", None))
            return replace(spec, operations=kept)

    session = Changing()
    backend = QDMIBackend(session)
    estimator = EstimatorV2(backend)
    circuit = QuantumCircuit(1)
    circuit.x(0)
    assert estimator.run([(circuit, "Z")], precision=0.2).result()[0].data.evs == -1
    session.lost = "x"
    assert backend.refresh()
    with pytest.raises(RejectedError, match="uses x on qubit 0"):
        estimator.run([(circuit, "Z")], precision=0.2)
    circuit = QuantumCircuit(1)
    circuit.sx(0)
    circuit.sx(0)
    assert estimator.run([(circuit, "Z")], precision=0.2).result()[0].data.evs == -1


def test_any_backend_of_qiskits_works():
    circuit = random_state(np.random.default_rng(5), 2, 0)
    labels = ["XZ", "YI", "ZZ"]
    (ours,) = estimated([(circuit, labels)], backend=AerSimulator(), precision=0.02, seed=2)
    wanted = [exact(circuit, SparsePauliOp(label), np.empty(0)) for label in labels]
    assert (np.abs(ours.data.evs - wanted) <= 5 * ours.data.stds).all()


def test_the_default_precision_is_an_option():
    estimator = EstimatorV2(AER, default_precision=0.1)
    assert estimator.run([(QuantumCircuit(1), "X")]).result()[0].metadata["target_precision"] == 0.1
    estimator.options.default_precision = 0
    assert estimator.run([(QuantumCircuit(1), "X")]).result()[0].data.stds == 0
    with pytest.raises(ConfigError):
        EstimatorV2(AER, default_precision=-1)
