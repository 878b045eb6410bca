"""Session and job parameters as a library wants them, from a manifest and options."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.native.manifests import PARAMETERS, Entry
from qdmi_qiskit.devices.native.profiles import Profile
from qdmi_qiskit.devices.native.words import JobParameter, SessionParameter
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.secret import Secret

Custom = str | int | Secret


def session_settings(
    options: Mapping[str, Any], entry: Entry, profile: Profile
) -> dict[SessionParameter, bytes]:
    """Return session parameters as the library wants them; what an option says wins.

    Secrets are read here, and kept nowhere.

    Raises:
        ConfigError: A value is none that the library takes.
    """
    given: dict[SessionParameter, Custom] = {
        PARAMETERS[key]: value for key, value in entry.session.items()
    }
    for key, parameter in PARAMETERS.items():
        value = options.get(key.replace("-", "_"))
        if value is not None:
            given[parameter] = value
    _configure(given, options.get("device_config"), entry.config, profile)
    return {
        parameter: _bytes(value, profile.custom.get(parameter), parameter.name.lower())
        for parameter, value in given.items()
        if value is not None
    }


def job_settings(options: Mapping[str, Any]) -> dict[JobParameter, bytes]:
    """Return the vendor's own job parameters that an option sets."""
    found = {}
    for k in range(1, 6):
        value: Custom | None = options.get(f"job_custom{k}")
        if value is not None:
            found[JobParameter[f"CUSTOM{k}"]] = _bytes(value, None, f"job_custom{k}")
    return found


def _configure(
    given: dict[SessionParameter, Custom],
    option: str | None,
    config: Mapping[str, Any],
    profile: Profile,
) -> None:
    if option is not None:
        config = {"file": str(Path(option).expanduser().absolute())}
    if not config:
        return
    if profile.config is None:
        raise ConfigError("this library takes no device configuration: leave device_config out")
    inline, file = profile.config
    if "file" in config:
        given.setdefault(file, str(config["file"]))
    else:
        content = config.get("inline")
        given.setdefault(inline, content if isinstance(content, str) else json.dumps(content))


def _bytes(value: Custom, kind: str | None, name: str) -> bytes:
    if isinstance(value, Secret):
        value = value.reveal()
    if kind == "uint":
        try:
            return struct.pack("=Q", int(str(value)))
        except (ValueError, struct.error):
            raise ConfigError(
                f"{name} is no whole number of 64 bits, which the library wants"
            ) from None
    text = str(value)
    if "\0" in text:
        raise ConfigError(f"{name} contains a NUL")
    return text.encode() + b"\0"
