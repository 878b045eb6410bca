"""Virtual Z: pulses and frames of each qubit, folded into as few pulses as possible.

IQM's hardware has one single-qubit gate, `prx(angle, phase)`, Qiskit's `r`. A rotation about z
is a change of the phase of all later pulses on the qubit and costs nothing; before a measurement
it is dropped. All gates of a qubit between two others are one rotation, hence at most one pulse
(numbers), and as few as linear forms can tell where angles are parameters.

The state of a qubit is Rz(frame) R(angle, phase) after what was emitted before. A pulse R(a, p)
after a frame f is R(a, p - f) before it: `R(a, p) Rz(f) = Rz(f) R(a, p - f)`. CZ, delays and
MOVEs commute with Rz, so a frame goes through them unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from qdmi_qiskit.devices.iqm.angles import Form, rotation

Pulse = tuple[Form, Form]
_ZERO = Form()
_PI = Form(math.pi)


class Folder:
    """Collects the single-qubit gates of a circuit and emits pulses where they are needed."""

    def __init__(self, emit: Callable[[int, Form, Form], None]) -> None:
        """Emit pulses by `emit(qubit, angle, phase)`."""
        self._emit = emit
        self._frames: dict[int, Form] = {}
        self._pending: dict[int, Pulse] = {}

    def frame(self, qubit: int) -> Form:
        """Return the rotation about z that the qubit owes."""
        return self._frames.get(qubit, _ZERO)

    def rz(self, qubit: int, angle: Form) -> None:
        """Turn about z."""
        self._frames[qubit] = self.frame(qubit) + angle

    def r(self, qubit: int, angle: Form, phase: Form) -> None:
        """Turn by `angle` about the axis at `phase` in the xy plane."""
        new = (angle, phase - self.frame(qubit))
        old = self._pending.pop(qubit, None)
        if old is None:
            self._keep(qubit, *new)
            return
        merged = _merged(old, new)
        if merged is None:
            self._emit(qubit, *old)
            self._keep(qubit, *new)
            return
        turn, angle, phase = merged
        self.rz(qubit, turn)
        self._keep(qubit, angle, phase)

    def _keep(self, qubit: int, angle: Form, phase: Form) -> None:
        if not angle.turns_to(0.0):
            self._pending[qubit] = angle, phase

    def flush(self, qubits: Iterable[int]) -> None:
        """Emit what is pending: something else happens to these qubits."""
        for qubit in qubits:
            pulse = self._pending.pop(qubit, None)
            if pulse is not None:
                self._emit(qubit, *pulse)

    def flush_all(self) -> None:
        """Emit all that is pending."""
        self.flush(sorted(self._pending))

    def forget(self, qubit: int) -> None:
        """Drop the frame: the qubit is in |0> or |1>, which no rotation about z changes."""
        self._frames.pop(qubit, None)


def _merged(first: Pulse, second: Pulse) -> tuple[Form, Form, Form] | None:
    """Return `(z, a, p)` such that R(second) R(first) = Rz(z) R(a, p), if it can be told."""
    (a1, p1), (a2, p2) = first, second
    apart = p2 - p1
    if apart.turns_to(0.0):
        return _ZERO, a1 + a2, p1
    if apart.turns_to(math.pi):
        return _ZERO, a1 - a2, p1
    if a1.fixed and a2.fixed and apart.fixed:
        z, angle, phase = rotation((a1.constant, a2.constant, apart.constant))
        return Form(z), Form(angle), p1 + Form(phase)
    if a1.turns_to(math.pi):
        return apart * 2.0, a2 + _PI, p1 - apart
    if a2.turns_to(math.pi):
        return apart * 2.0, a1 + _PI, p1
    return None
