"""What the loopback server refuses at once, and what its station fails."""

import json
import math
import urllib.error
import urllib.request

import pytest

from tests.iqm.server_asker import ONE, OPEN, circuit, measure, op, prx


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"color": "red"}, "color"),
        ({"shots": 0}, "shots"),
        ({"shots": 1.5}, "shots"),
        ({"shots": True}, "shots"),
        ({"circuits": []}, "empty"),
        ({"circuits": ["; ModuleID = 'bell'"]}, "QIR"),
        ({"circuits": [{"name": "x", "instructions": [], "qubits": 1}]}, "qubits"),
        ({"circuits": [circuit({"name": "prx", "qubits": ["QB1"], "args": {}})]}, "qubits"),
        ({"circuits": [circuit({"name": "prx", "args": {}})]}, "locus"),
        ({"calibration_set_id": "newest"}, "UUID"),
        ({"heralding_mode": "ones"}, "heralding_mode"),
        ({"dd_mode": "on"}, "dd_mode"),
        ({"dd_strategy": {"speed": 1}}, "speed"),
        ({"active_reset_cycles": 1.0}, "active_reset_cycles"),
        ({"max_circuit_duration_over_t2": -1}, "over_t2"),
        ({"qubit_mapping": {"a": "QB1", "b": "QB1"}}, "two logical"),
        ({"move_validation_mode": "none", "move_gate_validation": "strict"}, "differ"),
        ({"shots": 100_001}, "shots"),
        ({"circuits": [circuit(name="x")] * 501}, "circuits"),
        ({"circuits": [circuit(name="x")] * 11, "shots": 100_000}, "executions"),
        ({"circuits": [circuit(*[prx("QB1")] * 10_001)]}, "instructions"),
    ],
)
def test_refuses_what_is_no_submission(shared, change, word):
    before = shared.server.jobs_created
    body = {"circuits": [ONE], "shots": 10, **change}
    with pytest.raises(urllib.error.HTTPError) as info:
        shared("POST", "jobs/garnet/circuit", body)
    with info.value as error:
        content = json.loads(error.read())
    assert error.code == 400
    assert content["error_code"] == "invalid_job_payload"
    assert word in content["message"]
    assert shared.server.jobs_created == before


def test_refuses_a_body_that_is_not_json_or_too_large(ask):
    assert ask.refused("POST", "jobs/garnet/circuit", b"{") == (400, "invalid_input")
    ask.server.behaviour.max_body = 1000
    large = b" " * 300_000
    assert ask.refused("POST", "jobs/garnet/circuit", large) == (413, "request_payload_too_large")


def test_limits_are_those_that_are_enforced(ask):
    ask.server.behaviour.max_shots = 7
    ask.server.behaviour.max_circuits = None
    limits = ask.get("quantum-computers/garnet/limits")
    assert limits == {
        "max_executions_per_job": 1_000_000,
        "max_instructions_per_circuit": 10_000,
        "max_shots_per_circuit": 7,
    }
    ask.run(ONE, shots=7)
    body = {"circuits": [ONE], "shots": 8}
    assert ask.refused("POST", "jobs/garnet/circuit", body) == (400, "invalid_job_payload")


@pytest.mark.parametrize(
    ("on", "program", "word"),
    [
        ("garnet", circuit(op("h", "QB1")), "Unknown quantum operation"),
        ("garnet", circuit(op("cz", "QB1", "QB3")), "not allowed as locus"),
        ("garnet", circuit(op("cz", "QB1", "QB1")), "distinct"),
        ("garnet", circuit(op("cz", "QB1")), "wanted 2 distinct"),
        ("garnet", circuit(prx("QB21")), "does not exist"),
        ("garnet-dead", circuit(prx("QB11")), "not calibrated"),
        ("garnet-dead", circuit(op("barrier", "QB10", "QB11")), "not calibrated"),
        ("garnet", circuit(prx("QB1", 1)), "should be float"),
        ("garnet", circuit(prx("QB1", math.nan)), "nan"),
        ("garnet", circuit(op("prx", "QB1", angle_t=0.5, phase_t=0.0)), "angle_t"),
        ("garnet", circuit(op("prx", "QB1", angle=0.5)), "missing"),
        ("garnet", circuit(op("delay", "QB1", duration=-1e-9)), "negative"),
        ("garnet", circuit(measure("m", "QB1"), measure("m", "QB2")), "not unique"),
        ("garnet", circuit(measure("__HERALD", "QB1")), "reserved"),
        (
            "garnet",
            circuit(
                op("cc_prx", "QB1", angle=1.0, phase=0.0, feedback_qubit="QB1", feedback_key="f")
            ),
            "no earlier measurement",
        ),
        ("garnet", circuit(op("reset", "QB20")), "not allowed as locus"),
        ("deneb", circuit(op("reset", "QB1")), "not allowed as locus"),
        ("garnet", circuit(op("delay", "QB1", duration=1e-4), measure("m", "QB1")), "worst T2"),
        ("garnet", circuit({**op("cz", "QB2", "QB5"), "implementation": "tgss"}), "cz.tgss"),
        ("deneb", circuit(measure("m", "CR1")), "not allowed as locus"),
        ("deneb", circuit(prx("CR1")), "not allowed as locus"),
        ("deneb", circuit(op("move", "CR1", "QB1")), "not allowed as locus"),
        ("deneb", circuit(op("cz", "QB1", "QB2")), "not allowed as locus"),
        ("deneb", OPEN, "still in a resonator"),
        (
            "deneb",
            circuit(*[op("move", "QB1", "CR1")], prx("QB1"), op("move", "QB1", "CR1")),
            "are in a resonator",
        ),
        (
            "deneb",
            circuit(op("move", "QB1", "CR1"), op("move", "QB2", "CR1")),
            "already occupied",
        ),
        ("sirius", circuit(op("move", "QB16", "COMPR1")), "not allowed as locus"),
    ],
)
def test_station_fails_what_it_cannot_execute(shared, on, program, word):
    good = circuit(measure("m", "QB1"))
    message = shared.failure(good, program, on=on)
    assert word in message
    assert message.startswith("Circuit 1: ")


def test_either_order_of_a_symmetric_locus_will_do(shared):
    shared.run(circuit(op("cz", "QB3", "QB8"), op("cz", "QB8", "QB3"), measure("m", "QB3")))
    shared.run(circuit(op("cz", "QB1", "CR1"), measure("m", "QB1")), on="deneb")


def test_duration_check_can_be_turned_off(shared):
    late = circuit(op("delay", "QB1", duration=1e-4), measure("m", "QB1"))
    shared.run(late, max_circuit_duration_over_t2=0)


def test_moves_can_be_left_unchecked(shared):
    loose = {"move_gate_validation": "none", "on": "deneb"}
    assert "frame tracking" in shared.failure(OPEN, **loose)
    shared.run(OPEN, **loose, move_gate_frame_tracking="none")
    inside = circuit(op("move", "QB1", "CR1"), prx("QB1", 0.0), op("move", "QB1", "CR1"))
    shared.run(inside, on="deneb", move_validation_mode="allow_prx")
