"""Import a client, or skip where it is not installed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

MARKS = [
    pytest.mark.slow,
    # What clients say of each other's deprecations is theirs, what they say of us is not.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:::qdmi_qiskit"),
]


def client(name: str) -> Any:
    """Import a module while a test module is collected, where warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
