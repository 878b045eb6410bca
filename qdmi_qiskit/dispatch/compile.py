"""Pubs for one device: coerced, and compiled once per circuit and target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.checks import checked_shots
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.passes import pass_manager
from qdmi_qiskit.primitives.pubs import coerced

DEFAULT_SHOTS, DEFAULT_PRECISION = 1024, 0.015625  # of pubs that name none, as our primitives
_REMEMBERED = 256  # compiled circuits


def pubs_from(given: Iterable[Any], kind: str, default: int | float | None) -> list[Any]:
    """Return pubs, each with its shots or precision.

    Args:
        given: What a user hands to `run`.
        kind: `"sampler"` or `"estimator"`.
        default: Shots or precision of pubs that name none.

    Raises:
        ConfigError: One is wrong, or there is none.
    """
    if kind == "sampler":
        default = checked_shots(DEFAULT_SHOTS if default is None else default)
        coerce, wanted = SamplerPub.coerce, "(circuit, values, shots)"
    else:
        default = DEFAULT_PRECISION if default is None else float(default)
        coerce, wanted = EstimatorPub.coerce, "(circuit, observables, values, precision)"
    pubs = [coerced(coerce, pub, default, index=k, wanted=wanted) for k, pub in enumerate(given)]
    if not pubs:
        raise ConfigError("run() got an empty list of pubs: give it at least one")
    for index, pub in enumerate(pubs):
        if kind == "sampler":
            checked_shots(pub.shots)
        elif not (np.isfinite(pub.precision) and pub.precision >= 0):
            raise ConfigError(f"pub {index}: precision={pub.precision!r}: wanted at least 0")
    return pubs


def values_of(pub: Any, circuit: QuantumCircuit) -> BindingsArray:
    """Return the values of a pub for a circuit that has the same parameters, or fewer."""
    names = list(circuit.parameters)
    if not names:
        return BindingsArray(shape=pub.parameter_values.shape)
    return BindingsArray({tuple(p.name for p in names): pub.parameter_values.as_array(names)})


def with_circuit(pub: Any, circuit: QuantumCircuit, sites: Sequence[int] | None = None) -> Any:
    """Return a pub with another circuit.

    Args:
        pub: A sampler's or an estimator's.
        circuit: Instead of its own.
        sites: Where its qubits went, for observables; None: they stayed.
    """
    values = values_of(pub, circuit)
    if isinstance(pub, SamplerPub):
        return SamplerPub(circuit, values, pub.shots)
    observables = pub.observables
    if sites is not None:
        observables = placed(observables, sites, circuit.num_qubits)
    return EstimatorPub(circuit, observables, values, pub.precision)


def placed(observables: ObservablesArray, sites: Sequence[int], width: int) -> ObservablesArray:
    """Return observables with qubit q at `sites[q]` of `width` qubits."""
    old = observables.__array__()
    new = np.empty(old.shape, dtype=object)
    for where in np.ndindex(old.shape):
        new[where] = {
            _label(label, sites, width): value for label, value in observables[where].items()
        }
    return ObservablesArray(new)


def _label(label: str, sites: Sequence[int], width: int) -> str:
    letters = ["I"] * width
    for site, letter in zip(sites, reversed(label), strict=True):
        letters[width - 1 - site] = letter
    return "".join(letters)


class Compiler:
    """Compiles pubs for the members of a group, each circuit once per target."""

    def __init__(self, level: int | None, seed: int | None) -> None:
        """Say how.

        Args:
            level: Optimisation level, 0 to 3; None: circuits are ISA for every member already.
            seed: Makes compiling reproducible.
        """
        if level not in (None, 0, 1, 2, 3):
            raise ConfigError(f"optimization_level={level!r}: wanted 0, 1, 2, 3, or None")
        self._level, self._seed = level, seed
        self._done: dict[tuple[int, int], tuple[Any, ...]] = {}
        self._managers: dict[int, tuple[Any, Any]] = {}

    def __call__(self, pub: Any, backend: Any) -> Any:
        """Return the pub for a backend; as it is where nothing is known to compile for."""
        target = getattr(backend, "target", None)
        if self._level is None or target is None:
            return pub
        key = id(pub.circuit), id(target)
        if key not in self._done:
            if len(self._done) >= _REMEMBERED:
                self._done.clear()
            isa = self._manager(target).run(pub.circuit)
            sites = None if isa.layout is None else isa.layout.final_index_layout()
            self._done[key] = isa, sites, pub.circuit, target  # keeps the ids alive
        isa, sites = self._done[key][:2]
        return with_circuit(pub, isa, sites)

    def _manager(self, target: Any) -> Any:
        if id(target) not in self._managers:
            made = pass_manager(target, self._level or 0, seed_transpiler=self._seed)
            self._managers[id(target)] = made, target
        return self._managers[id(target)][0]
