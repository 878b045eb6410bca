"""Programs as Braket takes them, letter by letter."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector

from qdmi_qiskit.devices.braket.emit import Dialect, write
from qdmi_qiskit.devices.braket.gates import WORDS, words_for
from qdmi_qiskit.devices.braket.source import Source, continued, read_note
from qdmi_qiskit.errors import RejectedError

VIRTUAL = Dialect(WORDS)
IQM = Dialect(words_for(["prx", "cz"]), labels=(1, 2, 3, 4, 5), verbatim=True, barriers=True)
RIGETTI = Dialect(
    words_for(["rx", "rz", "cz"], quarter_turns=True), labels=(0, 1, 9), verbatim=True
)


def text(circuit, dialect=VIRTUAL):
    return write(circuit, dialect).text


def test_a_virtual_program():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    assert text(circuit) == (
        "OPENQASM 3.0;\n// qdmi columns 0,1\nqubit[2] q;\nbit[2] b;\n"
        "h q[0];\ncnot q[0], q[1];\nb[0] = measure q[0];\nb[1] = measure q[1];\n"
    )


def test_a_verbatim_program_names_the_devices_labels():
    circuit = QuantumCircuit(5, 2, global_phase=0.3)
    circuit.r(0.5, 0.25, 3)
    circuit.barrier()
    circuit.cz(3, 4)
    circuit.measure(4, 0)
    circuit.measure(3, 1)
    assert text(circuit, IQM) == (
        "OPENQASM 3.0;\n// qdmi columns 0,1\nbit[2] b;\n#pragma braket verbatim\nbox{\n"
        "prx(0.5, 0.25) $4;\nbarrier $4, $5;\ncz $4, $5;\n}\n"
        "b[0] = measure $5;\nb[1] = measure $4;\n"
    )


def test_labels_need_not_be_indices():
    circuit = QuantumCircuit(3, 1)
    circuit.x(2)
    circuit.sx(0)
    circuit.sxdg(1)
    circuit.measure(2, 0)
    lines = text(circuit, RIGETTI).splitlines()
    assert lines[5:8] == [
        f"rx({np.pi!r}) $9;",
        f"rx({np.pi / 2!r}) $0;",
        f"rx({-np.pi / 2!r}) $1;",
    ]
    assert lines[-1] == "b[0] = measure $9;"


def test_an_empty_box_is_left_out():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert "box" not in text(circuit, IQM)


def test_only_measured_bits_have_columns():
    circuit = QuantumCircuit(3, 5)
    circuit.x(range(3))
    circuit.measure(2, 4)
    circuit.measure(0, 1)
    source = write(circuit, VIRTUAL)
    assert source.columns == (-1, 1, -1, -1, 0)
    assert read_note(source.text) == (source.columns, False)
    assert source.text.endswith("b[0] = measure q[2];\nb[1] = measure q[0];\n")


def test_registers_of_any_number_are_one():
    circuit = QuantumCircuit(
        QuantumRegister(1, "a"),
        QuantumRegister(1, "q"),
        ClassicalRegister(2, "empty"),
        ClassicalRegister(1, "b"),
    )
    circuit.x(1)
    circuit.measure(1, 2)
    source = write(circuit, VIRTUAL)
    assert source.columns == (-1, -1, 0)
    assert source.text.count("bit[1] b;") == source.text.count("qubit[1] q;") == 1
    assert "x q[0];" in source.text


def test_a_later_measurement_into_a_bit_wins():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.measure(1, 0)
    source = write(circuit, VIRTUAL)
    assert source.columns == (0,)
    assert source.text.endswith("b[0] = measure q[1];\n")


def test_one_qubit_read_into_two_bits_is_measured_once():
    circuit = QuantumCircuit(1, 3)
    circuit.measure(0, 0)
    circuit.measure(0, 2)
    source = write(circuit, IQM)
    assert source.columns == (0, -1, 0)
    assert source.text.count("measure") == 1


@pytest.mark.parametrize("late", ["x", "reset"])
def test_a_measurement_in_the_middle_is_refused(late):
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    getattr(circuit, late)(0)
    circuit.measure(0, 1)
    with pytest.raises(RejectedError, match="after measuring it"):
        write(circuit, Dialect(WORDS, resets=True))


def test_what_has_no_word_is_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="uses h"):
        write(circuit, IQM)


def test_parameters_are_renamed_whatever_they_are_called():
    pi, odd, hidden = Parameter("pi"), Parameter("θ[0] !"), Parameter("_OBSERVABLE_THETA_0")
    vector, twin = ParameterVector("v", 1), Parameter("v_0")
    circuit = QuantumCircuit(1, 1)
    for angle in (pi, odd, hidden, vector[0], twin):
        circuit.rx(angle, 0)
    circuit.measure(0, 0)
    source = write(circuit, VIRTUAL)
    assert source.text.count("input float") == 5
    for k in range(5):
        assert f"input float p{k};" in source.text
        assert f"rx(p{k}) q[0];" in source.text
    values = np.arange(10.0).reshape(2, 5)
    order = list(source.parameters)
    given = source.input_values(values)
    for k, angle in enumerate((pi, odd, hidden, vector[0], twin)):
        assert given[f"p{k}"] == values[:, order.index(angle)].tolist()


def test_an_expression_is_an_input_of_its_own():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(2 * a + 0.5, 0)
    circuit.ry((a * b).sin() / 3, 0)
    circuit.rz(2 * a + 0.5, 0)
    circuit.measure(0, 0)
    source = write(circuit, VIRTUAL)
    assert source.text.count("input float") == 2
    values = np.array([[0.1, 0.2], [0.3, -0.4]])
    given = source.input_values(values)
    assert np.allclose(given["p0"], 2 * values[:, 0] + 0.5)
    assert np.allclose(given["p1"], np.sin(values[:, 0] * values[:, 1]) / 3)


def test_a_bound_expression_is_a_number():
    a = Parameter("a")
    circuit = QuantumCircuit(1, 1)
    circuit.rx(2 * a, 0)
    assert "rx(1e-07) q[0];" in text(circuit.assign_parameters({a: 5e-8}))
    circuit.rz(float("inf"), 0)
    with pytest.raises(RejectedError, match="inf"):
        write(circuit.assign_parameters({a: 0.1}), VIRTUAL)


def test_notes_of_programs():
    assert read_note("OPENQASM 3.0;\nbit[1] b;\n") is None
    assert read_note(continued("OPENQASM 3.0;\n// qdmi columns -,0\n")) == ((-1, 0), True)
    assert Source().text == ""
