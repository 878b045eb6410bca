"""What a device's figures did since a circuit was compiled for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from qiskit import QuantumCircuit

from qdmi_qiskit.model import DeviceSpec
from qdmi_qiskit.recordings.changes import Change, changes

COMPILED_FOR = "qdmi_calibration"
"""In `circuit.metadata`: id of the calibration that `backend.pass_manager` compiled it for."""
BEFORE = "qdmi_calibration_before"
"""In `circuit.metadata`: id of the calibration that it was compiled for at first, if it drifted."""


@dataclass(frozen=True)
class Drift:
    """What `backend.refresh()` found; true if anything but the time of the snapshot changed.

    Attributes:
        before: The snapshot until then.
        after: The one that holds now.
    """

    before: DeviceSpec
    after: DeviceSpec

    def __bool__(self) -> bool:
        return replace(self.before, taken_at=self.after.taken_at) != self.after

    @property
    def recalibrated(self) -> bool:
        """Whether the figures are of another calibration now."""
        return _id(self.before) != _id(self.after)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Figures, qubits and couplings that changed, worst first, as `qdmi diff` tells them."""
        return tuple(changes(self.before, self.after))

    def __str__(self) -> str:
        counts = Counter(each.kind for each in self.changes)
        told = ", ".join(f"{number} {kind}" for kind, number in counts.items())
        if not self:
            return f"{self.after.name}: nothing changed"
        which = f"calibration {_id(self.before)} -> {_id(self.after)}: "
        return f"{self.after.name}: {which if self.recalibrated else ''}{told or 'other settings'}"


def _id(spec: DeviceSpec) -> str | None:
    return None if spec.calibration is None else spec.calibration.id


def mark(circuit: QuantumCircuit, calibration: str, *, before: str | None = None) -> None:
    """Write into a circuit what it was compiled for; kept by copies, binding, QPY and pickle."""
    noted = {COMPILED_FOR: calibration} | ({} if before is None else {BEFORE: before})
    circuit.metadata = {**(circuit.metadata or {}), **noted}


def compiled_for(circuit: QuantumCircuit) -> str | None:
    """Return the id of the calibration that a circuit was compiled for, where it says."""
    found = (circuit.metadata or {}).get(COMPILED_FOR)
    return found if isinstance(found, str) else None


def is_outdated(circuit: QuantumCircuit, spec: DeviceSpec) -> bool:
    """Whether a circuit says that it was compiled for another calibration than a snapshot's."""
    said = compiled_for(circuit)
    return said is not None and said != _id(spec)


def drifted(circuits: Sequence[QuantumCircuit], spec: DeviceSpec) -> list[dict[str, Any]]:
    """Return which circuits were compiled for another calibration than they ran with.

    Returns:
        For each such circuit its index as `circuit`, `compiled_for`, `calibration` of the run, and
        `recompiled`: whether it was compiled anew for the run.
    """
    found = []
    for index, circuit in enumerate(circuits):
        first = (circuit.metadata or {}).get(BEFORE)
        if first is None and not is_outdated(circuit, spec):
            continue
        old = is_outdated(circuit, spec)
        found.append(
            {
                "circuit": index,
                "compiled_for": compiled_for(circuit) if old else first,
                "calibration": _id(spec),
                "recompiled": not old,
            }
        )
    return found
