"""Journals of earlier versions: what they hold is there, and runs of then go on.

`journals/versionN.sql` is what the last commit of schema N wrote, dumped: a sampler's run of two
words, an estimate of a Bell pair, a run of `backend.run`, and a run that was killed between its two
jobs. A new step of the schema needs another such file.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal import Journal, journal_at, schema
from qdmi_qiskit.model import JobStatus
from tests.lasting import readings

FOLDER = Path(__file__).parent / "journals"
VERSIONS = range(1, len(schema.STEPS))


def old(path, version):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FOLDER / f"version{version}.sql").read_text())
        connection.execute("UPDATE runs SET beat = 0")  # whoever was at it is long gone
        connection.commit()
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        connection.execute(f"PRAGMA user_version = {version}")
    return QDMIProvider(environ={"QDMI_JOURNAL": str(path)})


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_results_of_then_are_read(tmp_path, version):
    path = tmp_path / "runs.sqlite"
    provider = old(path, version)
    rows = provider.jobs()
    assert [(row.kind, row.state) for row in reversed(rows)] == [
        ("sampler", JobStatus.DONE),
        ("estimator", JobStatus.DONE),
        ("backend", JobStatus.DONE),
        ("sampler", JobStatus.CREATED),
    ]
    by_kind = {row.kind: provider.job(row.id).result() for row in rows[1:]}
    assert readings(by_kind["sampler"]) == ["0101", "1001"]
    assert by_kind["sampler"][0].data.high.num_shots == 20
    evs, stds = by_kind["estimator"][0].data.evs, by_kind["estimator"][0].data.stds
    assert (evs[:2] == 1.0).all()
    assert abs(evs[2]) < 6 * stds[2] < 0.5
    assert by_kind["backend"].get_memory() == ["10 01"] * 4
    assert provider.jobs(tag="old")[0].id == rows[-1].id
    assert version_of(path) == len(schema.STEPS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_that_was_killed_then_goes_on(tmp_path, version):
    path = tmp_path / "runs.sqlite"
    provider = old(path, version)
    (row,) = provider.jobs(tag="killed")
    assert (row.chunks, row.done) == (2, 1)
    assert readings(provider.job(row.id).resume().result()) == ["0011", "1100"]
    journal_at(path).flush()
    assert provider.jobs(tag="killed")[0].state is JobStatus.DONE
    assert provider.timeline(row.id).events  # a column that was not there then


@pytest.mark.parametrize("version", VERSIONS)
def test_several_may_find_an_old_journal_at_once(tmp_path, version):
    path = tmp_path / "runs.sqlite"
    old(path, version)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(len(Journal(path).rows()))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4] * 6
    assert version_of(path) == len(schema.STEPS)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_that_fails_changes_nothing(tmp_path, version, monkeypatch):
    path = tmp_path / "runs.sqlite"
    old(path, version)
    with closing(sqlite3.connect(path)) as connection:
        before = list(connection.iterdump())
    broken = (*schema.STEPS, "CREATE TABLE further (a); CREATE TABLE further (a);")
    monkeypatch.setattr(schema, "STEPS", broken)
    with pytest.raises(JournalError, match="further already exists"):
        Journal(path).rows()
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before
    assert version_of(path) == version
    monkeypatch.undo()
    assert len(Journal(path).rows()) == 4


def test_an_old_file_has_the_tables_of_a_new_one(tmp_path):
    def tables(path):
        Journal(path).rows()
        with closing(sqlite3.connect(path)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                name: [column[1:3] for column in connection.execute(f"PRAGMA table_info({name})")]
                for (name,) in names.fetchall()
            }

    new = tables(tmp_path / "new.sqlite")
    for version in VERSIONS:
        path = tmp_path / f"{version}.sqlite"
        old(path, version)
        assert tables(path) == new
