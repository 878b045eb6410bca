"""A session on one IQM quantum computer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from qdmi_qiskit.answers import understood
from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.iqm.architecture import Architecture, architecture_from
from qdmi_qiskit.devices.iqm.batch import batch_of, readings_of
from qdmi_qiskit.devices.iqm.calibrate import CalibrationRun, started
from qdmi_qiskit.devices.iqm.encode import Encoder
from qdmi_qiskit.devices.iqm.job import SEPARATOR, IQMJob
from qdmi_qiskit.devices.iqm.options import IQMOptions
from qdmi_qiskit.devices.iqm.posted import Posted
from qdmi_qiskit.devices.iqm.sending import Sender
from qdmi_qiskit.devices.iqm.spec import spec_from
from qdmi_qiskit.devices.iqm.star import StarRouter
from qdmi_qiskit.devices.iqm.wire import Wire
from qdmi_qiskit.errors import ConfigError, ProtocolError, QdmiError
from qdmi_qiskit.model import DeviceSpec, DeviceState, DeviceStatus, Task

_log = logging.getLogger(__name__)

_LOOK_AGAIN = 600.0  # seconds between looks at the server's default calibration set


@dataclass(frozen=True)
class Snapshot:
    """What was read of the device, all of one calibration set."""

    architecture: Architecture
    spec: DeviceSpec
    encoder: Encoder


class IQMSession(Session):
    """One quantum computer, pinned to one calibration set until `refresh`."""

    def __init__(self, wire: Wire, computer: Mapping[str, Any], options: IQMOptions) -> None:
        """Read the device.

        Args:
            wire: To the server.
            computer: The server's entry of it.
            options: How to run on it.
        """
        self._wire, self._options = wire, options
        self._name = str(computer["alias"])
        self._place = quote(self._name, safe="")
        self._router = StarRouter()
        self._looked, self._drifted = time.monotonic(), ""
        self._sender = Sender(
            wire,
            f"jobs/{self._place}/circuit",
            use_timeslot=options.use_timeslot,
            most=options.max_job_bytes,
        )
        self._snapshot = self._understood(options.calibration_set)
        moves = {"move_gate_validation", "move_gate_frame_tracking"} & options.model_fields_set
        if moves and not self._snapshot.architecture.resonators:
            raise ConfigError(
                f"option {min(moves)!r} is about MOVEs, which {self._name} does not have: it is "
                "no star; leave the option out"
            )

    def __repr__(self) -> str:
        return f"<IQMSession {self._name!r} on {self._wire!r}>"

    @property
    def calibration_set(self) -> str:
        """Id of the pinned calibration set: specs, circuits and jobs are of this one."""
        return self._snapshot.architecture.calibration_set

    @property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        return {"iqm": self._snapshot.encoder}

    def spec(self) -> DeviceSpec:
        return self._snapshot.spec

    def refresh(self, calibration_set: str | None = None) -> None:
        """Read the device anew, and pin another calibration set.

        Args:
            calibration_set: Its id; else the one given at opening, else the server's default.
        """
        self._snapshot = self._understood(calibration_set or self._options.calibration_set)
        self._looked, self._drifted = time.monotonic(), ""

    def _understood(self, wanted: str | None) -> Snapshot:
        with understood(f"what the server says of {self._name}"):
            return self._read(wanted)

    def _read(self, wanted: str | None) -> Snapshot:
        place = f"quantum-computers/{self._place}"
        found, _ = self._wire.get(f"{place}/limits", optional=True)
        limits = found if isinstance(found, dict) else {}
        architecture = architecture_from(self._dynamic(wanted))
        if not architecture.qubits:
            raise ProtocolError(
                f"no qubit of {self._name} is calibrated for both gates and measurement in set "
                f"{architecture.calibration_set}: try another calibration_set, or later"
            )
        sets = f"calibration-sets/{self._place}/{architecture.calibration_set}"
        metrics, _ = self._wire.get(f"{sets}/metrics", optional=True)
        calibration, _ = self._wire.get(sets, optional=True)
        if isinstance(calibration, Mapping) and calibration.get("invalid"):
            _log.warning("%s: IQM marks calibration set %s as invalid", self._name, sets)
        spec = spec_from(
            self._name,
            architecture,
            label=_label(calibration) or _label(metrics) or self._label_of_chip(place),
            metrics=metrics,
            calibration=calibration,
            limits=limits,
        )
        most = limits.get("max_instructions_per_circuit")
        router = self._router if architecture.fictional else None
        longest = most if isinstance(most, int) and most > 0 else None
        return Snapshot(architecture, spec, Encoder(architecture, router, longest))

    def _label_of_chip(self, place: str) -> str:
        """Read the static architecture: asked only for what the sets did not say."""
        found, _ = self._wire.get(f"{place}/artifacts/static-quantum-architectures", optional=True)
        return _label(found[0]) if isinstance(found, list) and found else ""

    def _dynamic(self, calibration_set: str | None, *, briefly: bool = False) -> Any:
        which = quote(calibration_set or "default", safe="")
        path = f"calibration-sets/{self._place}/{which}/dynamic-quantum-architecture"
        return self._wire.get(path, briefly=briefly)[0]

    def submit(self, tasks: Sequence[Task], *, key: str) -> IQMJob:
        batch = batch_of(tasks, self.spec())
        rest = {
            "calibration_set_id": batch.calibration_set,
            "shots": batch.shots,
            **self._options.request(),
        }
        posted = self._sender.send(batch.circuits, rest, key)
        self._look_for_drift()
        return IQMJob(posted, batch.readings, self._drifted)

    @property
    def held(self) -> bool:
        return self._options.use_timeslot

    def current_calibration(self, *, briefly: bool = False) -> str | None:
        if self._options.calibration_set is not None:
            return self._options.calibration_set
        found = self._dynamic(None, briefly=briefly)
        return str(found["calibration_set_id"]) if "calibration_set_id" in found else None

    def pin(self, calibration: str) -> None:
        self.refresh(calibration)

    def job(self, job_id: str) -> IQMJob:
        return IQMJob(self._posted(job_id))

    def follow(self, job_id: str, tasks: Sequence[Task]) -> IQMJob:
        return IQMJob(self._posted(job_id), readings_of(tasks))

    def _posted(self, job_id: str) -> list[Posted]:
        ids = job_id.split(SEPARATOR)
        try:
            for each in ids:
                UUID(each)
        except ValueError:
            raise ConfigError(f"{job_id!r} is no id of an IQM job: ids are UUIDs") from None
        found = [self._wire.get(f"jobs/{quote(each, safe='')}")[0] for each in ids]
        return [Posted(self._wire, data) for data in found]

    def calibrate(
        self, procedure: Mapping[str, Any], *, changes_the_machine: bool
    ) -> CalibrationRun:
        """Let the machine calibrate itself, where the server supports that and this account may.

        This takes the machine from everybody, and every figure and angle of it will be others:
        `backend.refresh()` afterwards, and transpile again.

        Args:
            procedure: What to calibrate, in the site's own terms (`procedure_config`).
            changes_the_machine: Has to be True: say that you know.

        Raises:
            ConfigError: You did not say so.
            UnsupportedError: The server runs no calibrations.
        """
        if changes_the_machine is not True:
            raise ConfigError(
                f"a calibration changes {self._name} for everybody who uses it: say "
                "changes_the_machine=True"
            )
        return started(self._wire, procedure)

    def status(self) -> DeviceState:
        place = f"quantum-computers/{self._place}"
        health, _ = self._wire.get(f"{place}/health", optional=True)
        queue, _ = self._wire.get(f"{place}/queue-availability", optional=True)
        healthy = not isinstance(health, Mapping) or health.get("healthy") is not False
        queue = queue if isinstance(queue, Mapping) else {}
        length = queue.get("queue_length")
        busy = bool(length)
        status = DeviceStatus.BUSY if busy else DeviceStatus.IDLE
        return DeviceState(
            status=status if healthy else DeviceStatus.MAINTENANCE,
            queue_length=length if isinstance(length, int) and length >= 0 else None,
            next_window=_until(queue.get("available")),
            message=self._drift(),
        )

    def _look_for_drift(self) -> None:
        """Say so if the server's default set is another one now; never harms a job."""
        if time.monotonic() - self._looked < _LOOK_AGAIN:
            return
        self._looked = time.monotonic()
        if message := self._drift():
            _log.warning("%s: %s", self._name, message)

    def _drift(self) -> str:
        """Return what to say of the server's default set if it is another one now."""
        if self._options.calibration_set is not None:
            return ""
        try:
            now = str(self._dynamic(None, briefly=True).get("calibration_set_id"))
        except (QdmiError, AttributeError) as error:
            _log.debug("no look at the default calibration set: %s", error)
            return self._drifted
        self._drifted = ""
        if now != self.calibration_set:
            self._drifted = (
                f"the default calibration set is {now} now, circuits run with "
                f"{self.calibration_set}: backend.refresh() moves to it; transpile again after that"
            )
        return self._drifted

    def close(self) -> None:
        self._wire.close()


def _label(described: Any) -> str:
    """Return which chip something is about."""
    return str(described.get("dut_label") or "") if isinstance(described, Mapping) else ""


def _until(windows: Any) -> float | None:
    """Return the seconds until the next window begins; 0 inside one."""
    now, found = datetime.now(UTC), []
    for window in windows if isinstance(windows, list) else ():
        try:
            start, end = (datetime.fromisoformat(window[k]) for k in ("start", "end"))
            if end > now:
                found.append(max((start - now).total_seconds(), 0.0))
        except (KeyError, TypeError, ValueError):
            continue
    return min(found, default=None)
