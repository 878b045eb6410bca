"""What users say to every kind of run, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdmi_qiskit.errors import ConfigError


def checked_shots(shots: Any) -> int:
    """Return `shots` if it is a whole number of at least 1.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(shots, bool) or not isinstance(shots, int | np.integer) or shots < 1:
        raise ConfigError(f"shots={shots!r}: wanted a whole number of at least 1, such as 1024")
    return int(shots)


def checked_precision(precision: Any, name: str) -> None:
    """Check that `precision` is a finite number of at least 0; `name` is what the user calls it.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(precision, bool) or not isinstance(precision, int | float | np.floating):
        raise ConfigError(f"{name}={precision!r}: wanted a number of at least 0, such as 0.01")
    if not 0 <= precision < np.inf:
        raise ConfigError(
            f"{name}={precision!r}: wanted a standard error greater than 0 (the smaller, the more "
            "shots), or 0 for exact values"
        )


def checked_seed(seed: Any) -> int | None:
    """Return `seed` if it is None or a whole number of at least 0 below 2**63.

    Raises:
        ConfigError: It is neither.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise ConfigError(
            f"seed={seed!r}: wanted a whole number from 0 to 2**63 - 1, or None for a fresh one"
        )
    return int(seed)


def checked_recompile(said: Any, origin: str = "keyword") -> str | None:
    """Return `said` if it is `"on_drift"`, None if it is `"never"`, False or None.

    Raises:
        ConfigError: It is something else.
    """
    if said in (None, False, "never"):
        return None
    if said != "on_drift":
        raise ConfigError(f'recompile = {said!r} ({origin}): wanted "on_drift" or "never"')
    return "on_drift"
