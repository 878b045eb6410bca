"""What runs on a backend, held against the calibration that its device has now."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from qiskit import QuantumCircuit

from qdmi_qiskit import drift
from qdmi_qiskit.drift import compiled_for, is_outdated
from qdmi_qiskit.errors import QdmiError, RejectedError
from qdmi_qiskit.isa import IsaChecker
from qdmi_qiskit.origins import compiled_again

if TYPE_CHECKING:
    from qiskit.transpiler import StagedPassManager, Target

    from qdmi_qiskit.device import Session
    from qdmi_qiskit.model import Calibration, DeviceSpec


class Watched(Protocol):
    """What is needed of a backend."""

    session: Session
    isa: IsaChecker
    name: str | None
    recompile: str | None

    @property
    def spec(self) -> DeviceSpec:
        """The snapshot in use."""
        ...

    @property
    def target(self) -> Target:
        """What was built from it."""
        ...

    def pass_manager(self, level: int = 2, **options: Any) -> StagedPassManager:
        """Return what compiles for `target`."""
        ...


class CalibrationWatch:
    """Tells of each pair of calibrations once: the one compiled for, and the one that holds."""

    def __init__(self) -> None:
        self._told: set[tuple[str | None, str | None]] = set()
        self.restart()

    def restart(self) -> None:
        """Count the time until the next look from now on: a snapshot was taken."""
        self._looked = time.monotonic()

    def current(
        self,
        backend: Watched,
        circuits: Sequence[QuantumCircuit],
        take: Callable[[DeviceSpec], None],
    ) -> list[QuantumCircuit]:
        """Return what to run for circuits that were compiled some time ago.

        Args:
            backend: Where they are to run. With `recompile="on_drift"` its device is asked
                which calibration holds now; else at most once a minute, for a warning.
            circuits: As the user has them.
            take: Makes a newer snapshot the backend's own.
        """
        calibration = backend.spec.calibration
        if calibration is None:
            return list(circuits)
        if backend.recompile == "on_drift":
            _follow(backend.session, calibration, take)
            circuits = [_compiled_again(backend, circuit) for circuit in circuits]
        elif time.monotonic() - self._looked > drift.LOOK_AGAIN:
            self._look(backend, calibration)
        for circuit in circuits:
            if is_outdated(circuit, backend.spec):
                self._warn_of(backend, circuit)
        return list(circuits)

    def _look(self, backend: Watched, calibration: Calibration) -> None:
        """Warn if the device has another calibration by now; runs go on with the old one."""
        self.restart()
        try:
            now = backend.session.current_calibration(briefly=True)
        except QdmiError:
            return  # it was only for a warning: whatever is the matter, the run meets it
        pair = calibration.id, now
        if now in (None, calibration.id) or pair in self._told:
            return
        self._told.add(pair)
        warnings.warn(
            f"{backend.name} was opened with calibration {pair[0]}, and the device has {now} by "
            "now: backend.refresh() takes it over",
            stacklevel=5,
        )

    def _warn_of(self, backend: Watched, circuit: QuantumCircuit) -> None:
        calibration = backend.spec.calibration
        pair = compiled_for(circuit), None if calibration is None else calibration.id
        if pair in self._told:
            return
        self._told.add(pair)
        advice = "compile it again with backend.pass_manager()"
        if backend.recompile == "on_drift":
            advice += (
                "; it cannot be done here, because this process has not compiled it, or it was "
                "changed or bound to values since (give values to SamplerV2 instead)"
            )
        else:
            advice += ', or open the device with recompile="on_drift"'
        warnings.warn(
            f"circuit {circuit.name!r} was compiled for calibration {pair[0]} of {backend.name}, "
            f"which has calibration {pair[1]} now: {advice}",
            stacklevel=5,
        )


def _follow(session: Session, calibration: Calibration, take: Callable[[DeviceSpec], None]) -> None:
    """Move to the device's present calibration if that is another one."""
    now = session.current_calibration()
    if now == calibration.id:
        return
    session.refresh()
    spec = session.spec()
    if spec.calibration != calibration:  # else what was compiled for it is kept
        take(spec)


def _compiled_again(backend: Watched, circuit: QuantumCircuit) -> QuantumCircuit:
    calibration = backend.spec.calibration
    if calibration is None or not is_outdated(circuit, backend.spec):
        return circuit

    def fits(found: QuantumCircuit) -> bool:
        try:
            backend.isa.check(found)
        except RejectedError:
            return False
        return True

    found = compiled_again(
        circuit, calibration.id, backend.target, fits=fits, pass_manager=backend.pass_manager
    )
    return circuit if found is None else found
