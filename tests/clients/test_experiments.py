"""qiskit-experiments measures on a replay what the recording says."""

from __future__ import annotations

import numpy as np
import pytest

from qdmi_qiskit import QDMIProvider, SamplerV2
from tests.clients.installed import MARKS, client

experiments = client("qiskit_experiments.library")

pytestmark = MARKS
QUBIT = 7


def fitted(data, name):
    data.block_for_results()
    assert not data.errors(), data.errors()
    row = data.analysis_results(name, dataframe=True).iloc[0]
    assert row.quality == "good"
    return row.value.nominal_value, row.value.std_dev


@pytest.mark.parametrize("backend_run", [False, True])
def test_t1_is_the_recorded_one(backend_run):
    backend = QDMIProvider().get_backend("replay:grid20")
    recorded = backend.spec.sites[QUBIT].t1
    experiment = experiments.T1([QUBIT], list(np.linspace(1e-6, 4 * recorded, 25)), backend)
    if backend_run:
        data = experiment.run(backend_run=True, shots=4000, seed_simulator=5)
    else:
        data = experiment.run(sampler=SamplerV2(backend, seed=5), shots=4000)
    value, sigma = fitted(data, "T1")
    assert sigma < 0.05 * recorded
    assert abs(value - recorded) < 4 * sigma


def test_randomised_benchmarking_finds_the_recorded_error():
    backend = QDMIProvider().get_backend("replay:grid20")
    lengths = [1, 100, 250, 500, 800, 1200]
    experiment = experiments.StandardRB([QUBIT], lengths, backend, num_samples=6, seed=3)
    # Its own ratios are for IBM's gates: of `r` it has None, which rb_analysis.py:395 multiplies.
    experiment.analysis.set_options(gate_error_ratio={"r": 1.0})
    data = experiment.run(sampler=SamplerV2(backend, seed=5), shots=1000)
    value, sigma = fitted(data, "EPG_r")
    recorded = backend.target["r"][(QUBIT,)].error
    assert sigma < 0.1 * recorded
    assert abs(value - recorded) < 4 * sigma
