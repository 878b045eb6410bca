"""Post-selection on symmetries that the wanted state has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Pauli

from qdmi_qiskit.errors import ConfigError, UnsupportedError
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage, terms_of, together


@dataclass(frozen=True)
class PostSelect(Stage):
    """Values, or samples, as they are where symmetries have the values they should.

    For an estimator (Source: Bonet-Monroig et al., arXiv:1807.10050): with P the projector on the
    right values, <P O P> / <P>, both measured; every observable has to commute with every
    symmetry. For a sampler, shots whose bits have the wrong parity are dropped.

    Attributes:
        symmetries: For estimators, Pauli label -> +1 or -1, over the qubits of the circuit before
            it was transpiled, if it has a layout.
        parities: For samplers, groups of classical bits -> their parity, 0 or 1.
    """

    name: ClassVar[str] = "postselect"
    rank: ClassVar[int] = 20
    symmetries: Mapping[str, int] = field(default_factory=dict)
    parities: Mapping[tuple[int, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        right = all(set(k) <= set("IXYZ") and v in (1, -1) for k, v in self.symmetries.items())
        if not right or not all(v in (0, 1) for v in self.parities.values()):
            raise ConfigError(
                'postselect: wanted symmetries={"ZZZZ": 1, ...} with values 1 or -1, or '
                "parities={(0, 1, 2): 0, ...} with values 0 or 1"
            )
        if not self.symmetries and not self.parities:
            raise ConfigError("postselect: give it symmetries=, or parities= for samplers")

    def check(self, item: Item, context: Context) -> None:
        if not self.symmetries:
            raise UnsupportedError("postselect: parities are for samplers; give it symmetries=")
        for label in self._labels(item.circuit):
            for _, terms in np.ndenumerate(terms_of(item.observables)):
                for term in terms:
                    if not Pauli(term).commutes(Pauli(label)):
                        raise UnsupportedError(
                            f"postselect: {term} does not commute with the symmetry {label}"
                        )

    def copies(self, circuit: QuantumCircuit, context: Context) -> list[QuantumCircuit]:
        if not self.parities:
            raise UnsupportedError("postselect: symmetries are for estimators; give it parities=")
        return [circuit]

    def keep(self, bits: Any, circuit: QuantumCircuit, context: Context) -> Any:
        good = np.ones(bits.shape[:-1], dtype=bool)
        for places, parity in self.parities.items():
            good &= bits[..., list(places)].sum(axis=-1) % 2 == parity
        return good

    def _labels(self, circuit: QuantumCircuit) -> dict[str, int]:
        """Return the symmetries over the qubits of an ISA circuit."""
        found = {}
        for label, value in self.symmetries.items():
            pauli = Pauli(label)
            if len(label) != circuit.num_qubits or circuit.layout is not None:
                try:
                    pauli = pauli.apply_layout(circuit.layout, circuit.num_qubits)
                except Exception as error:
                    raise UnsupportedError(
                        f"postselect: {label} does not fit circuit {circuit.name!r}: {error}"
                    ) from error
            found[pauli.to_label()] = value
        return found

    def _projector(self, circuit: QuantumCircuit) -> dict[str, float]:
        """Return the terms of the product of (1 + value * symmetry) / 2."""
        terms = {"I" * circuit.num_qubits: 1.0}
        for label, value in self._labels(circuit).items():
            grown: dict[str, float] = {}
            for each, weight in terms.items():
                product, sign = _product(label, each)
                grown[each] = grown.get(each, 0.0) + weight / 2
                grown[product] = grown.get(product, 0.0) + value * sign * weight / 2
            terms = grown
        return terms

    def prepare(self, item: Item, context: Context) -> list[Item]:
        projector = self._projector(item.circuit)
        table: Any = terms_of(item.observables)
        both = np.empty((2, *table.shape), dtype=object)
        for where in np.ndindex(table.shape):
            both[(0, *where)] = _projected(_changing(table[where]), projector)
            both[(1, *where)] = dict(projector)
        # One more axis in front; the values of the parameters broadcast against the others.
        shape = np.broadcast_shapes(table.shape, item.values.shape)
        both = both.reshape(2, *(1,) * (len(shape) - table.ndim), *table.shape)
        return [item.but(observables=ObservablesArray(both))]

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        (found,) = outcomes
        value, share = found.evs
        error, share_error = found.stds
        if (share <= 3 * share_error).any() and (share_error > 0).any():
            raise UnsupportedError(
                f"postselect: only {float(np.min(share)):.3f} +- {float(np.max(share_error)):.3f} "
                "of the state has the symmetries: nothing is left to select, or a sign is wrong"
            )
        evs = value / share
        # Both come from partly the same shots: the sum of the errors is at least the true one.
        stds = (error + np.abs(evs) * share_error) / share
        table: Any = terms_of(item.observables)
        evs = evs + np.vectorize(_constant, otypes=[float])(table)
        told = {
            "postselect": {"symmetries": dict(self.symmetries), "kept": np.asarray(share).tolist()}
        }
        return together(outcomes, evs, stds, told)


def _product(one: str, other: str) -> tuple[str, float]:
    found = Pauli(one) @ Pauli(other)
    label = found.to_label().lstrip("-i")
    sign = {0: 1.0, 2: -1.0}.get(int(found.phase))
    if sign is None:
        raise UnsupportedError(f"postselect: {one} and {other} do not commute")
    return label, sign


def _constant(terms: Mapping[str, float]) -> float:
    """Return what an observable is in every state: it needs no shots, and must not cost any."""
    return sum(value for label, value in terms.items() if set(label) <= {"I"})


def _changing(terms: Mapping[str, float]) -> dict[str, float]:
    return {label: value for label, value in terms.items() if not set(label) <= {"I"}}


def _projected(terms: Mapping[str, float], projector: Mapping[str, float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for term, coefficient in terms.items():
        for label, weight in projector.items():
            product, sign = _product(term, label)
            found[product] = found.get(product, 0.0) + coefficient * weight * sign
    return found
