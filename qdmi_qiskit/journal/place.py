"""Where the journal lies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from qdmi_qiskit.errors import ConfigError

_OFF = ("off", "none", "false", "0", "no")


def place(setting: object = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the file, or None if no journal is kept.

    `$QDMI_JOURNAL` wins over the configuration, which wins over
    `$XDG_DATA_HOME/qdmi/journal.sqlite`.

    Args:
        setting: `journal` of the configuration: a path, `"off"`, a bool or None.
        environ: Used in place of `os.environ`.

    Raises:
        ConfigError: The setting is none of these.
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get("QDMI_JOURNAL") or setting
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


def is_off(value: object) -> bool:
    """Return whether a setting says that nothing is kept."""
    return value is False or (isinstance(value, str) and value.lower() in _OFF)
