"""Problems and their start against published and independent values."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorSampler
from qiskit.quantum_info import SparsePauliOp, Statevector

import qdmi_qiskit.chemistry.determinants as dets
import qdmi_qiskit.chemistry.problem as problems
from qdmi_qiskit import QDMIProvider, chemistry
from qdmi_qiskit.chemistry import MOLECULES, bind, build, lower, uccsd
from qdmi_qiskit.errors import MissingPluginError
from tests.chemistry.molecules import CASES, ansatz_error, problem_of, sector

# RHF and full CI in hartree, by PySCF 2.14 and by a projection of its own (agree to 6e-14).
REFERENCES = [
    ("h2", -1.1169989968, -1.1373060358),
    ("h2 stretched", -1.0661086493, -1.1011503302),
    ("h2 6-31g", -1.1268093581, -1.1516143199),
    ("h4", -2.0985459370, -2.1663874486),
    ("lih", -7.8620238601, -7.8824019323),
    ("lih fc", -7.8620238601, -7.8821745058),
    ("h2o fc", -74.9629282464, -75.0123254979),
    ("n2", -107.4958933078, -107.6218488599),
]
# Energy of the R determinants with the largest weight in the exact ground state.
LARGEST = [
    ("h2 6-31g", {2: -1.13233558, 3: -1.13818018}),
    ("h4", {2: -2.12249991, 4: -2.14378848, 8: -2.15906726, 16: -2.16629589}),
    (
        "lih",
        {2: -7.87653661, 4: -7.88019403, 7: -7.88110935, 16: -7.88233552, 32: -7.88239719},
    ),
    ("lih fc", {2: -7.87653661, 4: -7.88019403, 7: -7.88110935}),
    ("h2o fc", {2: -74.97550884, 15: -75.00784892, 31: -75.01216753}),
    ("n2", {3: -107.56632810, 8: -107.59595166, 16: -107.60973226, 31: -107.62036905}),
]


@pytest.mark.parametrize("case", CASES)
def test_one_determinant_gives_hartree_fock(case):
    # Catches bit order, the constant and every sign at once.
    problem = problem_of(case)
    alone = np.array([problem.hf_determinant])
    energy = dets.ground_energy(problem.hamiltonian, alone)
    assert energy == pytest.approx(problem.hf_energy, abs=1e-9)


@pytest.mark.parametrize(("case", "hartree_fock", "exact"), REFERENCES)
def test_references_are_the_published_ones(case, hartree_fock, exact):
    problem = problem_of(case)
    assert problem.hf_energy == pytest.approx(hartree_fock, abs=1e-8)
    assert problem.exact_energy == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_the_whole_sector_gives_the_exact_energy(case):
    problem = problem_of(case)
    everything = sector(problem)
    assert len(everything) == problem.sector_dimension
    energy = dets.ground_energy(problem.hamiltonian, everything)
    assert energy == pytest.approx(problem.exact_energy, abs=1e-9)


@pytest.mark.parametrize(("case", "energies"), LARGEST)
def test_the_largest_determinants_give_the_known_energies(case, energies):
    problem = problem_of(case)
    everything = sector(problem)
    matrix = dets.project(problem.hamiltonian, everything).toarray()
    weights = abs(np.linalg.eigh(matrix)[1][:, 0])
    order = everything[np.argsort(-weights, kind="stable")]
    for size, energy in energies.items():
        found = dets.ground_energy(problem.hamiltonian, order[:size])
        assert found == pytest.approx(energy, abs=1e-7), size


def test_ccsd_amplitudes_are_a_good_start():
    problem = problem_of("lih")
    assert 0 < ansatz_error(problem) < 0.02
    assert ansatz_error(problem, scale=-1) > 50
    assert ansatz_error(problem, scale=0) == pytest.approx(problem.error(problem.hf_energy))


@pytest.mark.parametrize(("case", "bound"), [("h2", 0.001), ("h4", 0.15), ("lih fc", 0.002)])
def test_the_start_is_good_for_every_kind_of_excitation(case, bound):
    problem = problem_of(case)
    assert 0 <= ansatz_error(problem) < bound
    assert ansatz_error(problem, scale=-1) > 50


@pytest.mark.parametrize(("case", "short"), [("h2 6-31g", 2), ("h4", 1), ("lih fc", 1), ("n2", 1)])
def test_the_short_form_of_the_first_excitations_is_the_same_state(case, short):
    from qiskit_nature.second_q.circuit.library import UCC, HartreeFock
    from qiskit_nature.second_q.mappers import JordanWignerMapper

    problem = problem_of(case)
    circuit, start = uccsd(problem)
    assert circuit.count_ops()["PauliEvolution"] == len(start) - short
    assert circuit.count_ops()["ry"] == short
    angles = np.random.default_rng(3).uniform(-2, 2, len(start))
    ours = Statevector(bind(circuit, dict(zip(start, angles, strict=True))).decompose(reps=2))
    electrons, orbitals = problem.electrons, problem.num_orbitals
    kept = excitations(problem)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        mapper = JordanWignerMapper()
        first = HartreeFock(orbitals, electrons, mapper)
        ansatz = UCC(orbitals, electrons, lambda **_: kept, mapper, initial_state=first)
        theirs = Statevector(ansatz.assign_parameters(angles).decompose(reps=3))
    np.testing.assert_allclose(ours.data, theirs.data, atol=1e-10)


def excitations(problem):
    from qiskit_nature.second_q.circuit.library.ansatzes.utils import generate_fermionic_excitations

    everything = [
        each
        for order in (1, 2)
        for each in generate_fermionic_excitations(order, problem.num_orbitals, problem.electrons)
    ]
    amplitudes = uccsd(problem, prune=-1)[1].values()
    return [each for each, size in zip(everything, amplitudes, strict=True) if abs(size) > 1e-6]


def test_pruning_drops_only_what_symmetry_forbids():
    problem = problem_of("lih")
    kept, everything = uccsd(problem)[1], uccsd(problem, prune=-1)[1]
    assert len(kept) < len(everything) == 92
    assert ansatz_error(problem) == pytest.approx(ansatz_error(problem, prune=-1), abs=1e-6)


def test_an_open_shell_has_no_start():
    with pytest.raises(ValueError, match="open shell"):
        uccsd(problem_of("oh"))


def test_mp2_stands_in_where_ccsd_does_not_converge(monkeypatch):
    monkeypatch.setattr(problems.cc.ccsd.CCSD, "max_cycle", 0)
    problem = build(MOLECULES["h2"])
    assert problem.method == "MP2"
    assert 0 < ansatz_error(problem) < problem.error(problem.hf_energy) / 2


@pytest.mark.parametrize("case", ["h2 6-31g", "h4", "oh"])
def test_the_operator_is_the_one_that_nature_makes(case):
    from qiskit_nature.second_q.hamiltonians import ElectronicEnergy
    from qiskit_nature.second_q.mappers import JordanWignerMapper

    problem = problem_of(case)
    fermions = ElectronicEnergy.from_raw_integrals(problem.one_body, problem.two_body)
    theirs = JordanWignerMapper().map(fermions.second_q_op())
    constant = SparsePauliOp("I" * problem.num_qubits, problem.constant)
    difference = (problem.hamiltonian - theirs - constant).simplify(atol=0)
    assert np.abs(difference.coeffs).max() < 1e-11
    assert len(problem.hamiltonian.paulis.unique()) == len(problem.hamiltonian)


def test_any_mean_field_of_pyscf_makes_a_problem():
    from pyscf import gto, scf

    mol = gto.M(atom="Li 0 0 0; H 0 0 1.595", basis="sto-3g", symmetry="C2v", verbose=0)
    problem = problems.from_mean_field(scf.RHF(mol).run(conv_tol=1e-12), 5, (1, 1), "mine")
    assert problem.exact_energy == pytest.approx(-7.8821745058, abs=1e-8)
    assert problem.title == "mine, 2 electrons in 5 orbitals: 10 qubits, 25 determinants"
    with pytest.raises(RuntimeError, match="does not converge for mine"):
        problems.from_mean_field(scf.RHF(mol).run(max_cycle=0), 5, (1, 1), "mine")


def test_two_stages_and_pruning_save_nine_gates_of_ten():
    # 10 001 CZ in one stage, unpruned, parametrised. Best of five seeds: 960, on Qiskit 2.6 and
    # this lattice; without the first excitation's short form it would be 973.
    backend = QDMIProvider().get_backend("replay:grid20")
    circuit, start = uccsd(problem_of("n2"))
    isa = lower(bind(circuit, start), backend, seed=0, trials=5)
    assert isa.num_nonlocal_gates() <= 964
    assert set(isa.count_ops()) <= {"cz", "r", "rz"}
    one = lower(bind(circuit, start), backend, seed=0)
    assert isa.num_nonlocal_gates() <= one.num_nonlocal_gates()
    backend.isa.check(isa)


def test_bits_stay_in_order_through_the_lowering():
    # The dominant string of LiH, which a measurement after routing would permute.
    problem = problem_of("lih fc")
    circuit, start = uccsd(problem)
    circuit = bind(circuit, start)
    circuit.measure_all()
    for seed in range(3):
        isa = lower(circuit, QDMIProvider().get_backend("replay:grid20"), seed=seed)
        layout = isa.layout.final_index_layout()
        assert layout != list(range(10))
        noiseless = StatevectorSampler(seed=1).run([without_idle(isa)], shots=200).result()[0]
        counts = noiseless.data.meas.get_counts()
        assert max(counts, key=counts.get) == "0000100001"


def without_idle(isa):
    """Return the circuit on the qubits that it uses."""
    used = sorted({isa.find_bit(q).index for one in isa.data for q in one.qubits})
    place = {isa.qubits[q]: k for k, q in enumerate(used)}
    slim = QuantumCircuit(len(used))
    slim.add_register(*isa.cregs)
    for one in isa.data:
        slim.append(one.operation, [place[q] for q in one.qubits], one.clbits)
    return slim


def test_importing_the_package_needs_no_extra():
    code = (
        "import sys; sys.modules.update(pyscf=None, qiskit_nature=None, ffsim=None)\n"
        "sys.modules['qiskit_addon_sqd'] = None\n"
        "import qdmi_qiskit.chemistry as chemistry\n"
        "assert 'qiskit' not in sys.modules\n"
        "chemistry.qsci, chemistry.VQE, chemistry.lower, chemistry.recover, chemistry.lucj\n"
        "try: chemistry.build\n"
        "except ImportError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "pyscf is not installed: run pip install 'qdmi-qiskit[chemistry]'\n", ran


def test_a_missing_sqd_extra_is_named(monkeypatch):
    problem = problem_of("lih fc")
    monkeypatch.setitem(sys.modules, "qiskit_addon_sqd", None)
    monkeypatch.setitem(sys.modules, "qiskit_addon_sqd.fermion", None)
    monkeypatch.setitem(sys.modules, "ffsim", None)
    shots = np.array([problem.hf_determinant])
    with pytest.raises(MissingPluginError, match=r"pip install 'qdmi-qiskit\[sqd\]'"):
        chemistry.recover(problem, shots, samples=1)
    with pytest.raises(MissingPluginError, match=r"pip install 'qdmi-qiskit\[sqd\]'"):
        chemistry.lucj(problem)


def test_all_names_are_public_and_there():
    assert sorted(chemistry.__all__) == sorted(set(chemistry.__all__))
    assert {*chemistry._MODULES, "CHEMICAL_ACCURACY"} == set(chemistry.__all__)
    assert all(getattr(chemistry, name) is not None for name in chemistry.__all__)
    with pytest.raises(AttributeError, match="no attribute 'vqes'"):
        _ = chemistry.vqes
