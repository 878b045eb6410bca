"""Backends by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qdmi_qiskit import config, registry
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.job import recall

_LOCAL_SCHEMES = ("aer",)


class QDMIProvider:
    """Opens devices by name: a profile of the configuration, or `scheme:locator`."""

    def __init__(
        self, *, config: Path | str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """Choose where profiles come from.

        Args:
            config: A TOML file that goes before all others.
            environ: Instead of the process's environment.
        """
        self._config, self._environ = config, environ

    def get_backend(self, name: str | None = None, **options: Any) -> QDMIBackend:
        """Open a device.

        Args:
            name: A profile (`"lab"`) or `scheme:locator` (`"aer"`, `"aer:stabilizer"`). Not
                given: `$QDMI_BACKEND`, the `default` of the configuration, or `"aer"`.
            options: What a profile can say, by keyword; it wins over environment and profile.

        Raises:
            ConfigError: The name or an option is wrong.
            MissingPluginError: The device needs an extra; the message says which.
            UnavailableError: The device cannot be reached now.
        """
        resolved = config.resolve(name, options, config=self._config, environ=self._environ)
        session = registry.open_session(resolved)
        return QDMIBackend(session, name=resolved.name, provider=self)

    def backends(
        self,
        name: str | None = None,
        *,
        min_num_qubits: int | None = None,
        simulator: bool | None = None,
        operational: bool | None = None,
        filters: Callable[[QDMIBackend], bool] | None = None,
    ) -> list[QDMIBackend]:
        """Open every configured profile and every device that needs no account, and filter them.

        A device that cannot be opened is left out with a warning that says why. Devices of a
        vendor's account are not opened unless a profile names them.

        Args:
            name: Only the backend of this name.
            min_num_qubits: Only devices with at least so many qubits.
            simulator: Only simulators, or only devices that are none.
            operational: Only devices that take jobs now, or only those that do not; asks them.
            filters: Only backends for which this returns true.
        """
        names = [name] if name is not None else self._names()
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
            and (filters is None or filters(backend))
        ]

    def _names(self) -> list[str]:
        profiles = config.profiles(config=self._config, environ=self._environ)
        local = [scheme for scheme in registry.schemes() if scheme in _LOCAL_SCHEMES]
        return list(dict.fromkeys([*profiles, *local]))

    def job(self, job_id: str) -> Any:
        """Return a job of this process by the id that its `job_id()` gave.

        Raises:
            ConfigError: There is none of that id, or nobody holds it any more.
        """
        return recall(job_id)
