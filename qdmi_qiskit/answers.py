"""What a service says need not be what was agreed: an error of ours, wherever a reader stumbles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qdmi_qiskit.errors import ProtocolError, QdmiError

_STUMBLES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_WORDS = 200


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


def parsed(text: str | bytes, what: str) -> Any:
    """Return JSON as a value.

    Raises:
        ProtocolError: It is none, or nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{what} is no JSON ({str(error)[:_WORDS]}): report it") from error
