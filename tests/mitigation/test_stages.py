"""Each stage by itself: same unitary, still ISA, layout kept; errors where it cannot be done."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Operator, SparsePauliOp
from qiskit.transpiler import Target

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.mitigation import (
    DD,
    ZNE,
    MitigatedEstimator,
    MitigatedSampler,
    PostSelect,
    Readout,
    Stage,
    Twirl,
    names,
    registry,
)
from qdmi_qiskit.mitigation.decoupling import padded
from qdmi_qiskit.mitigation.extrapolation import exponential, extrapolated, polynomial
from qdmi_qiskit.mitigation.folding import folded, singles_of
from qdmi_qiskit.mitigation.native import followed_by
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome
from qdmi_qiskit.mitigation.twirl import twirls
from tests.mitigation.devices import backend, counted, spec, sweep


def context(target):
    return Context(target, None, np.random.default_rng(1), None, {})


def isa_of(device, level=2):
    circuit, points = sweep()
    return device.pass_manager(level, seed_transpiler=4, initial_layout=[2, 1, 3]).run(
        circuit
    ), points


def same(one, other):
    values = dict(zip(one.parameters, (0.3, -1.1), strict=False))
    undone = [
        Operator.from_circuit(c.assign_parameters(values, strict=False)) for c in (one, other)
    ]
    return undone[0].equiv(undone[1])


def plain(circuit):
    """A copy without layout, so that operators compare qubit by qubit."""
    whole = circuit.copy()
    whole._layout = None
    bare = whole.copy_empty_like()
    for instruction in whole.data:
        if instruction.name != "delay":
            bare.append(instruction)
    return bare


def test_what_stages_make_is_the_same_unitary_and_isa():
    device = backend()
    isa, _ = isa_of(device)
    where = context(device.target)
    made = [
        *twirls(isa, 6, where),
        folded(isa, 2, device.target)[0],
        folded(isa, 3, device.target)[0],
        padded(isa, "XY4", device.target)[0],
        padded(isa, "XX", device.target)[0],
    ]
    assert len({str(each.count_ops()) for each in made}) > 3
    for each in made:
        device.isa.check(each)
        assert each.layout.final_index_layout() == isa.layout.final_index_layout()
        assert same(plain(isa), plain(each))
    flipped = followed_by(isa, {1: "Z", 3: "Y", 0: "X"}, where)
    device.isa.check(flipped)
    wanted = plain(isa)
    wanted.x(0)
    wanted.z(1)
    wanted.y(3)
    assert same(wanted, plain(flipped))


def test_circuits_are_made_once_and_bound_late():
    device = counted()
    isa, points = isa_of(device)
    kept = MitigatedEstimator(EstimatorV2(device), [Twirl(4)], seed=2)
    for some in (points[:2], points[2:5]):
        kept.run([(isa, "ZZII", some)], precision=0.1).result()
    table = kept._kept["twirls"]
    assert len(table) == 1
    # One program per twirled circuit, whatever the number of points: Aer sweeps natively.
    first, second = (
        [t.program.payload.count_ops() for t in device.session.tasks if t.points == n]
        for n in (2, 3)
    )
    assert first[:4] == second[:4]


def test_folding_reaches_what_it_says():
    device = backend()
    isa, _ = isa_of(device)
    before = isa.num_nonlocal_gates()
    for factor in (1, 1.5, 2, 3, 5):
        made, reached = folded(isa, factor, device.target)
        assert made.num_nonlocal_gates() == pytest.approx(reached * before)
        assert abs(reached - factor) <= 1 / before
    turned = QuantumCircuit(2)
    turned.rzz(0.3, 0, 1)
    assert same(turned, folded(turned, 3, None)[0])


def test_gates_of_one_qubit_are_folded_as_often():
    device = backend()
    isa, _ = isa_of(device)
    before = singles_of(isa)
    for factor in (1, 1.5, 3):
        made, _ = folded(isa, factor, device.target)
        assert abs(singles_of(made) / before - factor) <= 1 / before
        assert singles_of(folded(isa, factor, device.target, singles=False)[0]) == before
    # Twirling merges what was folded: it is folded again, and the Paulis are counted.
    where = context(device.target)
    item = Item(isa, ObservablesArray(["ZZII"]), BindingsArray(), 0.1)
    counts = []
    for child in ZNE((1, 2, 3)).prepare(item, where):
        copies = [each.circuit for each in Twirl(16).prepare(child, where)]
        for copy in copies:
            device.isa.check(copy)
            assert same(plain(isa), plain(copy))
        counts.append(np.mean([singles_of(copy) for copy in copies]))
    np.testing.assert_allclose(np.array(counts) / counts[0], [1, 2, 3], atol=0.25)


def test_what_has_no_inverse_of_its_own_is_turned_or_left():
    root = QuantumCircuit(2)
    root.sx(0)
    root.cz(0, 1)
    root.reset(1)
    root.sx(1)
    for gates, ops in ((["sx", "rz", "cz"], {"sx": 6, "rz": 4}), (["sx", "cz"], {"sx": 2})):
        target = Target.from_configuration([*gates, "reset", "delay"], 2)
        made, reached = folded(root, 3, target)
        assert reached == 3
        assert {name: made.count_ops().get(name) for name in ops} == ops
        assert made.count_ops()["reset"] == 1
    whole, bare = (each.copy_empty_like() for each in (root, root))
    for circuit, source in ((whole, folded(root, 3, None)[0]), (bare, root)):
        for instruction in source.data:
            if instruction.name != "reset":
                circuit.append(instruction)
    assert same(whole, bare)
    asked = QuantumCircuit(2, 1)
    asked.measure(0, 0)
    with asked.if_test((0, 1)):
        asked.cx(0, 1)
    with pytest.raises(UnsupportedError, match="no inverse of if_else"):
        folded(asked, 3, None)


def test_dd_adds_pulses_where_qubits_wait():
    device = backend()
    circuit = QuantumCircuit(4)
    circuit.r(1.0, 0.2, 3)
    for _ in range(8):
        circuit.cz(0, 1)
    for _ in range(8):
        circuit.cz(1, 2)
    circuit.cz(2, 3)
    made, added = padded(circuit, "XY4", device.target)
    assert added >= 4
    assert made.num_nonlocal_gates() == circuit.num_nonlocal_gates()


FACTORS = np.array([1.0, 2.0, 3.0])


def test_extrapolation_by_hand():
    evs = (0.9 - 0.2 * FACTORS)[:, None] * [1.0, -2.0]
    value, error = polynomial(FACTORS, evs, np.full_like(evs, 0.01), 1)
    np.testing.assert_allclose(value, [0.9, -1.8])
    np.testing.assert_allclose(error, 0.01 * np.sqrt(7 / 3))
    bent = evs + np.array([0.0, 0.1, 0.0])[:, None]
    assert (polynomial(FACTORS, bent, np.full_like(evs, 0.01), 1)[1] > 0.05).all()  # it is no line
    value, _ = polynomial(FACTORS, (1 - 0.1 * FACTORS**2)[:, None], np.full((3, 1), 0.01), 2)
    np.testing.assert_allclose(value, 1)
    decay = 0.8 * np.exp(-0.3 * FACTORS)[:, None] * [1.0, -1.0, 0.0]
    value, _, fits = exponential(FACTORS, decay, np.full_like(decay, 1e-4))
    np.testing.assert_allclose(value[:2], [0.8, -0.8], atol=1e-3)
    assert fits.tolist() == [True, True, False]


def test_the_error_of_a_model_is_what_other_curves_say():
    decay = 0.8 * np.exp(-0.3 * FACTORS)[:, None] * [1.0, -1.0, 0.0]
    stds = np.full_like(decay, 1e-4)
    line = polynomial(FACTORS, decay, stds, 1)[0]
    value, error, model, no_decay = extrapolated(FACTORS, decay, stds, "exponential")
    np.testing.assert_allclose(value, [0.8, -0.8, 0], atol=1e-3)
    np.testing.assert_allclose(model, [*abs(line - [0.8, -0.8, 0])[:2], 0], rtol=0.01)
    assert (error[:2] >= model[:2]).all()
    assert no_decay.tolist() == [False, False, True]
    for kind in ("linear", "quadratic"):  # both miss by no more than they say
        value, error, _, _ = extrapolated(FACTORS, decay, stds, kind)
        assert (abs(value - [0.8, -0.8, 0])[:2] <= error[:2]).all()
    # Two rates bend more than one: the decay is off, and by no more than it says.
    both = (0.4 * np.exp(-0.1 * FACTORS) + 0.4 * np.exp(-0.5 * FACTORS))[:, None]
    value, error, model, _ = extrapolated(FACTORS, both, stds[:, :1], "exponential")
    assert 0.02 < 0.8 - value[0] < error[0]
    # Without noise there is nothing to model: the error is that of the fit.
    flat = 0.5 + np.random.default_rng(3).normal(0, 0.01, (3, 500))
    value, error, model, _ = extrapolated(FACTORS, flat, np.full((3, 500), 0.01), "exponential")
    assert np.median(model) < 1e-3
    assert 0.75 < np.sqrt(((value - 0.5) ** 2 / error**2).mean()) < 1.03


def test_what_noise_leaves_alone_is_not_extrapolated():
    device = backend()
    stage, where = ZNE((1, 2, 3)), context(device.target)
    sum_of = ObservablesArray([{"IIII": -5.0, "IIIZ": 1.0}, {"III0": 2.0}])
    item = Item(QuantumCircuit(4), sum_of, BindingsArray(), 0.01)
    item.circuit.cz(0, 1)
    children = stage.prepare(item, where)
    factors = np.array([folded(item.circuit, f, device.target)[1] for f in (1, 2, 3)])
    found = [np.array([-5 + 0.9 * np.exp(-0.2 * f), 1 + 0.9 * np.exp(-0.2 * f)]) for f in factors]
    outcomes = [Outcome(evs, np.full(2, 1e-4), 1, 1) for evs in found]
    assert len(children) == 3
    np.testing.assert_allclose(stage.finish(item, outcomes, where).evs, [-4.1, 1.9], atol=1e-6)


def test_the_error_of_a_fit_is_calibrated():
    rng = np.random.default_rng(6)
    stds = np.array([0.01, 0.02, 0.03])[:, None] * np.ones(4000)
    evs = (0.7 - 0.1 * FACTORS)[:, None] + rng.normal(0, stds)
    value, error = polynomial(FACTORS, evs, stds, 1)
    z = (value - 0.7) / error
    assert 0.7 < np.sqrt((z**2).mean()) < 1.02  # chi2 above its mean makes errors larger, not less


def test_names_and_orders_are_checked():
    inner = StatevectorEstimator()
    for given, words in (
        (["zen"], "did you mean 'zne'"),
        (["readout", "zne"], "wrong order: wanted"),
        (["twirl", "twirl"], "each stage once"),
        ([3], "is no stage"),
        ("trex", "known: dd, postselect, readout, twirl, zne"),
    ):
        with pytest.raises(ConfigError, match=words):
            MitigatedEstimator(inner, given)
    for wrong in (
        lambda: ZNE((2, 3)),
        lambda: ZNE(extrapolation="cubic"),
        lambda: ZNE(gates="one"),
        lambda: ZNE((1, 3), "quadratic"),
        lambda: Twirl(0),
        lambda: Readout("m3"),
        lambda: DD("XXX"),
        lambda: PostSelect(),
        lambda: PostSelect({"ZZ": 2}),
    ):
        with pytest.raises(ConfigError):
            wrong()
    assert names() == ["dd", "postselect", "readout", "twirl", "zne"]


def test_what_cannot_be_done_is_an_error():
    aer = QDMIProvider().get_backend("aer", num_qubits=3)
    circuit = QuantumCircuit(3)
    circuit.rzz(0.3, 0, 1)
    for stages, words in (
        (["twirl"], "rzz, which no Pauli twirl"),
        (["dd"], "dd:"),
        ([PostSelect({"XXX": 1})], "does not commute"),
    ):
        with pytest.raises(UnsupportedError, match=words):
            MitigatedEstimator(EstimatorV2(aer), stages).run([(circuit, "IIZ")])
    with pytest.raises(UnsupportedError, match="no backend"):
        MitigatedEstimator(StatevectorEstimator(), ["dd"]).run([(circuit, "IIZ")])
    with pytest.raises(UnsupportedError, match="projectors"):
        MitigatedEstimator(EstimatorV2(aer), ["readout"]).run([(circuit, "II0")]).result()
    long = QDMIProvider().get_backend("aer", noise=spec(durations=False))
    with pytest.raises(UnsupportedError, match="how long"):
        MitigatedEstimator(EstimatorV2(long), ["dd"]).run([(isa_of(long)[0], "IIIZ", [0, 0])])
    with pytest.raises(UnsupportedError, match="not samples"):
        MitigatedSampler(SamplerV2(aer), ["readout"]).run([circuit.measure_all(inplace=False)])
    ccx = QuantumCircuit(3)
    ccx.ccx(0, 1, 2)
    with pytest.raises(UnsupportedError, match="ccx on more than two"):
        MitigatedEstimator(EstimatorV2(aer), ["zne"]).run([(ccx, "IIZ")])


class Shift(Stage):
    """Adds 1: somebody's own stage."""

    name, rank = "shift", 5

    def prepare(self, item, context):
        return [item]

    def finish(self, item, outcomes, context):
        (found,) = outcomes
        return found.__class__(
            found.evs + 1,
            found.stds,
            found.shots,
            found.circuits,
            {**found.told, "shift": {"by": 1}},
        )


def test_own_stages_come_by_entry_point(monkeypatch):
    class Point:
        name = "shift"

        def load(self):
            return Shift

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()])
    registry._theirs.cache_clear()
    try:
        circuit = QuantumCircuit(1)
        result = MitigatedEstimator(StatevectorEstimator(), ["shift", "zne"]).run(
            [(circuit, "Z")], precision=0
        )
        assert result.result()[0].data.evs == pytest.approx(2)
        assert set(result.result()[0].metadata["mitigation"]) >= {"shift", "zne"}
    finally:
        registry._theirs.cache_clear()


def test_samples_are_twirled_and_selected():
    device = backend()
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.x(2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    isa = device.pass_manager(1, seed_transpiler=1).run(circuit)
    result = MitigatedSampler(SamplerV2(device, seed=1), [Twirl(8)], seed=2).run([isa], shots=1001)
    counts = result.result()[0].data.c.get_counts()
    assert sum(counts.values()) == 1001
    assert set(counts) == {"100", "111"}
    assert result.result()[0].metadata["mitigation"]["circuits"] == 8
    noisy = QDMIProvider().get_backend("aer", noise=spec(readout=((0.1, 0.1),) * 4))
    chosen = MitigatedSampler(SamplerV2(noisy, seed=1), [PostSelect(parities={(0, 1): 0, (2,): 1})])
    found = chosen.run([isa], shots=4000).result()[0]
    kept = found.metadata["mitigation"]["postselect"]["kept"]
    assert found.metadata["shots"] == kept == sum(found.data.c.get_counts().values())
    assert set(found.data.c.get_counts()) == {"100", "111"}
    # Bits 0 and 1 agree with 0.82, bit 2 is 1 with 0.9.
    assert abs(kept / 4000 - 0.82 * 0.9) < 5 * np.sqrt(0.738 * 0.262 / 4000)
    none = MitigatedSampler(StatevectorSampler(), [PostSelect(parities={(2,): 0})])
    with pytest.raises(JobFailedError, match="no shot has"):
        none.run([circuit], shots=10).result()


def test_symmetries_are_projected_on():
    # Of sqrt(.8)|00> + sqrt(.2)|01>, what has ZZ = 1 is |00>.
    circuit = QuantumCircuit(2)
    circuit.ry(2 * np.arcsin(np.sqrt(0.2)), 0)
    pub = (circuit, [["ZI", "IZ"], ["ZZ", SparsePauliOp(["II", "IZ"], [1, 2])]])
    inner = EstimatorV2(QDMIProvider().get_backend("aer", num_qubits=2), seed=1)
    job = MitigatedEstimator(inner, [PostSelect({"ZZ": 1})]).run([pub], precision=0.01)
    data = job.result()[0].data
    assert data.evs.shape == (2, 2)
    assert (abs(data.evs - [[1, 1], [1, 3]]) < 4 * data.stds + 1e-9).all()
    kept = job.result()[0].metadata["mitigation"]["postselect"]["kept"]
    np.testing.assert_allclose(kept, 0.8, atol=0.03)
    with pytest.raises(UnsupportedError, match="nothing is left"):
        MitigatedEstimator(inner, [PostSelect({"ZI": -1})]).run([pub], precision=0.01).result()
