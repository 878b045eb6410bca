"""Readout errors: averaged out and divided off (TREX), or inverted qubit by qubit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.observables_array import ObservablesArray

from qdmi_qiskit.errors import ConfigError, UnsupportedError, did_you_mean
from qdmi_qiskit.mitigation.native import followed_by
from qdmi_qiskit.mitigation.stage import (
    Context,
    Item,
    Outcome,
    Stage,
    averaged,
    rewritten,
    terms_of,
)

Method = Literal["trex", "inversion"]
_METHODS: tuple[str, ...] = get_args(Method)
_MOST_TERMS = 1 << 14
_ANTICOMMUTE = {("X", "Y"), ("X", "Z"), ("Y", "X"), ("Y", "Z"), ("Z", "X"), ("Z", "Y")}
Support = tuple[int, ...]


@dataclass(frozen=True)
class Readout(Stage):
    """Takes errors of the measurement off every value.

    `"trex"` (Source: van den Berg et al., arXiv:2012.09738): random Paulis before the measurement
    make the error of a product of Z a factor, whatever its correlations; the factor is measured
    on an empty circuit, once per calibration of the device, and divided off.

    `"inversion"`: each qubit's two error rates are measured on |0..0> and |1..1>, once per
    calibration, and the product of the 2 x 2 matrices is inverted. No random circuits, but errors
    have to be independent, and a term on k qubits becomes 2**k terms.

    Attributes:
        method: One of the two.
        randomizations: Of the Paulis, rounded up to a multiple of 4; under `twirl` each of its
            circuits takes one instead. Also of the calibration.
        calibration_precision: Standard error of each factor or rate, at most 1/4 of what is
            wanted of the values.
    """

    name: ClassVar[str] = "readout"
    rank: ClassVar[int] = 40
    method: Method = "trex"
    randomizations: int = 8
    calibration_precision: float = 0.004

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise ConfigError(
                f"readout: method={self.method!r}{did_you_mean(str(self.method), _METHODS)}"
            )
        if self.randomizations < 1 or not self.calibration_precision > 0:
            raise ConfigError("readout: wanted randomizations of at least 1, and a precision > 0")

    def check(self, item: Item, context: Context) -> None:
        if context.joint:
            raise UnsupportedError(
                "readout: the estimator has grouping='commuting', which reads a term off other "
                "qubits than its own, so the wrong errors would be taken off: "
                "use grouping='qubit_wise'"
            )

    def _known(self, item: Item, context: Context) -> dict[Any, Any]:
        key = "readout", self.method, context.calibration, item.circuit.num_qubits
        known: dict[Any, Any] = context.kept.setdefault(key, {})
        return known

    def calibrate(self, items: Sequence[Item], context: Context) -> tuple[int, int]:
        shots = circuits = 0
        for width in dict.fromkeys(item.circuit.num_qubits for item in items):
            some = [item for item in items if item.circuit.num_qubits == width]
            known = self._known(some[0], context)
            wanted = min(self.calibration_precision, min(i.precision for i in some) or 1.0)
            needed = _supports(some)
            if self.method == "inversion":
                needed = {(site,) for support in needed for site in support}
            lacking = sorted(s for s in needed if s not in known or known[s][-1] > 1.5 * wanted)
            if lacking:
                measure = self._factors if self.method == "trex" else self._rates
                found, cost = measure(lacking, width, wanted, context)
                known.update({s: (*found[s], wanted) for s in lacking})
                shots, circuits = shots + cost[0], circuits + cost[1]
        return shots, circuits

    def _factors(
        self, supports: Sequence[Support], width: int, precision: float, context: Context
    ) -> tuple[dict[Support, tuple[float, float]], tuple[int, int]]:
        sites = sorted({site for support in supports for site in support})
        pubs = []
        number = 4 * -(-self.randomizations // 4)
        for k in range(number):
            flips = _flips(sites, k, context, "X")
            circuit = followed_by(QuantumCircuit(width), flips, context)
            signs = [(-1) ** sum(site in flips for site in support) for support in supports]
            table = [
                {_label(s, width): float(sign)} for s, sign in zip(supports, signs, strict=True)
            ]
            pubs.append(_pub(circuit, table, precision * number**0.5))
        outcomes = context.run(pubs)
        whole = averaged(outcomes, {}, scatter=False)
        low = np.flatnonzero(whole.evs < 0.05)
        if len(low):
            raise UnsupportedError(
                f"readout: {whole.evs[low[0]]:.3f} is left of a product of Z on qubits "
                f"{supports[low[0]]} when nothing is done to them: too little to divide by"
            )
        found = {
            support: (float(ev), float(std))
            for support, ev, std in zip(supports, whole.evs, whole.stds, strict=True)
        }
        return found, (whole.shots or 0, whole.circuits)

    def _rates(
        self, supports: Sequence[Support], width: int, precision: float, context: Context
    ) -> tuple[dict[Support, tuple[float, float, float]], tuple[int, int]]:
        sites = [site for (site,) in supports]
        table = [{_label((site,), width): 1.0} for site in sites]
        ones = followed_by(QuantumCircuit(width), dict.fromkeys(sites, "X"), context)
        pubs = [_pub(circuit, table, precision) for circuit in (QuantumCircuit(width), ones)]
        zero, one = context.run(pubs)
        found: dict[Support, tuple[float, float, float]] = {}
        for k, site in enumerate(sites):
            offset, slope = (zero.evs[k] + one.evs[k]) / 2, (zero.evs[k] - one.evs[k]) / 2
            if slope < 0.05:
                raise UnsupportedError(f"readout: qubit {site} reads the same for 0 and 1")
            error = float(np.hypot(zero.stds[k], one.stds[k]) / 2)
            found[site,] = (float(offset), float(slope), error)
        shots = (zero.shots or 0) + (one.shots or 0)
        return found, (shots, zero.circuits + one.circuits)

    def prepare(self, item: Item, context: Context) -> list[Item]:
        table, known = terms_of(item.observables), self._known(item, context)
        if self.method == "inversion":
            return [item.but(observables=rewritten(table, lambda t: _inverted(t, known)))]
        sites = sorted({site for support in _supports([item]) for site in support})
        first, copies = item.draw
        number = 4 * -(-self.randomizations // 4) if copies == 1 else 1
        children = []
        for k in range(number):
            flips = _flips(sites, first + k, context, "P")
            observables = rewritten(table, lambda t, f=flips: _divided(t, f, known))
            children.append(
                item.but(
                    circuit=followed_by(item.circuit, flips, context),
                    observables=observables,
                    precision=item.precision * number**0.5,
                )
            )
        return children

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        found = averaged(outcomes, {}, scatter=False)
        known = self._known(item, context)
        error = np.vectorize(lambda terms: self._systematic(terms, known), otypes=[float])(
            terms_of(item.observables)
        )
        stds = np.hypot(found.stds, np.broadcast_to(error, found.stds.shape))
        told = {
            **found.told,
            "readout": {
                "method": self.method,
                "randomizations": len(outcomes),
                "calibration": context.calibration,
                "calibration_error": np.asarray(error).tolist(),
            },
        }
        return Outcome(found.evs, stds, found.shots, found.circuits, told)

    def _systematic(self, terms: Mapping[str, float], known: Mapping[Any, Any]) -> float:
        """Return the error that the calibration leaves in a sum of terms, each at most 1.

        Terms that share a support share its factor: their coefficients add before squaring.
        """
        sums: dict[Support, float] = {}
        for label, coefficient in terms.items():
            support = _support(label)
            parts = [support] if self.method == "trex" else [(site,) for site in support]
            for part in parts:
                sums[part] = sums.get(part, 0.0) + abs(coefficient)
        total = 0.0
        for part, weight in sums.items():
            if part:
                slope, error = known[part][-3], known[part][-2]
                total += (weight * error / slope) ** 2
        return float(np.sqrt(total))


def _support(label: str) -> Support:
    return tuple(k for k, letter in enumerate(reversed(label)) if letter != "I")


def _supports(items: Iterable[Item]) -> set[Support]:
    found = {
        _support(label)
        for item in items
        for _, terms in np.ndenumerate(terms_of(item.observables))
        for label in terms
    }
    return found - {()}


def _label(support: Support, width: int) -> str:
    letters = ["I"] * width
    for site in support:
        letters[width - 1 - site] = "Z"
    return "".join(letters)


def _pub(circuit: QuantumCircuit, table: Sequence[dict[str, float]], precision: float) -> Item:
    return Item(circuit, ObservablesArray(list(table)), BindingsArray(), precision)


def _flips(sites: Sequence[int], k: int, context: Context, kind: str) -> dict[int, str]:
    """Return the k-th random Pauli: four in a row flip each letter of each qubit exactly twice."""
    codes = context.kept.setdefault(("flips", kind, tuple(sites)), [])
    while len(codes) <= k // 4:
        codes.append(context.rng.integers(4 if kind == "P" else 2, size=len(sites)))
    turned = codes[k // 4] ^ (k % 4 if kind == "P" else k % 2)
    return {site: "IXYZ"[code] for site, code in zip(sites, turned, strict=True) if code}


def _divided(
    terms: Mapping[str, float], flips: Mapping[int, str], known: Mapping[Support, Any]
) -> dict[str, float]:
    """Return what to measure after the flips, so that its mean is that of the terms before."""
    found = {}
    for label, coefficient in terms.items():
        support = _support(label)
        sign = (-1) ** sum(
            (label[len(label) - 1 - site], flips.get(site, "I")) in _ANTICOMMUTE for site in support
        )
        found[label] = coefficient * sign / (known[support][0] if support else 1.0)
    return found


def _inverted(terms: Mapping[str, float], known: Mapping[Any, Any]) -> dict[str, float]:
    """Return terms whose measured mean is that of the given ones: z = (seen - offset) / slope."""
    found: dict[str, float] = {}
    for label, coefficient in terms.items():
        parts = {label: coefficient}
        for site in _support(label):
            offset, slope = known[site,][:2]
            place = len(label) - 1 - site
            grown: dict[str, float] = {}
            for each, value in parts.items():
                less = each[:place] + "I" + each[place + 1 :]
                grown[each] = grown.get(each, 0.0) + value / slope
                grown[less] = grown.get(less, 0.0) - value * offset / slope
            parts = grown
            if len(parts) > _MOST_TERMS:
                raise UnsupportedError(f"readout: {label} is too long to invert: use method='trex'")
        for each, value in parts.items():
            found[each] = found.get(each, 0.0) + value
    return found
