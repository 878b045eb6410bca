"""From the bytes of a result to packed bits.

The measurements of 100 000 shots are six megabytes of digits. They are read as bytes; JSON is
parsed only around them, or where they are not plain zeros and ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.answers import parsed
from qdmi_qiskit.bits import from_bools
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import Bits

Rows = npt.NDArray[np.uint8]

_OPENING = re.compile(rb'"measurements"\s*:\s*\[\s*\[')
_CLOSING = re.compile(rb"\]\s*\]")
_BETWEEN = b"[], \t\r\n"


def read(body: bytes) -> tuple[dict[str, Any], Rows | None]:
    """Return a result without its measurements, and those: 0 or 1, shape `(shots, columns)`.

    Measurements are None where the result has none (a failure, or probabilities).

    Raises:
        ProtocolError: It is no result.
    """
    found = _scanned(body)
    if found is not None:
        rest, rows = found
        document = _object(rest)
        if document.pop("measurements", None) is not None:  # else they belong to something inside
            return document, rows
    document = _object(body)
    listed = document.pop("measurements", None)
    return document, None if not listed else _checked(listed)


def _object(body: bytes) -> dict[str, Any]:
    document = parsed(body, "the result")
    if not isinstance(document, dict):
        raise ProtocolError(f"the result is a {type(document).__name__}, wanted a JSON object")
    return document


def _scanned(body: bytes) -> tuple[bytes, Rows] | None:
    """Return the document without the digits, and the digits; None if they are not plain."""
    opening = _OPENING.search(body)
    closing = None if opening is None else _CLOSING.search(body, opening.end())
    if opening is None or closing is None:
        return None
    start, end = opening.end(), closing.start()
    digits = np.frombuffer(body[start:end].translate(None, _BETWEEN), np.uint8) - 48
    first_row = body.find(b"]", start, end)
    columns = body.count(b",", start, end if first_row < 0 else first_row) + 1
    cells = body.count(b",", start, end) + 1
    if len(digits) != cells or cells % columns or digits.max(initial=0) > 1:
        return None
    rows = cells // columns
    if body.count(b"[", start, end) != rows - 1 or _OPENING.search(body, end):
        return None
    # A name inside a string of the metadata looks like `\"measurements\"`: no match above.
    return body[:start] + body[end:], digits.reshape(rows, columns)


def _checked(listed: Any) -> Rows:
    try:
        rows = np.array(listed)
    except ValueError as error:
        raise ProtocolError(f"measurements differ in length ({error}): report it") from error
    if rows.ndim != 2 or rows.dtype.kind not in "iubf" or not np.isin(rows, (0, 1)).all():
        raise ProtocolError(
            f"measurements have shape {rows.shape} and dtype {rows.dtype}, wanted rows of zeros "
            "and ones: report it"
        )
    return rows.astype(np.uint8)


def sampled(probabilities: Mapping[str, float], shots: int) -> Rows:
    """Return `shots` rows whose histogram is nearest to the probabilities; the same each time.

    Their order means nothing. Shares are rounded down, and the shots that are left go to the
    largest remainders, so that no shot is lost or added.

    >>> sampled({"00": 0.5, "11": 0.5}, 3).tolist()
    [[0, 0], [0, 0], [1, 1]]
    """
    words = sorted(probabilities)
    weights = np.array([max(float(probabilities[word]), 0.0) for word in words])
    if not words or not np.isfinite(weights).all() or weights.sum() <= 0:
        raise ProtocolError("the result has neither measurements nor probabilities: report it")
    shares = weights / weights.sum() * shots
    counts = np.floor(shares).astype(np.int64)
    remainders = shares - counts
    for place in np.argsort(-remainders, kind="stable")[: shots - int(counts.sum())]:
        counts[place] += 1
    text = np.frombuffer("".join(words).encode("ascii", "replace"), np.uint8) - 48
    if text.size % len(words) or text.max(initial=0) > 1 or len({*map(len, words)}) != 1:
        raise ProtocolError(f"outcomes are named {words[:3]}, wanted bitstrings: report it")
    return np.repeat(text.reshape(len(words), -1), counts, axis=0)


def packed(rows: Rows, columns: Sequence[int]) -> Bits:
    """Return shots as the contract wants them.

    Args:
        rows: uint8 of zeros and ones, shape `(shots, columns of the outcome)`.
        columns: For each classical bit its column; -1: the bit is 0.

    Raises:
        ProtocolError: There are fewer columns than the program measures.
    """
    wanted = max(columns, default=-1) + 1
    if rows.shape[1] != wanted:
        raise ProtocolError(
            f"the outcome has {rows.shape[1]} columns, the program measures {wanted} bits: "
            "report it"
        )
    if list(columns) == list(range(wanted)):
        return from_bools(rows)
    samples = np.zeros((len(rows), len(columns)), np.uint8)
    written = [bit for bit, column in enumerate(columns) if column >= 0]
    samples[:, written] = rows[:, [columns[bit] for bit in written]]
    return from_bools(samples)
