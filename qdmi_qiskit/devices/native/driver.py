"""Open a device of a QDMI library by the vendor's id."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qdmi_qiskit.devices.native.channel import Channel
from qdmi_qiskit.devices.native.library import library
from qdmi_qiskit.devices.native.manifests import Entry, entries
from qdmi_qiskit.devices.native.profiles import profile_of
from qdmi_qiskit.devices.native.session import NativeSession
from qdmi_qiskit.devices.native.settings import job_settings, session_settings
from qdmi_qiskit.devices.native.words import DeviceProperty, SessionParameter
from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.registry import look_again

_INSTALL = "pip install mqt-core, iqm-qdmi or amazon-braket-qdmi, or give library= and prefix="


class NativeDriver:
    """`native:ID` with an id of a manifest, or any name with the options `library` and `prefix`."""

    def open(self, locator: str, **options: object) -> NativeSession:
        """Return a session on one device."""
        said = _checked(options)
        entry = _entry(locator, said)
        found = library(entry.library, entry.prefix)
        profile = profile_of(entry.prefix, programs=found.programs)
        if "bit_order" in said:
            profile = replace(profile, bit_order=said["bit_order"])
        settings = session_settings(said, entry, profile)
        if profile.simulates is not None:
            address = settings.get(SessionParameter.BASEURL, b"").decode()
            profile = replace(profile, simulator=profile.simulates in address)
        channel = Channel(found, settings)
        if "child" in said:
            channel = _child(channel, settings, said["child"])
        try:
            name = locator or str(channel.device(DeviceProperty.NAME) or entry.prefix)
        except BaseException:
            channel.close()
            raise
        most = said.get("num_qubits", profile.most_sites)
        only = said.get("program_format")
        return NativeSession(channel, name, profile, job_settings(said), most, only)

    def names(self, **_options: object) -> Sequence[str]:
        """List the ids of all manifests; loads no library."""
        return tuple(sorted(_enabled()))


def _checked(options: Mapping[str, object]) -> dict[str, Any]:
    """Return the options that were given, of the types of `NativeOptions`."""
    if not options:
        return {}
    from qdmi_qiskit.devices.native.options import NativeOptions
    from qdmi_qiskit.options import parse

    parsed = parse(NativeOptions, options, device="native")
    return {name: value for name, value in parsed if value is not None}


def _enabled() -> dict[str, Entry]:
    return {key: entry for key, entry in entries().items() if entry.enabled}


def _entry(locator: str, options: Mapping[str, Any]) -> Entry:
    if "library" in options:
        return Entry(locator, options["library"], options["prefix"])
    known = _enabled()
    if locator not in known:
        look_again()
        known = _enabled()
    if locator not in known:
        if not known:
            raise ConfigError(f"no QDMI device is installed: {_INSTALL}")
        if not locator:
            raise ConfigError(f"'native:' does not say which device; there are {', '.join(known)}")
        raise ConfigError(f"there is no QDMI device {locator!r}{did_you_mean(locator, known)}")
    entry = known[locator]
    if not entry.library or not entry.prefix:
        raise ConfigError(f"the manifests name no library and prefix for {locator!r}")
    return entry


def _child(parent: Channel, settings: dict[SessionParameter, bytes], number: int) -> Channel:
    """Open a child device: a session of its own, told which by a handle of the parent's."""
    try:
        handle = struct.pack("P", _chosen(parent, number))
        own = {**settings, SessionParameter.CHILDDEVICE: handle}
        # The handle belongs to the parent's session, which stays open as long.
        return Channel(parent.library, own, parent)
    except BaseException:
        parent.close()
        raise


def _chosen(parent: Channel, number: int) -> int:
    children: Sequence[int] = parent.device(DeviceProperty.CHILDDEVICES) or ()
    if number < len(children):
        return children[number]
    there = f", 0 to {len(children) - 1}" if children else ""
    raise ConfigError(f"child={number}, but this device has {len(children)} child devices{there}")


driver = NativeDriver()
