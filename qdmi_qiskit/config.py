"""From a name to a scheme, a locator and options: keyword > environment > profile > default.

`resolve` is the one function in which that order is decided. Files, the first found wins
for each key: the one named by `config` or `$QDMI_CONFIG`, `~/.config/qdmi/config.toml`
(`$XDG_CONFIG_HOME`), `/etc/qdmi/config.toml`. Never the current directory: a profile can
load native code.

    default = "lab"
    journal = "~/runs.sqlite"        # where runs are kept; "off": nowhere
    [backends.lab]
    device = "iqm:garnet"            # or the name of another profile
    tokens_file = "~/.config/iqm/tokens.json"
    token = "env:IQM_TOKEN"          # a secret by reference only

The same by environment: `QDMI_BACKEND=lab QDMI_LAB_DEVICE=iqm:garnet QDMI_LAB_TOKEN=env:IQM_TOKEN`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qdmi_qiskit.config_file import PROFILE_NAME, read, tables
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.secret import Secret, guarded, refuse_userinfo

__all__ = ["Resolved", "Secret", "Setting", "files", "journal", "masked", "profiles", "resolve"]

SYSTEM_CONFIG = Path("/etc/qdmi/config.toml")


@dataclass(frozen=True)
class Setting:
    """One option and where it was set.

    Attributes:
        value: What the plug-in gets; a `Secret` where the option is one.
        origin: `"keyword"`, `"environment QDMI_LAB_URL"`, `"/path/config.toml [backends.lab]"`
            or `"built-in default"`.
    """

    value: object
    origin: str


@dataclass(frozen=True)
class Resolved:
    """Which device a name means, with which options, and who said so.

    Attributes:
        name: The name that was asked for.
        scheme: The plug-in's scheme.
        locator: What comes after the colon; empty if nothing does.
        settings: The options, each with its origin.
        name_origin: Where the name was set.
        device_origin: Where the device was set; the name's origin unless a profile says it.
        known: Every profile in the files, for messages.
        keeps: Whether runs of this device are kept in the journal, where somebody says so.
        journal: Where the files want the journal.
        mitigation: Stages that estimators on this device put around themselves.
        recompile: Whether circuits are compiled anew when the device was recalibrated.
    """

    name: str
    scheme: str
    locator: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    name_origin: str = "keyword"
    device_origin: str = "keyword"
    known: tuple[str, ...] = field(default=(), repr=False, compare=False)
    keeps: Setting | None = None
    journal: Setting | None = None
    mitigation: Setting | None = None
    recompile: Setting | None = None

    @property
    def options(self) -> dict[str, object]:
        """The options without their origins."""
        return {key: setting.value for key, setting in self.settings.items()}

    @property
    def label(self) -> str:
        """The canonical name: `scheme:locator`, or just the scheme."""
        return f"{self.scheme}:{self.locator}" if self.locator else self.scheme


def resolve(
    name: str | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    config: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Resolved:
    """Decide which device is meant and with which options.

    Args:
        name: `scheme:locator`, a profile or a scheme; else `$QDMI_BACKEND`, else `default`
            of the files, else `"aer"`.
        overrides: Options by keyword; they win.
        config: The first file to read; else `$QDMI_CONFIG`.
        environ: Used in place of `os.environ`.

    Raises:
        ConfigError: A file, profile, variable or option is wrong; says which, and what to do.
    """
    environ = os.environ if environ is None else environ
    default, table, kept = _files(config, environ)
    first = default or Setting("aer", "built-in default")
    if environ.get("QDMI_BACKEND"):
        first = Setting(environ["QDMI_BACKEND"], "environment QDMI_BACKEND")
    if name is not None:
        first = Setting(name, "keyword")
    home = environ.get("HOME")
    keywords = {
        key: Setting(guarded(key, value, "keyword", home), "keyword")
        for key, value in (overrides or {}).items()
    }
    device, chain = first, list[str]()
    environments, layers = list[dict[str, Setting]](), list[dict[str, Setting]]()
    while True:
        target = _checked_name(device)
        scheme, colon, locator = target.partition(":")
        if target in chain:
            raise ConfigError(
                f"profiles go round in a circle: {' -> '.join([*chain, target])}; give one of them "
                f"a device 'scheme:locator' (if you meant the scheme {target!r}, write '{target}:')"
            )
        others = {*table, *chain}
        if colon or not (target in table or f"{_prefix(target)}DEVICE" in environ):
            if not chain:  # a direct name: its scheme stands for the profile
                environments.append(_variables(scheme, others, environ))
            break
        profile, found = table.get(target, {}), _variables(target, others, environ)
        chosen = found.get("device") or profile.get("device")
        if chosen is None:
            raise ConfigError(
                f"profile {target!r} has no device ({_origins(profile)}); "
                'add device = "scheme:locator", such as device = "aer"'
            )
        chain.append(target)
        environments.append(found)
        layers.append(profile)
        device = chosen
    settings: dict[str, Setting] = {}
    for layer in reversed([*environments, *layers]):
        settings.update(layer)
    settings.pop("device", None)  # of a profile; by keyword it is an option of the plug-in
    settings.update(keywords)
    keeps = settings.pop("journal", None)
    mitigation = settings.pop("mitigation", None)
    recompile = settings.pop("recompile", None)
    return Resolved(
        name=str(first.value),
        scheme=scheme,
        locator=locator,
        settings=settings,
        name_origin=first.origin,
        device_origin=device.origin,
        known=tuple(sorted(table)),
        keeps=keeps,
        journal=kept,
        mitigation=mitigation,
        recompile=recompile,
    )


def journal(
    config: Path | str | None = None, *, environ: Mapping[str, str] | None = None
) -> Setting | None:
    """Return where the files want the journal of runs; None: they do not say.

    Raises:
        ConfigError: A file is wrong.
    """
    return _files(config, os.environ if environ is None else environ)[2]


def profiles(
    config: Path | str | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the names of all profiles in the files, sorted.

    Raises:
        ConfigError: A file is wrong.
    """
    return tuple(sorted(_files(config, os.environ if environ is None else environ)[1]))


def files(
    config: Path | str | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """Return the files that `resolve` looks at, the first wins; they may not exist."""
    return tuple(path for path, _ in _places(config, os.environ if environ is None else environ))


def masked(resolved: Resolved) -> list[tuple[str, str, str]]:
    """Return (option, value to show, origin) for each option; of a secret only the reference."""
    return [
        (
            key,
            setting.value if isinstance(setting.value, str) else f"{setting.value}",
            setting.origin,
        )
        for key, setting in sorted(resolved.settings.items())
    ]


def _checked_name(device: Setting) -> str:
    name = device.value
    wanted = "a name such as 'aer', 'iqm:garnet' or a profile's"
    if not isinstance(name, str):
        kind = type(name).__name__
        raise ConfigError(f"the device ({device.origin}) is of type {kind}; wanted {wanted}")
    refuse_userinfo(name, f"the device ({device.origin})")
    if not PROFILE_NAME.fullmatch(name.partition(":")[0]) or not name.isprintable():
        raise ConfigError(f"the device ({device.origin}) is {name!r}; wanted {wanted}")
    return name


def _origins(profile: Mapping[str, Setting]) -> str:
    return ", ".join(sorted({setting.origin for setting in profile.values()})) or "it is empty"


def _prefix(profile: str) -> str:
    return f"QDMI_{re.sub(r'[^A-Z0-9]', '_', profile.upper())}_"


def _variables(
    profile: str, others: Iterable[str], environ: Mapping[str, str]
) -> dict[str, Setting]:
    """Return what the environment says of a profile; the longest matching name owns a variable."""
    prefix = _prefix(profile)
    longer = tuple(
        other for other in map(_prefix, others) if other.startswith(prefix) and other != prefix
    )
    settings = {}
    for variable, text in environ.items():
        key = variable.removeprefix(prefix).lower()
        if not key or not variable.startswith(prefix) or variable.startswith(longer):
            continue
        origin = f"environment {variable}"
        value = text if key == "device" else _parsed(text)
        settings[key] = Setting(guarded(key, value, origin, environ.get("HOME")), origin)
    return settings


def _parsed(text: str) -> object:
    """Return a TOML scalar or array, else the text itself."""
    import tomllib  # only where a variable or a file is

    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = document["value"]
    return text if len(document) > 1 or isinstance(value, dict) else value


def _files(
    config: Path | str | None, environ: Mapping[str, str]
) -> tuple[Setting | None, dict[str, dict[str, Setting]], Setting | None]:
    """Read all files: default, profiles and journal; the first found wins for each key."""
    home = environ.get("HOME", "")
    default: Setting | None = None
    kept: Setting | None = None
    table: dict[str, dict[str, Setting]] = {}
    for path, named_by in _places(config, environ):
        document = read(path, named_by)
        if "default" in document and default is None:
            default = Setting(document["default"], f"{path} default")
            _checked_name(default)
        if "journal" in document and kept is None:
            kept = Setting(document["journal"], f"{path} journal")
        for name, profile in tables(path, document).items():
            origin = f"{path} [backends.{name}]"
            mine = table.setdefault(name, {})
            for key, value in profile.items():
                mine.setdefault(key, Setting(guarded(key, value, origin, home), origin))
            if "device" in mine:
                _checked_name(mine["device"])
    return default, table, kept


def _places(config: Path | str | None, environ: Mapping[str, str]) -> list[tuple[Path, str | None]]:
    """Return each file, first to last, with who named it; unnamed ones are optional."""
    home, xdg = environ.get("HOME", ""), environ.get("XDG_CONFIG_HOME", "")
    named = config if config is not None else environ.get("QDMI_CONFIG") or None
    places: list[tuple[Path, str | None]] = []
    if named is not None:
        by = "keyword config" if config is not None else "environment QDMI_CONFIG"
        text = str(named)
        places.append((Path(home + text[1:] if home and text.startswith("~/") else text), by))
    # A relative folder would mean the current directory.
    folder = Path(xdg) if xdg.startswith("/") else Path(home, ".config")
    if folder.is_absolute():
        places.append((folder / "qdmi" / "config.toml", None))
    places.append((SYSTEM_CONFIG, None))
    return places
