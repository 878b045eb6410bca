"""Typed answers from QDMI's untyped queries: size first, value second, everything checked."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from ctypes import c_size_t
from enum import IntEnum
from typing import Any

from qdmi_qiskit.devices.native.faults import failed, fault, marked, said
from qdmi_qiskit.devices.native.words import Kind, Status
from qdmi_qiskit.errors import ProtocolError, UnsupportedError

Ask = Callable[[int, Any, Any], int]
"""A query with all but its last three arguments: size, value, where to put the size."""

_FIXED: dict[Kind, struct.Struct] = {
    "size": struct.Struct("N"),
    "uint": struct.Struct("=Q"),
    "int": struct.Struct("=q"),
    "real": struct.Struct("=d"),
    "flag": struct.Struct("=B"),
    "enum": struct.Struct("=i"),
}
_UNKNOWN = (Status.ERROR_NOTSUPPORTED, Status.ERROR_NOTIMPLEMENTED)
_GUARD = b"\xa5\x5a" * 32
_SHORT = 64
"""Bytes that most texts fit into: room for them is given at once."""

_LITTLE = bytes(_SHORT) + _GUARD
_ROOM = {form.size: bytes(form.size) + _GUARD for form in _FIXED.values()}
_LARGEST = 1 << 34  # bytes; no answer of a device is larger, a wrong size is


class Asked:
    """A property and whose it is, put into words only where something is wrong with it."""

    __slots__ = ("_prop", "_whose")

    def __init__(self, whose: object, prop: IntEnum) -> None:
        self._whose, self._prop = whose, prop

    def __str__(self) -> str:
        kind = type(self._prop).__name__.removesuffix("Property").lower()
        return f"{self._whose}, {kind} property {self._prop.name}"


def answer(ask: Ask, kind: Kind, what: object, *, lenient: bool = False) -> Any:
    """Return the value of a property; None where the device does not say.

    Args:
        ask: The query.
        kind: The type that QDMI gives the property.
        what: The property and whose it is, for messages.
        lenient: Whether INVALIDARGUMENT is a "does not say" as well: libraries before 1.4 answer
            so to properties that they do not know.

    Raises:
        ProtocolError: The answer is none: wrong size, unterminated text, written past its end.
        QdmiError: The library reports another error.
    """
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return _fixed(ask, fixed, kind, what, lenient)
    data = _short(ask, what) if kind == "text" else None
    if data is None:
        data = raw(ask, what, lenient=lenient)
    if data is None:
        return None
    return text(data, what) if kind == "text" else _list(data, kind, what)


def answers(
    ask: Callable[[int, int, Any, Any], int], subjects: Sequence[int], kind: Kind, what: object
) -> list[Any]:
    """Return the value of a property of fixed size for each of many handles.

    Args:
        ask: The query, the handle first.
        subjects: The handles.
        kind: As for `answer`.
        what: As for `answer`.

    Returns:
        The values in order; only as far as the library simply gave them, for `answer` to go on.

    Raises:
        ProtocolError: The library wrote past the end of an answer.
    """
    form, found = _FIXED[kind], list[Any]()
    size = form.size
    buffer = (ctypes.c_char * (size + len(_GUARD))).from_buffer_copy(_ROOM[size])
    needed = c_size_t(size)
    last = ctypes.byref(needed)
    for subject in subjects:
        ctypes.memset(buffer, 0, size)
        if failed(ask(subject, size, buffer, last)) or needed.value != size:
            break
        (value,) = form.unpack_from(buffer)
        found.append(bool(value) if kind == "flag" else value)
    _check_guard(buffer.raw[size:], what, size)
    return found


def _short(ask: Ask, what: object) -> bytes | None:
    """Return the bytes of an answer that fits into little room; None: ask for its size first."""
    buffer = (ctypes.c_char * len(_LITTLE)).from_buffer_copy(_LITTLE)
    needed = c_size_t(0)
    if failed(ask(_SHORT, buffer, needed)) or not 0 < needed.value <= _SHORT:
        return None
    data = buffer.raw
    _check_guard(data[_SHORT:], what, _SHORT)
    return data[: needed.value]


def raw(ask: Ask, what: object, *, lenient: bool = False, expected: int = 0) -> bytes | None:
    """Return the bytes of an answer; None where the device does not say.

    Args:
        ask: The query.
        what: The property and whose it is, for messages.
        lenient: As for `answer`.
        expected: How many bytes there probably are: then the size is not asked first, which
            makes some libraries build the whole answer twice.
    """
    needed = c_size_t(0)
    if expected:
        buffer = _guarded(expected)
        code = ask(expected, buffer, needed)
        if not failed(code) and needed.value == expected:
            return _checked(buffer, what, expected)
    code = ask(0, None, needed)
    if _unknown(code, lenient):
        return None
    if failed(code):
        raise fault(code, str(what))
    size = needed.value
    if size > _LARGEST:
        raise ProtocolError(f"{what}: the library says the answer takes {size} bytes: report it")
    if size == 0:
        return b""
    buffer = _guarded(size)
    code = ask(size, buffer, None)
    if failed(code):
        raise fault(code, str(what))
    return _checked(buffer, what, size)


def _guarded(size: int) -> ctypes.Array[ctypes.c_char]:
    """Return room for an answer; what is written past it is seen if it is not far."""
    buffer = ctypes.create_string_buffer(size + len(_GUARD))
    ctypes.memmove(ctypes.addressof(buffer) + size, _GUARD, len(_GUARD))
    return buffer


def _checked(buffer: ctypes.Array[ctypes.c_char], what: object, size: int) -> bytes:
    _check_guard(ctypes.string_at(ctypes.addressof(buffer) + size, len(_GUARD)), what, size)
    return ctypes.string_at(buffer, size)


def text(data: bytes, what: object) -> str:
    """Return text up to the NUL that QDMI wants at its end."""
    end = data.find(b"\0")
    if end < 0:
        raise ProtocolError(f"{what}: the library's text has no end (no NUL): report it")
    return data[:end].decode("utf-8", "replace")


def _fixed(ask: Ask, form: struct.Struct, kind: Kind, what: object, lenient: bool) -> Any:
    buffer = (ctypes.c_char * (form.size + len(_GUARD))).from_buffer_copy(_ROOM[form.size])
    needed = c_size_t(form.size)
    code = ask(form.size, buffer, needed)
    if _unknown(code, lenient):
        if code == Status.ERROR_INVALIDARGUMENT and needed.value > form.size:
            raise _wrong_size(what, needed.value, form.size)
        return None
    if code == Status.ERROR_INVALIDARGUMENT and needed.value not in (0, form.size):
        raise _wrong_size(what, needed.value, form.size)
    if failed(code):
        raise fault(code, str(what))
    if needed.value != form.size:
        raise _wrong_size(what, needed.value, form.size)
    data = buffer.raw
    _check_guard(data[form.size :], what, form.size)
    (value,) = form.unpack_from(data)
    return bool(value) if kind == "flag" else value


def _list(data: bytes, kind: Kind, what: object) -> tuple[int, ...]:
    width = ctypes.sizeof(ctypes.c_void_p) if kind == "handles" else 4
    if len(data) % width:
        raise _wrong_size(what, len(data), width)
    values = struct.unpack(f"={len(data) // width}{'Q' if width == 8 else 'i'}", data)
    if kind == "handles" and 0 in values:
        raise ProtocolError(f"{what}: the library lists a null handle: report it")
    return values


def _unknown(code: int, lenient: bool) -> bool:
    return code in _UNKNOWN or (lenient and code == Status.ERROR_INVALIDARGUMENT)


def _wrong_size(what: object, got: int, want: int) -> ProtocolError:
    return ProtocolError(f"{what}: the library answers {got} bytes, QDMI wants {want}: report it")


def _check_guard(tail: bytes, what: object, size: int) -> None:
    if tail != _GUARD:
        raise ProtocolError(
            f"{what}: the library wrote more than the {size} bytes there were; this process may be "
            "damaged, end it and report it"
        )


def check_supported(code: int, what: object) -> None:
    """Pass unless a device does not offer something.

    Raises:
        UnsupportedError: It does not.
    """
    if code in _UNKNOWN:
        raise marked(UnsupportedError(f"{what}: {said(code)}"), code)
