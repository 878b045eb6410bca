"""The estimator against the statevector: values, standard errors, precision."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit import EstimatorV2, QDMIProvider
from tests.references import exact, line_device, random_state, random_sum

PUBS = 180  # of 6 values each: 1080 estimates for each setting


def estimates(backend, allocation, precision, *, seed):
    """Run random ISA-mapped pubs; return evs, stds, exact values, flat, and the result."""
    rng = np.random.default_rng(seed)
    pubs, wanted = [], []
    for k in range(PUBS):
        n = int(rng.integers(2, 5))
        circuit = random_state(rng, n, 2)
        operators = [random_sum(rng, n, int(rng.integers(1, 12))) for _ in range(2)]
        points = rng.uniform(-np.pi, np.pi, (3, 2))
        pm = generate_preset_pass_manager(k % 4, backend=backend, seed_transpiler=k)
        isa = pm.run(circuit)
        mapped = [[operator.apply_layout(isa.layout)] for operator in operators]
        pubs.append((isa, mapped, points, precision))
        wanted.append([[exact(circuit, op, p) for p in points] for op in operators])
    result = EstimatorV2(backend, seed=seed, shot_allocation=allocation).run(pubs).result()
    evs = np.concatenate([pub.data.evs.ravel() for pub in result])
    stds = np.concatenate([pub.data.stds.ravel() for pub in result])
    return evs, stds, np.ravel(wanted), result


@pytest.mark.parametrize(
    ("allocation", "precision", "device"),
    [
        pytest.param(*setting, device, marks=() if device == only else pytest.mark.slow)
        for setting, only in {
            ("coefficients", 0.03): "",
            ("variance", 0.03): "line",
            ("variance", 0.01): "",
        }.items()
        for device in ("aer", "line")
    ],
)
def test_errors_are_calibrated_and_precision_is_met(device, allocation, precision):
    options = {} if device == "aer" else {"noise": line_device(6)}
    backend = QDMIProvider().get_backend("aer", **options)
    evs, stds, wanted, _ = estimates(backend, allocation, precision, seed=11)
    constant = stds == 0  # nothing but identities
    assert constant.mean() < 0.05
    np.testing.assert_allclose(evs[constant], wanted[constant], atol=1e-12)
    z = (evs - wanted)[~constant] / stds[~constant]
    assert np.abs(z).max() <= 5
    # 1080 values, of which those at one point share shots: sigma of the rms is about 0.03.
    assert 0.9 <= np.sqrt(np.mean(z**2)) <= 1.1
    assert abs(np.mean(z)) < 0.15
    assert (stds <= precision * 1.02).mean() > 0.97
    assert (stds <= precision * 1.1).all()
