"""Runs survive their process, on Aer; the vendors' services have their own of these tests."""

from __future__ import annotations

import signal

import pytest

from tests.crashes import CIRCUITS, Nursery, dut, kill, moments, noted, right


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("durable")
    environment = dut(folder, "aer", journal=True, num_qubits=8)
    with Nursery(**environment) as nursery:
        yield nursery, environment


def survives(place, moment):
    """Kill a run, go on with it, and see that everything is there and right."""
    nursery, environment = place
    before = noted(environment)
    ended = nursery.ask("run", split=True, **moment)
    row = noted(environment)
    if row == before or (before is not None and row.id == before.id):
        assert ended["signal"] == signal.SIGKILL  # before anything was noted, or sent
        return None
    if ended["signal"] == 0:
        assert ended["words"] == right()
    resumed = nursery.ask("resume", job=row.id[:12])
    assert resumed.get("words") == right(), resumed
    after = noted(environment)
    assert (after.id, after.state.value, after.done) == (row.id, "done", CIRCUITS)
    return ended["signal"]


def test_a_run_that_nobody_kills_is_found_again(place):
    nursery, _ = place
    ended = nursery.ask("run", split=True, tags=["mine"])
    assert ended["words"] == right(), ended
    assert ended["events"] > 3 * CIRCUITS
    looked = nursery.ask("look", job=ended["id"])
    assert looked["words"] == right(), looked
    assert (looked["kind"], looked["tags"]) == ("PrimitiveJob", ["mine"])


@pytest.mark.parametrize("moment", moments(6, seed=1), ids=str)
def test_a_killed_run_goes_on(place, moment):
    survives(place, moment)


@pytest.mark.slow
def test_runs_killed_at_a_hundred_moments_go_on(place):
    kill(100, 2, lambda moment: survives(place, moment) == signal.SIGKILL)


def test_looking_at_a_killed_run_sends_nothing(place):
    nursery, environment = place
    assert nursery.ask("run", split=True, step=60)["signal"] == signal.SIGKILL
    row = noted(environment)
    looked = nursery.ask("look", job=row.id)
    assert looked["error"] == "JobFailedError"
    assert f"qdmi resume {row.id}" in looked["message"]
    assert noted(environment).done == row.done
