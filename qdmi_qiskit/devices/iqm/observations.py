"""Observation sets (calibration sets, quality metrics) as a table of numbers in SI units.

A set is what people and machines wrote down over time: values can be missing, invalid, strings
or NaN, and one quantity can be there twice. What is no plain finite number is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_SCALE = {
    "": 1.0,
    "1": 1.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "Hz": 1.0,
    "kHz": 1e3,
    "MHz": 1e6,
    "GHz": 1e9,
    "%": 1e-2,
}
_PREFERRED = "d2"  # of a benchmark's Pauli parities the one that IQM's own tools read


class Observations:
    """Numbers by name, such as `metrics.ssro.measure.constant.QB1.fidelity`."""

    def __init__(self, *sets: Mapping[str, Any] | None) -> None:
        """Collect the numbers of some sets; the first set that has a name wins."""
        self._values: dict[str, float] = {}
        for each in sets:
            found: dict[str, tuple[int, float]] = {}
            for observation in (each or {}).get("observations") or ():
                _collect(observation, found)
            for name, (_, value) in found.items():
                self._values.setdefault(name, value)

    def get(self, *names: str) -> float | None:
        """Return the first of `names` that is known."""
        return next((self._values[name] for name in names if name in self._values), None)

    def of_locus(self, prefix: str, locus: Sequence[str], suffix: str) -> float | None:
        """Return a quantity of a gate on a locus, in whichever order it was stored."""
        places = ["__".join(locus)]
        if len(locus) == 2:
            places.append("__".join(reversed(locus)))
        return self.get(*(f"{prefix}.{place}.{suffix}" for place in places))

    def probability(self, name: str) -> float | None:
        """Return a quantity if it can be a probability."""
        return probability(self.get(name))


def probability(value: float | None) -> float | None:
    """Return a value if it can be a probability."""
    return value if value is not None and 0 <= value <= 1 else None


def _collect(observation: Any, found: dict[str, tuple[int, float]]) -> None:
    if not isinstance(observation, Mapping) or observation.get("invalid"):
        return
    field, value = observation.get("dut_field"), observation.get("value")
    if not isinstance(field, str) or isinstance(value, bool):
        return
    if not isinstance(value, int | float) or not math.isfinite(value):
        return
    scale = _SCALE.get(str(observation.get("unit") or ""))
    if scale is None:
        return
    name, _, parameter = field.partition(":par=")
    rank = 2 if parameter == _PREFERRED else 1 if not parameter else 0
    if name not in found or rank > found[name][0]:
        found[name] = (rank, float(value) * scale)
