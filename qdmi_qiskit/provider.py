"""Backends by name."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from qdmi_qiskit import config, registry
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.checks import checked_recompile
from qdmi_qiskit.errors import ConfigError, QdmiError, did_you_mean
from qdmi_qiskit.forecast import is_free
from qdmi_qiskit.jobs import Jobs
from qdmi_qiskit.journal import recorder_for
from qdmi_qiskit.model import DeviceSpec, DeviceStatus

_LOCAL_SCHEMES = ("aer",)
_GRANTS = ("QRMI_JOB_QPU_RESOURCES", "SLURM_JOB_QPU_RESOURCES")
"""Where a scheduler says which devices a job was given, by comma; profiles have those names."""


def _charges(spec: DeviceSpec) -> float:
    if spec.price is None:
        return 0.0 if is_free(spec) else math.inf
    return spec.price.per_task + 1000 * spec.price.per_shot


def _state(said: DeviceStatus | str) -> DeviceStatus:
    known = [each.value for each in DeviceStatus]
    text = said.value if isinstance(said, DeviceStatus) else said.lower()
    if text not in known:
        raise ConfigError(f"state={said!r}{did_you_mean(text, known)}")
    return DeviceStatus(text)


class QDMIProvider(Jobs):
    """Opens devices by name: a profile of the configuration, or `scheme:locator`."""

    def get_backend(self, name: str | None = None, **options: Any) -> QDMIBackend:
        """Open a device.

        Args:
            name: A profile (`"lab"`) or `scheme:locator` (`"aer"`, `"aer:stabilizer"`). Not
                given: `$QDMI_BACKEND`, the `default` of the configuration, or `"aer"`.
            options: What a profile can say, by keyword; it wins over environment and profile.
                `journal=True` keeps the runs of any device in the journal, `journal=False` of
                none; by default it is those whose jobs outlive the process.
                `mitigation=["twirl", "readout"]` puts those stages around every `EstimatorV2`.
                `recompile="on_drift"` compiles circuits anew once the device is recalibrated.

        Raises:
            ConfigError: The name or an option is wrong.
            MissingPluginError: The device needs an extra; the message says which.
            UnavailableError: The device cannot be reached now.
        """
        resolved = config.resolve(name, options, config=self._config, environ=self._environ)
        recorder = recorder_for(resolved, options, self._environ)
        said = resolved.recompile
        recompile = None if said is None else checked_recompile(said.value, said.origin)
        session = registry.open_session(resolved)
        backend = QDMIBackend(session, name=resolved.name, provider=self, recorder=recorder)
        backend.recompile = recompile
        if resolved.mitigation is not None:
            backend.mitigation = resolved.mitigation.value
        return backend

    def backends(
        self,
        name: str | None = None,
        *,
        min_num_qubits: int | None = None,
        simulator: bool | None = None,
        operational: bool | None = None,
        gates: Iterable[str] = (),
        most_price: float | None = None,
        state: DeviceStatus | str | None = None,
        filters: Callable[[QDMIBackend], bool] | None = None,
    ) -> list[QDMIBackend]:
        """Open every configured profile and every device that needs no account, and filter them.

        Within a job to which a scheduler granted devices (`SLURM_JOB_QPU_RESOURCES`), only profiles
        of their names. A device that cannot be opened is left out with a warning that says why.
        Devices of a vendor's account are not opened unless a profile names them.

        Args:
            name: Only the backend of this name.
            min_num_qubits: Only devices with at least so many qubits.
            simulator: Only simulators, or only devices that are none.
            operational: Only devices that take jobs now, or only those that do not; asks them.
            gates: Only devices with all of these operations, under Qiskit's names.
            most_price: Only devices that charge at most so much for a job of 1000 shots, in their
                own currency; what states no price is left out, simulators of this process apart.
            state: Only devices in this state now (`"idle"`); asks them.
            filters: Only backends for which this returns true.
        """
        names = [name] if name is not None else self._names()
        wanted = None if state is None else _state(state)
        found = []
        for candidate in names:
            try:
                found.append(self.get_backend(candidate))
            except QdmiError as error:
                if name is not None:
                    raise
                warnings.warn(f"backend {candidate!r} left out: {error}", stacklevel=2)
        return [
            backend
            for backend in found
            if (min_num_qubits is None or backend.num_qubits >= min_num_qubits)
            and (simulator is None or backend.spec.simulator is simulator)
            and (operational is None or backend.device_status().status.operational is operational)
            and set(gates).issubset(backend.target.operation_names)
            and (most_price is None or _charges(backend.spec) <= most_price)
            and (wanted is None or backend.device_status().status is wanted)
            and (filters is None or filters(backend))
        ]

    def least_busy(self, name: str | None = None, **filters: Any) -> QDMIBackend:
        """Return the device that takes a job soonest, of those that `backends` returns.

        The next window comes first, then the length of the queue. A device that does not say how
        long its queue is comes after those that do; of equals the first configured is taken.

        Args:
            name: As for `backends`.
            filters: As for `backends`; `operational=True` unless said otherwise.

        Raises:
            ConfigError: There is none.
        """
        found = self.backends(name, **{"operational": True, **filters})
        if not found:
            raise ConfigError(
                "no device fits: ask for less, or look at what provider.backends() returns and at "
                "its warnings"
            )

        def busy(backend: QDMIBackend) -> tuple[float, float]:
            state = backend.device_status()
            length = math.inf if state.queue_length is None else state.queue_length
            if backend.spec.simulator and state.queue_length is None:
                length = 0  # it runs here
            return state.next_window or 0.0, length

        return min(found, key=busy)

    def _names(self) -> list[str]:
        profiles = config.profiles(config=self._config, environ=self._environ)
        local = [scheme for scheme in registry.schemes() if scheme in _LOCAL_SCHEMES]
        names = list(dict.fromkeys([*profiles, *local]))
        environ = os.environ if self._environ is None else self._environ
        said = next((environ[key] for key in _GRANTS if key in environ), None)
        if said is None:
            return names
        granted = [word.strip() for word in said.split(",")]
        return [name for name in names if name in granted]
