"""Libraries that take QPY get it, before all else, as QDMI counts qubits."""

from __future__ import annotations

import io
from functools import cache

import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.native.qasm import QasmWriter
from qdmi_qiskit.devices.native.qpy import QpyWriter
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.testing import CHECKS, Harness
from qdmi_qiskit.testing.native_device import lend_qpy
from tests.native.libraries import c_library, needs_compiler, opened
from tests.native.test_native_spec import QUBIT

SITES = 7
WORDS = {"x": "flip", "cx": "cnot", "sx": "sx", "rz": "rz", "measure": "measure"}


def loaded(data):
    (circuit,) = qpy.load(io.BytesIO(data))
    return circuit


def read(data):
    """Read as the library would: the k-th qubit is its k-th site."""
    circuit = loaded(data)
    assert circuit.num_qubits == SITES
    return QasmWriter({**WORDS, "barrier": "barrier"}, range(SITES), SITES, version=3)(circuit)


@cache
def lent(name):
    lend_qpy(c_library(int(name[-1])), read)
    return name


def session(name="test-1.4"):
    return opened(lent(name), "qpy")


@needs_compiler
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["test-1.3", "test-1.4"])
def test_a_library_that_takes_qpy_keeps_the_contract(name, check):
    assert session(name).spec().capabilities.formats == ("qpy", "qasm3", "qasm2")
    CHECKS[check](Harness(lambda: session(name)))


@needs_compiler
def test_qubits_are_positions_of_the_devices_list():
    circuit = QuantumCircuit(6, 3)
    circuit.x(QUBIT[3])
    circuit.cx(QUBIT[3], QUBIT[4])
    circuit.measure([QUBIT[4], QUBIT[0]], [2, 0])
    with session() as opened_session:
        written = loaded(opened_session.encoders["qpy"](circuit))
        found = [
            (each.name, [written.find_bit(bit).index for bit in (*each.qubits, *each.clbits)])
            for each in written.data
        ]
        assert found == [("x", [3]), ("cx", [3, 4]), ("measure", [4, 2]), ("measure", [0, 0])]
        counts = QDMIBackend(opened_session).run(circuit, shots=20).result().get_counts()
        assert counts == {"100": 20}


def test_idle_qubits_take_no_room_where_any_do():
    circuit = QuantumCircuit(900, 1)
    circuit.x(700)
    circuit.barrier()
    circuit.measure(700, 0)
    written = loaded(QpyWriter(dict.fromkeys((*WORDS, "barrier")), range(1024), None)(circuit))
    assert written.num_qubits == 1
    assert [each.name for each in written.data] == ["x", "barrier", "measure"]


def test_what_the_device_has_not_is_refused_by_name():
    write = QpyWriter(WORDS, range(2), None)
    circuit = QuantumCircuit(1, name="mine")
    circuit.h(0)
    with pytest.raises(RejectedError, match="'mine' uses h"):
        write(circuit)
    circuit = QuantumCircuit(1, name="mine")
    circuit.rz(Parameter("t"), 0)
    with pytest.raises(RejectedError, match="without a value"):
        write(circuit)
    with pytest.raises(RejectedError, match="3 qubits, of 2"):
        write(QuantumCircuit(3))
