"""Exact expectation values of Pauli sums from a state of the SDK's simulations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.devices.braket.simulate import final_state
from qdmi_qiskit.devices.braket.steps import Plan
from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import PauliSum, Values


def expectations(plan: Plan, values: Values, observables: list[PauliSum], *, mixed: bool) -> Values:
    """Return float64 of shape `(points, len(observables))`.

    Raises:
        UnsupportedError: The circuit measures or resets, so that its final state is random.
    """
    if plan.random or plan.last:
        raise UnsupportedError(
            "precision=0 asks for exact values, but the circuit measures, resets or branches: "
            "remove that, or ask for a precision > 0"
        )
    found = np.empty((len(values), len(observables)))
    for point, row in enumerate(plan.rows(values)):
        array = final_state(plan, row, mixed=mixed).array
        found[point] = [_value(array, plan.qubits, each) for each in observables]
    return found


def _value(array: npt.NDArray[np.complex128], used: tuple[int, ...], sums: PauliSum) -> float:
    """Return <sum>; qubits that the program does not touch are in state 0."""
    idle = np.setdiff1d(np.arange(sums.x.shape[1]), used)
    total = 0.0
    for x, z, coefficient in zip(sums.x, sums.z, sums.coefficients.tolist(), strict=True):
        if not x[idle].any():
            total += coefficient * _pauli(array, x[list(used)], z[list(used)])
    return total


def _pauli(
    array: npt.NDArray[np.complex128], x: npt.NDArray[np.bool_], z: npt.NDArray[np.bool_]
) -> float:
    """Return <P>, where P|k> = i^y (-1)^(k.z) |k xor x>; qubit 0 is the most significant."""
    weights = 1 << np.arange(len(x))[::-1]
    flip, sign = int(weights[x].sum()), int(weights[z].sum())
    k = np.arange(len(array))
    parity = 1 - 2 * (np.bitwise_count(k & sign).astype(np.int64) & 1)
    phase = 1j ** int((x & z).sum())
    if array.ndim == 2:  # Tr(rho P) = sum over k of <k|rho|k xor x> <k xor x|P|k>
        return float((phase * (array[k, k ^ flip] * parity).sum()).real)
    return float((phase * (array[k ^ flip].conj() * parity * array).sum()).real)
