"""Braket's gate names in Qiskit's words, and the gates that Qiskit lacks.

Angles are radians on both sides, IonQ's native gates included (IonQ's own interface, and
`qiskit-ionq`, count in turns). The tests prove every word equal as a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from qiskit.circuit import Gate

from qdmi_qiskit.vocabulary import IONQ

_PI = float(np.pi)


@dataclass(frozen=True, slots=True)
class Word:
    """How a Qiskit gate is said in a Braket program.

    Attributes:
        name: Braket's name.
        num_sites: Qubits it acts on.
        num_angles: Angles of the Qiskit gate.
        angles: Given where the Qiskit gate has none and Braket's has.
        symmetric: Whether its qubits may be swapped.
    """

    name: str
    num_sites: int
    num_angles: int = 0
    angles: tuple[float, ...] = ()
    symmetric: bool = False


WORDS: Mapping[str, Word] = {
    "id": Word("i", 1),
    "x": Word("x", 1),
    "y": Word("y", 1),
    "z": Word("z", 1),
    "h": Word("h", 1),
    "s": Word("s", 1),
    "sdg": Word("si", 1),
    "t": Word("t", 1),
    "tdg": Word("ti", 1),
    "sx": Word("v", 1),
    "sxdg": Word("vi", 1),
    "rx": Word("rx", 1, 1),
    "ry": Word("ry", 1, 1),
    "rz": Word("rz", 1, 1),
    "p": Word("phaseshift", 1, 1),
    "u": Word("U", 1, 3),
    "r": Word("prx", 1, 2),
    "gpi_rad": Word("gpi", 1, 1),
    "gpi2_rad": Word("gpi2", 1, 1),
    "cx": Word("cnot", 2),
    "cy": Word("cy", 2),
    "cz": Word("cz", 2, symmetric=True),
    "csx": Word("cv", 2),
    "cp": Word("cphaseshift", 2, 1, symmetric=True),
    "swap": Word("swap", 2, symmetric=True),
    "iswap": Word("iswap", 2, symmetric=True),
    "ecr": Word("ecr", 2),
    "rxx": Word("xx", 2, 1, symmetric=True),
    "ryy": Word("yy", 2, 1, symmetric=True),
    "rzz": Word("zz", 2, 1, symmetric=True),
    "ms_rad": Word("ms", 2, 3),
    "ccx": Word("ccnot", 3),
    "cswap": Word("cswap", 3),
}
"""Qiskit's name -> Braket's word. `xy`, `pswap` and `cphaseshift00/01/10` have no Qiskit gate."""

QUARTER_TURNS: Mapping[str, Word] = {
    "x": Word("rx", 1, angles=(_PI,)),
    "sx": Word("rx", 1, angles=(_PI / 2,)),
    "sxdg": Word("rx", 1, angles=(-_PI / 2,)),
}
"""A native rx that turns by multiples of pi/2 alone (Rigetti), equal up to a global phase."""


def words_for(names: Iterable[str], *, quarter_turns: bool = False) -> dict[str, Word]:
    """Return the words for what a device calls `names`, whatever their case.

    Args:
        names: Operations of a capability document; those that Qiskit cannot say are left out.
        quarter_turns: Whether the device's rx takes multiples of pi/2 only.
    """
    offered = {name.lower() for name in names}
    found = {name: word for name, word in WORDS.items() if word.name.lower() in offered}
    if quarter_turns and found.pop("rx", None) is not None:
        found |= QUARTER_TURNS
    return found


GATES: Mapping[str, Gate] = IONQ
"""Instructions that Braket knows and Qiskit's standard library does not."""
