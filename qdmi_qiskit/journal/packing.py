"""Arrays and their description as one compressed blob, and back, whatever the blob is.

A blob is `QJ1`, a digest (blake2b, 16 bytes) of the rest, the size of what follows unpacked
(8 bytes), and a zlib stream of: size of the header (4 bytes), header (JSON), arrays one after
the other. Integers are little-endian. No pickle: a journal may come from anywhere.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.model import Shots

_MAGIC = b"QJ1"
_DIGEST = 16
_SMALL = 4096  # bytes that zlib's tables for large ones would take longer to clear than to pack
_START = len(_MAGIC) + _DIGEST + 8
_TYPES: dict[str, np.dtype[Any]] = {
    "u1": np.dtype(np.uint8),
    "i8": np.dtype(np.int64),
    "f8": np.dtype(np.float64),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_DAMAGED = "a record of the journal is damaged"
_encoded = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time
LARGEST = 1 << 32
"""Bytes that a blob may unpack to, where nothing better is known."""


def pack(header: Mapping[str, Any], arrays: Sequence[npt.NDArray[Any]] = ()) -> bytes:
    """Return a blob.

    Args:
        header: JSON.
        arrays: uint8, int64 or float64.
    """
    described = [[_NAMES[array.dtype], list(array.shape)] for array in arrays]
    head = _encoded([header, described]).encode()
    size = 4 + len(head) + sum([array.nbytes for array in arrays])
    packer = zlib.compressobj(1) if size > _SMALL else zlib.compressobj(1, wbits=12, memLevel=4)
    parts = [packer.compress(len(head).to_bytes(4, "little") + head)]
    parts += [packer.compress(np.ascontiguousarray(array).data) for array in arrays if array.size]
    parts.append(packer.flush())
    body = size.to_bytes(8, "little") + b"".join(parts)
    return _MAGIC + blake2b(body, digest_size=_DIGEST).digest() + body


def unpack(blob: object, *, most: int = LARGEST) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return header and arrays of a blob.

    Args:
        blob: Anything.
        most: Bytes that it may unpack to.

    Raises:
        JournalError: It is no such blob, or a larger one.
    """
    if not isinstance(blob, bytes) or blob[: len(_MAGIC)] != _MAGIC or len(blob) < _START:
        raise JournalError(f"{_DAMAGED}: it does not begin like one")
    body = blob[_START - 8 :]
    if blake2b(body, digest_size=_DIGEST).digest() != blob[len(_MAGIC) : _START - 8]:
        raise JournalError(f"{_DAMAGED}: its digest does not fit")
    size = int.from_bytes(body[:8], "little")
    if size > most:
        raise JournalError(f"{_DAMAGED}: it would take {size} bytes where {most} are expected")
    try:
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(body[8:], size + 1)
    except zlib.error as error:
        raise JournalError(f"{_DAMAGED}: {error}") from error
    if len(content) != size or not unpacker.eof:
        raise JournalError(f"{_DAMAGED}: it is not as long as it says")
    try:
        return _parsed(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise JournalError(f"{_DAMAGED}: {error}") from error


def _parsed(content: bytes) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    end = 4 + int.from_bytes(content[:4], "little")
    header, described = json.loads(content[4:end])
    if not isinstance(header, dict):
        raise TypeError("its header is no table")
    arrays, place = [], end
    for name, shape in described:
        dtype = _TYPES[name]
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError("an array of no size")
        count = math.prod(shape)
        if place + count * dtype.itemsize > len(content):
            raise ValueError("an array longer than the record")
        array = np.frombuffer(content, dtype, count, place).reshape(shape)
        place += array.nbytes
        arrays.append(array)
    if place != len(content):
        raise ValueError("a rest that belongs to nothing")
    return header, arrays


def pack_shots(outcome: Sequence[Shots]) -> bytes:
    """Return the outcome of a job as a blob."""
    arrays: list[npt.NDArray[Any]] = []
    described = []
    for shots in outcome:
        failures = {str(point): why for point, why in shots.failures.items()}
        described.append([shots.num_bits, shots.valid is not None, failures])
        arrays.append(shots.bits)
        if shots.valid is not None:
            arrays.append(shots.valid)
    return pack({"shots": described}, arrays)


def unpack_shots(blob: object, *, most: int = LARGEST) -> tuple[Shots, ...]:
    """Return the outcome of a job.

    Raises:
        JournalError: The blob holds none.
    """
    header, arrays = unpack(blob, most=most)
    rest = iter(arrays)
    found = []
    try:
        for num_bits, has_valid, failures in header["shots"]:
            bits = next(rest)
            valid = next(rest) if has_valid else None
            reasons = {int(point): str(why) for point, why in failures.items()}
            _check_shots(bits, num_bits, valid)
            found.append(Shots(bits, num_bits, valid, reasons))
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration) as error:
        raise JournalError(f"{_DAMAGED}: {error}") from error
    return tuple(found)


def _check_shots(bits: npt.NDArray[Any], num_bits: object, valid: npt.NDArray[Any] | None) -> None:
    if type(num_bits) is not int or bits.dtype != np.uint8 or bits.ndim != 3:
        raise ValueError("no packed bits")
    if valid is not None and valid.dtype != np.int64:
        raise ValueError("no numbers of valid shots")
