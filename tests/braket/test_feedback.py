"""Measurements midway, reset and if_test where a device has them; a sentence where not."""

from math import pi

import pytest
from botocore.exceptions import ClientError
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr

from qdmi_qiskit.devices.braket.emit import Dialect, write
from qdmi_qiskit.devices.braket.gates import WORDS, words_for
from qdmi_qiskit.errors import QdmiError, RejectedError
from qdmi_qiskit.primitives import SamplerV2
from tests.braket.cloud import backend
from tests.braket.service_user import box, program

IQM = Dialect(words_for(["prx", "cz"]), labels=(1, 2, 9, 12), verbatim=True, feedback=True)
LOGIC = Dialect(WORDS, resets=True, branches=True)


def lines(circuit, dialect):
    return write(circuit, dialect).text.splitlines()[2:]


def corrected(value, *, otherwise=False):
    """Flip qubit 2 by what qubit 0 was, then read all three anew."""
    circuit = QuantumCircuit(3, 3)
    if value:
        circuit.r(pi, 0, 0)
    circuit.measure(0, 1)
    with circuit.if_test((circuit.clbits[1], 1)) as else_:
        circuit.r(pi, 0.5, 2)
    if otherwise:
        with else_:
            circuit.r(pi, 0.25, 1)
    circuit.measure([0, 1, 2], [1, 2, 0])
    return circuit


def test_a_turn_that_depends_on_a_key():
    assert lines(corrected(True), IQM) == [
        "bit[3] b;", "#pragma braket verbatim", "box{",
        f"prx({pi}, 0.0) $1;", "measure_ff(0) $1;", f"cc_prx({pi}, 0.5, 0) $9;", "}",
        "b[0] = measure $1;", "b[1] = measure $2;", "b[2] = measure $9;",
    ]  # fmt: skip


def test_what_is_for_zero_happens_always_and_is_taken_back():
    written = lines(corrected(True, otherwise=True), IQM)
    assert written[4:-4] == [
        "measure_ff(0) $1;", f"prx({pi}, 0.25) $2;", f"cc_prx({-pi}, 0.25, 0) $2;",
        f"cc_prx({pi}, 0.5, 0) $9;",
    ]  # fmt: skip


def test_a_reset_is_a_measurement_and_a_turn():
    circuit = QuantumCircuit(1, 1)
    circuit.reset(0)
    circuit.reset(0)
    circuit.measure(0, 0)
    assert lines(circuit, IQM)[3:-2] == [
        "measure_ff(0) $1;", f"cc_prx({pi}, 0.0, 0) $1;",
        "measure_ff(1) $1;", f"cc_prx({pi}, 0.0, 1) $1;",
    ]  # fmt: skip


def test_a_bit_that_braket_would_not_return_is_no_silent_zero():
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.r(pi, 0, 1)
    circuit.measure(1, 1)
    with pytest.raises(RejectedError, match="measure into the same bit again"):
        write(circuit, IQM)


def test_two_sources_for_one_qubit_are_refused():
    circuit = QuantumCircuit(3, 3)
    circuit.measure([0, 1], [0, 1])
    for bit in circuit.clbits[:2]:
        with circuit.if_test((bit, 1)):
            circuit.r(pi, 0, 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    with pytest.raises(RejectedError, match="a single one"):
        write(circuit, IQM)


def conditioned(condition):
    circuit = QuantumCircuit(QuantumRegister(2), ClassicalRegister(2, "c"))
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test(condition(circuit)):
        circuit.r(pi, 0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.mark.parametrize(
    ("condition", "turns"),
    [
        (lambda c: (c.clbits[0], 1), 1),
        (lambda c: (c.clbits[0], 0), 2),
        (lambda c: expr.lift(c.clbits[0]), 1),
        (lambda c: expr.logic_not(c.clbits[0]), 2),
    ],
)
def test_conditions_of_one_bit(condition, turns):
    """On 1: one conditional turn. On 0: a turn, and one that takes it back."""
    written = [line for line in lines(conditioned(condition), IQM) if "prx" in line]
    assert len(written) == turns
    assert written[-1].startswith("cc_prx")


@pytest.mark.parametrize("dialect", [IQM, LOGIC], ids=["iqm", "logic"])
@pytest.mark.parametrize(
    "condition",
    [lambda c: (c.cregs[0], 3), lambda c: expr.bit_and(c.clbits[0], c.clbits[1])],
)
def test_conditions_of_more_are_refused(dialect, condition):
    with pytest.raises(RejectedError, match="one if_test for each bit"):
        write(conditioned(condition), dialect)


@pytest.mark.parametrize("dialect", [IQM, LOGIC], ids=["iqm", "logic"])
def test_only_gates_can_depend_on_a_bit(dialect):
    circuit = QuantumCircuit(2, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.measure(1, 1)
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="has measure in an if_test"):
        write(circuit, dialect)


def test_a_bit_that_nothing_was_measured_into():
    circuit = QuantumCircuit(1, 2)
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.r(pi, 0, 0)
    circuit.measure(0, 0)
    for dialect in (IQM, LOGIC):
        with pytest.raises(RejectedError, match="nothing was measured"):
            write(circuit, dialect)


def test_a_device_that_would_have_it_says_how():
    circuit = QuantumCircuit(1, 1)
    circuit.reset(0)
    circuit.measure(0, 0)
    asleep = Dialect(IQM.words, labels=(1,), verbatim=True, experimental=True)
    with pytest.raises(RejectedError, match="experimental=True"):
        write(circuit, asleep)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("otherwise", [False, True])
def test_garnet_corrects(service, value, otherwise):
    device = backend("garnet", experimental=True)
    isa = transpile(corrected(value, otherwise=otherwise), device, seed_transpiler=1,
                    initial_layout=[18, 13, 19], optimization_level=1)  # fmt: skip
    wanted = "011" if value else ("100" if otherwise else "000")
    assert device.run(isa, shots=30).result(200).get_counts() == {wanted: 30}
    assert service.tasks[-1].request["experimentalCapabilities"] == {"enabled": "ALL"}


def test_what_is_random_agrees_with_what_depends_on_it(service):
    device = backend("garnet", experimental=True)
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, seed_transpiler=1)
    counts = device.run(isa, shots=400).result(200).get_counts()
    assert set(counts) == {"00", "11"}
    assert abs(counts["11"] - 200) < 6 * 10


def test_a_reset_on_garnet(service):
    device = backend("garnet", experimental=True)
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.x(1)
    circuit.reset(0)
    circuit.measure([0, 1], [1, 0])
    isa = transpile(circuit, device, seed_transpiler=1)
    assert device.run(isa, shots=50).result(200).get_counts() == {"01": 50}


def test_without_being_asked_for_garnet_has_neither(service):
    device = backend("garnet")
    assert not {"reset", "if_else"} & set(device.target.operation_names)
    circuit = QuantumCircuit(1, 1)
    circuit.reset(0)
    circuit.measure(0, 0)
    with pytest.raises(QdmiError, match="reset"):
        device.run(circuit, shots=5)


def test_a_sweep_with_a_turn_that_depends_on_a_key(service):
    device = backend("garnet", experimental=True)
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2)
    circuit.r(pi, 0, 0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.r(theta, 0, 1)
    circuit.measure([0, 1], [0, 1])
    isa = transpile(circuit, device, seed_transpiler=1, optimization_level=0)
    data = SamplerV2(device).run([(isa, [[0.0], [pi]])], shots=10).result()[0].data.c
    assert [data.get_counts(k) for k in (0, 1)] == [{"01": 10}, {"11": 10}]


@pytest.fixture
def logical(service):
    """An SV1-like device whose document lists `if` and `reset`."""
    operations = service.devices["sv1"].document["action"]["braket.ir.openqasm.program"]
    before = operations["supportedOperations"]
    operations["supportedOperations"] = [*before, "if", "reset"]
    yield backend("sv1", cache_seconds=0)
    operations["supportedOperations"] = before


def test_every_measurement_is_returned_where_a_simulator_has_if(logical):
    circuit = QuantumCircuit(3, 4)
    circuit.x(0)
    circuit.measure(0, 3)
    with circuit.if_test((circuit.clbits[3], 1)) as else_:
        circuit.x(1)
    with else_:
        circuit.x(2)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    with circuit.if_test((circuit.clbits[0], 0)):
        circuit.x(2)
    circuit.reset(1)
    circuit.measure(2, 2)
    isa = transpile(circuit, logical, seed_transpiler=1, optimization_level=0)
    assert logical.run(isa, shots=20).result(200).get_counts() == {"1110": 20}


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ("cc_prx(pi, 0, 0) $2;", "no measure_ff comes before"),
        (
            "measure_ff(0) $1; measure_ff(1) $2; cc_prx(pi, 0, 0) $4; cc_prx(pi, 0, 1) $4;",
            "follows",
        ),
        ("measure_ff(-1) $1;", "non-negative"),
    ],
)
def test_the_service_refuses_feedback_that_cannot_be(service, gates, words):
    from tests.braket.service_user import User

    user = User(service)
    with pytest.raises(ClientError, match=words):
        user.create(program(box(gates, 2)), experimentalCapabilities={"enabled": "ALL"})
    user.close()
