"""A `DeviceSpec` as JSON and back, exactly: a recorded device.

    {"format": "qdmi-qiskit/device-spec", "version": 1,
     "name": "garnet", "device_version": "3.2", "sites": [...], "operations": [...], ...}

The fields are those of `model.DeviceSpec`; its `version` is `device_version` here. Numbers are
finite and keep every digit, times are ISO 8601 with a time zone, unknown is `null`.
`Operation.sites` is a list of `{"sites": [0, 1], "duration": ..., "fidelity": ...}`. Fields that
a reader does not know are skipped, so it can read newer files; `version` changes when that
would mislead.
"""

from __future__ import annotations

import json
import math
import reprlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, NoReturn, get_args, get_origin, get_type_hints

import numpy as np

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import DeviceSpec

FORMAT = "qdmi-qiskit/device-spec"
VERSION = 1
LARGEST = 1 << 23
"""Characters of a document at most: room for figures of every pair of 300 sites."""

_HEADER: dict[str, Any] = {"format": FORMAT, "version": VERSION}
_WORDS: dict[Any, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer of 64 bits",
    float: "a finite number",
    datetime: "a time with a time zone, such as '2026-11-20T08:00:00+00:00'",
}
_RENAMED: dict[tuple[type, str], str] = {(DeviceSpec, "version"): "device_version"}
_is_record: Callable[[Any], bool] = is_dataclass


def dumps(spec: DeviceSpec) -> str:
    """Return a spec as JSON.

    Raises:
        ConfigError: A value has no place in JSON or breaks the model; names the field.
    """
    if not isinstance(spec, DeviceSpec):
        _refuse("document", spec, "a DeviceSpec")
    document = _HEADER | _encode(DeviceSpec, spec, "")
    _check(spec)
    text = _pretty(document) + "\n"
    if len(text) > LARGEST:
        raise ConfigError(f"{spec.name!r} takes {len(text)} characters; wanted at most {LARGEST}")
    return text


def loads(text: str) -> DeviceSpec:
    """Return the spec in a JSON document.

    Raises:
        ConfigError: It is none; names the place in the document and what was wanted.
    """
    if not isinstance(text, str):
        _refuse("document", text, "a string")
    if len(text) > LARGEST:
        raise ConfigError(f"document: {len(text)} characters; wanted at most {LARGEST}")
    try:
        document = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text or not text.isascii():  # half of a surrogate pair is legal JSON
            json.dumps(document, ensure_ascii=False).encode()
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:  # also an integer of thousands of digits
        problem = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"document: not JSON: {problem}; wanted {FORMAT}") from error
    if not isinstance(document, dict):
        _refuse("document", document, "an object")
    for key, wanted in _HEADER.items():
        got = document.get(key)
        if type(got) is not type(wanted) or got != wanted:
            _refuse(key, got, repr(wanted))
    spec: DeviceSpec = _decode(DeviceSpec, document, "")
    _check(spec)
    return spec


def load(path: Path | str) -> DeviceSpec:
    """Return the spec in a file.

    Raises:
        ConfigError: There is no such file, or `loads` refuses what is in it.
    """
    path = Path(path)
    wanted = f"wanted a recorded device (JSON) of at most {LARGEST} bytes"
    try:
        about = path.stat()
        regular, small = stat.S_ISREG(about.st_mode), about.st_size <= LARGEST
        content = path.read_bytes() if regular and small else b""  # a pipe would block
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: {reason}; {wanted}") from error
    if not (regular and small):
        problem = "larger than that" if regular else "not a regular file"
        raise ConfigError(f"{path}: {problem}; {wanted}")
    try:
        return loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}); wanted JSON") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


class _Entry(NamedTuple):
    name: str
    key: str
    hint: Any
    required: bool


@cache
def _entries(kind: type) -> tuple[_Entry, ...]:
    hints = get_type_hints(kind)
    return tuple(
        # A default made by a factory, such as the present time, is no default for a recording.
        _Entry(name, _RENAMED.get((kind, name), name), hints[name], each.default is MISSING)
        for each in fields(kind)
        for name in [each.name]
    )


def _encode(hint: Any, value: Any, path: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:  # always X | None
        return None if value is None else _encode(inner[0], value, path)
    if origin is tuple:
        items = _items(inner, value, path, tuple)
        return [_encode(kind, item, f"{path}[{k}]") for k, (kind, item) in enumerate(items)]
    if origin is Mapping:
        if not isinstance(value, Mapping):
            _refuse(path, value, "a mapping from sites to figures, or None")
        return [
            {"sites": _encode(inner[0], key, f"{path}[{k}].sites")}
            | _encode(inner[1], figures, f"{path}[{k}]")
            for k, (key, figures) in enumerate(value.items())
        ]
    if _is_record(hint):
        if not isinstance(value, hint):
            _refuse(path, value, f"a {hint.__name__}")
        return {
            each.key: _encode(each.hint, getattr(value, each.name), _join(path, each.key))
            for each in _entries(hint)
        }
    if hint is datetime:
        if not isinstance(value, datetime) or value.utcoffset() is None:
            _refuse(path, value, _WORDS[datetime])
        return value.isoformat()
    return _scalar(hint, value, path)


def _decode(hint: Any, value: Any, path: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else _decode(inner[0], value, path)
    if origin is tuple:
        items = _items(inner, value, path, list)
        return tuple(_decode(kind, item, f"{path}[{k}]") for k, (kind, item) in enumerate(items))
    if origin is Mapping:
        return _sites(inner, value, path)
    if _is_record(hint):
        if not isinstance(value, dict):
            _refuse(path, value, "an object")
        given = {}
        for each in _entries(hint):
            where = _join(path, each.key)
            if each.key in value:
                given[each.name] = _decode(each.hint, value[each.key], where)
            elif each.required:
                raise ConfigError(f"{where}: missing; wanted {_wanted(each.hint)}")
        return hint(**given)
    if hint is datetime:
        return _time(value, path)
    return _scalar(hint, value, path)


def _sites(inner: tuple[Any, ...], value: Any, path: str) -> dict[tuple[int, ...], Any]:
    if not isinstance(value, list):
        _refuse(path, value, "a list of sites with figures, or null")
    found: dict[tuple[int, ...], Any] = {}
    for k, item in enumerate(value):
        where = f"{path}[{k}]"
        if not isinstance(item, dict):
            _refuse(where, item, "an object")
        if "sites" not in item:
            raise ConfigError(f"{where}.sites: missing; wanted a list")
        key = _decode(inner[0], item["sites"], f"{where}.sites")
        if key in found:
            _refuse(f"{where}.sites", list(key), "sites that are not listed before")
        found[key] = _decode(inner[1], item, where)
    return found


def _items(inner: tuple[Any, ...], value: Any, path: str, kind: type[Any]) -> list[tuple[Any, Any]]:
    """Pair the items of a list with their types."""
    if not isinstance(value, kind):
        _refuse(path, value, f"a {kind.__name__}")
    if inner[-1] is Ellipsis:
        return [(inner[0], item) for item in value]
    if len(value) != len(inner):
        _refuse(path, value, f"{len(inner)} items")
    return list(zip(inner, value, strict=True))


def _scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is str and isinstance(value, str):
        return str(value)
    if hint is bool and isinstance(value, (bool, np.bool_)):
        return bool(value)
    if hint is int and isinstance(value, Integral) and not isinstance(value, bool):
        whole = int(value)
        if -(2**63) <= whole < 2**63:
            return whole
    if hint is float and isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    return _refuse(path, value, _wanted(hint))


def _time(value: Any, path: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.utcoffset() is None:
        _refuse(path, value, _WORDS[datetime])
    return time


def _check(spec: DeviceSpec) -> None:
    """Raise if indices point to no site, or parts of an operation do not fit together."""
    for k, site in enumerate(spec.sites):
        if site.index != k:
            _refuse(f"sites[{k}].index", site.index, f"{k}, its place in the list")
    for k, operation in enumerate(spec.operations):
        path, size = f"operations[{k}]", operation.num_sites
        if size is not None and size < 0:
            _refuse(f"{path}.num_sites", size, "0 or more, or null")
        for j, key in enumerate(operation.sites or ()):
            where = f"{path}.sites[{j}].sites"
            if any(not 0 <= index < len(spec.sites) for index in key):
                _refuse(where, list(key), f"indices from 0 to {len(spec.sites) - 1}")
            if len(set(key)) < len(key) or (size is not None and len(key) != size):
                _refuse(where, list(key), f"{'' if size is None else f'{size} '}different sites")
        if operation.bounds is not None and len(operation.bounds) != len(operation.parameters):
            wanted = f"one item for each of the {len(operation.parameters)} parameters"
            _refuse(f"{path}.bounds", list(operation.bounds), wanted)
        for j, bound in enumerate(operation.bounds or ()):
            if bound is not None and bound[0] > bound[1]:
                _refuse(f"{path}.bounds[{j}]", list(bound), "the lower bound first")


def _wanted(hint: Any) -> str:
    return _WORDS.get(hint) or ("a list" if get_origin(hint) is tuple else "an object")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _refuse(path: str, got: Any, wanted: str) -> NoReturn:
    raise ConfigError(f"{path}: got {reprlib.repr(got)}; wanted {wanted}")


def _no_constant(name: str) -> NoReturn:
    raise ConfigError(f"document: {name} is not JSON; wanted finite numbers, or null for unknown")


def _pretty(value: Any, indent: str = "") -> str:
    """Write what fits on a line on one line."""
    flat = json.dumps(value, allow_nan=False)
    if len(flat) + len(indent) <= 160 or not isinstance(value, (dict, list)):
        return flat
    inner = indent + " "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_pretty(item, inner)}" for key, item in value.items()]
    else:
        items = [_pretty(item, inner) for item in value]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{inner}" + f",\n{inner}".join(items) + f"\n{indent}{end}"
