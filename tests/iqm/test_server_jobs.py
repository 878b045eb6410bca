"""Jobs, calibration sets, timeslots and tokens of the loopback server."""

import json
import urllib.error
import urllib.request

import pytest

from qdmi_qiskit.testing.iqm_server import write_tokens_file
from qdmi_qiskit.testing.iqm_server.chips import chip, qc_id
from tests.iqm.server_asker import ONE


def test_job_waits_runs_and_tells(ask):
    ask.server.pause()
    first = ask.submit(ONE, query="?tag=mine")
    second = ask.submit(ONE)
    assert ask.get(f"jobs/{first}")["tag"] == "mine"
    assert [ask.get(f"jobs/{job}")["queue_position"] for job in (first, second)] == [0, 1]
    assert ask.get("quantum-computers/garnet/queue-availability")["queue_length"] == 2
    late = ask.raw("GET", f"api/v1/jobs/{first}?wait_until_terminal=true&timeout_seconds=0")
    assert late.headers["IQM-Long-Poll-Timed-Out"] == "true"
    assert ask.refused("GET", f"jobs/{first}/artifacts/measurements")[1] == "job_artifact_not_found"
    ask.server.resume()
    done = ask.wait(second)
    assert done["status"] == "completed"
    assert done["queue_position"] is None
    assert done["compilation"]["calibration_set_id"] == str(ask.server.calibration().id)
    assert done["execution"]["progress"]["circuits"] == {"value": 1, "max_value": 1}
    assert {each["source"] for each in done["timeline"]} == {"iqm-server", "iqm-station-control"}
    assert ask.server.job(first).tag == "mine"
    assert ask.server.jobs_created == ask.server.posts == len(ask.server.jobs) == 2


def test_payload_comes_back_byte_for_byte(ask):
    body = b'{ "circuits": [{"name": "\xc3\xa4", "instructions": []}]}'
    job = ask("POST", "jobs/garnet/circuit", body)
    found = ask.raw("GET", f"api/v1/jobs/{job['id']}/payload")
    assert found.body == body
    assert found.headers["IQM-Job-Type"] == "circuit"


def test_job_is_cancelled_once_and_deleted_for_good(ask):
    ask.server.pause()
    job = ask.submit(ONE)
    assert ask("POST", f"jobs/{job}/cancel")["status"] == "cancelled"
    assert ask.refused("POST", f"jobs/{job}/cancel") == (403, "illegal_job_status")
    assert ask.raw("DELETE", f"api/v1/jobs/{job}").status == 204
    assert ask.refused("GET", f"jobs/{job}") == (404, "job_not_found")


def test_a_running_job_can_be_cancelled(ask):
    ask.server.behaviour.execution_seconds = 30.0
    job = ask.submit(ONE)
    while ask.get(f"jobs/{job}")["status"] == "waiting":
        pass
    ask("POST", f"jobs/{job}/cancel")
    ask.server.behaviour.execution_seconds = 0.0
    ask.run(ONE)
    assert ask.get(f"jobs/{job}")["status"] == "cancelled"


@pytest.mark.parametrize("query", ["?tag=" + "x" * 51, "?use_timeslot=perhaps"])
def test_query_is_checked(ask, query):
    body = {"circuits": [ONE]}
    assert ask.refused("POST", f"jobs/garnet/circuit{query}", body) == (400, "invalid_input")


def test_timeslots_are_booked_before_they_are_used(ask):
    path, body = "jobs/garnet/circuit?use_timeslot=true", {"circuits": [ONE]}
    assert ask.refused("POST", path, body) == (403, "no_booked_timeslots")
    ask.server.behaviour.timeslot_required = True
    assert ask.refused("POST", "jobs/garnet/circuit", body) == (403, "timeslot_required")
    slots = ask.get("quantum-computers/garnet/timeslots")["available_slots"]
    dear = {"timeslots": [{"reference": slots[0]["reference"], "expected_price": "1.00"}]}
    assert ask.refused("POST", "quantum-computers/garnet/timeslots", dear) == (409, "conflict")
    right = {"timeslots": [{"reference": slots[0]["reference"]}]}
    ask("POST", "quantum-computers/garnet/timeslots", right)
    assert ask.get("quantum-computers/garnet/timeslots")["booked_slots"] == slots[:1]
    assert ask("POST", path, body)["status"] == "waiting"


def test_heralding_drops_shots_that_differ_by_circuit(ask):
    ask.server.behaviour.herald_loss = 0.08
    found = ask.run(ONE, ONE, shots=1000, heralding_mode="zeros")
    kept = [len(each["m"]) for each in found]
    assert all(880 < number < 960 for number in kept)
    assert kept[0] != kept[1]
    assert len(ask.run(ONE, shots=1000)[0]["m"]) == 1000
    ask.server.behaviour.herald_loss = 1.0
    assert "no shots" in ask.failure(ONE, heralding_mode="zeros")


def test_statuses_can_be_ones_that_nobody_knows(ask):
    ask.server.behaviour.renamed = {"completed": "half-baked"}
    assert ask.wait(ask.submit(ONE))["status"] == "half-baked"


def test_recalibration_changes_the_default_and_keeps_the_old_set(ask):
    old = ask.server.calibration()
    new = ask.server.recalibrate(has_metrics=False)
    path = "calibration-sets/garnet"
    default = ask.get(f"{path}/default/dynamic-quantum-architecture")
    assert default["calibration_set_id"] == str(new.id) != str(old.id)
    assert ask.refused("GET", f"{path}/default/metrics") == (404, "quality_metrics_not_found")
    before = ask.get(f"{path}/{old.id}/metrics")
    assert before["describes_id"] == str(old.id)
    for wanted, used in ((None, new), (str(old.id), old)):
        job = ask.wait(ask.submit(ONE, calibration_set_id=wanted))
        assert job["compilation"]["calibration_set_id"] == str(used.id)
    unknown = str(qc_id(chip("deneb")))
    assert unknown in ask.failure(ONE, calibration_set_id=unknown)


def test_calibration_runs_need_to_be_there(ask):
    def old(method, path, body=None):
        return json.loads(ask.raw(method, f"cocos/{path}", body).body)

    with pytest.raises(urllib.error.HTTPError, match="404") as info:
        old("GET", "health")
    info.value.close()
    ask.server.behaviour.calibration_runs = True
    assert old("GET", "health")["services"]
    runs = "api/v4/calibration/runs"
    before = ask.server.calibration().id
    run = old("POST", runs, {"procedure_config": {"set_default": "always"}})["id"]
    ended = old("GET", f"{runs}/{run}/status")
    assert ended["status"] == "ready"
    after = ask.server.calibration().id
    assert ended["result"]["calibration_set_id"] == str(after) != str(before)
    ask.server.behaviour.calibration_seconds = 60.0
    run = old("POST", runs, {"procedure_config": {}})["id"]
    assert old("GET", f"{runs}/{run}/status")["status"] == "running"
    assert old("POST", f"{runs}/{run}/abort")["status"] == "aborted"
    assert ask.server.calibration().id == after


def test_token_is_wanted_known_and_fresh(ask):
    good = ask.token
    for token in (None, "something"):
        ask.token = token
        assert ask.refused("GET", "quantum-computers") == (401, "unauthorized")
    ask.token = good
    ask.get("quantum-computers")
    ask.server.tokens.expire()
    assert ask.refused("GET", "quantum-computers") == (401, "unauthorized")
    ask.token = ask.server.tokens.issue().text
    ask.get("quantum-computers")


def test_tokens_are_listed_refreshed_and_revoked(ask):
    old = ask.server.tokens.issue(refreshable=True)
    ask.token = old.refresh
    wanted = {"new_token_properties": {"expires_in_seconds": 60, "activated": False}}
    new = ask("POST", "tokens/current/refresh", wanted)
    ask.token = new["token"]
    assert ask.refused("GET", "tokens") == (401, "unauthorized")
    ask.token = old.refresh or new["refresh_token"]
    ask("POST", "tokens/current/activate", {"api_token": new["token"]})
    assert ask.refused("POST", "tokens/current/refresh", wanted) == (401, "unauthorized")
    ask.token = new["token"]
    listed = ask.get("tokens")["tokens"]
    assert new["metadata"]["id"] in {each["id"] for each in listed}
    assert new["token"] not in json.dumps(listed)
    ask("POST", f"tokens/{new['metadata']['id']}/revoke")
    assert ask.refused("GET", "tokens") == (401, "unauthorized")


def test_tokens_file_is_replaced_in_one_step(ask, tmp_path):
    path = tmp_path / "tokens.json"
    write_tokens_file(path, ask.server.tokens.issue())
    write_tokens_file(path, ask.server.tokens.issue())
    assert set(json.loads(path.read_text())) == {"access_token"}
    assert [each.name for each in tmp_path.iterdir()] == ["tokens.json"]
