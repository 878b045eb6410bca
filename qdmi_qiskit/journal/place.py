"""Where the journal lies, and how large it may become: `journal` of the configuration.

journal = "~/runs.sqlite"                                # or "off"
journal = { path = "~/runs.sqlite", max_size = "2G" }    # either may be left out
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from qdmi_qiskit.errors import ConfigError, did_you_mean

_UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_OFF = ("off", "none", "false", "0", "no")


def place(setting: object = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file, or None if no journal is kept.

    `$QDMI_JOURNAL` wins over the configuration, which wins over
    `$XDG_DATA_HOME/qdmi/journal.sqlite`.

    Args:
        setting: `journal` of the configuration: a path, `"off"`, a bool, a table or None.
        environ: Used in place of `os.environ`.

    Raises:
        ConfigError: The setting is none of these.
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get("QDMI_JOURNAL") or _table(setting).get("path")
    if is_off(chosen):
        return None
    if isinstance(chosen, str | Path) and str(chosen).lower() not in ("", "on", "true"):
        if "\0" in str(chosen):
            raise ConfigError("the path of the journal has a null character in it")
        home = environ.get("HOME", "")
        text = str(chosen)
        return Path(home + text[1:] if home and text.startswith("~/") else text).absolute()
    if chosen is not None and chosen is not True and not isinstance(chosen, str):
        raise ConfigError(f"journal = {chosen!r}: wanted a path, or 'off'")
    data = environ.get("XDG_DATA_HOME", "")
    folder = Path(data) if data.startswith("/") else Path(environ.get("HOME", ""), ".local/share")
    return folder / "qdmi" / "journal.sqlite" if folder.is_absolute() else None


def bound(setting: object = None, environ: Mapping[str, str] | None = None) -> int | None:
    """Return how many bytes the journal may take; None: as many as it needs.

    `$QDMI_JOURNAL_MAX_SIZE` wins over `max_size` of the configuration.

    Args:
        setting: As for `place`.
        environ: Used in place of `os.environ`.

    Raises:
        ConfigError: It is no size.
    """
    environ = os.environ if environ is None else environ
    said = environ.get("QDMI_JOURNAL_MAX_SIZE") or _table(setting).get("max_size")
    return None if said is None else size_of(said)


def size_of(said: object) -> int:
    """Return a number of bytes.

    Args:
        said: A number, or a text such as `"500M"` or `"2G"`, in powers of 1000.

    Raises:
        ConfigError: It is none.

    >>> size_of("1.5G")
    1500000000
    """
    number, unit = str(said), 1
    if number[-1:] in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1]]
    try:
        found = int(float(number) * unit)
    except (ValueError, OverflowError):
        found = -1
    if isinstance(said, bool) or not isinstance(said, int | float | str) or found < 0:
        raise ConfigError(f"{said!r} is no size: wanted one such as 500M or 2G")
    return found


def _table(setting: object) -> Mapping[str, object]:
    if not isinstance(setting, Mapping):
        return {"path": setting}
    for key in setting:
        if key not in ("path", "max_size"):
            raise ConfigError(f"journal.{key}{did_you_mean(str(key), ('path', 'max_size'))}")
    return setting


def is_off(value: object) -> bool:
    """Return whether a setting says that nothing is kept."""
    return value is False or (isinstance(value, str) and value.lower() in _OFF)
