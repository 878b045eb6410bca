"""mitiq folds circuits in textbook gates; our backend executes them.

It caps NumPy below ours, so it needs an environment of its own: `pip install '.[mitiq]' pytest`.
"""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import QDMIProvider
from tests.clients.installed import MARKS, client

zne = client("mitiq.zne")
CircuitConversionError = client("mitiq.interface").conversions.CircuitConversionError

pytestmark = MARKS
SCALES = (1.0, 3.0, 5.0)
SHOTS = 20_000
LAYOUT = [5, 6, 11]  # a bent line of grid20


def asymmetric():
    """Three qubits, twelve CX, and a value of ZZI of its own for the state."""
    circuit = QuantumCircuit(3)
    for _ in range(4):
        circuit.ry(0.25, 0)
        circuit.cx(0, 1)
        circuit.rz(0.4, 1)
        circuit.cx(1, 2)
        circuit.ry(-0.15, 2)
        circuit.cx(0, 1)
    return circuit


def mean_zz(counts):
    """<ZZ> of qubits 1 and 2, from counts of three bits, qubit 2 first."""
    signs = {bits: 1 if bits[0] == bits[1] else -1 for bits in counts}
    return sum(signs[bits] * n for bits, n in counts.items()) / sum(counts.values())


def executor(backend, sent):
    def batch(circuits) -> list[float]:
        measured = [circuit.measure_all(inplace=False) for circuit in circuits]
        isa = transpile(
            measured, backend, initial_layout=LAYOUT, optimization_level=0, seed_transpiler=1
        )
        sent.append([circuit.num_nonlocal_gates() for circuit in isa])
        result = backend.run(isa, shots=SHOTS, seed=11).result()
        return [mean_zz(result.get_counts(k)) for k in range(len(isa))]

    return batch


def exact():
    return float(np.real(Statevector(asymmetric()).expectation_value(SparsePauliOp("ZZI"))))


def spread(values):
    """Standard error of the value that a line through `values` at SCALES has at zero."""
    scales = np.asarray(SCALES)
    weights = np.linalg.pinv(np.stack([np.ones(3), scales], axis=1))[0]
    return float(np.sqrt(weights**2 @ (1 - np.square(values)) / SHOTS))


def test_extrapolation_without_noise_is_exact():
    backend, sent = QDMIProvider().get_backend("aer", num_qubits=20), []
    factory = zne.LinearFactory(SCALES)
    found = zne.execute_with_zne(
        asymmetric(), executor(backend, sent), factory=factory, scale_noise=zne.scaling.fold_global
    )
    assert sent == [[12, 36, 60]]  # in one job
    assert abs(found - exact()) < 4 * spread(factory.get_expectation_values())


def test_extrapolation_on_a_recorded_device_comes_nearer():
    backend, sent = QDMIProvider().get_backend("replay:grid20"), []
    factory = zne.LinearFactory(SCALES)
    found = zne.execute_with_zne(
        asymmetric(), executor(backend, sent), factory=factory, scale_noise=zne.scaling.fold_global
    )
    raw, *_ = values = factory.get_expectation_values()
    assert sent == [[12, 36, 60]]
    better = abs(raw - exact()) - abs(found - exact())
    assert better > 4 * np.hypot(spread(values), np.sqrt((1 - raw**2) / SHOTS))


@pytest.mark.xfail(
    raises=CircuitConversionError,
    reason="mitiq/interface/mitiq_qiskit/conversions.py goes by Cirq's reader of OpenQASM 2, "
    "which has no `r`: fold before compiling for such a device",
)
def test_circuits_in_r_are_folded():
    backend, sent = QDMIProvider().get_backend("replay:grid20"), []
    isa = backend.pass_manager(1, seed_transpiler=1, initial_layout=LAYOUT).run(asymmetric())
    zne.execute_with_zne(isa, executor(backend, sent))
