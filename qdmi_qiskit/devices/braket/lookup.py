"""From a name to a device's ARN and region: asked of the service, never listed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from qdmi_qiskit.devices.braket import cache
from qdmi_qiskit.devices.braket.options import CloudOptions
from qdmi_qiskit.devices.braket.transport import Transport
from qdmi_qiskit.errors import ConfigError, QdmiError, UnavailableError, did_you_mean


def region_of(arn: str) -> str:
    """Return the region in an ARN; empty for a simulator's, which has none.

    >>> region_of("arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet")
    'eu-north-1'
    """
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 else ""


def is_arn(locator: str) -> bool:
    """Whether a locator is an ARN rather than a name."""
    return locator.startswith("arn:")


def plain(name: str) -> str:
    """Return a name as it is compared: `Forte Enterprise 1` is `forte-enterprise-1`.

    >>> plain("Forte Enterprise 1") == plain("forte-enterprise-1")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def devices(transport: Transport) -> Iterator[Mapping[str, Any]]:
    """Yield what SearchDevices lists in one region."""
    page: dict[str, Any] = {"filters": []}
    while True:
        found = transport.call("search_devices", "looking for devices", **page)
        yield from found.get("devices", [])
        if not found.get("nextToken"):
            return
        page["nextToken"] = found["nextToken"]


def tasks(
    transport: Transport, arn: str, since: datetime | None, most: int
) -> list[dict[str, Any]]:
    """Return what SearchQuantumTasks lists of a device in one region, the newest first."""
    rules = [{"name": "deviceArn", "operator": "EQUAL", "values": [arn]}]
    if since is not None:
        rules.append({"name": "createdAt", "operator": "GTE", "values": [since.isoformat()]})
    page: dict[str, Any] = {"filters": rules, "maxResults": 100}
    found: list[Mapping[str, Any]] = []
    while True:
        listed = transport.call("search_quantum_tasks", "looking for tasks", **page)
        found += listed.get("quantumTasks", [])
        if not listed.get("nextToken"):
            break
        page["nextToken"] = listed["nextToken"]
    found.sort(key=lambda each: each["createdAt"], reverse=True)
    return [
        {
            "id": str(each["quantumTaskArn"]),
            "status": str(each["status"]),
            "shots": int(each["shots"]),
            "submitted_at": each["createdAt"].isoformat(),
            "tags": dict(each.get("tags") or {}),
        }
        for each in found[:most]
    ]


def usable(entry: Mapping[str, Any]) -> bool:
    """Whether a listed device is still there."""
    return entry.get("deviceStatus") != "RETIRED"


def find(locator: str, options: CloudOptions) -> tuple[str, Transport]:
    """Return the ARN that a locator means, and a connection to its region.

    A name is looked for in the chosen region first, then in every other that has Braket.

    Raises:
        ConfigError: No region has it.
        UnavailableError: It was found nowhere, and some region did not answer.
    """
    if is_arn(locator):
        return locator, connect(options, region_of(locator) or options.region)
    first = connect(options, options.region)
    chosen = (options.region or "", first.region, first.endpoint, options.profile or "")
    key = (plain(locator), *chosen)
    if (kept := cache.place(key, options.cache_seconds)) is not None:
        arn, region = kept
        return arn, first if region == first.region else connect(options, region)
    seen, silent = dict[str, None](), list[QdmiError]()
    regions = (first.region,) if options.region else first.regions()
    for region in regions:
        transport = first if region == first.region else connect(options, region)
        try:
            listed = [entry for entry in devices(transport) if usable(entry)]
        except QdmiError as error:
            silent.append(error)
            if region == first.region and isinstance(error, ConfigError):
                raise
            continue
        for entry in listed:
            if plain(locator) in (plain(entry["deviceName"]), plain(_last(entry["deviceArn"]))):
                cache.keep_place(key, str(entry["deviceArn"]), region)
                return str(entry["deviceArn"]), transport
        seen |= dict.fromkeys(str(entry["deviceName"]).lower() for entry in listed)
    where = ", ".join(regions)
    if silent:
        raise UnavailableError(
            f"there is no Braket device {locator!r} in the regions that answered, of {where}: "
            f"{silent[0]}"
        )
    raise ConfigError(
        f"there is no Braket device {locator!r} in {where}{did_you_mean(locator, seen)}"
    )


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


def connect(options: CloudOptions, region: str | None) -> Transport:
    """Return a connection; without a region AWS's own chain decides, else `us-east-1`."""
    try:
        return Transport(options, region)
    except ConfigError as error:
        if region is not None or "NoRegion" not in type(error.__cause__).__name__:
            raise
        return Transport(options, "us-east-1")
