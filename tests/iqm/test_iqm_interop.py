"""Jobs of ours read by IQM's own client, and its jobs read by us."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister

from qdmi_qiskit.bits import to_ints
from qdmi_qiskit.model import JobStatus
from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.loopback import NAMES, ORDERS, backend_on, isa_for, opened

pytest.importorskip("iqm.iqm_client", reason="needs iqm-client", exc_type=ImportError)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from iqm.iqm_client import IQMClient
    from iqm.iqm_client.validation import validate_circuit_instructions
    from iqm.pulse import Circuit, CircuitOperation

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("IQM_SERVER_URL", "IQM_TOKEN", "IQM_TOKENS_FILE", "IQM_QUANTUM_COMPUTER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", params=ORDERS)
def server(request):
    with IQMServer(*NAMES, noise=False, key_order=request.param) as found:
        yield found


def client(server, name):
    return IQMClient.from_url(server.url, token=server.token, quantum_computer=name)


def op(name, *locus, **args):
    return CircuitOperation(name=name, locus=locus, args=args)


def submitted(server, *circuits, shots=4):
    program = [Circuit(name="theirs", instructions=tuple(each)) for each in circuits]
    job = client(server, "garnet").submit_circuits(program, shots=shots)
    found = opened(server, "garnet").job(str(job.job_id))
    assert found.wait(200) is JobStatus.DONE
    return [[int(word) for word in to_ints(shots.bits[0])] for shots in found.result()]


def flip(qubit):
    return op("prx", qubit, angle=math.pi, phase=0.0)


def test_their_registers_are_rebuilt_from_keys(server):
    """Two registers, the second written first; bits as in qiskit_iqm: the first register lowest."""
    circuit = [
        flip("QB2"),
        flip("QB9"),
        *(op("measure", f"QB{q}", key=f"b_12_1_{k}") for k, q in ((11, 2), (2, 3), (10, 9))),
        op("measure", "QB4", key="a_3_0_1"),
    ]
    assert submitted(server, circuit) == [[1 << 3 + 11 | 1 << 3 + 10] * 4]


def test_a_measurement_of_several_qubits_keeps_their_order(server):
    one = [flip("QB3"), op("measure", "QB2", "QB3", "QB9", key="z"), op("measure", "QB1", key="a")]
    two = [flip("QB1"), op("measure", "QB1", key="a"), op("measure", "QB2", "QB3", "QB9", key="z")]
    assert submitted(server, one, two) == [[0b0010] * 4, [0b0001] * 4]


@pytest.mark.parametrize("name", NAMES)
def test_our_circuits_are_valid_to_their_client(server, name):
    backend = backend_on(server, name)
    a, unused = ClassicalRegister(12, "a"), ClassicalRegister(1, "unused")
    circuit = QuantumCircuit(QuantumRegister(3), a, unused)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.x(1)
    circuit.barrier()
    circuit.measure([0, 1, 2], [11, 2, 10])
    job = backend.run([isa_for(backend, circuit)], shots=30)
    counts = job.result().get_counts()
    assert set(counts) == {"0 000000000100", "0 110000000100"}
    (job_id,) = job.device_job_ids
    theirs = client(server, name)
    found = theirs.get_job(job_id)
    payload = found.payload()
    validate_circuit_instructions(theirs.get_dynamic_quantum_architecture(), payload.circuits)
    assert str(payload.calibration_set_id) == backend.calibration.id
    (table,) = found.result()
    assert set(table) == {"a_12_0_11", "a_12_0_2", "a_12_0_10"}
    rows = {int(key.rpartition("_")[2]): np.array(rows)[:, 0] for key, rows in table.items()}
    assert (rows[2] == 1).all()
    assert (rows[10] == rows[11]).all()
    assert int(rows[10].sum()) == counts.get("0 110000000100", 0)
