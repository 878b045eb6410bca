"""What a power cut may take from the journal, and that nothing is sent twice all the same."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.errors import SubmitUnknownError
from qdmi_qiskit.journal import Journal, journal_at, owner
from qdmi_qiskit.journal.ahead import FEW, Ahead
from qdmi_qiskit.journal.rows import ChunkRow, Step
from tests.lasting import Cloud, flipped, readings
from tests.test_durable_runs import elsewhere
from tests.test_journal import noted

WORDS = list(range(1, 16)) * 2
RIGHT = [f"{word:04b}" for word in WORDS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.sqlite"


def cut(path, job, *, since, lost):
    """Take the marks of some chunks, as a power cut would; the run's process is gone."""
    journal_at(path).flush()
    boot = owner.lease().rpartition(".")[2] if since else "00000000"
    connection = sqlite3.connect(path)
    lease = f"{owner._host()} 999999999 1 0123456789abcdef.{boot}"
    connection.execute("UPDATE runs SET owner = ?, state = 'created'", (lease,))
    connection.executemany(
        "UPDATE chunks SET state = 'planned', job = NULL, facts = NULL WHERE number = ?",
        [(number,) for number in lost],
    )
    connection.executemany("DELETE FROM results WHERE number = ?", [(number,) for number in lost])
    connection.commit()
    connection.close()


def sent_of(cloud, path):
    job = SamplerV2(cloud.backend(path)).run([flipped(word) for word in WORDS])
    job.result()
    return job


LOST = [4, 7, 8, 12, 19, *range(22, 30)]


def test_marks_that_a_power_cut_took_are_searched(path):
    cloud = Cloud(searches=True)
    job = sent_of(cloud, path)
    cut(path, job, since=False, lost=LOST)
    assert readings(elsewhere(path, job, cloud).resume().result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_marks_that_a_power_cut_took_are_asked_for_where_nobody_can_search(path):
    cloud = Cloud()
    job = sent_of(cloud, path)
    cut(path, job, since=False, lost=LOST)
    again = elsewhere(path, job, cloud).resume()
    with pytest.raises(SubmitUnknownError) as caught:
        again.result()
    keys = [f"{job.job_id()}-{number}" for number in LOST]
    assert all(key in str(caught.value) for key in keys)
    found = {key: cloud.keys[key] for key in keys}
    assert readings(again.resume(found=found).result()) == RIGHT
    assert set(cloud.posted.values()) == {1}


def test_a_killed_process_leaves_no_doubt(path):
    """The same record after a mere SIGKILL says what happened, so what is unmarked is sent."""
    cloud = Cloud()
    job = sent_of(cloud, path)
    cut(path, job, since=True, lost=LOST)
    assert readings(elsewhere(path, job, cloud).resume().result()) == RIGHT
    assert len(cloud.jobs) == len(WORDS) + len(LOST)  # `cut` lied: these had been sent


def test_few_are_in_doubt(path):
    cloud = Cloud(searches=True)
    job = sent_of(cloud, path)
    cut(path, job, since=False, lost=range(30))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE chunks SET attempt = 1 WHERE number < 5")
    connection.commit()
    journal = journal_at(path)
    journal.take(journal.find(job.job_id()).number)
    marked = [row.step.value == "sending" for row in journal.chunks(1, 0)]
    assert marked == [False] * 5 + [True] * FEW + [False] * (25 - FEW)
    connection.close()


steps = st.lists(st.tuples(st.integers(0, 39), st.sampled_from(["send", "refuse", "sync"])))


REFUSED = [(k, "send") for k in range(20)] + [(k, "refuse") for k in range(20)]


@given(st.sets(st.integers(0, 39)), steps)
@example(set(), [*REFUSED, (0, "sync"), (20, "send")])
@example(
    set(), [(0, "send"), (0, "refuse"), (1, "send"), (16, "send"), (18, "send")]
)  # the disk hears of the mark after it was taken back
def test_what_was_sent_is_marked_or_in_doubt(settled, events):
    """Whatever is sent in whatever order, and whenever the power is cut."""
    disk = ["sent" if number in settled else "planned" for number in range(40)]
    memory, unsynced, sent = list(disk), [], set()
    ahead = Ahead(number for number in range(40) if number not in settled)

    def sync():
        for number, state in unsynced:
            disk[number] = state
            if state == "sending":
                ahead.marked(number)
        unsynced.clear()

    for number, event in events:
        if event == "sync":
            sync()
        elif event == "send" and memory[number] == "planned":
            memory[number] = "sending"
            early = ahead.may_go(number)
            unsynced.append((number, "sending"))
            if not early:
                sync()
            sent.add(number)
        elif event == "refuse" and memory[number] == "sending":
            memory[number] = "planned"
            sent.discard(number)
            ahead.unmarked(number)
            unsynced.append((number, "planned"))
        unmarked = [number for number in range(40) if disk[number] == "planned"]
        assert sent <= set(unmarked[:FEW]) | {k for k in range(40) if disk[k] != "planned"}


def test_who_may_go_early_does_not_wait_for_the_disk(path, monkeypatch):
    journal = Journal(path)
    number = noted(journal, "a", chunks=3)
    slow, told = threading.Event(), threading.Event()
    from qdmi_qiskit.journal import file

    monkeypatch.setattr(file.os, "fsync", lambda handle: slow.wait(300))
    assert journal.note_sending(number, 0, 0, early=True, told=told.set)
    assert not told.is_set()
    reader = sqlite3.connect(path)  # another process sees it, so a kill does not take it
    assert reader.execute("SELECT state FROM chunks WHERE number = 0").fetchone() == ("sending",)
    reader.close()
    slow.set()
    assert told.wait(300)
    journal.close()


def test_who_goes_early_goes_after_what_waits(path):
    """A mark is taken back and set again: in that order, whoever writes it."""
    journal = Journal(path)
    number = noted(journal, "a")
    for _ in range(200):
        assert journal.note_sending(number, 0, 0, early=True)
        journal.note(number, 0, 0, ChunkRow("a-0", Step.PLANNED, b"12345678"))
    assert journal.chunks(number, 0)[0].step is Step.PLANNED
    journal.close()


def test_a_disk_that_fails_makes_everybody_wait(path, monkeypatch, caplog):
    journal = Journal(path)
    number = noted(journal, "a", chunks=3)
    told = threading.Event()
    from qdmi_qiskit.journal import file

    def broken(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(file.os, "fsync", broken)
    assert journal.note_sending(number, 0, 0, early=True, told=told.set)
    journal.flush()
    end = time.monotonic() + 120
    while "Input/output error" not in caplog.text and time.monotonic() < end:
        time.sleep(0.01)
    assert "Input/output error" in caplog.text
    assert not told.is_set()
    assert journal.note_sending(number, 0, 1, early=True, told=told.set)
    journal.flush()
    assert told.is_set()  # SQLite waited itself
    journal.close()


def test_a_lease_of_an_earlier_start_is_nobodys(path):
    journal = Journal(path)
    number = noted(journal, "a")
    ours = owner.lease()
    host, pid, start, token = ours.split()
    before = f"{host} {pid} {start} {token.partition('.')[0]}.00000000"
    assert owner.is_alive(ours, 0)
    assert not owner.is_alive(before, 0)
    assert [owner.lost_power(text) for text in (before, ours, None, "", "a b c d")] == [
        True,
        False,
        False,
        False,
        False,
    ]
    assert journal.is_held(number)
    journal.close()
