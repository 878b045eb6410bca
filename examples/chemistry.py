"""Molecules as qubit problems, with their classical references and the UCCSD start.

Conventions used throughout:

* Energies are in hartree, errors in millihartree (mHa), distances in angstrom.
* Jordan-Wigner on `2 * num_orbitals` qubits: qubit `p` is the alpha spin orbital `p` and qubit
  `num_orbitals + p` the beta spin orbital `p`.
* Hamiltonians carry their constant (nuclear repulsion and frozen core), so expectation values
  are total energies.

Sources: Hartree-Fock, CCSD and FCI by PySCF; operator and excitations by Qiskit Nature.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

try:
    import numpy as np
    from pyscf import ao2mo, cc, fci, gto, mcscf, scf
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_nature.second_q.circuit.library import UCC, HartreeFock
    from qiskit_nature.second_q.circuit.library.ansatzes.utils import generate_fermionic_excitations
    from qiskit_nature.second_q.hamiltonians import ElectronicEnergy
    from qiskit_nature.second_q.mappers import JordanWignerMapper
except ImportError as missing:
    _EXTRA = {"pyscf", "qiskit_nature", "qiskit_algorithms", "scipy"}
    if (missing.name or "").partition(".")[0] not in _EXTRA:
        raise
    raise SystemExit(
        f"This example needs {missing.name}, which is not installed: "
        "run pip install 'qdmi-qiskit[chemistry]'"
    ) from missing

if TYPE_CHECKING:
    from numpy.typing import NDArray

scf.hf.MUTE_CHKFILE = True  # else every calculation leaves an open temporary file behind

CHEMICAL_ACCURACY = 1.6
"""The usual goal for an energy error, mHa (1 kcal/mol)."""


@dataclass(frozen=True)
class Molecule:
    """A molecule and the active space in which it is solved.

    Attributes:
        name: How it is called in reports.
        atoms: Geometry in PySCF's format, with `{bond}` where the bond length goes.
        bond: Default bond length, angstrom.
        electrons: Active alpha and beta electrons; the others fill the lowest orbitals.
        num_orbitals: Active spatial orbitals, in order of orbital energy.
        symmetry: Point group. Given explicitly because it fixes the orientation of degenerate
            orbitals, and with it the number of Pauli terms and the QSCI energies.
        basis: Name of the one-electron basis.
    """

    name: str
    atoms: str
    bond: float
    electrons: tuple[int, int]
    num_orbitals: int
    symmetry: str
    basis: str = "sto-3g"


MOLECULES = {
    "h2": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 0.735, (1, 1), 2, "D2h"),
    "lih": Molecule("LiH", "Li 0 0 0; H 0 0 {bond}", 1.595, (2, 2), 6, "C2v"),
}


@dataclass(frozen=True, eq=False)
class Problem:
    """A molecule as a qubit Hamiltonian, with its classical reference energies.

    Attributes:
        molecule: What was asked for.
        bond: Bond length, angstrom.
        hamiltonian: Jordan-Wigner operator, constant included.
        hf_energy: Hartree-Fock energy, hartree.
        exact_energy: Lowest energy of the sector in this active space (PySCF FCI), hartree.
        amplitudes: Spatial t1 (occupied, virtual) and t2 (occupied, occupied, virtual, virtual)
            of the active space, or None for open shells.
        method: "CCSD", or "MP2" where CCSD does not converge.
    """

    molecule: Molecule
    bond: float
    hamiltonian: SparsePauliOp
    hf_energy: float
    exact_energy: float
    amplitudes: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    method: str

    @property
    def num_qubits(self) -> int:
        return 2 * self.molecule.num_orbitals

    @property
    def sector_dimension(self) -> int:
        """Number of determinants with the right numbers of alpha and beta electrons."""
        return math.prod(math.comb(self.molecule.num_orbitals, n) for n in self.molecule.electrons)

    @property
    def hf_determinant(self) -> int:
        alpha, beta = self.molecule.electrons
        return (1 << alpha) - 1 | ((1 << beta) - 1) << self.molecule.num_orbitals

    @property
    def title(self) -> str:
        electrons, orbitals = sum(self.molecule.electrons), self.molecule.num_orbitals
        return (
            f"{self.molecule.name} at {self.bond:g} A, {self.molecule.basis.upper()}, "
            f"{electrons} electrons in {orbitals} orbitals: {self.num_qubits} qubits, "
            f"{self.sector_dimension} determinants"
        )

    def error(self, energy: float) -> float:
        """Distance of an energy (hartree) from the exact one, mHa."""
        return 1000 * (energy - self.exact_energy)


def build(molecule: Molecule, bond: float | None = None) -> Problem:
    """Solve the molecule classically and map its active space to qubits.

    Raises:
        RuntimeError: Hartree-Fock or full CI does not converge.
    """
    bond = molecule.bond if bond is None else bond
    alpha, beta = molecule.electrons
    mol = gto.M(
        atom=molecule.atoms.format(bond=bond),
        basis=molecule.basis,
        symmetry=molecule.symmetry,
        spin=alpha - beta,
        verbose=0,
    )
    field = (scf.RHF if alpha == beta else scf.ROHF)(mol)
    field.conv_tol = 1e-12
    field.kernel()
    if not field.converged:
        raise RuntimeError(f"Hartree-Fock does not converge for {molecule.name} at {bond:g} A")

    orbitals = molecule.num_orbitals
    space = mcscf.CASCI(field, orbitals, molecule.electrons)
    # `constant` is the nuclear repulsion and the energy of the frozen core: added exactly once.
    one_body, constant = space.get_h1eff()
    two_body = ao2mo.restore(1, space.get_h2eff(), orbitals)
    full = fci.direct_spin1.FCI()
    full.conv_tol = 1e-12
    exact, _ = full.kernel(one_body, two_body, orbitals, molecule.electrons, ecore=constant)
    if not full.converged:
        raise RuntimeError(f"full CI does not converge for {molecule.name} at {bond:g} A")

    amplitudes, method = None, "none"
    if alpha == beta:
        active = range(space.ncore, space.ncore + orbitals)
        frozen = [p for p in range(field.mo_coeff.shape[1]) if p not in active]
        solver = cc.CCSD(field, frozen=frozen or None)
        solver.kernel()
        if solver.converged:
            amplitudes, method = (solver.t1, solver.t2), "CCSD"
        else:
            amplitudes, method = solver.init_amps()[1:], "MP2"
    return Problem(
        molecule,
        bond,
        hamiltonian=jordan_wigner(one_body, two_body, constant),
        hf_energy=float(field.e_tot),
        exact_energy=float(exact),
        amplitudes=amplitudes,
        method=method,
    )


def jordan_wigner(
    one_body: NDArray[np.float64], two_body: NDArray[np.float64], constant: float
) -> SparsePauliOp:
    """Map integrals (`two_body` in chemists' order, all (n, n, n, n)) to qubits."""
    fermions = ElectronicEnergy.from_raw_integrals(one_body, two_body).second_q_op()
    operator = JordanWignerMapper().map(fermions)
    identity = SparsePauliOp(["I" * operator.num_qubits], [constant])
    return (operator + identity).simplify(atol=1e-12)


def uccsd(problem: Problem, *, prune: float = 1e-6) -> tuple[QuantumCircuit, dict[str, float]]:
    """Build UCCSD, Hartree-Fock state included, and its start from coupled cluster.

    Parameters follow the amplitudes: -t1[i, a] for singles, t2[i, j, a, b] for alpha-beta and
    t2[i, j, a, b] - t2[i, j, b, a] for same-spin doubles, clipped to [-1, 1]; the signs are those
    of Nature's excitation operators under Jordan-Wigner.

    Args:
        problem: A closed-shell problem.
        prune: Excitations with a smaller amplitude are left out. Those that symmetry forbids
            stay at zero in VQE too: their gradient vanishes.

    Returns:
        The circuit without measurements, and parameter name -> start value.
    """
    if problem.amplitudes is None:
        raise ValueError(f"{problem.molecule.name} is an open shell: there is no UCCSD start")
    electrons, orbitals = problem.molecule.electrons, problem.molecule.num_orbitals
    excitations = [
        (excitation, amplitude)
        for order in (1, 2)
        for excitation in generate_fermionic_excitations(order, orbitals, electrons)
        if abs(amplitude := _amplitude(problem, *excitation)) > prune
    ]
    with warnings.catch_warnings():
        # Nature 0.8 still stands on two classes that leave in Qiskit 3.
        for name in (r"blueprintcircuit\.BlueprintCircuit", r"n_local\.NLocal"):
            warnings.filterwarnings("ignore", rf".*{name}``", DeprecationWarning)
        mapper = JordanWignerMapper()
        ansatz = UCC(
            orbitals,
            electrons,
            lambda **_: [excitation for excitation, _ in excitations],
            mapper,
            initial_state=HartreeFock(orbitals, electrons, mapper),
        )
        circuit = QuantumCircuit(problem.num_qubits, name="uccsd")
        circuit.compose(ansatz, inplace=True)
        names = [parameter.name for parameter in ansatz.parameters]
    values = [float(np.clip(amplitude, -1, 1)) for _, amplitude in excitations]
    return circuit, dict(zip(names, values, strict=True))


def _amplitude(problem: Problem, occupied: tuple[int, ...], virtual: tuple[int, ...]) -> float:
    t1, t2 = problem.amplitudes
    orbitals, filled = problem.molecule.num_orbitals, problem.molecule.electrons[0]
    i, a = occupied[0] % orbitals, virtual[0] % orbitals - filled
    if len(occupied) == 1:
        return -t1[i, a]
    j, b = occupied[1] % orbitals, virtual[1] % orbitals - filled
    same_spin = occupied[0] // orbitals == occupied[1] // orbitals
    return t2[i, j, a, b] - t2[i, j, b, a] if same_spin else t2[i, j, a, b]
