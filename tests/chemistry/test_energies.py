"""Energies from devices, each beside its control; the end of a run prints them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.chemistry import (
    CHEMICAL_ACCURACY,
    bind,
    control,
    determinants_from,
    lower,
    lucj,
    qsci,
    recover,
    sqd,
    uccsd,
)
from tests.chemistry.molecules import problem_of

SEEDS = range(5)
DRAWS = 8  # of random bits for recovery, whose energies differ from draw to draw


def measured_circuit(case: str, backend):
    circuit = bind(*uccsd(problem_of(case)))
    circuit.measure_all()
    return lower(circuit, backend, seed=1)


def shots_of(isa, backend, shots: int, seed: int) -> np.ndarray:
    result = SamplerV2(backend, seed=seed).run([isa], shots=shots).result()[0]
    return determinants_from(result.data.meas)


def mean(found, name: str = "error_mha") -> float:
    return float(np.mean([getattr(each, name) for each in found]))


@pytest.mark.parametrize(
    ("case", "method"), [("lih", qsci), ("h2o fc", qsci), ("h4", qsci), ("n2", sqd)]
)
def test_ten_thousand_shots_reach_chemical_accuracy(case, method, record_property):
    problem, backend = problem_of(case), QDMIProvider().get_backend("aer")
    isa = measured_circuit(case, backend)
    samples = [shots_of(isa, backend, 10_000, seed) for seed in SEEDS]
    found = [method(problem, shots) for shots in samples]
    plain = [qsci(problem, shots) for shots in samples]
    random = [control(problem, each, draws=4, seed=seed) for seed, each in enumerate(found)]
    bare = [control(problem, each, draws=4, seed=seed) for seed, each in enumerate(plain)]
    record_property(
        "table",
        f"{problem.title}\n  {method.__name__}: {mean(found):.3f} mHa, R "
        f"{mean(found, 'num_determinants'):.1f}, dimension {mean(found, 'dimension'):.1f}; "
        f"uniform at equal dimension {mean(random):.1f} mHa\n  determinants alone: "
        f"{mean(plain):.3f} mHa, R {mean(plain, 'dimension'):.1f}; uniform {mean(bare):.1f} mHa",
    )
    assert all(each.sector_fraction == 1 and each.hf_seen for each in found)
    assert all(each.dimension < problem.sector_dimension for each in found)
    assert min(each.error_mha for each in found) >= -1e-6
    assert mean(found) < CHEMICAL_ACCURACY
    # The same check on as many determinants, drawn by chance, fails.
    assert all(each.error_mha > CHEMICAL_ACCURACY for each in bare)
    assert mean(bare) > mean(plain) + 2 * CHEMICAL_ACCURACY


# The cheapest noisy road that leaves something to find. Trajectories cost by the gate, and 670 CZ
# in one circuit return noise (sector fraction 0.1): so the largest amplitudes only, cut between
# distinct values into circuits of some 200 CZ, whose samples are put together. `max_strings` keeps
# the space well below the sector, which recovery would fill otherwise. The smaller of two spaces
# is where recovered random bits fail: N2 within 5 mHa in 1 of 38 draws, LiH in 2 of 20. In the
# larger one some draws (N2) or most (LiH) are within it: a single draw proves nothing.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "sizes", "shots", "strings"),
    [("lih", [6], 400, (4, 9)), ("n2", [6, 4, 4, 4], 190, (12, 16))],
)
def test_recovery_reaches_five_millihartree_on_a_noisy_device(
    case, sizes, shots, strings, record_property
):
    pytest.importorskip("qiskit_addon_sqd", reason="needs the extra sqd: pip install '.[sqd]'")
    problem, backend = problem_of(case), QDMIProvider().get_backend("replay:grid20")
    ansatz, start = uccsd(problem, prune=0.03)
    assert len(start) == sum(sizes)
    largest = sorted(start, key=lambda name: -abs(start[name]))
    circuits = []
    for end in np.cumsum(sizes):
        part = largest[end - sizes[len(circuits)] : end]
        circuit = bind(ansatz, {name: start[name] * (name in part) for name in start})
        circuit.measure_all()
        circuits.append(lower(circuit, backend, seed=1, trials=3))
    gates = max(isa.num_nonlocal_gates() for isa in circuits)
    result = SamplerV2(backend, seed=3).run(circuits, shots=shots).result()
    sampled = np.concatenate([determinants_from(pub.data.meas) for pub in result])
    first = qsci(problem, sampled)
    assert first.sector_fraction < 0.6  # there is noise
    lines = [
        f"{problem.title}; circuits: {len(circuits)} of up to {gates} CZ; sector fraction "
        f"{first.sector_fraction:.2f}",
        f"  qsci: {first.error_mha:.2f} mHa, R {first.dimension}",
    ]
    errors, refilled = {}, {}
    for most in strings:
        solve = partial(recover, samples=20, max_strings=most)
        found = [solve(problem, sampled, seed=seed) for seed in SEEDS]
        random = [control(problem, each, draws=4, seed=seed) for seed, each in enumerate(found)]
        refilled[most] = control(problem, found[0], draws=DRAWS, seed=0, solve=solve)
        lines.append(
            f"  recovered: {mean(found):.3f} mHa, dimension {mean(found, 'dimension'):.0f} of "
            f"{problem.sector_dimension}; uniform at equal dimension: {mean(random):.1f} mHa; "
            f"{DRAWS} draws recovered: {refilled[most].error_mha:.1f} mHa, best "
            f"{refilled[most].best_error_mha:.2f}, dimension {refilled[most].dimension}"
        )
        assert all(each.dimension <= 0.65 * problem.sector_dimension for each in found)
        assert min(each.error_mha for each in found) > -1e-6
        assert mean(random) > 5
        errors[most] = mean(found)
    record_property("table", "\n".join(lines))
    small, large = strings
    assert errors[large] < 5
    assert max(5, 2 * errors[small]) < refilled[small].error_mha


@pytest.mark.slow
def test_lucj_is_shallow_and_near():
    pytest.importorskip("ffsim", reason="needs the extra sqd: pip install '.[sqd]'")
    from qiskit.quantum_info import Statevector

    problem = problem_of("h4")
    errors = {}
    for iterations in (0, 15):
        circuit = lucj(problem, iterations=iterations)
        state = Statevector(circuit.decompose(reps=3))
        errors[iterations] = problem.error(state.expectation_value(problem.hamiltonian).real)
    assert 0 < errors[15] < 10 < errors[0]
    backend = QDMIProvider().get_backend("replay:grid20")
    gates = lower(circuit, backend, seed=1, trials=3).num_nonlocal_gates()
    ansatz, start = uccsd(problem)
    assert gates < 80 < lower(bind(ansatz, start), backend, seed=1).num_nonlocal_gates()
