"""The composed default on the wires of IQM Server and Amazon Braket (both on loopback)."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp

if any(find_spec(name) is None for name in ("boto3", "braket", "iqm", "requests")):
    pytest.skip("needs the extras braket and iqm", allow_module_level=True)

from qdmi_qiskit import EstimatorV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.mitigation import ZNE, MitigatedEstimator, Twirl
from qdmi_qiskit.testing.braket_service import BraketService
from tests.iqm.loopback import backend_on, exact


def state():
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 1)
    return circuit


def checked(device):
    circuit = state()
    wanted = StatevectorEstimator().run([(circuit, ["ZZ", "XI"])], precision=0).result()[0].data.evs
    isa = device.pass_manager(1, seed_transpiler=2).run(circuit)
    table = [SparsePauliOp(label).apply_layout(isa.layout) for label in ("ZZ", "XI")]
    stages = [ZNE((1, 3)), Twirl(2), "readout"]
    mitigated = MitigatedEstimator(
        EstimatorV2(device, shot_allocation="coefficients"), stages, seed=1
    )
    result = mitigated.run([(isa, table)], precision=0.05).result(300)
    data = result[0].data
    assert result[0].metadata["circuits"] == 4
    assert result[0].metadata["mitigation"]["calibration"] == device.calibration.id
    return data.evs - wanted, data.stds


def test_on_iqm():
    error, stds = checked(backend_on(exact()))
    assert (abs(error) < 4.5 * stds).all()


def test_on_braket(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with BraketService(step=0.0, seed=4) as service, service.activated("us-east-1"):
        device = QDMIBackend(driver.open("garnet", poll_interval=0.01), name="braket:garnet")
        error, stds = checked(device)
        assert (abs(error) < 5 * stds + 0.03).all()
        isa = device.pass_manager(1, seed_transpiler=1).run(state())
        mitigated = MitigatedEstimator(EstimatorV2(device), ["dd"])
        with pytest.raises(UnsupportedError, match="dd"):
            mitigated.run([(isa, "I" * isa.num_qubits)])
