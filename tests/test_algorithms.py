"""`qiskit_algorithms` runs on our primitives as it is."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.circuit.library import n_local
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from tests.references import line_device

algorithms = pytest.importorskip("qiskit_algorithms")

from qiskit_algorithms.optimizers import COBYLA, SLSQP, SPSA  # noqa: E402

# Hydrogen at 0.735 angstrom in two qubits by parity. Source: qiskit_algorithms' own tests.
H2 = SparsePauliOp.from_list(
    [
        ("II", -1.052373245772859),
        ("IZ", 0.39793742484318045),
        ("ZI", -0.39793742484318045),
        ("ZZ", -0.01128010425623538),
        ("XX", 0.18093119978423156),
    ]
)
GROUND = float(np.linalg.eigvalsh(H2.to_matrix())[0])
DIAGONAL = SparsePauliOp.from_list([("ZI", 0.7), ("IZ", -0.4), ("ZZ", 0.9)])


def ansatz():
    return n_local(2, ["ry", "rz"], "cz", reps=1)


@pytest.fixture(autouse=True)
def seeded():
    algorithms.utils.algorithm_globals.random_seed = 5


def test_vqe_finds_the_ground_state_by_exact_values():
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    isa = generate_preset_pass_manager(1, backend=backend).run(ansatz())
    start = np.random.default_rng(5).uniform(-1, 1, isa.num_parameters)
    estimator = EstimatorV2(backend, default_precision=0)
    vqe = algorithms.VQE(estimator, isa, SLSQP(maxiter=200), initial_point=start)
    found = vqe.compute_minimum_eigenvalue(H2)
    assert found.eigenvalue == pytest.approx(GROUND, abs=1e-6)


def test_vqe_comes_near_with_shots():
    backend = QDMIProvider().get_backend("aer", noise=line_device(3))
    isa = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(ansatz())
    start = np.random.default_rng(5).uniform(-1, 1, isa.num_parameters)
    estimator = EstimatorV2(backend, default_precision=0.01, seed=5)
    vqe = algorithms.VQE(estimator, isa, SPSA(maxiter=60), initial_point=start)
    found = vqe.compute_minimum_eigenvalue(H2)  # VQE applies the layout
    assert GROUND - 0.05 < found.eigenvalue < GROUND + 0.1  # the start is above by more than 0.5
    exact = EstimatorV2(backend, default_precision=0)
    pub = (isa, H2.apply_layout(isa.layout), found.optimal_point)
    reached = exact.run([pub]).result()[0].data.evs
    assert reached < GROUND + 0.1


def test_sampling_vqe_finds_the_lowest_bitstring():
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    isa = generate_preset_pass_manager(1, backend=backend).run(ansatz())
    start = np.random.default_rng(3).uniform(-1, 1, isa.num_parameters)
    sampler = SamplerV2(backend, seed=5, default_shots=2000)
    vqe = algorithms.SamplingVQE(sampler, isa, COBYLA(maxiter=80), initial_point=start)
    found = vqe.compute_minimum_eigenvalue(DIAGONAL)
    lowest = int(np.argmin(np.real(np.diag(DIAGONAL.to_matrix()))))
    assert found.best_measurement["state"] == lowest
    assert found.best_measurement["value"] == pytest.approx(-2.0)
    assert np.real(found.eigenvalue) < -1.7  # of -2; uniform bits give 0
