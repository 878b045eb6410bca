"""What a service says need not be what was agreed: an error of ours, wherever a reader stumbles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from qdmi_qiskit.errors import ProtocolError, QdmiError

_STUMBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_WORDS = 200
_PIECE = 1 << 14  # bytes read at a time; compressed ones may become a thousand times as many

LARGEST = 1 << 26
"""Bytes that any answer may have; an outcome has its own beyond these."""


class TooLongError(ProtocolError):
    """An answer is longer than anything that was asked for; what is left of it is not read."""


def outcome_size(shots: int, bits: int) -> int:
    """Return how many bytes of JSON an outcome may take: a digit, a comma, blanks for each bit.

    >>> outcome_size(10_000, 20) - LARGEST
    1600000
    """
    return LARGEST + 8 * max(shots, 0) * max(bits, 1)


def taken(read: Callable[[int], bytes], most: int, what: str) -> bytes:
    """Return a body, read piece by piece, so that no service can fill the memory.

    Args:
        read: Returns at most so many bytes, none at the end.
        most: Bytes that the body may have.
        what: It is, for messages.

    Raises:
        TooLongError: It is longer.
    """
    pieces, size = list[bytes](), 0
    while piece := read(_PIECE):
        size += len(piece)
        if size > most:
            raise TooLongError(
                f"{what} is longer than the {most} bytes that it can have: nothing of it is "
                "used; report it"
            )
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn whatever a reader trips over into a `ProtocolError` about `what`."""
    try:
        yield
    except QdmiError:  # it says what is wrong; some of ours are a ValueError too
        raise
    except _STUMBLES as error:
        said = f"{type(error).__name__}: {error}"[:_WORDS]
        raise ProtocolError(f"{what} is not understood ({said}): report it") from error


def utf8(text: object) -> str:
    r"""Return a text that can be written: half of a surrogate pair is legal JSON, and no UTF-8.

    >>> utf8("Garnet \ud800")
    'Garnet ?'
    """
    return str(text).encode("utf-8", "replace").decode()


def loads(text: str | bytes) -> Any:
    """Return JSON as a value of which every text can be written.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply.
    """
    value = json.loads(text)
    odd = (b"\\u" in text or b"\xed" in text) if isinstance(text, bytes) else "\\u" in text
    if odd or (isinstance(text, str) and not text.isascii()):
        value = json.loads(utf8(json.dumps(value, ensure_ascii=False)))
    return value


def parsed(text: str | bytes, what: str) -> Any:
    """Return JSON as a value.

    Raises:
        ProtocolError: It is none, or nested too deeply to be read.
    """
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{what} is no JSON ({str(error)[:_WORDS]}): report it") from error
