"""Open an Aer simulator by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qdmi_qiskit.devices.aer.options import METHODS, AerOptions
from qdmi_qiskit.devices.aer.session import AerSession
from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.options import parse


class AerDriver:
    """`aer:METHOD`; the method may be left out, and given as an option instead."""

    def open(self, locator: str, **options: object) -> AerSession:
        """Return a session on a simulator of its own."""
        given: dict[str, Any] = dict(options)
        if locator:
            if locator not in METHODS:
                raise ConfigError(
                    f"no simulation method {locator!r} in name 'aer:{locator}'"
                    f"{did_you_mean(locator, METHODS)}"
                )
            if given.setdefault("method", locator) != locator:
                raise ConfigError(
                    f"name 'aer:{locator}' and option method={given['method']!r} contradict each "
                    "other: give one of them"
                )
        return AerSession(parse(AerOptions, given, device="aer"))

    def names(self, **_options: object) -> Sequence[str]:
        """List the methods that the installed Aer has; the empty one lets Aer choose."""
        from qiskit_aer import AerSimulator

        installed = AerSimulator().available_methods()
        return ("", *(method for method in METHODS if method in installed))


driver = AerDriver()
