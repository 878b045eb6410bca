"""Molecules on any device: problems from PySCF, UCCSD, VQE, QSCI and SQD.

    from qdmi_qiskit.chemistry import MOLECULES, VQE, build, lower, qsci, uccsd

Conventions of everything here:

* Energies are in hartree, errors in millihartree (mHa), distances in angstrom.
* Jordan-Wigner on `2 * num_orbitals` qubits: qubit `p` is the alpha spin orbital `p` and qubit
  `num_orbitals + p` the beta spin orbital `p`.
* Hamiltonians carry their constant (nuclear repulsion and frozen core), so expectation values
  are total energies.

Problems and ansatz need the extra `chemistry`, configuration recovery and LUCJ the extra `sqd`;
determinants, QSCI and VQE need neither. Each name loads what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdmi_qiskit.chemistry.ansatz import bind, lower, uccsd
    from qdmi_qiskit.chemistry.determinants import (
        determinants_from,
        ground_energy,
        in_sector,
        most_frequent,
        project,
    )
    from qdmi_qiskit.chemistry.lucj import lucj
    from qdmi_qiskit.chemistry.problem import MOLECULES, Molecule, Problem, build, from_mean_field
    from qdmi_qiskit.chemistry.recovery import recover
    from qdmi_qiskit.chemistry.subspace import (
        Control,
        Spread,
        Subspace,
        batches,
        control,
        qsci,
        sqd,
    )
    from qdmi_qiskit.chemistry.vqe import VQE, Outcome, Preview

CHEMICAL_ACCURACY = 1.6
"""The usual goal for an energy error, mHa (1 kcal/mol)."""

_HOMES = {
    "ansatz": ("bind", "lower", "uccsd"),
    "determinants": (
        "determinants_from",
        "ground_energy",
        "in_sector",
        "most_frequent",
        "project",
    ),
    "lucj": ("lucj",),
    "problem": ("MOLECULES", "Molecule", "Problem", "build", "from_mean_field"),
    "recovery": ("recover",),
    "subspace": ("Control", "Spread", "Subspace", "batches", "control", "qsci", "sqd"),
    "vqe": ("VQE", "Outcome", "Preview"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}
__all__ = [
    "CHEMICAL_ACCURACY",
    "MOLECULES",
    "VQE",
    "Control",
    "Molecule",
    "Outcome",
    "Preview",
    "Problem",
    "Spread",
    "Subspace",
    "batches",
    "bind",
    "build",
    "control",
    "determinants_from",
    "from_mean_field",
    "ground_energy",
    "in_sector",
    "lower",
    "lucj",
    "most_frequent",
    "project",
    "qsci",
    "recover",
    "sqd",
    "uccsd",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
