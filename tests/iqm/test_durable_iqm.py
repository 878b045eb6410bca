"""Runs on IQM survive their process. IQM knows no key again: no job is ever posted twice.

What was being posted when the process died may exist or not; the run says so, and the user looks
for the tag, here among the requests that the server has seen.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import requests

from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.crashes import CIRCUITS, Nursery, at_once, dut, kill, moments, noted, right

VARIABLE = "QDMI_TEST_DURABLE_IQM_TOKEN"


@pytest.fixture(scope="module")
def server():
    with IQMServer("garnet", noise=False, max_circuits=1) as server:
        yield server


@pytest.fixture
def place(server, tmp_path):
    environment = dut(tmp_path, "iqm:garnet", url=server.url, token=f"env:{VARIABLE}")
    with Nursery(**environment, **{VARIABLE: server.token}) as nursery:
        yield nursery, environment, server


def settle(server):
    """Wait until all is answered that a process sent which was killed.

    The port takes connections in order, and a dead process's end when their requests were answered.
    """
    requests.get(f"{server.url}/api/versions", timeout=300)  # whatever it answers
    end = time.monotonic() + 60
    while server._listener._connections and time.monotonic() < end:
        time.sleep(0.005)
    assert not server._listener._connections


def jobs_of(server, run_id):
    """The ids of the jobs that the server has accepted under each tag of a run."""
    settle(server)
    found = {}
    for job in server.jobs:
        if job.tag is not None and job.tag.startswith(run_id):
            found.setdefault(job.tag, []).append(str(job.id))
    return found


def survives(place, moment):
    nursery, environment, server = place
    before, known = noted(environment), len(server.jobs)
    ended = nursery.ask("run", **moment)
    settle(server)
    row = noted(environment)
    if row is None or (before is not None and row.id == before.id):
        assert ended["signal"] == signal.SIGKILL
        assert len(server.jobs) == known, "jobs were posted that the journal knows nothing of"
        return None
    found, absent = {}, []
    for _ in range(2):
        resumed = nursery.ask("resume", job=row.id, found=found, absent=absent)
        if "words" in resumed:
            break
        assert resumed["error"] == "SubmitUnknownError", resumed
        keys = re.findall(rf"{row.id}-\d+", resumed["message"].partition("(tags)")[2].split("]")[0])
        assert keys
        assert not {*keys} & {*found, *absent}, "asked twice"
        for key in keys:
            there = jobs_of(server, row.id).get(key)
            if there:
                found[key] = there[0]
            else:
                absent.append(key)
    assert resumed["words"] == right()
    made = Counter({tag: len(ids) for tag, ids in jobs_of(server, row.id).items()})
    assert made == Counter({f"{row.id}-{k}": 1 for k in range(CIRCUITS)})
    assert noted(environment).state.value == "done"
    return ended["signal"]


def test_no_secret_is_in_the_journal(place):
    nursery, environment, server = place
    assert nursery.ask("run", number=3)["words"] == right(3)
    files = list(Path(environment["QDMI_JOURNAL"]).parent.glob("runs.sqlite*"))
    assert files
    for file in files:
        assert server.token.encode() not in file.read_bytes()


@pytest.mark.parametrize("moment", moments(2, seed=21), ids=str)
def test_a_killed_run_goes_on(place, moment):
    survives(place, moment)


def test_processes_that_resume_the_same_run_do_not_post_it_twice(place):
    nursery, environment, server = place
    assert nursery.ask("run", step=55)["signal"] == signal.SIGKILL
    row = noted(environment)
    there = jobs_of(server, row.id)
    unknown = [f"{row.id}-{k}" for k in range(CIRCUITS)]  # as good an answer as the user's can be
    said = {"found": {key: ids[0] for key, ids in there.items()}}
    said["absent"] = [key for key in unknown if key not in there]
    told = at_once({**environment, VARIABLE: server.token}, 3, "resume", job=row.id, **said)
    assert any(each.get("words") == right() for each in told), told
    for each in told:
        assert each.get("words") == right() or "is sending this run" in each["message"], each
    made = {tag: len(ids) for tag, ids in jobs_of(server, row.id).items()}
    assert made == dict.fromkeys(unknown, 1)


@pytest.mark.slow
def test_runs_killed_at_fifty_moments_go_on(place):
    kill(50, 22, lambda moment: survives(place, moment) == signal.SIGKILL)
