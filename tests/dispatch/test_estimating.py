"""Estimates averaged over members."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import BackendEstimatorV2, StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.dispatch import (
    Cheapest,
    DisagreementWarning,
    DispatchEstimator,
    Member,
    Replicate,
    SplitPubs,
    SplitShots,
    State,
)
from qdmi_qiskit.dispatch.merge import consistency
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Price
from tests.dispatch.circuits import tilted
from tests.dispatch.faulty import faulty

SUM = SparsePauliOp.from_list([("ZZ", 0.8), ("XI", -0.5), ("IZ", 0.3), ("II", 0.1)])


def sweep():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2)
    circuit.ry(b, 0)
    circuit.cx(0, 1)
    circuit.ry(a, 1)
    return circuit


def exact_of(pub):
    return StatevectorEstimator().run([pub], precision=0).result()[0].data.evs


@pytest.mark.slow
def test_the_average_and_its_error_are_calibrated():
    """rms z within 0.95 to 1.05 over 2400 values, and no bias; 1200 points are independent."""
    points = np.random.default_rng(5).uniform(-3, 3, (1200, 2))
    pub = (sweep(), [[SUM], ["ZZ"]], points)
    exact = exact_of(pub)
    group = DispatchEstimator(["aer", "aer", "aer"], SplitShots([1, 2, 5]), seed=11)
    data = group.run([pub], precision=0.04).result()[0].data
    z = (data.evs - exact) / data.stds
    assert 0.95 < np.sqrt((z**2).mean()) < 1.05
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert np.sqrt((data.stds**2).mean()) < 0.041


@pytest.mark.slow
def test_single_values_of_few_shots_are_not_pulled():
    """Weights by 1 / std**2 of what came would pull each by about half a standard error here."""
    circuit = tilted()
    exact = float(exact_of((circuit, "ZZ")))
    assert 0.7 < exact < 0.95
    group = DispatchEstimator(["aer", "aer", "aer"], seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DisagreementWarning)  # one test in a hundred
        result = group.run([(circuit, "ZZ")] * 600, precision=0.035).result()
    evs, stds = (np.array([float(pub.data[k]) for pub in result]) for k in ("evs", "stds"))
    z = (evs - exact) / stds
    assert abs((evs - exact).mean()) / (evs.std() / np.sqrt(len(evs))) < 3.5
    assert 0.88 < np.sqrt((z**2).mean()) < 1.08  # of so few shots, each error is an upper one


def test_each_member_is_asked_for_its_share_of_the_information():
    plan = DispatchEstimator(["aer", "aer"], SplitShots([1, 4])).plan(
        [(tilted(), SUM)], precision=0.02
    )
    np.testing.assert_allclose(plan.asked, [[0.02 * 5**0.5, 0.02 * 1.25**0.5]])
    result = (
        DispatchEstimator(["aer", "aer"], seed=1).run([(tilted(), SUM)], precision=0.02).result()
    )
    assert 0.012 < result[0].data.stds < 0.022  # after small pilots it is better than asked
    assert result[0].metadata["target_precision"] == 0.02


def test_members_that_disagree_are_told_of():
    noisy = QDMIProvider().get_backend("replay:grid20")
    group = DispatchEstimator(["aer", noisy], optimization_level=1, seed=4)
    with pytest.warns(DisagreementWarning, match=r"aer, replay:grid20 disagree on pub 0: chi2"):
        found = group.run([(tilted(), "ZZ")], precision=0.003).result()[0].metadata
    assert found["consistency"]["p"] < 0.01
    assert found["consistency"]["dof"] == 1


def test_members_that_agree_are_rarely_accused():
    """The level is 0.01: of 300 tests about 3 fail; more than 11 would be a 4.6 sigma accident."""
    rng = np.random.default_rng(8)
    stds = np.array([0.1, 0.2, 0.3])[:, None] * np.ones((3, 4))
    low = sum(consistency(rng.normal(0.3, stds), stds)["p"] < 0.01 for _ in range(300))
    assert low <= 11
    apart = consistency(np.array([[0.0], [0.6], [0.0]]), stds[:, :1])
    assert apart["p"] == pytest.approx(np.exp(-apart["chi2"][0] / 2))  # two degrees of freedom


def test_estimators_of_other_makes():
    aer = BackendEstimatorV2(backend=AerSimulator(seed_simulator=3))
    group = DispatchEstimator([aer, "aer", StatevectorEstimator(seed=2)], seed=1)
    pub = (tilted(), [SUM, "ZZ"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", DisagreementWarning)
        data = group.run([pub], precision=0.02).result()[0].data
    assert (np.abs(data.evs - exact_of(pub)) < 4 * data.stds).all()


def test_observables_move_with_the_layout():
    backend = QDMIProvider().get_backend("replay:grid20")
    circuit = QuantumCircuit(3)
    circuit.x(1)
    circuit.cx(1, 2)
    group = DispatchEstimator([backend, "aer"], Replicate(), optimization_level=2, seed=2)
    job = group.run([(circuit, ["ZII", "IZI", "IIZ", "ZZI"])], precision=0.02)
    job.wait(300)
    for pubs in job.by_member().values():
        np.testing.assert_allclose(pubs[0].data.evs, [-1, -1, 1, 1], atol=0.2)


def test_the_information_of_a_dead_member_goes_to_survivors():
    dead = faulty("dead", failing={0, 1})
    job = DispatchEstimator([dead, "aer", "aer"], seed=6).run([(tilted(), SUM)], precision=0.02)
    data = job.result()[0].data
    assert [shard.state for shard in job.shards if shard.member == 0] == [State.FAILED]
    assert data.stds < 0.022
    assert abs(data.evs - exact_of((tilted(), SUM))) < 4 * data.stds


def test_prices_of_estimates_are_at_most():
    member = Member(over="aer", price=Price(0.3, 0.001))
    plan = DispatchEstimator([member]).plan([(tilted(), SUM)], precision=0.1)
    assert plan.costs()["USD"] == pytest.approx(0.3 + 0.001 * np.ceil(1.7**2 / 0.01))
    with pytest.raises(ConfigError, match="budget"):
        DispatchEstimator([member], Cheapest(budget=0.1)).run([(tilted(), SUM)], precision=0.1)
    packed = DispatchEstimator(["aer", "aer"], SplitPubs())
    assert np.isnan(packed.plan([(tilted(), "ZZ")] * 2, precision=0.1).asked).sum() == 2
