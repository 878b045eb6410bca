"""A circuit, followed by what measures a group of terms: made once for all that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qiskit import QuantumCircuit

from qdmi_qiskit.formats import Compiled
from qdmi_qiskit.model import Basis
from qdmi_qiskit.primitives.observables import Group, Observables


class Measured:
    """The measured circuits of one call: both stages use the same, and so do later calls."""

    def __init__(
        self, measured: Callable[[QuantumCircuit, Basis], QuantumCircuit], compiled: Compiled
    ) -> None:
        """Remember circuits.

        Args:
            measured: Appends the measurement of a basis, in gates of the device.
            compiled: What was made of the same circuits by earlier calls.
        """
        self._measured, self._compiled = measured, compiled
        self._found: dict[tuple[int, int], QuantumCircuit] = {}

    def turned(
        self, circuit: QuantumCircuit, group: Group, observables: Observables
    ) -> QuantumCircuit:
        """Return the circuit followed by the one that makes a group of terms diagonal."""
        if group.turn is None:
            return circuit
        key = id(circuit), id(group)
        if key not in self._found:
            x, z = observables.x[group.terms], observables.z[group.terms]
            make = partial(_followed, circuit, group.turn)
            content = "turned", x.tobytes(), z.tobytes()  # the same for every estimator
            self._found[key] = self._compiled.product(circuit, content, make)
        return self._found[key]

    def __call__(self, circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
        """Return the circuit followed by the measurement of a basis."""
        key = id(circuit), id(basis)  # the plans hold both for as long as this lives
        if key not in self._found:
            content = (basis.qubits.tobytes(), basis.x.tobytes(), basis.z.tobytes())
            self._found[key] = self._compiled.product(
                circuit, content, lambda: self._measured(circuit, basis)
            )
        return self._found[key]


def _followed(circuit: QuantumCircuit, turn: QuantumCircuit) -> QuantumCircuit:
    whole: QuantumCircuit = circuit.copy()
    whole.compose(turn, range(circuit.num_qubits), inplace=True, copy=False)
    return whole
