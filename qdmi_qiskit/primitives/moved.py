"""An estimator's pub after its circuit was compiled anew: observables move to the new places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qdmi_qiskit.errors import RejectedError


def moved(pub: EstimatorPub, circuit: QuantumCircuit) -> EstimatorPub:
    """Return a pub with its circuit replaced by another layout of the same original.

    Args:
        pub: Its observables are over the sites of the old circuit, as `apply_layout` puts them.
        circuit: The new circuit; it has the same qubits of the original elsewhere.

    Raises:
        RejectedError: An observable acts on a site that holds no qubit of the original.
    """
    old, new = _places(pub.circuit), _places(circuit)
    if old == new and pub.circuit.num_qubits == circuit.num_qubits:
        observables = pub.observables
    else:
        to = dict(zip(old, new, strict=True))
        array = np.empty(pub.observables.shape, dtype=object)
        for index, terms in np.ndenumerate(np.asarray(pub.observables.tolist(), dtype=object)):
            array[index] = _turned(terms, to, circuit)
        observables = ObservablesArray(array)
    return EstimatorPub(circuit, observables, pub.parameter_values, pub.precision)


def _places(circuit: QuantumCircuit) -> list[int]:
    if circuit.layout is None:
        return list(range(circuit.num_qubits))
    places: list[int] = circuit.layout.final_index_layout()
    return places


def _turned(
    terms: Mapping[str, float], to: Mapping[int, int], circuit: QuantumCircuit
) -> dict[str, float]:
    return {_label(label, to, circuit): value for label, value in terms.items()}


def _label(label: str, to: Mapping[int, int], circuit: QuantumCircuit) -> str:
    letters: Sequence[str] = label[::-1]
    found = ["I"] * circuit.num_qubits
    for place, letter in enumerate(letters):
        if letter == "I":
            continue
        if place not in to:
            raise RejectedError(
                f"circuit {circuit.name!r} was compiled anew for another calibration, and an "
                f"observable acts on site {place}, where none of its qubits was: use "
                "observable.apply_layout(circuit.layout)"
            )
        found[to[place]] = letter
    return "".join(reversed(found))
