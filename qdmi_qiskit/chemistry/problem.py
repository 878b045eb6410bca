"""Molecules as qubit problems, with their classical references.

Sources: Hartree-Fock, MP2, CCSD and full CI by PySCF; Jordan-Wigner after its definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit.chemistry.extras import needed
from qdmi_qiskit.errors import ConfigError

with needed("chemistry", "pyscf"):
    from pyscf import ao2mo, cc, fci, gto, mcscf, scf

if TYPE_CHECKING:
    from numpy.typing import NDArray

scf.hf.MUTE_CHKFILE = True  # else every calculation leaves an open temporary file behind


@dataclass(frozen=True)
class Molecule:
    """A molecule and the active space in which it is solved.

    Attributes:
        name: How it is called in reports.
        atoms: Geometry in PySCF's format, with `{bond}` where the bond length goes, `{twice}` and
            `{thrice}` for its multiples.
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


_WATER = "O 0 0 0; H 0 0.7569503273 0.5858822766; H 0 -0.7569503273 0.5858822766"
_CHAIN = "H 0 0 0; H 0 0 {bond}; H 0 0 {twice}; H 0 0 {thrice}"

MOLECULES = {
    "h2": Molecule("H2", "H 0 0 0; H 0 0 {bond}", 0.735, (1, 1), 2, "D2h"),
    "h4": Molecule("H4", _CHAIN, 1.0, (2, 2), 4, "D2h"),
    "h2o": Molecule("H2O", _WATER, 0.9572, (4, 4), 6, "C2v"),
    "lih": Molecule("LiH", "Li 0 0 0; H 0 0 {bond}", 1.595, (2, 2), 6, "C2v"),
    "n2": Molecule("N2", "N 0 0 0; N 0 0 {bond}", 1.0977, (3, 3), 6, "D2h"),
}
"""Small ones to start with. H2O is fixed in its experimental geometry, core frozen."""


@dataclass(frozen=True, eq=False)
class Problem:
    """An active space as a qubit Hamiltonian, with its classical reference energies.

    Attributes:
        name: What it is, for reports.
        electrons: Active alpha and beta electrons.
        num_orbitals: Active spatial orbitals, n.
        one_body: Integrals of the active space in the field of the core, hartree, (n, n).
        two_body: Repulsion integrals in chemists' order, hartree, (n, n, n, n).
        constant: Nuclear repulsion and energy of the frozen core, hartree.
        hamiltonian: Jordan-Wigner operator of all three.
        hf_energy: Hartree-Fock energy, hartree.
        exact_energy: Lowest energy of the sector in this active space (PySCF FCI), hartree.
        cc_energy: Energy of `method`, hartree; None for open shells.
        amplitudes: Spatial t1 (occupied, virtual) and t2 (occupied, occupied, virtual, virtual)
            of the active space, or None for open shells.
        method: "CCSD", or "MP2" where CCSD does not converge, or "none".
    """

    name: str
    electrons: tuple[int, int]
    num_orbitals: int
    one_body: NDArray[np.float64]
    two_body: NDArray[np.float64]
    constant: float
    hamiltonian: SparsePauliOp
    hf_energy: float
    exact_energy: float
    cc_energy: float | None
    amplitudes: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    method: str

    @property
    def num_qubits(self) -> int:
        return 2 * self.num_orbitals

    @property
    def sector_dimension(self) -> int:
        """Number of determinants with the right numbers of alpha and beta electrons."""
        return math.prod(math.comb(self.num_orbitals, n) for n in self.electrons)

    @property
    def hf_determinant(self) -> int:
        """The Hartree-Fock state, bit q being qubit q."""
        alpha, beta = self.electrons
        return (1 << alpha) - 1 | ((1 << beta) - 1) << self.num_orbitals

    @property
    def title(self) -> str:
        """One line that says what is solved."""
        return (
            f"{self.name}, {sum(self.electrons)} electrons in {self.num_orbitals} orbitals: "
            f"{self.num_qubits} qubits, {self.sector_dimension} determinants"
        )

    def error(self, energy: float) -> float:
        """Distance of an energy (hartree) from the exact one, mHa."""
        return 1000 * (energy - self.exact_energy)


def build(molecule: Molecule, bond: float | None = None) -> Problem:
    """Solve a molecule classically and map its active space to qubits.

    Raises:
        ConfigError: The molecule has a fixed geometry, and another bond length is asked for.
        RuntimeError: Hartree-Fock or full CI does not converge.
    """
    bond = molecule.bond if bond is None else bond
    if bond != molecule.bond and "{bond}" not in molecule.atoms:
        raise ConfigError(
            f"{molecule.name} has a fixed geometry, of bond length {molecule.bond:g}: {bond:g} was "
            "asked for. Leave it out, or give a Molecule whose atoms have {bond}"
        )
    alpha, beta = molecule.electrons
    mol = gto.M(
        atom=molecule.atoms.format(bond=bond, twice=2 * bond, thrice=3 * bond),
        basis=molecule.basis,
        symmetry=molecule.symmetry,
        spin=alpha - beta,
        verbose=0,
    )
    field = (scf.RHF if alpha == beta else scf.ROHF)(mol)
    field.conv_tol = 1e-12
    field.kernel()
    name = f"{molecule.name} at {bond:g} A, {molecule.basis.upper()}"
    return from_mean_field(field, molecule.num_orbitals, molecule.electrons, name)


def from_mean_field(
    field: Any, num_orbitals: int, electrons: tuple[int, int], name: str
) -> Problem:
    """Map an active space of a converged PySCF calculation to qubits.

    Args:
        field: Restricted Hartree-Fock, closed or open shell. Give its molecule a point group
            where orbitals are degenerate (see `Molecule.symmetry`).
        num_orbitals: Active spatial orbitals; those below them are frozen, in order of energy.
        electrons: Active alpha and beta electrons.
        name: What it is, for reports.

    Raises:
        RuntimeError: The calculation, or full CI, does not converge.
    """
    if not field.converged:
        raise RuntimeError(f"Hartree-Fock does not converge for {name}")
    space = mcscf.CASCI(field, num_orbitals, electrons)
    # `constant` is the nuclear repulsion and the energy of the frozen core: added exactly once.
    one_body, constant = space.get_h1eff()
    two_body = ao2mo.restore(1, space.get_h2eff(), num_orbitals)
    full = fci.direct_spin1.FCI()
    full.conv_tol = 1e-12
    exact, _ = full.kernel(one_body, two_body, num_orbitals, electrons, ecore=constant)
    if not full.converged:
        raise RuntimeError(f"full CI does not converge for {name}")

    amplitudes, method, correlated = None, "none", None
    if electrons[0] == electrons[1]:
        active = range(space.ncore, space.ncore + num_orbitals)
        frozen = [p for p in range(field.mo_coeff.shape[1]) if p not in active]
        solver = cc.CCSD(field, frozen=frozen or None)
        solver.kernel()
        if solver.converged:
            amplitudes, method, correlated = (solver.t1, solver.t2), "CCSD", solver.e_tot
        else:
            correction, t1, t2 = solver.init_amps()
            amplitudes, method, correlated = (t1, t2), "MP2", field.e_tot + correction
    return Problem(
        name,
        electrons,
        num_orbitals,
        one_body,
        two_body,
        float(constant),
        hamiltonian=jordan_wigner(one_body, two_body, constant),
        hf_energy=float(field.e_tot),
        exact_energy=float(exact),
        cc_energy=None if correlated is None else float(correlated),
        amplitudes=amplitudes,
        method=method,
    )


def jordan_wigner(
    one_body: NDArray[np.float64], two_body: NDArray[np.float64], constant: float
) -> SparsePauliOp:
    """Map integrals (`two_body` in chemists' order, all (n, n, n, n)) to 2n qubits.

    H = constant + sum h_pq E_pq + 1/2 sum (pq|rs) (E_pq E_rs - delta_qr E_ps), where E_pq moves
    an electron of either spin from orbital q to p.
    """
    n = len(one_body)
    moves = [[_move(p, q, n) for q in range(n)] for p in range(n)]
    single = one_body - 0.5 * np.einsum("pqqs->ps", two_body)
    terms: Strings = {(0, 0): float(constant)}
    for p, q in np.ndindex(n, n):
        right: Strings = {(0, 0): float(single[p, q])}
        for r, s in zip(*np.nonzero(two_body[p, q]), strict=True):
            for key, value in moves[r][s].items():
                right[key] = right.get(key, 0.0) + 0.5 * float(two_body[p, q, r, s]) * value
        _add_product(terms, moves[p][q], right)
    labels, coefficients = [], []
    for (x, z), value in sorted(terms.items()):
        if abs(value) > 1e-12:
            labels.append(
                "".join("IXZY"[x >> k & 1 | (z >> k & 1) << 1] for k in range(2 * n)[::-1])
            )
            coefficients.append(value * (-1j) ** (x & z).bit_count())  # X Z = -i Y
    return SparsePauliOp(labels, coefficients)


Strings = dict[tuple[int, int], float]
"""A sum of strings: masks (x, z) stand for the X of all qubits in x after the Z of those in z."""


def _move(p: int, q: int, n: int) -> Strings:
    """Return E_pq: `X (1 + Z)/2` creates on a qubit, `X (1 - Z)/2` takes, after Z on all below."""
    terms: Strings = {}
    for to, start in ((p, q), (p + n, q + n)):
        create = {(1 << to, (1 << to) - 1): 0.5, (1 << to, (2 << to) - 1): 0.5}
        take = {(1 << start, (1 << start) - 1): 0.5, (1 << start, (2 << start) - 1): -0.5}
        _add_product(terms, create, take)
    return {key: value for key, value in terms.items() if value}


def _add_product(terms: Strings, left: Strings, right: Strings) -> None:
    for (x1, z1), first in left.items():
        for (x2, z2), second in right.items():
            sign = -1 if (z1 & x2).bit_count() & 1 else 1
            key = x1 ^ x2, z1 ^ z2
            terms[key] = terms.get(key, 0.0) + sign * first * second
