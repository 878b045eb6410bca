"""From a library's text of zeros and ones to packed bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.bits import from_bools
from qdmi_qiskit.devices.native.profiles import BitOrder
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import Bits

Rows = npt.NDArray[np.bool_]

_VALUES = bytes.maketrans(b"01", b"\0\1")


def rows(data: bytes, what: str, width: int | None = None) -> Rows:
    """Read a list such as 010,110 and a NUL: words of one width, commas between.

    Args:
        data: With its NUL.
        what: Whose, for messages.
        width: Characters of a word; None: whatever the first has.

    Returns:
        bool, shape `(words, width)`, columns in the order of the text.

    Raises:
        ProtocolError: It is something else.
    """
    if not data.endswith(b"\0"):
        raise ProtocolError(f"{what} have no end (no NUL): report it")
    if len(data) == 1:
        return np.zeros((0, width or 0), bool)
    if width is None:
        width = data.find(b",") if b"," in data else len(data) - 1
    stride = width + 1
    if len(data) % stride:
        raise ProtocolError(
            f"{what} are {len(data)} characters, no list of words of {width} bits: report it"
        )
    # Bytes are compared as bytes: a call of numpy costs more than a thousand short shots.
    between = b"," * (len(data) // stride - 1) + b"\0"
    if data[width::stride] != between:
        raise ProtocolError(f"{what} are no list of words of {width} bits: report it")
    if data.translate(None, b"01") != between:
        raise ProtocolError(f"{what} contain something else than 0 and 1: report it")
    return np.frombuffer(data.translate(_VALUES), np.bool_).reshape(-1, stride)[:, :-1]


def packed(words: Rows, bits: Sequence[int] | None, order: BitOrder, num_bits: int) -> Bits:
    """Put columns of text where they belong.

    Args:
        words: bool, shape `(shots, width)`, as the text has them.
        bits: The classical bit that each bit of the library is, its bit 0 first; None: the same.
        order: Which bit the text begins with.
        num_bits: Classical bits of a shot.

    Returns:
        uint8, shape `(shots, bytes)`. Bits that the library does not report are 0.
    """
    width = words.shape[1]
    columns = words[:, ::-1] if order == "highest_first" else words
    if bits is None and width == num_bits:
        return from_bools(columns)
    wide = np.zeros((len(words), num_bits), np.bool_)
    wide[:, list(range(width)) if bits is None else list(bits)] = columns
    return from_bools(wide)
