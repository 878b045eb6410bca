"""One TOML file of profiles, read and checked: every error names the file and the place in it."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path

from qdmi_qiskit.errors import ConfigError, did_you_mean

PROFILE_NAME = re.compile(r"\w[\w.+-]*")
_KEYS = ("backends", "default", "journal")
_LARGEST = 1 << 20
_PLACE = re.compile(r" ?\(at line (\d+), column (\d+)\)| ?\(at end of document\)")


def read(path: Path, named_by: str | None) -> dict[str, object]:
    """Return the document in a file, `{}` if there is no such file.

    Args:
        path: The file.
        named_by: Who named it; then it must exist. `None`: it is optional.

    Raises:
        ConfigError: It cannot be read, is not TOML, or has keys that mean nothing.
    """
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if named_by is None:
            return {}
        raise ConfigError(
            f"{path} ({named_by}) does not exist; create it or name another"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; check who may read it"
        ) from error
    document = _document(path, content)
    for key in document:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown key {key!r}{did_you_mean(key, _KEYS)}")
    return document


def tables(path: Path, document: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the profiles of a document.

    Raises:
        ConfigError: `backends` is something other than tables with usable names.
    """
    backends = document.get("backends", {})
    if not isinstance(backends, dict):
        kind = type(backends).__name__
        raise ConfigError(f"{path}: backends is of type {kind}; wanted tables [backends.NAME]")
    for name, profile in backends.items():
        if not isinstance(profile, dict):
            kind = type(profile).__name__
            raise ConfigError(
                f"{path}: backends.{name} is of type {kind}; wanted a table [backends.NAME]"
            )
        if not PROFILE_NAME.fullmatch(name):
            raise ConfigError(
                f"{path}: a profile is named {name!r}; wanted letters, digits and '_.+-', "
                "starting with a letter, a digit or '_'"
            )
    return backends


def _content(path: Path) -> bytes:
    wanted = "wanted a TOML file of profiles"
    if "\0" in str(path):
        raise ConfigError(f"the path {str(path)!r} has a null character in it; {wanted}")
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block, a device never end
        raise ConfigError(f"{path} is not a regular file; {wanted}")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ConfigError(f"{path} is larger than {_LARGEST} bytes; {wanted}")
    return content


def _document(path: Path, content: bytes) -> dict[str, object]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}); wanted a TOML file of profiles"
        ) from None
    import tomllib  # a machine without a file of profiles does without

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        lines = text.rstrip("\n").split("\n")
        place = _PLACE.search(str(error))
        exact = place and place[1]
        line = int(place[1]) if place and exact else len(lines)
        column = int(place[2]) if place and exact else len(lines[-1]) + 1
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(
            f"{path}, line {line}, column {column}: not valid TOML: {_PLACE.sub('', problem)}; "
            'strings need quotes, as in device = "iqm:garnet"'
        ) from error
