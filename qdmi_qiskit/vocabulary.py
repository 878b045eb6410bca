"""Gates of devices that Qiskit's standard library lacks, for whoever has to say them.

IonQ's native gates, and IQM's MOVE, which takes a qubit's state into a resonator and back. A
device gives those that it executes in `Session.gates`; a recording of it knows them by name.

IonQ's angles are radians here, and their names end in `_rad`: `qiskit-ionq` counts in turns under
the plain names, and Qiskit's transpiler tells gates apart by name alone. Under one name it would
put the gates of one package where the other's are meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


class GPIGate(Gate):
    """IonQ's `gpi`: a half turn about an axis in the equator, at `phi` radians from x."""

    def __init__(self, phi: Any, label: str | None = None) -> None:
        super().__init__("gpi_rad", 1, [phi], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(1, global_phase=_PI / 2)
        self.definition.r(_PI, self.params[0], 0)

    def inverse(self, annotated: bool = False) -> Gate:
        return GPIGate(self.params[0])


class GPI2Gate(Gate):
    """IonQ's `gpi2`: a quarter turn about an axis in the equator, at `phi` radians from x."""

    def __init__(self, phi: Any, label: str | None = None) -> None:
        super().__init__("gpi2_rad", 1, [phi], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(1)
        self.definition.r(_PI / 2, self.params[0], 0)

    def inverse(self, annotated: bool = False) -> Gate:
        return GPI2Gate(self.params[0] + _PI)


class MSGate(Gate):
    """IonQ's `ms`: exp(-i theta/2 GPI(phi0) x GPI(phi1)), all in radians."""

    def __init__(self, phi0: Any, phi1: Any, theta: Any, label: str | None = None) -> None:
        super().__init__("ms_rad", 2, [phi0, phi1, theta], label=label)

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


class MoveGate(Gate):
    """IQM's MOVE, between a qubit and a resonator one of which is in its ground state.

    What a pair of them does: the phase that one alone leaves is undone by the other, and what
    happens to two excitations never does. (Source: arXiv:2503.10903.)
    """

    def __init__(self, label: str | None = None) -> None:
        super().__init__("move", 2, [], label=label)

    def _define(self) -> None:
        self.definition = QuantumCircuit(2)
        self.definition.swap(0, 1)

    def inverse(self, annotated: bool = False) -> Gate:
        return MoveGate()


IONQ: Mapping[str, Gate] = {
    "gpi_rad": GPIGate(Parameter("phi")),
    "gpi2_rad": GPI2Gate(Parameter("phi")),
    "ms_rad": MSGate(Parameter("phi0"), Parameter("phi1"), Parameter("theta")),
}
"""IonQ's."""

GATES: Mapping[str, Gate] = {**IONQ, "move": MoveGate()}
"""All of them."""

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
