"""The chemistry examples against published and independent values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from qiskit import generate_preset_pass_manager, qasm2
from qiskit.primitives import BitArray
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_pauli_list

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))

import chemistry  # noqa: E402
import determinants as dets  # noqa: E402
from chemistry import MOLECULES, Molecule  # noqa: E402

WATER = "O 0 0 0; H 0 0.7569503273 0.5858822766; H 0 -0.7569503273 0.5858822766"
LIH = "Li 0 0 0; H 0 0 {bond}"
CASES = {
    "h2": MOLECULES["h2"],
    "h2 stretched": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 1.0, (1, 1), 2, "D2h"),
    "h2 6-31g": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 0.735, (1, 1), 4, "D2h", "6-31g"),
    "h4": Molecule("H4", "H 0 0 0; H 0 0 1; H 0 0 2; H 0 0 3", 1.0, (2, 2), 4, "D2h"),
    "lih": MOLECULES["lih"],
    "lih fc": Molecule("LiH", LIH, 1.595, (1, 1), 5, "C2v"),
    "h2o fc": Molecule("H2O", WATER, 0.9572, (4, 4), 6, "C2v"),
    "n2": Molecule("N2", "N 0 0 0; N 0 0 {bond}", 1.0977, (3, 3), 6, "D2h"),
    "oh": Molecule("OH", "O 0 0 0; H 0 0 {bond}", 0.9697, (4, 3), 5, "C2v"),
}
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


@pytest.fixture(scope="module")
def problem_of():
    built = {}

    def get(case: str) -> chemistry.Problem:
        if case not in built:
            built[case] = chemistry.build(CASES[case])
        return built[case]

    return get


def sector(problem: chemistry.Problem) -> np.ndarray:
    orbitals = problem.molecule.num_orbitals
    alpha, beta = (
        [sum(1 << p for p in chosen) for chosen in combinations(range(orbitals), count)]
        for count in problem.molecule.electrons
    )
    return np.array([b << orbitals | a for b in beta for a in alpha])


def ansatz_state(problem: chemistry.Problem, scale: float = 1.0, prune: float = 1e-6):
    circuit, start = chemistry.uccsd(problem, prune=prune)
    pm = generate_preset_pass_manager(1, basis_gates=["rz", "sx", "x", "cx"])
    isa = pm.run(circuit)
    return Statevector(isa.assign_parameters([scale * start[p.name] for p in isa.parameters]))


def ansatz_error(problem: chemistry.Problem, scale: float = 1.0, prune: float = 1e-6) -> float:
    state = ansatz_state(problem, scale, prune)
    return problem.error(state.expectation_value(problem.hamiltonian).real)


@pytest.mark.parametrize("case", CASES)
def test_one_determinant_gives_hartree_fock(problem_of, case):
    # Catches bit order, the constant and every sign at once.
    problem = problem_of(case)
    alone = np.array([problem.hf_determinant])
    energy = dets.ground_energy(problem.hamiltonian, alone)
    assert energy == pytest.approx(problem.hf_energy, abs=1e-9)


@pytest.mark.parametrize(("case", "hartree_fock", "exact"), REFERENCES)
def test_references_are_the_published_ones(problem_of, case, hartree_fock, exact):
    problem = problem_of(case)
    assert problem.hf_energy == pytest.approx(hartree_fock, abs=1e-8)
    assert problem.exact_energy == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_the_whole_sector_gives_the_exact_energy(problem_of, case):
    problem = problem_of(case)
    everything = sector(problem)
    assert len(everything) == problem.sector_dimension
    energy = dets.ground_energy(problem.hamiltonian, everything)
    assert energy == pytest.approx(problem.exact_energy, abs=1e-9)


@pytest.mark.parametrize(("case", "energies"), LARGEST)
def test_the_largest_determinants_give_the_known_energies(problem_of, case, energies):
    problem = problem_of(case)
    everything = sector(problem)
    matrix = dets.project(problem.hamiltonian, everything).toarray()
    weights = abs(np.linalg.eigh(matrix)[1][:, 0])
    order = everything[np.argsort(-weights, kind="stable")]
    for size, energy in energies.items():
        found = dets.ground_energy(problem.hamiltonian, order[:size])
        assert found == pytest.approx(energy, abs=1e-7), size


def test_ccsd_amplitudes_are_a_good_start(problem_of):
    problem = problem_of("lih")
    assert 0 < ansatz_error(problem) < 0.02
    assert ansatz_error(problem, scale=-1) > 50
    assert ansatz_error(problem, scale=0) == pytest.approx(problem.error(problem.hf_energy))


@pytest.mark.parametrize(("case", "bound"), [("h2", 0.001), ("h4", 0.15), ("lih fc", 0.002)])
def test_the_start_is_good_for_every_kind_of_excitation(problem_of, case, bound):
    problem = problem_of(case)
    assert 0 <= ansatz_error(problem) < bound
    assert ansatz_error(problem, scale=-1) > 50


def test_pruning_drops_only_what_symmetry_forbids(problem_of):
    problem = problem_of("lih")
    kept, everything = chemistry.uccsd(problem)[1], chemistry.uccsd(problem, prune=-1)[1]
    assert len(kept) < len(everything) == 92
    assert ansatz_error(problem) == pytest.approx(ansatz_error(problem, prune=-1), abs=1e-6)


def test_an_open_shell_has_no_start(problem_of):
    with pytest.raises(ValueError, match="open shell"):
        chemistry.uccsd(problem_of("oh"))


def test_mp2_stands_in_where_ccsd_does_not_converge(monkeypatch):
    monkeypatch.setattr(chemistry.cc.ccsd.CCSD, "max_cycle", 0)
    problem = chemistry.build(MOLECULES["h2"])
    assert problem.method == "MP2"
    assert 0 < ansatz_error(problem) < problem.error(problem.hf_energy) / 2


def test_determinants_are_the_integers_of_the_bit_strings():
    strings = ["000000000001", "100000000000", "000110000010", "111111111111", "000000000000"]
    bits = BitArray.from_samples(strings)
    assert dets.determinants_from(bits).tolist() == [int(s, 2) for s in strings]
    wide = BitArray.from_samples(["1" + 61 * "0", 61 * "0" + "1"], num_bits=62)
    assert dets.determinants_from(wide).tolist() == [1 << 61, 1]
    with pytest.raises(ValueError, match="63 qubits"):
        dets.determinants_from(BitArray.from_samples(["0"], num_bits=63))


def test_a_radical_keeps_what_a_swapped_parser_would_drop(problem_of):
    problem = problem_of("oh")
    beta, alpha = "00111", "01111"
    assert int(beta + alpha, 2) == problem.hf_determinant
    shots = dets.determinants_from(
        BitArray.from_samples([beta + alpha, alpha + beta, "10101" + "11110", "00111" + "00111"])
    )
    kept = dets.in_sector(shots, 5, (4, 3))
    assert kept.tolist() == [True, False, True, False]
    assert dets.in_sector(shots[kept], 5, (3, 4)).sum() == 0
    assert dets.in_sector(sector(problem), 5, (4, 3)).all()


def test_both_spins_are_checked_and_not_the_total():
    everything = np.arange(1 << 6)
    kept = everything[dets.in_sector(everything, 3, (2, 1))]
    assert len(kept) == 9
    assert all(bin(d & 7).count("1") == 2 and bin(d >> 3).count("1") == 1 for d in kept.tolist())


def test_ties_go_to_the_smaller_integer_and_nothing_is_padded():
    shots = np.array([9, 3, 9, 5, 3, 7, 12])
    assert dets.most_frequent(shots, 4).tolist() == [3, 9, 5, 7]
    assert dets.most_frequent(shots[::-1], 4).tolist() == [3, 9, 5, 7]
    assert dets.most_frequent(shots, 2, include=12).tolist() == [12, 3]
    assert dets.most_frequent(shots, 99, include=4).tolist() == [4, 3, 9, 5, 7, 12]
    assert dets.most_frequent(shots[:0], 3, include=4).tolist() == [4]


def test_projection_is_the_submatrix():
    rng = np.random.default_rng(5)
    paulis = random_pauli_list(5, 60, seed=5, phase=True)
    operator = SparsePauliOp(paulis, rng.normal(size=60) + 1j * rng.normal(size=60))
    chosen = rng.permutation(32)[:13]
    expected = Operator(operator).data[np.ix_(chosen, chosen)]
    np.testing.assert_allclose(dets.project(operator, chosen).toarray(), expected, atol=1e-12)


def test_lanczos_agrees_with_lapack(problem_of, monkeypatch):
    problem = problem_of("lih")
    some = sector(problem)[::2]
    expected = dets.ground_energy(problem.hamiltonian, some)
    monkeypatch.setattr(dets, "DENSE_LIMIT", 10)
    assert dets.ground_energy(problem.hamiltonian, some) == pytest.approx(expected, abs=1e-9)


def test_no_determinant_is_an_error(problem_of):
    with pytest.raises(ValueError, match="no shot"):
        dets.ground_energy(problem_of("h2").hamiltonian, np.array([], dtype=np.int64))


@pytest.mark.parametrize("seed", range(5))
def test_the_control_fails_where_qsci_passes(problem_of, seed):
    import qsci

    problem = problem_of("lih")
    state = ansatz_state(problem)
    state.seed(seed)
    shots = dets.determinants_from(BitArray.from_samples(state.sample_memory(10_000).tolist()))
    found = qsci.select(problem, shots, 28)
    assert found["sector_fraction"] == 1
    assert found["determinants"] < problem.sector_dimension / 10
    assert 0 <= found["error_mha"] < chemistry.CHEMICAL_ACCURACY
    random = qsci.control(problem, 10_000, found["determinants"], seed)
    assert random["determinants"] == found["determinants"]
    assert random["error_mha"] > 10
    # One double excitation is worth 14.5 mHa, and a draw holds it by chance in one of 25.
    assert random["best_error_mha"] > 2 * chemistry.CHEMICAL_ACCURACY
    assert random["passed"] == 0
    assert random["sector_fraction"] == pytest.approx(225 / 4096, rel=0.05)
    assert random["energy_without_hf"] > random["energy"]


def test_the_control_without_a_valid_shot_says_so(problem_of):
    import qsci

    random = qsci.control(problem_of("lih"), 1, 2, 3)
    assert random["determinants"] == 1
    assert random["energy_without_hf"] is None or random["energy_without_hf"] > random["energy"]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    paths = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), str(EXAMPLES.parent)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_qsci_runs_by_name_and_beats_its_control():
    ran = run("qsci.py", "--backend", "aer", "--precision", "0.02", "--json")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    assert report["sector_dimension"] == 225
    assert report["qsci"]["determinants"] < 30
    assert 0 <= report["qsci"]["error_mha"] < 1.6
    assert report["qsci"]["hf_seen"]
    assert report["control"]["determinants"] == report["qsci"]["determinants"]
    assert report["control"]["best_error_mha"] > 1.6
    assert report["vqe"]["evaluations"] == 1
    vqe = report["vqe"]
    assert abs(vqe["error_mha"]) < 6 * vqe["standard_error_mha"]


def test_qsci_prints_a_table_for_the_small_molecule():
    ran = run("qsci.py", "--molecule", "h2", "--bond", "1", "--shots", "500", "--determinants", "4")
    assert ran.returncode == 0, ran.stderr
    for words in ("-1.06610865", "-1.10115033", "Sector fraction", "random control", "VQE"):
        assert words in ran.stdout


def test_vqe_finds_the_ground_state_from_hartree_fock():
    ran = run("vqe.py", "--backend", "aer", "--start", "hf", "--seed", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    vqe = report["vqe"]
    assert 3 < vqe["evaluations"] <= 31
    assert 0 < vqe["standard_error_mha"] < 5.5
    assert abs(vqe["error_mha"]) < 6 * vqe["standard_error_mha"]
    assert vqe["error_mha"] < report["hf"]["error_mha"] / 2


def test_vqe_prints_a_table():
    ran = run("vqe.py", "--maxiter", "0")
    assert ran.returncode == 0, ran.stderr
    for words in ("-1.11699900", "-1.13730604", "VQE", "+-", "energies measured: 1"):
        assert words in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "no-such-device"], "--backend no-such-device"),
        (["--maxiter", "2"], "at least 3"),
        (["--maxiter", "-1"], "at least 0"),
        (["--bond", "0"], "above 0"),
        (["--precision", "nan"], "at least 0"),
        (["--molecule", "caffeine"], "invalid choice"),
    ],
)
def test_bad_arguments_end_with_a_sentence(arguments, words):
    ran = run("vqe.py", "--molecule", "h2", *arguments)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_more_determinants_than_the_sector_are_refused():
    ran = run("qsci.py", "--molecule", "h2", "--determinants", "5")
    assert ran.returncode == 2
    assert "the sector has 4" in ran.stderr


@pytest.mark.parametrize("script", ["vqe.py", "qsci.py"])
@pytest.mark.parametrize("package", ["pyscf", "qiskit_nature"])
def test_a_missing_extra_is_named(script, package):
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; "
        f"sys.path.insert(0, {str(EXAMPLES)!r}); "
        f"runpy.run_path({str(EXAMPLES / script)!r}, run_name='__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "pip install 'qdmi-qiskit[chemistry]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_bell_reads_as_a_measured_pair():
    circuit = qasm2.load(EXAMPLES / "bell.qasm")
    assert dict(circuit.count_ops()) == {"h": 1, "cx": 1, "measure": 2}
    state = Statevector(circuit.remove_final_measurements(inplace=False))
    np.testing.assert_allclose(state.probabilities(), [0.5, 0, 0, 0.5], atol=1e-12)
