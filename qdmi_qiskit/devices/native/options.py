"""What can be said about a native device, checked before any library is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from qdmi_qiskit.devices.native.manifests import PARAMETERS, Entry
from qdmi_qiskit.devices.native.profiles import BitOrder, Profile
from qdmi_qiskit.devices.native.words import JobParameter, SessionParameter
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.options import DeviceOptions
from qdmi_qiskit.secret import Secret

Custom = str | int | Secret | None


class NativeOptions(DeviceOptions):
    """Options of `native:`. What a vendor's own slots mean is said by the vendor.

    Attributes:
        library: The library's file, absolute; instead of a manifest.
        prefix: Of its functions, such as `"IQM"`; goes with `library`.
        base_url: Session parameter BASEURL.
        token: Session parameter TOKEN, by reference.
        auth_file: Session parameter AUTHFILE.
        auth_url: Session parameter AUTHURL.
        username: Session parameter USERNAME.
        password: Session parameter PASSWORD, by reference.
        device_config: A file that describes the device, for libraries that take one.
        custom1: Session parameter CUSTOM1, as text; a number where the library wants one.
        custom2: Session parameter CUSTOM2.
        custom3: Session parameter CUSTOM3.
        custom4: Session parameter CUSTOM4.
        custom5: Session parameter CUSTOM5.
        job_custom1: Job parameter CUSTOM1 of every job, as text.
        job_custom2: Job parameter CUSTOM2.
        job_custom3: Job parameter CUSTOM3.
        job_custom4: Job parameter CUSTOM4.
        job_custom5: Job parameter CUSTOM5.
        child: Number of a child device, from 0; the device itself if not given.
        bit_order: Which classical bit the library's strings begin with. Only needed for
            libraries that this package does not know: QDMI leaves it open.
        num_qubits: Sites to offer, for simulators that name more than anybody needs.
    """

    library: str | None = None
    prefix: str | None = None
    base_url: str | None = None
    token: Secret | None = None
    auth_file: str | None = None
    auth_url: str | None = None
    username: str | None = None
    password: Secret | None = None
    device_config: str | None = None
    custom1: Custom = None
    custom2: Custom = None
    custom3: Custom = None
    custom4: Custom = None
    custom5: Custom = None
    job_custom1: Custom = None
    job_custom2: Custom = None
    job_custom3: Custom = None
    job_custom4: Custom = None
    job_custom5: Custom = None
    child: int | None = Field(default=None, ge=0)
    bit_order: BitOrder | None = None
    num_qubits: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _together(self) -> NativeOptions:
        if (self.library is None) is not (self.prefix is None):
            raise ValueError("library and prefix belong together: give both or neither")
        return self


def session_settings(
    options: NativeOptions, entry: Entry, profile: Profile
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
        value = getattr(options, key.replace("-", "_"))
        if value is not None:
            given[parameter] = value
    _configure(given, options.device_config, entry.config, profile)
    return {
        parameter: _bytes(value, profile.custom.get(parameter), parameter.name.lower())
        for parameter, value in given.items()
        if value is not None
    }


def job_settings(options: NativeOptions) -> dict[JobParameter, bytes]:
    """Return the vendor's own job parameters that an option sets."""
    found = {}
    for k in range(1, 6):
        value: Custom = getattr(options, f"job_custom{k}")
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
