"""Packed-bit conversions. The only module that knows the byte order.

Packed shots are uint8, shape `(..., ceil(num_bits / 8))`, most significant byte
first: bit 0 is the lowest bit of the last byte. Nobody else reverses anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.model import Bits


def num_bytes(num_bits: int) -> int:
    """Return how many bytes one shot of `num_bits` takes.

    >>> num_bytes(0), num_bytes(8), num_bytes(9)
    (0, 1, 2)
    """
    return -(-num_bits // 8)


def from_hex(memory: Sequence[str], num_bits: int) -> Bits:
    """Pack hexadecimal words such as `"0x1f"`, one shot per word, bit 0 least significant.

    >>> from_hex(["0x1", "0x100"], 9).tolist()
    [[0, 1], [1, 0]]
    """
    width = 2 * num_bytes(num_bits)
    text = "".join([word[2:].rjust(width, "0") for word in memory])
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(len(memory), width // 2)


def from_bools(samples: npt.NDArray[np.bool_ | np.uint8], /) -> Bits:
    """Pack samples of shape `(..., num_bits)` whose column k is classical bit k.

    >>> from_bools(np.array([[1, 0, 0, 0, 0, 0, 0, 0, 1]], bool)).tolist()
    [[1, 1]]
    """
    num_bits = samples.shape[-1]
    pad = -num_bits % 8
    if pad:
        wide = np.zeros((*samples.shape[:-1], num_bits + pad), np.uint8)
        wide[..., :num_bits] = samples
    else:
        wide = samples
    # One flat pass over whole bytes is 14 times faster than packing reversed columns.
    flat = np.packbits(wide.reshape(-1), bitorder="little")
    return flat.reshape(*samples.shape[:-1], num_bytes(num_bits))[..., ::-1]


def from_words(words: npt.NDArray[np.uint64], num_bits: int) -> Bits:
    """Pack integers of at most 64 bits, one shot per entry, any shape.

    >>> from_words(np.array([258], np.uint64), 9).tolist()
    [[1, 2]]
    """
    width = num_bytes(num_bits)
    if width == 1:
        return words.astype(np.uint8)[..., None]
    big = np.ascontiguousarray(words, dtype=">u8")
    return big.view(np.uint8).reshape(*words.shape, 8)[..., 8 - width :]


def from_counts(counts: Mapping[int, int], num_bits: int) -> Bits:
    """Expand a histogram; the order of shots is lost and comes out sorted by value.

    >>> from_counts({2: 1, 1: 2}, 2).tolist()
    [[1], [1], [2]]
    """
    values = sorted(counts)
    packed = from_hex([hex(value) for value in values], num_bits)
    return np.repeat(packed, [counts[value] for value in values], axis=0)


def lowest(bits: Bits, num_bits: int) -> Bits:
    """Return packed shots cut to their `num_bits` least significant bits.

    >>> lowest(np.array([[255, 255]], np.uint8), 3).tolist()
    [[7]]
    """
    width = num_bytes(num_bits)
    cut = bits[..., bits.shape[-1] - width :].copy()
    if num_bits % 8:
        cut[..., 0] &= (1 << num_bits % 8) - 1
    return cut


def to_words(bits: Bits) -> npt.NDArray[np.uint64]:
    """Return packed shots of at most 64 bits as integers, shape without the last axis.

    >>> to_words(np.array([[1, 2]], np.uint8)).tolist()
    [258]
    """
    width = bits.shape[-1]
    if width == 1:
        return bits[..., 0].astype(np.uint64)
    wide = np.zeros((*bits.shape[:-1], 8), np.uint8)
    wide[..., 8 - width :] = bits
    return wide.view(">u8")[..., 0].astype(np.uint64)


def to_ints(bits: Bits) -> list[int]:
    """Return each packed shot of shape `(shots, bytes)` as a Python integer.

    >>> to_ints(np.array([[1, 2]], np.uint8))
    [258]
    """
    width = bits.shape[-1]
    if width == 0:
        return [0] * bits.shape[0]
    if width <= 8:
        values: list[int] = to_words(bits).tolist()
        return values
    data = np.ascontiguousarray(bits).tobytes()
    return [int.from_bytes(data[k : k + width], "big") for k in range(0, len(data), width)]


def count(bits: Bits) -> dict[int, int]:
    """Return the histogram of packed shots of shape `(shots, bytes)`, ascending.

    >>> count(np.array([[3], [1], [3]], np.uint8))
    {1: 1, 3: 2}
    """
    if bits.shape[-1] == 0:
        return {0: bits.shape[0]} if bits.shape[0] else {}
    rows, counts = np.unique(bits, axis=0, return_counts=True)
    return dict(zip(to_ints(rows), counts.tolist(), strict=True))
