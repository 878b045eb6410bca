"""Runs on Braket survive their process: the service counts one task for each chunk, never two."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.crashes import CIRCUITS, Nursery, at_once, dut, kill, moments, noted, right


@pytest.fixture
def place(service, tmp_path):
    environment = dut(tmp_path, "braket:sv1", poll_interval=0.01)
    with Nursery(**environment) as nursery:
        yield nursery, environment, service


def survives(place, moment):
    nursery, environment, service = place
    before, known = noted(environment), len(service.tasks)
    ended = nursery.ask("run", **moment)
    row = noted(environment)
    if row is None or (before is not None and row.id == before.id):
        assert ended["signal"] == signal.SIGKILL
        assert len(service.tasks) == known, "tasks were made that the journal knows nothing of"
        return None
    resumed = nursery.ask("resume", job=row.id)
    assert resumed.get("words") == right(), resumed
    assert len(service.tasks) == known + CIRCUITS
    assert set(service.tasks_per_token.values()) == {1}
    assert noted(environment).state.value == "done"
    return ended["signal"]


def test_a_run_is_noted_and_seen_by_another_process_without_its_circuits(place):
    nursery, environment, service = place
    ended = nursery.ask("run", tags=["mine"])
    assert ended["words"] == right(), ended
    made = len(service.tasks)
    looked = nursery.ask("look", job=ended["id"])
    assert looked["words"] == right(), looked
    assert len(service.tasks) == made
    assert noted(environment).tags == ("mine",)


def test_no_secret_is_in_the_journal(place):
    nursery, environment, service = place
    assert nursery.ask("run", number=3)["words"] == right(3)
    secrets = [
        value
        for name, value in service.environment().items()
        if "SECRET" in name or "TOKEN" in name or "ACCESS_KEY" in name
    ]
    assert secrets
    for file in Path(environment["QDMI_JOURNAL"]).parent.glob("runs.sqlite*"):
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in content]


def test_a_damaged_outcome_is_fetched_again(place):
    nursery, environment, service = place
    ended = nursery.ask("run", number=3)
    made = len(service.tasks)
    with closing(sqlite3.connect(environment["QDMI_JOURNAL"])) as connection:
        connection.execute("UPDATE results SET body = x'00' WHERE number = 1")
        connection.commit()
    assert nursery.ask("look", job=ended["id"])["error"] == "JournalError"
    assert nursery.ask("resume", job=ended["id"]).get("words") == right(3)
    assert len(service.tasks) == made


@pytest.mark.parametrize("moment", moments(2, seed=11), ids=str)
def test_a_killed_run_goes_on(place, moment):
    survives(place, moment)


def test_processes_that_resume_the_same_run_do_not_send_it_twice(place):
    nursery, environment, service = place
    known = len(service.tasks)
    assert nursery.ask("run", step=60)["signal"] == signal.SIGKILL
    row = noted(environment)
    told = at_once(environment, 3, "resume", job=row.id)
    assert any(each.get("words") == right() for each in told), told
    for each in told:
        assert each.get("words") == right() or "is sending this run" in each["message"], each
    assert len(service.tasks) == known + CIRCUITS
    assert set(service.tasks_per_token.values()) == {1}


@pytest.mark.slow
def test_runs_killed_at_fifty_moments_go_on(place):
    kill(50, 12, lambda moment: survives(place, moment) == signal.SIGKILL)
