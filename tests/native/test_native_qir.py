"""QIR's base profile, as mqt-core's compiler makes it and DDSIM reads it."""

from __future__ import annotations

import sys

import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.native.formats import offered
from qdmi_qiskit.devices.native.profiles import UNKNOWN
from qdmi_qiskit.devices.native.qir import QirWriter
from qdmi_qiskit.devices.native.words import ProgramFormat
from qdmi_qiskit.errors import ConfigError, MissingPluginError, RejectedError
from qdmi_qiskit.model import Program, Task
from tests.native.libraries import DDSIM, needs_qir, opened

QIR = {"program_format": "qir-base"}
SHOTS = 60


def writer(width=None):
    return QirWriter({"x": "x", "measure": "measure", "reset": "reset"}, range(6), width, version=3)


@needs_qir
def test_each_outcome_gets_its_own_bit():
    backend = QDMIBackend(opened(DDSIM, **QIR))
    circuit = QuantumCircuit(5, 9)
    circuit.x(2)
    circuit.h(0)
    circuit.cx(0, 3)
    circuit.measure([2, 0, 3, 1], [1, 7, 4, 8])
    other = QuantumCircuit(1, 1)
    other.x(0)
    other.measure(0, 0)
    manager = generate_preset_pass_manager(1, backend=backend, seed_transpiler=3)
    first, second = SamplerV2(backend).run(manager.run([circuit, other]), shots=SHOTS).result()
    found = first.data.c.get_counts()
    assert {*found} == {"000000010", "010010010"}
    assert second.data.c.get_counts() == {"1": SHOTS}


@needs_qir
def test_a_program_of_ones_own_says_which_bits_it_measures():
    circuit = QuantumCircuit(2, 6)
    circuit.x(1)
    circuit.measure([0, 1], [5, 2])
    text = writer()(circuit)
    assert "base_profile" in text
    assert text.endswith("\n; bits 2 5\n")
    with opened(DDSIM, **QIR) as session:
        job = session.submit([Task(Program("qir-base", text, 6), SHOTS)], key="k")
        job.wait(300)
        assert job.result()[0].bits.tolist() == [[[1 << 2]] * SHOTS]
        silent = text.replace("; bits 2 5\n", "")
        with pytest.raises(RejectedError, match="';' in QIR"):
            session.submit([Task(Program("qir-base", silent, 6), SHOTS)], key="k")


def midway():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    circuit.x(0)
    return circuit


def nothing():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    return circuit


def resetting():
    circuit = QuantumCircuit(1, 1)
    circuit.reset(0)
    circuit.measure(0, 0)
    return circuit


@needs_qir
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (midway, "goes on after a measurement"),
        (resetting, "cannot be written in QIR's base profile"),
    ],
)
def test_what_the_profile_has_not_is_refused(make, message):
    with pytest.raises(RejectedError, match=message):
        writer()(make())


@needs_qir
def test_a_program_that_measures_nothing_is_not_sent():
    with opened(DDSIM, **QIR) as session:
        text = session.encoders["qir-base"](nothing())
        with pytest.raises(RejectedError, match="measures nothing"):
            session.submit([Task(Program("qir-base", text, 1), SHOTS)], key="k")


def test_a_machine_whose_sites_matter_is_refused():
    with pytest.raises(RejectedError, match="which site a qubit of a QIR program is"):
        writer(6)(nothing())


def test_without_the_compiler_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mqt.core.mlir", None)
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with pytest.raises(MissingPluginError, match=r"mqt-core 4\.1.*qdmi-qiskit\[qir\]"):
        writer()(circuit)


@pytest.mark.parametrize(
    ("version", "others", "names"),
    [
        ("4.1.1", True, ("qasm3", "qir-base")),
        ("4.10", True, ("qasm3", "qir-base")),
        ("3.9.0", True, ("qasm3",)),
        ("3.9.0", False, ("qir-base",)),
    ],
)
def test_it_comes_last_and_only_where_it_can_be_made(monkeypatch, version, others, names):
    monkeypatch.setattr("qdmi_qiskit.devices.native.formats.version", lambda _: version)
    formats = {ProgramFormat.QIRBASESTRING, ProgramFormat.QIRADAPTIVESTRING}
    assert offered({*formats, *([ProgramFormat.QASM3] if others else [])}, UNKNOWN) == names


@pytest.mark.usefixtures("compiler")
def test_a_format_that_the_device_has_not_is_refused_and_named():
    with (
        opened("test-1.4", program_format="qir-base") as session,
        pytest.raises(ConfigError, match=r"takes no programs in 'qir-base', but qasm3, qasm2"),
    ):
        session.spec()


@pytest.mark.usefixtures("compiler")
def test_a_chosen_format_is_the_only_one():
    with opened("test-1.4", program_format="qasm2") as session:
        assert session.spec().capabilities.formats == ("qasm2",)
        assert [*session.encoders] == ["qasm2"]
