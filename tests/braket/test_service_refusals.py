"""What the loopback Braket refuses, and what it does not."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import (
    ClientError,
)

from tests.braket.service_user import PI, REGION, User, box, program, program_set

VIRTUAL = "OPENQASM 3.0;\nqubit[2] q;\nbit[2] b;\n"
REFUSED = {
    "a label that does not exist": ("garnet", box("prx(0, 0) $0;", 1), r"\$0 does not exist"),
    "the label in the gap": ("cepheus", box("rz(1) $8;", 9), r"\$8 does not exist"),
    "a measured label that does not exist": ("garnet", box("", 21), r"\$21 does not exist"),
    "a gate that is not native in a box": ("garnet", box("h $1;", 1), "h which is not a native"),
    "an unknown gate": ("garnet", VIRTUAL + "cx q[0], q[1];\nb = measure q;", "cx which is not"),
    "a gate in upper case": ("forte", box("GPI(0) $1;", 1), "lower case"),
    "a pair that is not connected": ("garnet", box("cz $1, $3;", 1), "not connected"),
    "one qubit twice": ("garnet", box("cz $1, $1;", 1), "one qubit twice"),
    "any angle of rx": ("cepheus", box("rx(0.3) $1;", 1), "not native"),
    "two bit registers": (
        "garnet",
        "OPENQASM 3.0;\nqubit[2] q;\nbit[1] a;\nbit[1] b;\na[0] = measure q[0];\n"
        "b[0] = measure q[1];",
        "2 classical arrays",
    ),
    "two qubit registers": (
        "garnet",
        "OPENQASM 3.0;\nqubit[1] p;\nqubit[1] q;\nbit[1] b;\nb[0] = measure q[0];",
        "2 qubit arrays",
    ),
    "physical and virtual": (
        "garnet",
        "OPENQASM 3.0;\nqubit[1] q;\nbit[1] b;\nx q[0];\nb[0] = measure $1;",
        "mixed",
    ),
    "virtual qubits in a box": (
        "garnet",
        VIRTUAL + "#pragma braket verbatim\nbox{\nprx(0,0) q[0];\n}\nb = measure q;",
        "needs physical qubits",
    ),
    "a box without a pragma": ("garnet", "OPENQASM 3.0;\nbox{\nprx(0,0) $1;\n}\n", "a box needs"),
    "a pragma without a box": (
        "garnet",
        "OPENQASM 3.0;\n#pragma braket verbatim\nprx(0,0) $1;",
        "before a box",
    ),
    "a gate outside of the only box": (
        "forte",
        box("gpi(0) $1;", 1).replace("box{", "box{").replace("bit[1] b;", "bit[1] b;\nx $1;"),
        "all of them in it",
    ),
    "stdgates": ("garnet", 'OPENQASM 3.0;\ninclude "stdgates.inc";\n', "is not supported"),
    "OpenQASM 2": ("garnet", "OPENQASM 2.0;\nqreg q[1];\n", "OpenQASM 3|version 2"),
    "no program": ("garnet", "this is no program", "no OpenQASM 3"),
    "a measurement without a bit": ("garnet", box("", 1) + "measure $2;", "assigned to a bit"),
    "a measurement in a box": (
        "garnet",
        box("b[0] = measure $1;", 2),
        "cannot be in a verbatim box",
    ),
    "a qubit measured twice": ("garnet", box("", 1, 1), "measured twice"),
    "a bit written twice": (
        "garnet",
        "OPENQASM 3.0;\nbit[1] b;\nb[0] = measure $1;\nb[0] = measure $2;",
        "written twice",
    ),
    "a bit out of range": (
        "garnet",
        "OPENQASM 3.0;\nbit[1] b;\nb[1] = measure $1;",
        "out of range",
    ),
    "a gate after the measurement": (
        "garnet",
        VIRTUAL + "b[0] = measure q[0];\nx q[0];",
        "after its measurement",
    ),
    "reset": ("garnet", VIRTUAL + "reset q[0];\nb = measure q;", "reset is not"),
    "delay": ("garnet", VIRTUAL + "delay[10ns] q[0];\nb = measure q;", "delay is not"),
    "barrier on Forte": ("forte", VIRTUAL + "barrier q;\nb = measure q;", "barrier is not"),
    "if": ("garnet", VIRTUAL + "b[0] = measure q[0];\nif (b[0]) x q[1];", "if is not"),
    "while": ("garnet", VIRTUAL + "while (true) { x q[1]; }", "WhileLoop is not"),
    "for on a QPU": ("garnet", VIRTUAL + "for int i in [0:1] { x q[0]; }", "a loop is not"),
    "a gate definition on a QPU": ("garnet", VIRTUAL + "gate g a { x a; }\n", "gate definition"),
    "a modifier on a QPU": ("garnet", VIRTUAL + "ctrl @ x q[0], q[1];", "modifier ctrl"),
    "gphase on a QPU": ("garnet", VIRTUAL + "gphase(0.1);", "gphase is not"),
    "slices": ("garnet", VIRTUAL + "x q[0:1];", "slicing"),
    "negative indices": ("garnet", VIRTUAL + "x q[-1];", "negativeIndex"),
    "an index out of range": ("garnet", VIRTUAL + "x q[2];", "out of range"),
    "feed-forward without asking": (
        "garnet",
        box("measure_ff(0) $1; cc_prx(pi, 0, 0) $2;", 2),
        "experimental",
    ),
    "noise on SV1": ("sv1", VIRTUAL + "#pragma braket noise bit_flip(0.1) q[0]\n", "noise"),
    "physical qubits on SV1": ("sv1", "OPENQASM 3.0;\nbit[1] b;\nb[0] = measure $0;", "physical"),
    "more qubits than there are": ("garnet", "OPENQASM 3.0;\nqubit[21] q;\n", "21 qubits"),
    "an input without a value": (
        "garnet",
        box("prx(t, 0) $1;", 1, head="input float t;\n"),
        "the input t has no value",
    ),
    "output": ("garnet", "OPENQASM 3.0;\noutput bit[2] c;\n", "output"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_program_is_refused(shared, what):
    name, source, words = REFUSED[what]
    with pytest.raises(ClientError, match=words) as caught:
        User(shared, name).create(program(source), shots=100)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


ACCEPTED = {
    "barriers": ("garnet", box("prx(pi, 0) $1; barrier $1, $2; cz $1, $2;", 2, 1), [0, 1]),
    "a pair in the other order": ("garnet", box("prx(pi, 0) $2; cz $2, $1;", 2, 1), [1, 0]),
    "a compiler's gates": ("garnet", VIRTUAL + "x q[0];\ncnot q[0], q[1];\nb = measure q;", [1, 1]),
    "gates around a box": (
        "garnet",
        box("prx(pi, 0) $1;", 1, 2).replace("#pragma", "x $2;\n#pragma"),
        [1, 1],
    ),
    "a loop on SV1": ("sv1", VIRTUAL + "for int i in [0:0] { x q[i]; }\nb = measure q;", [1, 0]),
    "modifiers on SV1": ("sv1", VIRTUAL + "x q[0];\nctrl @ x q[0], q[1];\nb = measure q;", [1, 1]),
    "a gate definition on SV1": (
        "sv1",
        "OPENQASM 3.0;\ngate flip a { x a; }\nqubit[2] q;\nbit[2] b;\nflip q[1];\nb = measure q;",
        [0, 1],
    ),
    "quarter turns": (
        "cepheus",
        box("rx(pi/2) $0; rz(0.7) $1; rx(1.570796) $0;", 0, 1),
        [1, 0],
    ),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_a_program_is_accepted(shared, what):
    name, source, bits = ACCEPTED[what]
    assert User(shared, name).result(program(source), shots=10)["measurements"] == [bits] * 10


def test_feed_forward_runs_with_experimental_capabilities(shared):
    gates = "prx(pi, 0) $1; measure_ff(0) $1; cc_prx(pi, 0, 0) $2;"
    action = program(box(gates, 1, 2))
    result = User(shared).result(action, shots=4, experimentalCapabilities={"enabled": "ALL"})
    assert result["measurements"] == [[1, 1]] * 4


@pytest.mark.parametrize(
    ("name", "shots"), [("garnet", 0), ("garnet", 20_001), ("cepheus", 9), ("forte", 99)]
)
def test_shots_out_of_range_are_refused(shared, name, shots):
    with pytest.raises(ClientError, match="shots per executable"):
        User(shared, name).create(program(VIRTUAL + "b = measure q;"), shots=shots)


def test_limits_of_program_sets(user):
    source = box("prx(t, 0) $4;", 4, head="input float t;\n")
    cases = {
        "101 executables": ({"t": [0.0] * 101}, 101),
        "200010 shots": ({"t": [0.0] * 30}, 200_010),
        "cannot be divided": ({"t": [0.0] * 3}, 4),
        "at least 1": ({"t": [0.0] * 2}, 0),
    }
    for words, (inputs, shots) in cases.items():
        with pytest.raises(ClientError, match=words):
            user.create(program_set((source, inputs)), shots=shots)
    user.create(program_set((source, {"t": [0.0] * 100})), shots=200)


def test_failures_of_a_program_set_say_where(user):
    good, bad = box("prx(pi, 0) $4;", 4), box("h $4;", 4)
    unequal = box("prx(t, u) $4;", 4, head="input float t;\ninput float u;\n")
    with pytest.raises(ClientError) as caught:
        user.create(program_set((good, {}), (bad, {})), shots=4)
    failures = caught.value.response["programSetValidationFailures"]
    assert [failure["programIndex"] for failure in failures] == [1]
    assert "[line 5]" in failures[0]["errors"][0]
    assert caught.value.response["reason"] == "ProgramSetValidationFailed"
    with pytest.raises(ClientError, match="same length"):
        user.create(program_set((unequal, {"t": [0.0, 1.0], "u": [0.0]})), shots=4)


def test_a_row_with_an_angle_that_is_not_native(shared):
    source = box("rx(t) $1;", 1, head="input float t;\n")
    with pytest.raises(ClientError) as caught:
        User(shared, "cepheus").create(program_set((source, {"t": [0.0, PI / 2, 0.1]})), shots=30)
    failures = caught.value.response["programSetValidationFailures"]
    assert [failure["inputsIndex"] for failure in failures] == [2]


def test_program_sets_only_where_advertised(shared):
    with pytest.raises(ClientError, match="not supported by Forte"):
        User(shared, "forte").create(program_set((VIRTUAL, {})), shots=100)


def test_parameters_of_the_device(user, shared):
    action = program(box("prx(pi, 0) $4;", 4))
    rewiring = {"paradigmParameters": {"qubitCount": 20, "disableQubitRewiring": True}}
    with pytest.raises(ClientError, match="disableQubitRewiring"):
        user.create(action, deviceParameters=json.dumps(rewiring))
    wrong = {"braketSchemaHeader": {"name": "braket.device_schema.ionq.ionq_device_parameters"}}
    with pytest.raises(ClientError, match="not those of Garnet"):
        user.create(action, deviceParameters=json.dumps(wrong))
    scheme = {"type": "braket.device_schema.error_mitigation.debias.Debias"}
    with pytest.raises(ClientError, match="not supported by Garnet"):
        user.create(action, deviceParameters=json.dumps({"errorMitigation": [scheme]}))


def test_reservations_and_tags(user):
    arn = f"arn:aws:braket:{REGION}:123456789012:reservation/abc"
    action = program(box("prx(pi, 0) $4;", 4))
    associations = [{"arn": arn, "type": "RESERVATION_TIME_WINDOW_ARN"}]
    task = user.create(action, associations=associations, tags={"who": "me"})
    assert user.get(task)["associations"] == associations
    assert user.get(task)["tags"] == {"who": "me"}
    assert user.braket.list_tags_for_resource(resourceArn=task)["tags"] == {"who": "me"}
    wrong = [{"arn": arn.replace("reservation", "other"), "type": associations[0]["type"]}]
    with pytest.raises(ClientError, match="reservation"):
        user.create(action, associations=wrong)


def test_a_device_that_is_offline_or_retired(fresh):
    user = User(fresh)
    for status, error in (("OFFLINE", "DeviceOffline"), ("RETIRED", "DeviceRetired")):
        fresh.devices["garnet"].status = status
        with pytest.raises(ClientError, match=error):
            user.create(program(box("", 1)))


def test_regions(user, shared):
    other = User(shared, region="us-east-1")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        other.braket.get_device(deviceArn=user.device)
    with pytest.raises(ClientError, match="ValidationException"):
        other.create(program(box("", 1)))
    names = [each["deviceName"] for each in other.braket.search_devices(filters=[])["devices"]]
    assert names == ["SV1", "dm1", "Forte Enterprise 1"]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        other.braket.get_quantum_task(quantumTaskArn=user.create(program(box("", 1))))
    other.s3.create_bucket(Bucket="elsewhere-bucket")
    with pytest.raises(ClientError, match="is not in eu-north-1"):
        user.create(program(box("", 1)), outputS3Bucket="elsewhere-bucket")


@pytest.mark.parametrize(
    ("pragma", "shots", "words"),
    [
        ("", 0, "needs result types"),
        ("#pragma braket result sample z(q[0])", 0, "sample takes 1 to"),
        ("#pragma braket result state_vector", 10, "state_vector takes 0 to 0"),
        ("#pragma braket result density_matrix q[0]", 0, "not supported"),
    ],
)
def test_result_types_have_their_range_of_shots(shared, pragma, shots, words):
    with pytest.raises(ClientError, match=words):
        User(shared, "sv1").create(program(f"{VIRTUAL}x q[0];\n{pragma}\n"), shots=shots)


def test_result_types_of_a_verbatim_program(user):
    source = box("prx(pi, 0) $4;") + "#pragma braket result expectation z($4)\n"
    result = user.result(program(source.replace("bit[0] b;\n", "")), shots=10)
    assert result["resultTypes"][0]["value"] == -1.0
