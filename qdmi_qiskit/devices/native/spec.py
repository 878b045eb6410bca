"""From what a device says of itself to a `DeviceSpec`: a pure function."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qdmi_qiskit.devices.native.detours import with_detours
from qdmi_qiskit.devices.native.facts import RawDevice, RawOperation, RawSite
from qdmi_qiskit.devices.native.profiles import GATES, Profile
from qdmi_qiskit.devices.native.standard import CONTROL_FLOW, KNOWN, VARIADIC
from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import Calibration, Capabilities, DeviceSpec, Figures, Operation, Site

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "ps": 1e-12}
_IMPLICIT = frozenset({"barrier"})
_WRITTEN = frozenset({"if_else"})
"""Control flow that our writers have words for."""


@dataclass(frozen=True)
class Reading:
    """A device in Qiskit's terms.

    Attributes:
        sites: Its qubits.
        operations: What acts on them.
        positions: Where each qubit is in the device's list of sites.
        names: The device's name for each of Qiskit's.
    """

    sites: tuple[Site, ...]
    operations: tuple[Operation, ...]
    positions: tuple[int, ...]
    names: Mapping[str, str]


def reading(raw: RawDevice, profile: Profile) -> Reading:
    """Translate names, units and positions.

    Qubits are the sites that are no zones and, where the device says on which sites it measures,
    that can be measured; in the order of their indices.

    Raises:
        UnsupportedError: The device has zones: atoms move between them, a circuit cannot say so.
    """
    if any(site.zone for site in raw.sites):
        raise UnsupportedError(
            f"{raw.values.get('name')} has zones, between which qubits move; Qiskit's circuits "
            "and targets have no words for that"
        )
    scale = _seconds(raw.values)
    positions = _qubits(raw, profile)
    index = {position: k for k, position in enumerate(positions)}
    operations, names = [], dict[str, str]()
    for operation in raw.operations:
        name = _name(operation, profile)
        if name in profile.wrong:
            continue
        if name in names:  # listed twice, or under two names: the first counts
            continue
        names[name] = operation.name
        if name in _IMPLICIT or not _expressible(name, operation):
            continue
        found = _operation(name, operation, raw, index, scale)
        if found is not None:
            operations.append(found)
    if "measure" not in names:  # part of every format that there is
        names["measure"] = "measure"
        operations.append(Operation("measure", 1))
    names.setdefault("barrier", "barrier")
    if profile.moves:
        there = {_name(each, profile): each for each in raw.operations}
        places: dict[str, dict[tuple[int, ...], Figures]] = {
            name: {place: _of(there[name], place, scale) for place in there[name].places or ()}
            for name in ("cz", "move")
            if name in there
        }
        operations = with_detours(operations, there, index, places)
    sites = tuple(_site(k, raw.sites[position], scale) for k, position in enumerate(positions))
    return Reading(sites, tuple(operations), positions, names)


def spec_from(
    raw: RawDevice,
    read: Reading,
    name: str,
    capabilities: Capabilities,
    simulator: bool,
) -> DeviceSpec:
    """Put a snapshot together."""
    return DeviceSpec(
        name=name,
        version=str(raw.values.get("version", "")),
        sites=read.sites,
        operations=read.operations,
        capabilities=capabilities,
        simulator=simulator,
        calibration=Calibration(raw.calibration) if raw.calibration else None,
    )


def _seconds(values: Mapping[str, Any]) -> float | None:
    """Return what a raw duration is multiplied with; None where the device gives no unit."""
    unit = _UNITS.get(str(values.get("durationunit", "")))
    scale = float(values.get("durationscalefactor", 1.0))
    return None if unit is None or not 0 < scale < math.inf else scale * unit


def _qubits(raw: RawDevice, profile: Profile) -> tuple[int, ...]:
    measured = [op for op in raw.operations if _name(op, profile) == "measure"]
    places = measured[0].places if measured else None
    readable = None if places is None else {place[0] for place in places}
    found = [k for k in range(len(raw.sites)) if readable is None or k in readable]
    return tuple(sorted(found, key=lambda k: int(raw.sites[k].values["index"])))


def _name(operation: RawOperation, profile: Profile) -> str:
    name = operation.name
    return profile.names.get(name) or GATES.get(name.lower(), name)


def _expressible(name: str, operation: RawOperation) -> bool:
    """Whether something in a circuit can stand for an operation."""
    if name in VARIADIC or name in _WRITTEN:
        return True
    if name in CONTROL_FLOW:
        return False
    standard = KNOWN.get(name)
    size, angles = operation.values.get("qubitsnum"), operation.values.get("parametersnum")
    if standard is not None:  # a library need not say how many qubits and angles a known gate has
        fits = size in (None, standard.num_qubits) and angles in (None, len(standard.parameters))
        return fits or name in ("measure", "reset", "delay")
    return size is not None and size >= 1 and not operation.values.get("iszoned")


def _operation(
    name: str,
    operation: RawOperation,
    raw: RawDevice,
    index: Mapping[int, int],
    scale: float | None,
) -> Operation | None:
    standard = KNOWN.get(name)
    if name in VARIADIC or name in _WRITTEN:
        return Operation(name, None)
    size = standard.num_qubits if standard is not None else operation.values["qubitsnum"]
    angles: tuple[str, ...] = ()
    if name != "delay":
        own = range(int(operation.values.get("parametersnum", 0)))
        angles = tuple(f"p{k}" for k in own) if standard is None else standard.parameters
    places = _places(operation, raw, index, int(size))
    if places is None:
        return Operation(name, int(size), angles)
    sites = {
        tuple(index[position] for position in place): _of(operation, place, scale)
        for place in places
    }
    return Operation(name, int(size), angles, sites) if sites else None


def _places(
    operation: RawOperation, raw: RawDevice, index: Mapping[int, int], size: int
) -> Sequence[tuple[int, ...]] | None:
    """Return where an operation acts; None: everywhere, and alike."""
    if operation.places is not None:
        if not raw.coupled and not operation.figures and _complete(operation.places, raw, size):
            return None
        there = dict.fromkeys(operation.places)
        return [place for place in there if len(set(place)) == size and index.keys() >= {*place}]
    if raw.coupling is None or not raw.coupled:
        return None
    # A device with a coupling map that does not say where an operation acts: along the map.
    if size == 1:
        return [(position,) for position in index]
    if size == 2:
        return [pair for pair in dict.fromkeys(raw.coupling) if index.keys() >= {*pair}]
    return []


def _complete(places: Sequence[tuple[int, ...]], raw: RawDevice, size: int) -> bool:
    return len({*places}) == math.perm(len(raw.sites), size)


def _of(operation: RawOperation, place: tuple[int, ...], scale: float | None) -> Figures:
    return _figures({**operation.values, **operation.figures.get(place, {})}, scale)


def _figures(values: Mapping[str, Any], scale: float | None) -> Figures:
    duration, fidelity = values.get("duration"), values.get("fidelity")
    return Figures(
        None if duration is None or scale is None else duration * scale,
        fidelity if fidelity is not None and 0 <= fidelity <= 1 else None,
    )


def _site(k: int, site: RawSite, scale: float | None) -> Site:
    def time(name: str) -> float | None:
        raw = site.values.get(name)
        return raw * scale if raw and scale is not None else None

    index = site.values["index"]
    name = str(site.values.get("name") or ("" if index == k else index))
    return Site(k, name, time("t1"), time("t2"))
