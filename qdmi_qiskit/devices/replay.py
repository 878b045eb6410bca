"""Recorded devices as devices: offline twins on Aer, with the noise of their figures.

Names: `replay:FILE`, a file that `qdmi record` wrote, and `replay:grid20`, `replay:star6`,
`replay:lattice107`, synthetic devices that come with the package. Options: those of `aer:`
except `noise` and `num_qubits`, which the recording says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qdmi_qiskit import recordings, registry
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError, ProtocolError
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    DeviceState,
    DeviceStatus,
    PauliSum,
    Program,
    Task,
    Values,
)


class ReplaySession(Session):
    """A recorded device.

    Its sites, operations, figures and calibration are the recorded ones, its abilities are the
    simulator's. Of the recorded limits it keeps those that a user's program runs into: fewest and
    most shots, most qubits. How much fits into a job is no rehearsal's concern.
    """

    def __init__(
        self, recorded: DeviceSpec, options: Mapping[str, Any], source: str | None = None
    ) -> None:
        """Open the simulator.

        Args:
            recorded: The device.
            options: Of the simulator.
            source: Where `refresh` finds the recording again.
        """
        self._recorded, self._options, self._source = recorded, dict(options), source
        self._inner = _simulator(recorded, self._options)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy by opening again: what is recorded is kept, jobs are not."""
        return type(self), (self._recorded, self._options, self._source)

    def __repr__(self) -> str:
        return f"<ReplaySession of {self._recorded.name!r}>"

    @property
    def gates(self) -> Mapping[str, Any]:
        return self._inner.gates

    def spec(self) -> DeviceSpec:
        spec = self._inner.spec()
        limits = _limits(self._recorded.capabilities, spec.capabilities)
        return replace(spec, capabilities=limits)

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        capabilities = self.spec().capabilities
        for task in tasks:
            most = capabilities.max_shots
            if task.shots < capabilities.min_shots or (most is not None and task.shots > most):
                raise ProtocolError(
                    f"{self._recorded.name} takes {capabilities.min_shots} to {most} shots, the "
                    f"planner sent {task.shots}"
                )
        return self._inner.submit(tasks, key=key)

    def job(self, job_id: str) -> Job:
        return self._inner.job(job_id)

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        return self._inner.expectations(program, values, observables)

    def refresh(self) -> None:
        """Read the recording again."""
        if self._source is None:
            return
        recorded = recordings.load(self._source)
        if recorded != self._recorded:
            self._inner = _simulator(recorded, self._options)
            self._recorded = recorded

    def status(self) -> DeviceState:
        calibration = self._recorded.calibration
        what = "a recording" if calibration is None else f"calibration {calibration.id}"
        return DeviceState(
            status=DeviceStatus.IDLE, message=f"a replay of {what} of {self._recorded.name}"
        )

    def close(self) -> None:
        self._inner.close()


class ReplayDriver:
    """`replay:NAME`, a packaged recording, or `replay:FILE`."""

    def open(self, locator: str, **options: object) -> ReplaySession:
        """Return a session on a simulator of its own."""
        for name in ("noise", "num_qubits"):
            if name in options:
                raise ConfigError(
                    f"replay: takes no option {name!r}, the recording says it; leave it out, or "
                    "open 'aer' with it"
                )
        return ReplaySession(recordings.load(locator), options, locator)

    def names(self, **_options: object) -> Sequence[str]:
        """List the packaged recordings."""
        return recordings.NAMES


def _simulator(recorded: DeviceSpec, options: Mapping[str, Any]) -> Session:
    # By its name, as anybody would open it: plug-ins do not know each other.
    try:
        return registry.driver("aer").open("", noise=recorded, **options)
    except ConfigError as error:
        raise ConfigError(f"replay: {recorded.name} runs on Aer; {error}") from error


def _limits(recorded: Capabilities, simulated: Capabilities) -> Capabilities:
    most = [each.max_shots for each in (recorded, simulated) if each.max_shots is not None]
    return replace(
        simulated,
        min_shots=recorded.min_shots,
        max_shots=min(most, default=None),
        max_qubits=recorded.max_qubits,
    )


driver = ReplayDriver()
