"""From a scheme to its plug-in, and from a name to an open session.

Plug-ins are entry points of group `qdmi_qiskit.devices`; ours are found the same way as
anyone's. Naming a scheme imports nothing, opening it imports one plug-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from qdmi_qiskit.config import Resolved, resolve
from qdmi_qiskit.device import Driver, Session
from qdmi_qiskit.errors import ConfigError, MissingPluginError, ProtocolError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP = "qdmi_qiskit.devices"
OURS = "qdmi-qiskit"


def schemes() -> tuple[str, ...]:
    """Return every known scheme, sorted; imports no plug-in."""
    return tuple(sorted(_schemes()))


def driver(scheme: str) -> Driver:
    """Import and return one plug-in.

    Raises:
        ConfigError: Nobody provides the scheme, or two do.
        MissingPluginError: The plug-in cannot be imported; says what to install.
        ProtocolError: It loads to something other than a driver.
    """
    return _load(_point(scheme))


def open_session(resolved: Resolved) -> Session:
    """Open the device that `config.resolve` found.

    Raises:
        ConfigError: The scheme, the locator or an option is wrong.
        MissingPluginError: The plug-in cannot be imported; says what to install.
        ProtocolError: The plug-in opens something other than a session.
    """
    said = "" if resolved.device_origin == "keyword" else f" ({resolved.device_origin})"
    # Only a bare name could have been meant as a profile.
    others = () if resolved.locator else resolved.known
    loaded = _load(_point(resolved.scheme, others, said))
    options = resolved.options
    if clash := sorted({"self", "locator"} & options.keys()):
        raise ConfigError(
            f"no device takes an option {clash[0]!r} ({resolved.settings[clash[0]].origin}); "
            f"what to open is said by the name, '{resolved.scheme}:LOCATOR'"
        )
    session = loaded.open(resolved.locator, **options)
    if not isinstance(session, Session):
        kind = type(session).__name__
        raise ProtocolError(
            f"the plug-in for {resolved.scheme!r} opened a {kind}; wanted a Session: report it"
        )
    return session


def open_device(name: str | None = None, /, **options: object) -> Session:
    """Open a device by name: a profile, `scheme:locator` or a scheme; options by keyword."""
    return open_session(resolve(name, options))


def installed(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group; every distribution is read once, for all groups."""
    return tuple(_scan().select(group=group))


def look_again() -> None:
    """Read the distributions anew: one may have been installed a moment ago, as in a notebook."""
    import importlib

    importlib.invalidate_caches()
    _scan.cache_clear()


@cache
def _scan() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points()  # type: ignore[return-value]  # 3.11 makes groups of them: select does


def _schemes() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in installed(GROUP):
        found.setdefault(point.name, []).append(point)
    return found


def _point(scheme: str, others: Iterable[str] = (), said: str = "") -> EntryPoint:
    known = _schemes()
    if scheme not in known:
        look_again()
        known = _schemes()
    points = known.get(scheme)
    if points is None:
        what = "device scheme or profile" if others else "device scheme"
        hint = did_you_mean(scheme, {*known, *others})
        raise ConfigError(f"there is no {what} {scheme!r}{said}{hint}")
    if len({point.value for point in points}) > 1:
        claims = " and ".join(sorted(f"{_distribution(point)} ({point.value})" for point in points))
        raise ConfigError(f"scheme {scheme!r} is claimed by {claims}; uninstall one of them")
    return points[0]


def _load(point: EntryPoint) -> Driver:
    try:
        loaded = point.load()
    except ImportError as error:
        missing = f"needs {error.name!r}" if error.name else "cannot be imported"
        raise MissingPluginError(
            f"{point.name!r} {missing} ({error}): pip install {_install(point)}"
        ) from error
    except AttributeError as error:
        raise ProtocolError(
            f"{_where(point)} cannot be loaded: {error}; report it to them"
        ) from error
    lacks = [f"{name}()" for name in ("open", "names") if not callable(getattr(loaded, name, None))]
    if lacks:
        raise ProtocolError(f"{_where(point)} has no {' and no '.join(lacks)}; report it to them")
    plugin: Driver = loaded
    return plugin


def _where(point: EntryPoint) -> str:
    return f"the plug-in for {point.name!r} ({point.value}, from {_distribution(point)})"


def _distribution(point: EntryPoint) -> str:
    name: str = point.dist.name if point.dist else "an unknown distribution"
    return name


def _install(point: EntryPoint) -> str:
    """Return what to give to `pip install` for a plug-in that cannot be imported."""
    name = _distribution(point)
    if not point.dist or re.sub(r"[-_.]+", "-", name).lower() != OURS:
        return f"'{name}'"
    extras = point.dist.metadata.get_all("Provides-Extra") or []
    return f"'{OURS}[{point.name}]'" if point.name in extras else f"'{OURS}'"
