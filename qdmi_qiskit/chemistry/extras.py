"""The sentence that is shown where an extra is not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from qdmi_qiskit.errors import MissingPluginError


@contextmanager
def needed(extra: str, *packages: str) -> Iterator[None]:
    """Within, a failed import of one of `packages` names the extra that brings it.

    Raises:
        MissingPluginError: One of them is missing. Other imports fail as they do.
    """
    try:
        yield
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] not in packages:
            raise
        windows = (
            " (PySCF has no Windows version: use WSL)"
            if sys.platform == "win32" and "pyscf" in packages
            else ""
        )
        raise MissingPluginError(
            f"{missing.name} is not installed: run pip install 'qdmi-qiskit[{extra}]'{windows}",
            name=missing.name,
        ) from missing
