"""Figures of merit of a capability document, in SI units: standardized properties v1, v2, v3.

Versions 1 and 2 list qubits and pairs, version 3 speaks of the device as a whole and perhaps of
single qubits. Nothing here depends on the version: what is there is read, what is missing or
strange is not known. Unknown fields and versions are no error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6, "ns": 1e9, "ps": 1e12}
_READOUT = ("READOUT", "READOUT_ERROR_0_TO_1", "READOUT_ERROR_1_TO_0")
_GATE = ("SIMULTANEOUS_RANDOMIZED_BENCHMARKING", "RANDOMIZED_BENCHMARKING")


@dataclass(frozen=True, slots=True)
class QubitFigures:
    """One qubit: times in seconds, fidelities and probabilities as fractions."""

    t1: float | None = None
    t2: float | None = None
    gate: float | None = None
    readout: float | None = None
    reads_1_as_0: float | None = None
    reads_0_as_1: float | None = None


@dataclass(frozen=True, slots=True)
class Standardized:
    """The standardized properties of a device.

    Attributes:
        qubits: By label.
        pairs: By (label, label), then by Braket's lower-case name of the gate; as listed, that
            is `(control, target)` where the document gives a direction.
        whole: The same for any qubit that is not listed.
        pair: Fidelity of the device's two-qubit gate, where no pairs are listed.
        gate_duration: Of a one-qubit gate, seconds.
        pair_duration: Of a two-qubit gate, seconds.
        readout_duration: Seconds.
        reset_duration: Seconds.
    """

    qubits: Mapping[int, QubitFigures]
    pairs: Mapping[tuple[int, int], Mapping[str, float]]
    whole: QubitFigures = QubitFigures()
    pair: float | None = None
    gate_duration: float | None = None
    pair_duration: float | None = None
    readout_duration: float | None = None
    reset_duration: float | None = None

    def qubit(self, label: int) -> QubitFigures:
        """Return what is known of one qubit, from its own entry or from the device's."""
        own, whole = self.qubits.get(label, self.whole), self.whole
        return QubitFigures(
            _first(own.t1, whole.t1),
            _first(own.t2, whole.t2),
            _first(own.gate, whole.gate),
            _first(own.readout, whole.readout),
            own.reads_1_as_0,
            own.reads_0_as_1,
        )


def standardized(document: Mapping[str, Any]) -> Standardized:
    """Read `document["standardized"]`; a device without it has no figures."""
    given = table(document.get("standardized"))
    return Standardized(
        qubits={
            int(label): _qubit(table(properties))
            for label, properties in table(given.get("oneQubitProperties")).items()
            if label.isdecimal()
        },
        pairs=_pairs(table(given.get("twoQubitProperties"))),
        whole=QubitFigures(
            t1=_time(given.get("T1")),
            t2=_time(given.get("T2")),
            gate=_of_type(given.get("singleQubitFidelity"), _GATE, any_type=True),
            readout=_of_type(given.get("readoutFidelity"), ("READOUT",), any_type=True),
        ),
        pair=_of_type(given.get("twoQubitGateFidelity"), _GATE, any_type=True),
        gate_duration=_time(given.get("singleQubitGateDuration")),
        pair_duration=_time(given.get("twoQubitGateDuration")),
        readout_duration=_time(given.get("readoutDuration")),
        reset_duration=_time(given.get("activeResetDuration")),
    )


def table(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a JSON array, or none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON has integers of any length
        return None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _time(given: Any) -> float | None:
    """Return seconds. Without a unit the number means nothing, so it is not known."""
    value = number(table(given).get("value"))
    unit = table(given).get("unit")
    if value is None or value <= 0 or not isinstance(unit, str):
        return None
    per_second = _PER_SECOND.get(unit.strip().lower())
    return None if per_second is None else value / per_second


def _fraction(value: Any) -> float | None:
    """Return a fidelity from 0 to 1; some vendors say percent."""
    found = number(value)
    if found is None or not 0 <= found <= 100:
        return None
    return found if found <= 1 else found / 100


def _kind(entry: Mapping[str, Any]) -> str:
    return str(table(entry.get("fidelityType")).get("name") or "").upper()


def _of_type(given: Any, kinds: Iterable[str], *, any_type: bool = False) -> float | None:
    """Return the fidelity of the first of `kinds` that is listed, the worst if it is twice."""
    found = entries(given)
    for kind in kinds:
        values = [_fraction(entry.get("fidelity")) for entry in found if _kind(entry) == kind]
        if known := [value for value in values if value is not None]:
            return min(known)
    if not any_type:
        return None
    values = [_fraction(e.get("fidelity")) for e in found if _kind(e) not in _READOUT[1:]]
    return min((value for value in values if value is not None), default=None)


def _qubit(properties: Mapping[str, Any]) -> QubitFigures:
    given = properties.get("oneQubitFidelity")
    gates = [entry for entry in entries(given) if _kind(entry) not in _READOUT]
    return QubitFigures(
        t1=_time(properties.get("T1")),
        t2=_time(properties.get("T2")),
        gate=_of_type(gates, _GATE, any_type=True),
        readout=_of_type(given, ("READOUT",)),
        reads_1_as_0=_of_type(given, ("READOUT_ERROR_1_TO_0",)),
        reads_0_as_1=_of_type(given, ("READOUT_ERROR_0_TO_1",)),
    )


def _pairs(given: Mapping[str, Any]) -> dict[tuple[int, int], dict[str, float]]:
    found: dict[tuple[int, int], dict[str, float]] = {}
    for key, properties in given.items():
        first, _, second = key.partition("-")
        if not (first.isdecimal() and second.isdecimal()):
            continue
        for entry in entries(table(properties).get("twoQubitGateFidelity")):
            place = _direction(entry, (int(first), int(second)))
            name, value = entry.get("gateName"), _fraction(entry.get("fidelity"))
            if not isinstance(name, str) or value is None:
                continue
            gates = found.setdefault(place, {})
            gates[name.lower()] = min(value, gates.get(name.lower(), 1.0))
    return found


def _direction(entry: Mapping[str, Any], pair: tuple[int, int]) -> tuple[int, int]:
    direction = table(entry.get("direction"))
    control, target = direction.get("control"), direction.get("target")
    if {control, target} == set(pair):
        return int(control), int(target)  # type: ignore[arg-type]
    return pair
