"""All that a device says of itself, raw: in QDMI's words, handles resolved to positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qdmi_qiskit.devices.native.channel import Channel
from qdmi_qiskit.devices.native.words import (
    DeviceProperty,
    OperationProperty,
    ProgramFormat,
    SiteProperty,
)
from qdmi_qiskit.errors import ProtocolError

_SAMPLE = 64
"""Sites that are asked everything; of a device with many more, the rest are asked what one of
these knows. Simulators name tens of thousands."""

_MANY = 256
"""More sites than that are not asked what none of the sample knows."""

_ALL = 1024
"""More places of an operation, none with figures, only simulators have."""

_PLACED = (OperationProperty.DURATION, OperationProperty.FIDELITY, OperationProperty.IDLINGFIDELITY)


@dataclass(frozen=True)
class RawSite:
    """One site.

    Attributes:
        values: Property by name in lower case, such as `"t1"`; those that it does not say are
            left out. Times and lengths are raw.
    """

    values: Mapping[str, Any]

    @property
    def zone(self) -> bool:
        """Whether it is a zone, which holds qubits and is none."""
        return bool(self.values.get("iszone"))


@dataclass(frozen=True)
class RawOperation:
    """One operation.

    Attributes:
        values: Properties that hold wherever it acts, by name in lower case.
        places: Where it acts, as positions in the list of sites; None where it does not say.
        figures: What it says for a place only, or else than in general.
    """

    values: Mapping[str, Any]
    places: tuple[tuple[int, ...], ...] | None
    figures: Mapping[tuple[int, ...], Mapping[str, Any]]

    @property
    def name(self) -> str:
        """The vendor's name of it."""
        return str(self.values["name"])

    def document(self) -> dict[str, Any]:
        """Return the same as plain JSON."""
        known = dict(self.values)
        if self.places is not None:
            known["sites"] = [list(place) for place in self.places]
        if self.figures:
            known["on"] = [{"sites": list(at), **said} for at, said in self.figures.items()]
        return known


@dataclass(frozen=True)
class RawDevice:
    """One device.

    Attributes:
        values: Properties by name in lower case, without lists of handles.
        sites: In the device's order, which numbers the qubits of OpenQASM programs.
        operations: In the device's order.
        coupling: Directed pairs of positions; None where it has no map.
        formats: In the device's order.
        children: How many child devices it has.
        calibration: Its calibration set, where the library has a property for that.
    """

    values: Mapping[str, Any]
    sites: tuple[RawSite, ...]
    operations: tuple[RawOperation, ...]
    coupling: tuple[tuple[int, int], ...] | None
    formats: tuple[ProgramFormat, ...]
    children: int
    calibration: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the same as plain JSON; what the device does not say is left out."""
        known = dict(self.values)
        if self.calibration is not None:
            known["calibration"] = self.calibration
        if self.formats:
            known["supportedprogramformats"] = [each.name for each in self.formats]
        if self.children:
            known["childdevices"] = self.children
        known["sites"] = [dict(site.values) for site in self.sites]
        known["operations"] = [operation.document() for operation in self.operations]
        if self.coupling is not None:
            known["couplingmap"] = [list(pair) for pair in self.coupling]
        return known

    @property
    def coupled(self) -> bool:
        """Whether there is a coupling map that leaves pairs out."""
        number = len(self.sites)
        return self.coupling is not None and len({*self.coupling}) < number * (number - 1)


_LISTS = (
    DeviceProperty.SITES,
    DeviceProperty.OPERATIONS,
    DeviceProperty.COUPLINGMAP,
    DeviceProperty.SUPPORTEDPROGRAMFORMATS,
    DeviceProperty.CHILDDEVICES,
)
_MOVING = (DeviceProperty.STATUS, DeviceProperty.QUEUELENGTH)
_PLAIN = [prop for prop in DeviceProperty if prop < DeviceProperty.CUSTOM1 and prop not in _LISTS]


def facts_from(
    channel: Channel, most: int | None = None, calibration: DeviceProperty | None = None
) -> RawDevice:
    """Ask a device everything.

    Args:
        channel: An open session.
        most: Sites to ask about, the first in the device's order; None: all.
        calibration: The vendor's own property that names the calibration set.

    Raises:
        ProtocolError: Answers contradict each other.
        QdmiError: The library reports an error.
    """
    plain = [prop for prop in _PLAIN if prop not in _MOVING]
    values = _known({prop: channel.device(prop) for prop in plain})
    handles = channel.device(DeviceProperty.SITES) or ()
    if len({*handles}) != len(handles):
        raise ProtocolError(f"{channel.library} lists a site twice: report it")
    asked = handles if most is None else handles[:most]
    where = _Positions(handles)
    flat = channel.device(DeviceProperty.COUPLINGMAP)
    coupling = None if flat is None else _tuples(channel, flat, 2, where, "the coupling map")
    sites = _sites(channel, asked)
    return RawDevice(
        values,
        sites,
        tuple(
            _operation(channel, handle, handles, where, sites, coupling)
            for handle in channel.device(DeviceProperty.OPERATIONS) or ()
        ),
        None if coupling is None else tuple((a, b) for a, b in coupling),
        formats_of(channel),
        len(channel.device(DeviceProperty.CHILDDEVICES) or ()),
        None if calibration is None else channel.device(calibration),
    )


class _Positions(dict[int, int]):
    """Where each handle is in a list; looked for when first asked, as simulators never ask."""

    def __init__(self, handles: Sequence[int]) -> None:
        super().__init__()
        self._handles = handles

    def __missing__(self, handle: int) -> int:
        if not self:
            self.update({each: position for position, each in enumerate(self._handles)})
            if handle in self:
                return self[handle]
        raise KeyError(handle)


def formats_of(channel: Channel) -> tuple[ProgramFormat, ...]:
    """Ask which formats a device takes; those that QDMI does not know are left out."""
    said = channel.device(DeviceProperty.SUPPORTEDPROGRAMFORMATS) or ()
    return tuple(ProgramFormat(each) for each in said if each in ProgramFormat.__members__.values())


def _known(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {prop.name.lower(): value for prop, value in values.items() if value is not None}


def _sites(channel: Channel, handles: Sequence[int]) -> tuple[RawSite, ...]:
    props = list(SiteProperty)
    if len(handles) > _MANY:
        sample = [_site(channel, handle, props) for handle in handles[:_SAMPLE]]
        said = {name for site in sample for name in site.values}
        props = [prop for prop in props if prop.name.lower() in said]
    columns = [channel.sites(handles, prop) for prop in props]
    rows = zip(*columns, strict=True) if props else [()] * len(handles)
    found = tuple(RawSite(_known(dict(zip(props, row, strict=True)))) for row in rows)
    indices = [site.values.get("index") for site in found]
    if None in indices or len(set(indices)) != len(indices):
        raise ProtocolError(f"{channel.library} gives its sites no unique index: report it")
    return found


def _site(channel: Channel, handle: int, props: Sequence[SiteProperty]) -> RawSite:
    return RawSite(_known({prop: channel.site(handle, prop) for prop in props}))


def _operation(
    channel: Channel,
    handle: int,
    handles: Sequence[int],
    where: Mapping[int, int],
    sites: Sequence[RawSite],
    coupling: tuple[tuple[int, ...], ...] | None,
) -> RawOperation:
    props = [prop for prop in OperationProperty if prop is not OperationProperty.SITES]
    values = _known({prop: channel.operation(handle, prop) for prop in props})
    if not values.get("name"):
        raise ProtocolError(f"{channel.library} has an operation without a name: report it")
    size = 1 if values.get("iszoned") else values.get("qubitsnum")
    size = int(size or 0)
    flat = channel.operation(handle, OperationProperty.SITES) if size else None
    what = f"the sites of operation {values['name']!r}"
    places = None if flat is None else _tuples(channel, flat, size, where, what)
    asked: Sequence[tuple[int, ...]] | None = places
    if asked is None and coupling is not None:  # a machine: figures may differ from site to site
        regular = [(k,) for k, site in enumerate(sites) if not site.zone]
        asked = regular if size == 1 else tuple(coupling) if size == 2 else ()
    figures: dict[tuple[int, ...], Mapping[str, Any]] = {}
    for count, place in enumerate(dict.fromkeys(asked or ())):
        if count == _ALL and not figures:
            break  # a simulator that lists every tuple there is, and has no figures
        on = tuple(handles[position] for position in place)
        here = _known({prop: channel.operation(handle, prop, on) for prop in _PLACED})
        own = {name: value for name, value in here.items() if values.get(name) != value}
        if own:
            figures[place] = own
    return RawOperation(values, places, figures)


def _tuples(
    channel: Channel, flat: Sequence[int], size: int, where: Mapping[int, int], what: str
) -> tuple[tuple[int, ...], ...]:
    if len(flat) % size:
        raise ProtocolError(
            f"{channel.library}: {what} are {len(flat)} handles, no multiple of {size}: report it"
        )
    try:
        positions = [where[handle] for handle in flat]
    except KeyError:
        raise ProtocolError(
            f"{channel.library}: {what} name a site that is not in the device's list: report it"
        ) from None
    return tuple(tuple(positions[k : k + size]) for k in range(0, len(positions), size))
