"""Which QDMI devices are installed: the `*.qdmi.json` manifests, found without importing anything.

Low to high, merged by id, field by field: manifests of installed distributions (entry-point
group `mqt.core.qdmi.manifests`, and those that mqt-core keeps beside its own libraries),
`/etc/mqt-core/qdmi.json`, `~/.config/mqt-core/qdmi.json` (`$XDG_CONFIG_HOME`). Never the current
directory: a manifest loads native code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.native.words import SessionParameter
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.registry import installed

GROUP = "mqt.core.qdmi.manifests"
SYSTEM = Path("/etc/mqt-core/qdmi.json")
_CORE = ("mqt-core", ("mqt/core/lib64", "mqt/core/lib", "mqt/core/bin"))
_PATTERN = "*.qdmi.json"

PARAMETERS: Mapping[str, SessionParameter] = {
    "base-url": SessionParameter.BASEURL,
    "token": SessionParameter.TOKEN,
    "auth-file": SessionParameter.AUTHFILE,
    "auth-url": SessionParameter.AUTHURL,
    "username": SessionParameter.USERNAME,
    "password": SessionParameter.PASSWORD,
    **{f"custom{k}": SessionParameter[f"CUSTOM{k}"] for k in range(1, 6)},
}
"""A manifest's words for session parameters."""


@dataclass(frozen=True)
class Entry:
    """One device of a manifest.

    Attributes:
        id: The vendor's.
        library: The file, absolute; empty if no manifest said.
        prefix: Of its functions.
        enabled: Whether it is offered.
        session: Session parameters in the manifest's words. May hold secrets: never shown.
        config: `{"inline": ...}` or `{"file": "/absolute/path"}`, where the device has one.
    """

    id: str
    library: str = ""
    prefix: str = ""
    enabled: bool = True
    session: Mapping[str, str] = field(default_factory=dict, repr=False)
    config: Mapping[str, Any] = field(default_factory=dict)


def entries(environ: Mapping[str, str] | None = None) -> dict[str, Entry]:
    """Return every device that the manifests of this machine name.

    Args:
        environ: Instead of the process's environment.

    Raises:
        ConfigError: A file of the system or the user cannot be read. A broken manifest of an
            installed distribution hides that distribution's devices only.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in _installed():
        try:
            _merge(found, path)
        except ConfigError:
            continue
    for path in (SYSTEM, _user(os.environ if environ is None else environ)):
        if path.is_file():
            _merge(found, path)
    return {key: Entry(id=key, **values) for key, values in found.items()}


def read(path: Path) -> dict[str, Entry]:
    """Return the devices of one manifest.

    Raises:
        ConfigError: It cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    _merge(found, path)
    return {key: Entry(id=key, **values) for key, values in found.items()}


def _installed() -> Iterator[Path]:
    seen: set[Path] = set()
    folders: list[tuple[Path, str]] = []
    try:
        core = metadata.distribution(_CORE[0])
    except metadata.PackageNotFoundError:
        pass
    else:
        folders += [(Path(str(core.locate_file(folder))), _PATTERN) for folder in _CORE[1]]
    for point in installed(GROUP):
        if point.dist is not None:
            package = point.value.replace(".", "/")
            folders.append((Path(str(point.dist.locate_file(package))), f"**/{_PATTERN}"))
    for folder, pattern in folders:
        for path in sorted(folder.glob(pattern)):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _user(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config"
    return Path(home) / "mqt-core" / "qdmi.json"


def _merge(found: dict[str, dict[str, Any]], path: Path) -> None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        devices = content["qdmi"]["devices"]
        read = [(str(each["id"]), _fields(each, path.parent)) for each in devices]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__  # the words of the error may quote a secret
        raise ConfigError(f"the QDMI manifest {path} cannot be read ({kind})") from None
    if content.get("schema-version") != 1:
        raise ConfigError(f"the QDMI manifest {path} has another schema-version than 1")
    for key, values in read:
        known = found.setdefault(key, {})
        session = {**known.get("session", {}), **values.pop("session", {})}
        known.update(values)
        if session:
            known["session"] = session


def _fields(each: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if "library" in each:
        values["library"] = str(folder / str(each["library"]))
    if "prefix" in each:
        values["prefix"] = str(each["prefix"])
    if "enabled" in each:
        values["enabled"] = bool(each["enabled"])
    session = dict(each.get("session") or {})
    config = session.pop("device-config", None)
    if config is not None:
        values["config"] = (
            {"file": str(folder / str(config["file"]))} if "file" in config else dict(config)
        )
    unknown = session.keys() - PARAMETERS.keys()
    if unknown:
        raise ValueError(sorted(unknown)[0])
    values["session"] = {key: str(value) for key, value in session.items()}
    return values
