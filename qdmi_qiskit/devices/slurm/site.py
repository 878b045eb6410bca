"""A site's INI file: which devices which partitions have.

The SPANK plug-in (`spank/`) reads the same file. INI, because a C plug-in reads it in twenty lines.

    [site]
    devices = aer, emerald
    [partition quantum]
    default = aer
    allow = aer, emerald
    [device emerald]
    license = iqm_emerald
    device = iqm:emerald
    url = https://iqm.example.org
    tokens_file = /etc/qdmi/tokens/%u.json
    [account chemistry]
    iqm_emerald = 600                  # minutes of the licence
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.secret import guarded

_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what is syntax in a list of licences is not in it


@dataclass(frozen=True)
class Device:
    """One device of a site.

    Attributes:
        name: What users say.
        license: What a job must hold; None: nothing.
        settings: Every other key, which becomes `QDMI_<NAME>_<KEY>`.
    """

    name: str
    license: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What a job with this device gets."""
        head = re.sub(r"[^A-Z0-9]", "_", self.name.partition(":")[0].upper())
        found = {
            f"QDMI_{head}_{re.sub(r'[^A-Z0-9]', '_', key.upper())}": value
            for key, value in self.settings.items()
        }
        return {"QDMI_BACKEND": self.name, "QDMI_GRANTED": self.name, **found}


@dataclass(frozen=True)
class Partition:
    """One partition with devices."""

    name: str
    default: str | None
    allow: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """What the file says.

    Attributes:
        path: The file.
        devices: In its order.
        partitions: In its order.
        accounts: Minutes per licence.
    """

    path: Path
    devices: tuple[Device, ...]
    partitions: tuple[Partition, ...]
    accounts: Mapping[str, Mapping[str, int]]

    @property
    def licenses(self) -> tuple[str, ...]:
        """Each licence once."""
        return tuple(dict.fromkeys(d.license for d in self.devices if d.license))


def read(path: Path | str) -> Site:
    """Return what a file says.

    Raises:
        ConfigError: It cannot be read, or names what is not there; says where.
    """
    path = Path(path)
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(" #", " ;"))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; wanted a site's INI file") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no INI file: {' '.join(str(error).split())}") from error
    devices, partitions, accounts = list[Device](), list[Partition](), {}
    for section in parser.sections():
        kind, _, name = section.partition(" ")
        values, where = dict(parser[section]), f"{path} [{section}]"
        if kind != "site" and not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: wanted '{kind} NAME', of letters, digits and '._:+-'")
        if kind == "device":
            devices.append(_device(name, values, where))
        elif kind == "partition":
            allow = _list(values.get("allow", ""))
            partitions.append(Partition(name, values.get("default"), allow))
        elif kind == "account":
            accounts[name] = {key: _minutes(key, text, where) for key, text in values.items()}
        elif kind != "site":
            kinds = ("site", "device", "partition", "account")
            raise ConfigError(f"{where}: unknown section{did_you_mean(kind, kinds)}")
    site = Site(path, tuple(devices), tuple(partitions), accounts)
    _check(site, _list(parser.get("site", "devices", fallback="")))
    return site


def _device(name: str, values: dict[str, str], where: str) -> Device:
    needed = values.pop("license", None)
    if needed is not None and not _WORD.fullmatch(needed):
        raise ConfigError(
            f"{where}: license={needed!r}; wanted letters, digits, '_' and '-': ':,@*|' are syntax"
        )
    for key, value in values.items():
        guarded(key, value, where)  # a literal token is refused
    return Device(name, needed, values)


def _minutes(key: str, text: str, where: str) -> int:
    if not text.isdigit():
        raise ConfigError(f"{where}: {key}={text!r}; wanted minutes")
    return int(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def _check(site: Site, listed: tuple[str, ...]) -> None:
    known = {device.name for device in site.devices}
    for name in listed:
        if name not in known:
            raise ConfigError(
                f"{site.path}: devices names {name!r}, and there is no [device {name}]"
            )
    for name in known - set(listed):
        raise ConfigError(f"{site.path}: [device {name}] is not in 'devices' of [site]")
    for partition in site.partitions:
        where = f"{site.path} [partition {partition.name}]"
        for name in partition.allow:
            if name not in known:
                raise ConfigError(f"{where} allows {name!r}{did_you_mean(name, known)}")
        if partition.default is not None and partition.default not in partition.allow:
            raise ConfigError(f"{where}: the default {partition.default!r} is not allowed there")
