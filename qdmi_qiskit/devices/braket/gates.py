"""Braket's gate names in Qiskit's words, and the gates that Qiskit lacks.

Angles are radians on both sides, IonQ's native gates included (IonQ's own interface, and
`qiskit-ionq`, count in turns). The tests prove every word equal as a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.equivalence_library import SessionEquivalenceLibrary
from qiskit.circuit.library import (
    CZGate,
    RXXGate,
    RZGate,
    UGate,
    XGate,
    YGate,
)

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
    "gpi": Word("gpi", 1, 1),
    "gpi2": Word("gpi2", 1, 1),
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
    "ms": Word("ms", 2, 3),
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


class GPIGate(Gate):
    """IonQ's `gpi`: a half turn about an axis in the equator, at `phi` radians from x."""

    def __init__(self, phi: Any, label: str | None = None) -> None:
        super().__init__("gpi", 1, [phi], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(1, global_phase=_PI / 2)
        self.definition.r(_PI, self.params[0], 0)

    def inverse(self, annotated: bool = False) -> Gate:
        return GPIGate(self.params[0])


class GPI2Gate(Gate):
    """IonQ's `gpi2`: a quarter turn about an axis in the equator, at `phi` radians from x."""

    def __init__(self, phi: Any, label: str | None = None) -> None:
        super().__init__("gpi2", 1, [phi], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(1)
        self.definition.r(_PI / 2, self.params[0], 0)

    def inverse(self, annotated: bool = False) -> Gate:
        return GPI2Gate(self.params[0] + _PI)


class MSGate(Gate):
    """IonQ's `ms`: exp(-i theta/2 GPI(phi0) x GPI(phi1)), all in radians."""

    def __init__(self, phi0: Any, phi1: Any, theta: Any, label: str | None = None) -> None:
        super().__init__("ms", 2, [phi0, phi1, theta], label=label)

    def _define(self) -> None:
        phi0, phi1, theta = self.params
        self.definition = QuantumCircuit(2)
        self.definition.rz(-phi0, 0)
        self.definition.rz(-phi1, 1)
        self.definition.rxx(theta, 0, 1)
        self.definition.rz(phi0, 0)
        self.definition.rz(phi1, 1)

    def inverse(self, annotated: bool = False) -> Gate:
        phi0, phi1, theta = self.params
        return MSGate(phi0, phi1, -theta)


GATES: Mapping[str, Gate] = {
    "gpi": GPIGate(Parameter("phi")),
    "gpi2": GPI2Gate(Parameter("phi")),
    "ms": MSGate(Parameter("phi0"), Parameter("phi1"), Parameter("theta")),
}
"""Instructions that Braket knows and Qiskit's standard library does not."""

_teaching = Lock()
_taught = False


def teach_transpiler() -> None:
    """Tell Qiskit how to write gates in IonQ's; without effect when told already."""
    global _taught
    with _teaching:
        if not _taught:
            _taught = True
            for gate, definition in _equivalences():
                SessionEquivalenceLibrary.add_equivalence(gate, definition)


def _equivalences() -> Iterator[tuple[Gate, QuantumCircuit]]:
    theta, phi, lam = (Parameter(name) for name in ("theta", "phi", "lam"))
    whole = QuantumCircuit(1, global_phase=(phi + lam - _PI) / 2)
    whole.append(GPI2Gate(_PI - lam), [0])
    whole.append(GPIGate((theta + phi - lam) / 2), [0])
    whole.append(GPI2Gate(phi + _PI), [0])
    yield UGate(theta, phi, lam), whole

    turn = QuantumCircuit(1)
    turn.append(GPIGate(0), [0])
    turn.append(GPIGate(theta / 2), [0])
    yield RZGate(theta), turn

    for gate, angle in ((XGate(), 0.0), (YGate(), _PI / 2)):
        flip = QuantumCircuit(1)
        flip.append(GPIGate(angle), [0])
        yield gate, flip

    entangle = QuantumCircuit(2)
    entangle.append(MSGate(0, 0, theta), [0, 1])
    yield RXXGate(theta), entangle

    controlled = QuantumCircuit(2, global_phase=_PI / 4)
    controlled.rzz(-_PI / 2, 0, 1)
    controlled.rz(_PI / 2, [0, 1])
    yield CZGate(), controlled
