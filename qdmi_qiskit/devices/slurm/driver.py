"""Open a device inside a Slurm allocation by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qdmi_qiskit.config import Secret, profiles
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.devices.slurm.session import SlurmSession
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.options import parse


class SlurmDriver:
    """`slurm:NAME`; NAME is what is opened on the node, by the configuration that is there."""

    def open(self, locator: str, **options: object) -> SlurmSession:
        """Return a session; it asks for its allocation at the first question."""
        if locator.partition(":")[0] == "slurm":
            raise ConfigError(f"'slurm:{locator}': an allocation inside an allocation; drop one")
        chosen = parse(SlurmOptions, options, device="slurm")
        for where, secret in _secrets("device_options", chosen.device_options):
            if not secret.reference.startswith("file:"):
                raise ConfigError(
                    f"slurm: {where} is {secret!r}, which a node cannot read: write "
                    "'file:PATH', on a file system that nodes share"
                )
        return SlurmSession(locator, chosen)

    def names(self, **_options: object) -> Sequence[str]:
        """List what is sure to be there: Aer, and the profiles of this machine."""
        return ("aer", *(name for name in profiles() if name != "aer"))


def _secrets(where: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Secret]]:
    for key, value in options.items():
        if isinstance(value, Secret):
            yield f"{where}.{key}", value
        elif isinstance(value, Mapping):
            yield from _secrets(f"{where}.{key}", value)


driver = SlurmDriver()
