"""A device as it was when a run began, opened only if somebody asks it for something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import DeviceSpec, DeviceState, PauliSum, Program, Task, Values
from qdmi_qiskit.vocabulary import GATES


class ReopenedSession(Session):
    """A recorded spec, and behind it the device once it is needed."""

    def __init__(self, spec: DeviceSpec, connect: Callable[[], Session]) -> None:
        """Stand for a device.

        Args:
            spec: The snapshot that a run was planned for.
            connect: Opens the device.
        """
        self._spec, self._connect = spec, connect
        self._opened: Session | None = None
        self._lock = threading.Lock()

    def opened(self) -> Session:
        """Return the device's own session, at the calibration of the snapshot where it can."""
        with self._lock:
            if self._opened is None:
                session = self._connect()
                before, now = self._spec.calibration, session.spec().calibration
                if before is not None and (now is None or now.id != before.id):
                    with suppress(QdmiError):  # gone: what was not sent belongs to today's
                        session.pin(before.id)
                self._opened = session
            return self._opened

    @property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        return self.opened().encoders

    @property
    def gates(self) -> Mapping[str, Any]:
        return GATES if self._opened is None else self._opened.gates

    @property
    def held(self) -> bool:
        return self._opened is not None and self._opened.held

    def admit(
        self, jobs: Sequence[Sequence[Task]], *, asks: bool = False, keys: Sequence[str] = ()
    ) -> None:
        self.opened().admit(jobs, asks=asks, keys=keys)

    def count(self, jobs: Mapping[str, Sequence[Task]]) -> None:
        self.opened().count(jobs)

    def spec(self) -> DeviceSpec:
        return self._spec

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        return self.opened().submit(tasks, key=key)

    def facts(self) -> Mapping[str, Any]:
        return self.opened().facts()

    def refresh(self) -> None:
        session = self.opened()
        session.refresh()
        self._spec = session.spec()

    def current_calibration(self, *, briefly: bool = False) -> str | None:
        return self.opened().current_calibration(briefly=briefly)

    def status(self) -> DeviceState:
        return self.opened().status()

    def job(self, job_id: str) -> Job:
        return self.opened().job(job_id)

    def follow(self, job_id: str, tasks: Sequence[Task]) -> Job:
        return self.opened().follow(job_id, tasks)

    def find(self, key: str) -> Job | None:
        return self.opened().find(key)

    def pin(self, calibration: str) -> None:
        self.opened().pin(calibration)

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        return self.opened().expectations(program, values, observables)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
