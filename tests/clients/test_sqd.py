"""qiskit-addon-sqd recovers configurations from bits of our sampler."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider, SamplerV2
from tests.clients.installed import MARKS, client

ao2mo, gto, mcscf, scf = (client(f"pyscf.{name}") for name in ("ao2mo", "gto", "mcscf", "scf"))
counts = client("qiskit_addon_sqd.counts")
recovery = client("qiskit_addon_sqd.configuration_recovery")
fermion = client("qiskit_addon_sqd.fermion")

pytestmark = MARKS


def test_recovery_turns_noisy_bits_into_the_ground_state():
    molecule = gto.M(atom="Li 0 0 0; H 0 0 1.6", basis="sto-3g", verbose=0)
    field = scf.RHF(molecule).run()
    active = mcscf.CASCI(field, 4, (1, 1))
    active.fcisolver.conv_tol = 1e-12
    exact = active.kernel()[0]
    one, core = active.get_h1eff()
    two = ao2mo.restore(1, active.get_h2eff(), 4)

    # Pair excitations from the lowest orbital, bits: alpha 0..3, beta 4..7; readout breaks many.
    circuit = QuantumCircuit(8)
    for low in (0, 4):
        circuit.x(low)
        for step, angle in enumerate((0.5, 0.6, 0.7)):
            circuit.cry(angle, low + step, low + step + 1)
            circuit.cx(low + step + 1, low + step)
    circuit.measure_all()
    backend = QDMIProvider().get_backend("replay:grid20")
    isa = backend.pass_manager(2, seed_transpiler=3).run(circuit)
    shots = SamplerV2(backend, seed=3).run([isa], shots=2000).result()[0].data.meas
    matrix, weights = counts.bit_array_to_arrays(shots)
    wrong = (matrix[:, :4].sum(1) != 1) | (matrix[:, 4:].sum(1) != 1)
    assert wrong.any()  # else there is nothing to recover

    # Occupancies of the ground state's one-body density, spins apart.
    density = np.diag(active.fcisolver.make_rdm1(active.ci, 4, (1, 1))) / 2
    right, chances = recovery.recover_configurations(
        matrix, weights, (density, density), 1, 1, rand_seed=3
    )
    assert (right[:, :4].sum(1) == 1).all()
    assert (right[:, 4:].sum(1) == 1).all()
    assert chances.sum() == pytest.approx(1)
    found = fermion.diagonalize_fermionic_hamiltonian(
        one,
        two,
        shots,
        samples_per_batch=100,
        norb=4,
        nelec=(1, 1),
        num_batches=2,
        max_iterations=3,
        seed=3,
    )
    assert found.energy + core == pytest.approx(exact, abs=1e-6)
    assert found.energy + core < field.e_tot - 1e-3
