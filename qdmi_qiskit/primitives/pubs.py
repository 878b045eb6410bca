"""What a user hands to `run`, as Qiskit's pubs, or a sentence that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qdmi_qiskit.drift import drifted
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import DeviceSpec, Values

T = TypeVar("T")


class KnownPub(EstimatorPub):
    """Qiskit's pub, which counts qubits without writing all observables as dictionaries."""

    def validate(self) -> None:
        """Raise Qiskit's words for parts that do not fit together."""
        fits = (
            isinstance(self.circuit, QuantumCircuit)
            and (self.precision is None or isinstance(self.precision, int | float))
            and self.observables.num_qubits == self.circuit.num_qubits
            and self.parameter_values.num_parameters == self.circuit.num_parameters
            and (self.precision or 0) >= 0
        )
        if not fits:
            super().validate()
        self.observables.validate()
        self.parameter_values.validate()


def coerced(
    coerce: Callable[[Any, Any], T], given: Any, default: Any, *, index: int, wanted: str
) -> T:
    """Return one of the pubs of a call.

    Args:
        coerce: `SamplerPub.coerce` or `KnownPub.coerce`.
        given: What the user wrote.
        default: Shots or precision where the pub names none.
        index: Its place in the list, for the message.
        wanted: How such a pub is written.

    Raises:
        ConfigError: It is none, or its parts do not fit together.
    """
    first = given[0] if isinstance(given, tuple | list) and given else given
    circuit = getattr(first, "circuit", first)
    if not isinstance(circuit, QuantumCircuit):
        kind = "Estimator" if "observables" in wanted else "Sampler"
        raise ConfigError(
            f"An invalid {kind} pub-like was given: pub {index} begins with a "
            f"{type(circuit).__name__}, not a circuit: wanted a list of pubs, run([{wanted}])"
        )
    try:
        return coerce(given, default)
    except (TypeError, ValueError) as error:
        problem, note, _ = str(error).partition(" Note that")
        problem = problem.partition(" If you want to run")[0]
        hint = (
            ". Note that if you want to run a single pub, it goes into a list too" if note else ""
        )
        names = ", ".join(parameter.name for parameter in circuit.parameters) or "none"
        raise ConfigError(
            f"pub {index}, circuit {circuit.name!r} (parameters: {names}): {problem.rstrip('.')}; "
            f"wanted run([{wanted}]){hint}"
        ) from error


def points_of(pub: Any) -> Values:
    """Return a pub's values as float64, shape `(points, parameters)`, in the circuit's order.

    Raises:
        ConfigError: A value is not finite: simulators answer with zeros, silently.
    """
    names = pub.circuit.parameters
    size = len(names)
    points = pub.parameter_values.size
    if size == 0:
        return np.empty((points, 0))
    table = pub.parameter_values.as_array(names)
    values = np.ascontiguousarray(table, dtype=np.float64).reshape(points, size)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0].tolist()
        raise ConfigError(
            f"circuit {pub.circuit.name!r}: {names[column].name} is {values[row, column]} at point "
            f"{row}; wanted finite numbers: check what computed it"
        )
    return values


def note_drift(
    results: Sequence[PubResult], circuits: Sequence[QuantumCircuit], spec: DeviceSpec
) -> None:
    """Write into `metadata["drift"]` of a pub that its circuit was of another calibration."""
    for each in drifted(circuits, spec):
        results[each.pop("circuit")].metadata["drift"] = each
