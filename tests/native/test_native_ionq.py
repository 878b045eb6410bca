"""IonQ's gates behind Amazon's C library, which gives their names and nothing else of them."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.passes import pass_manager
from qdmi_qiskit.target import target_from
from tests.native.libraries import INSTALLED

pytestmark = pytest.mark.skipif(
    "amazon.braket.sv1" not in INSTALLED or find_spec("boto3") is None,
    reason="needs amazon-braket-qdmi and qdmi-qiskit[braket]",
)

FORTE = "amazon.braket.ionq.forte-enterprise-1"


@pytest.fixture
def forte(monkeypatch):
    from qdmi_qiskit.testing.braket_service import BraketService

    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with (
        BraketService(step=0.0) as service,
        service.activated("us-east-1"),
        driver.open(FORTE) as session,
    ):
        yield session, service


def lopsided():
    circuit = QuantumCircuit(2)
    circuit.rx(0.3, 0)
    circuit.h(1)
    circuit.cx(0, 1)
    circuit.u(0.4, 1.1, -0.7, 0)
    circuit.rzz(0.9, 1, 0)
    return circuit


def test_gates_without_a_count_of_qubits_or_angles_are_known_by_their_names(forte):
    session, _ = forte
    spec = session.spec()
    found = {op.name: (op.num_sites, len(op.parameters), op.sites) for op in spec.operations}
    assert found == {
        "gpi_rad": (1, 1, None),
        "gpi2_rad": (1, 1, None),
        "rzz": (2, 1, None),
        "measure": (1, 0, None),
    }
    target = target_from(replace(spec, sites=spec.sites[:2]), session.gates)
    made = pass_manager(target, 1, initial_layout=[0, 1], seed_transpiler=3).run(lopsided())
    assert {*made.count_ops()} <= {"gpi_rad", "gpi2_rad", "rzz"}
    assert Operator.from_circuit(made).equiv(lopsided())


def test_a_circuit_for_ionq_is_refused_in_a_sentence_and_becomes_no_task(forte):
    session, service = forte
    backend = QDMIBackend(session)
    circuit = backend.pass_manager(1, seed_transpiler=3).run(lopsided())
    measured = circuit.measure_all(inplace=False)
    with pytest.raises(RejectedError, match="open the machine by the vendor's own plug-in"):
        SamplerV2(backend).run([measured], shots=50).result()
    with pytest.raises(RejectedError, match="open the machine by the vendor's own plug-in"):
        EstimatorV2(backend).run([(circuit, "ZI")]).result()
    with pytest.raises(RejectedError, match="Transpile it first"):
        backend.run(lopsided().measure_all(inplace=False))
    assert not service.tasks
