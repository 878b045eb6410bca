"""What a device's figures did since a circuit was compiled for them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
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

LOOK_AGAIN = 60.0
"""Seconds after which a backend that runs something asks for the calibration that holds by then."""


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


def ran_with_another(
    metadata: Mapping[str, Any] | None, jobs: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return a calibration that the vendor names, and that a circuit was not compiled for.

    Args:
        metadata: Of the circuit.
        jobs: What the vendor told of the device jobs, as results have it.

    Returns:
        Its id; None if the circuit or the vendor says nothing, or all is as it should be.
    """
    said = (metadata or {}).get(COMPILED_FOR)
    if not isinstance(said, str):
        return None
    found = (job.get("calibration") for job in jobs)
    return next((each for each in found if isinstance(each, str) and each != said), None)


def note_another(metadata: dict[str, Any], jobs: Sequence[Mapping[str, Any]]) -> None:
    """Write into a pub's metadata, and warn, if the vendor says that it ran with another one."""
    of_circuit = metadata.get("circuit_metadata") or {}
    other = ran_with_another(of_circuit, jobs)
    if other is not None and "drift" not in metadata:
        said = of_circuit[COMPILED_FOR]
        metadata["drift"] = {"compiled_for": said, "calibration": other, "recompiled": False}
        warn_of_another(said, other)


def warn_of_another(said: str, other: str) -> None:
    """Warn of a circuit that ran with another calibration than it was compiled for."""
    warnings.warn(
        f"a circuit was compiled for calibration {said}, and the device says that it ran with "
        f"{other}: call backend.refresh(), and compile it again with backend.pass_manager()",
        stacklevel=4,
    )


def drifted(
    circuits: Sequence[QuantumCircuit],
    spec: DeviceSpec,
    jobs: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return which circuits were compiled for another calibration than they ran with.

    Args:
        circuits: As they ran.
        spec: For which the run was planned.
        jobs: What the vendor told of the device jobs: it may name another calibration yet.

    Returns:
        For each such circuit its index as `circuit`, `compiled_for`, `calibration` of the run, and
        `recompiled`: whether it was compiled anew for the run.
    """
    found = []
    for index, circuit in enumerate(circuits):
        first = (circuit.metadata or {}).get(BEFORE)
        if first is None and not is_outdated(circuit, spec):
            other, said = ran_with_another(circuit.metadata, jobs), compiled_for(circuit)
            if other is not None and said is not None:
                warn_of_another(said, other)
                entry = {"compiled_for": said, "calibration": other, "recompiled": False}
                found.append({"circuit": index, **entry})
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
