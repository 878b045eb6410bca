"""mthree calibrates readout on our backend, and corrects the counts of our jobs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import RejectedError
from tests.clients.installed import MARKS, client
from tests.references import line_device

mthree = client("mthree")

pytestmark = MARKS
SHOTS = 20_000
QUBITS = [11, 2, 17]  # of grid20, out of order: those of bits 0, 1, 2
IDEAL = {"100": np.cos(0.6) ** 2, "101": np.sin(0.6) ** 2}


def recorded():
    return QDMIProvider().get_backend("replay:grid20")


def recorded_with_x():
    """The readout of grid20 where `x` is native, without other noise."""
    spec = replace(line_device(20), sites=recorded().spec.sites)
    return QDMIProvider().get_backend("aer", noise=spec)


def outcome(backend, prepared):
    """Counts of QUBITS, of a circuit on them without two-qubit gates: readout is the noise."""
    circuit = QuantumCircuit(20, 3)
    prepared(circuit)
    circuit.measure(QUBITS, [0, 1, 2])
    isa = backend.pass_manager(1, seed_transpiler=1, initial_layout=range(20)).run(circuit)
    return backend.run(isa, shots=SHOTS, seed=5).result().get_counts()


def state(circuit):
    circuit.ry(1.2, QUBITS[0])
    circuit.x(QUBITS[2])


def distance(probabilities):
    keys = set(IDEAL) | set(probabilities)
    return sum(abs(IDEAL.get(key, 0) - probabilities.get(key, 0)) for key in keys) / 2


def check(mitigation, backend):
    counts = outcome(backend, state)
    raw = {bits: n / SHOTS for bits, n in counts.items()}
    corrected = mitigation.apply_correction(counts, QUBITS, return_mitigation_overhead=True)
    value, sigma = corrected.expval_and_stddev("IIZ")
    assert distance(corrected) < distance(raw) / 3
    # The gates err as well: twice the infidelity of one, at most.
    assert abs(value - np.cos(1.2)) < 4 * sigma + 0.003


@pytest.mark.parametrize("method", ["independent", "balanced"])
def test_readout_is_learned_and_undone(method):
    backend = recorded_with_x()
    backend.set_options(seed=4)
    mitigation = mthree.M3Mitigation(backend)
    mitigation.cals_from_system(QUBITS, shots=SHOTS, method=method)
    for qubit in QUBITS:
        site, learned = backend.spec.sites[qubit], mitigation.single_qubit_cals[qubit]
        for wrong, true in [
            (learned[1, 0], site.prob_meas1_prep0),
            (learned[0, 1], site.prob_meas0_prep1),
        ]:
            assert abs(wrong - true) < 4 * np.sqrt(true / SHOTS)
    check(mitigation, backend)


@pytest.mark.xfail(
    raises=RejectedError,
    reason="mthree sends `x` untranspiled (mthree/circuits.py, `_tensor_meas_states` and "
    "`balanced_cal_circuits`), which devices in `r` and `cz` do not execute",
)
def test_devices_without_x_are_calibrated():
    mthree.M3Mitigation(recorded()).cals_from_system(QUBITS, shots=100)


def test_on_a_recorded_device_own_calibration_circuits_serve():
    backend = recorded()
    zeros = outcome(backend, lambda circuit: None)
    ones = outcome(backend, lambda circuit: circuit.x(QUBITS))
    matrices: list[np.ndarray | None] = [None] * 20
    for bit, qubit in enumerate(QUBITS):
        high = [
            sum(n for bits, n in counts.items() if bits[2 - bit] == "1") / SHOTS
            for counts in (zeros, ones)
        ]
        matrices[qubit] = np.array([[1 - p for p in high], high])
    mitigation = mthree.M3Mitigation(backend)
    mitigation.cals_from_matrices(matrices)
    check(mitigation, backend)


def test_counts_of_a_noiseless_device_stay_as_they_are():
    backend = QDMIProvider().get_backend("aer", num_qubits=20)
    mitigation = mthree.M3Mitigation(backend)
    mitigation.cals_from_system(QUBITS, shots=1000)
    for qubit in QUBITS:
        assert np.array_equal(mitigation.single_qubit_cals[qubit], np.eye(2))
    counts = outcome(backend, state)
    corrected = mitigation.apply_correction(counts, QUBITS)
    assert corrected == pytest.approx({bits: n / SHOTS for bits, n in counts.items()})
