"""Forgetting runs: on request, and to keep the journal small."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.cli import cli
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.journal import Journal, journal_at
from qdmi_qiskit.journal.packing import pack_shots
from qdmi_qiskit.journal.place import bound, place, size_of
from qdmi_qiskit.journal.pruning import LARGE
from qdmi_qiskit.journal.rows import ChunkRow, Step
from qdmi_qiskit.model import JobStatus, Shots
from tests.lasting import Cloud, flipped
from tests.test_journal import NOW, noted

NOISE = np.random.default_rng(1).integers(0, 256, (1, 30_000, 1), dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "runs.sqlite"


def kept(journal, name, state, *steps):
    """A run of some 30 kB: its state, and how far its chunks are."""
    number = noted(journal, name, created=NOW + timedelta(hours=int(name)), chunks=len(steps))
    for k, step in enumerate(steps):
        result = pack_shots([Shots(NOISE, 8)]) if step is Step.DONE else None
        journal.note(number, 0, k, ChunkRow(f"{name}-{k}", step, b"12345678"), result=result)
    journal.note_state(number, state)
    return number


def ids(journal):
    return sorted(found.id for found in journal.rows(limit=None))


def test_prune_forgets_what_ended_the_oldest_first(path):
    journal = journal_at(path)
    noise = np.random.default_rng(1).integers(0, 256, (1, 30_000, 1), dtype=np.uint8)
    for k in range(10):
        number = noted(journal, f"{k}", created=NOW + timedelta(hours=k))
        chunk = ChunkRow(f"{k}-0", Step.DONE, b"12345678")
        journal.note(number, 0, 0, chunk, result=pack_shots([Shots(noise, 8)]))
        if k != 1:
            journal.note_state(number, JobStatus.DONE)
    assert journal.prune(before=NOW + timedelta(hours=3)) == 2
    assert {found.id for found in journal.rows()} == set("13456789")
    assert journal.prune(most_bytes=200_000) == 4
    assert {found.id for found in journal.rows()} == set("1789")
    assert path.stat().st_size < 210_000
    assert journal.prune(before=NOW + timedelta(days=1), everything=True) == 4
    assert journal.rows() == []


def test_everything_is_everything(path):
    journal = journal_at(path)
    kept(journal, "0", JobStatus.DONE, Step.DONE)
    kept(journal, "1", JobStatus.CREATED, Step.SENDING)
    with pytest.raises(ConfigError, match="nothing says what to forget"):
        journal.prune()
    assert journal.prune(everything=True) == 2
    assert journal.rows() == []


def test_a_bound_applies_itself_and_keeps_what_is_not_final_or_not_here(path):
    journal = Journal(path)
    journal.most_bytes = 300_000
    kept(journal, "0", JobStatus.SUBMITTED, Step.DONE, Step.SENT)
    kept(journal, "1", JobStatus.FAILED, Step.DONE, Step.FAILED, Step.SENT)
    kept(journal, "2", JobStatus.FAILED, Step.DONE, Step.FAILED)
    kept(journal, "3", JobStatus.CANCELED, Step.DONE, Step.SENT)
    for k in range(4, 30):
        kept(journal, str(k), JobStatus.DONE, Step.DONE)
        journal.flush()
        assert path.stat().st_size < 360_000  # one more run than the bound, before it is applied
    left = [int(each) for each in ids(journal)]
    assert {0, 1, 29} <= set(left)
    assert not {2, 3} & set(left)
    latest = sorted(left)[2:]
    assert latest == list(range(latest[0], 30)), "others than the oldest were forgotten"
    assert len(latest) > 3
    journal.close()


def test_a_bound_that_cannot_be_kept_says_so_once_and_loses_nothing(path, caplog):
    journal = Journal(path)
    journal.most_bytes = 100_000
    for k in range(8):
        kept(journal, str(k), JobStatus.SUBMITTED, Step.DONE, Step.SENT)
        journal.flush()
    assert len(ids(journal)) == 8
    assert 1 <= caplog.text.count("where max_size is 100000") <= 6  # again after 10 % more
    journal.close()


def test_a_large_journal_without_a_bound_is_spoken_of_once(path, caplog, monkeypatch):
    journal = Journal(path)
    noted(journal, "0")
    monkeypatch.setattr("qdmi_qiskit.journal.pruning._bytes_of", lambda path: LARGE + 1)
    noted(journal, "1")
    noted(journal, "2")
    assert caplog.text.count("qdmi prune") == 1
    assert ids(journal) == ["0", "1", "2"]
    journal.close()


def test_configuration_and_environment_set_the_bound(tmp_path):
    config = tmp_path / "config.toml"
    file = tmp_path / "runs.sqlite"
    config.write_text(f'journal = {{ path = "{file}", max_size = "200k" }}\n')
    provider = QDMIProvider(config=config, environ={})
    sampler = SamplerV2(provider.get_backend("aer", num_qubits=4, journal=True))
    for _ in range(12):  # outcomes that do not compress
        circuit = flipped(0, width=4).remove_final_measurements(inplace=False)
        circuit.h(range(4))
        circuit.measure_all()
        sampler.run([circuit], shots=60_000).result()
    assert file.stat().st_size < 300_000
    assert 1 < len(provider.jobs()) < 12
    assert bound("x.sqlite", {}) is None
    assert bound({"max_size": "1M"}, {"QDMI_JOURNAL_MAX_SIZE": "2M"}) == 2_000_000
    assert place({"max_size": "1M"}, {"HOME": "/u"}) == place(None, {"HOME": "/u"})
    assert [size_of(said) for said in (7, "7", "1.5G", "3k")] == [7, 7, 1_500_000_000, 3000]
    for wrong in (-1, True, "x", "1X", None, "inf", "nan", "-1k", []):
        with pytest.raises(ConfigError, match="no size"):
            size_of(wrong)
    for function in (place, bound):
        with pytest.raises(ConfigError, match="did you mean 'max_size'"):
            function({"maxsize": "1M"}, {})


def test_a_bound_that_cannot_be_applied_does_not_keep_a_run_from_going(path, monkeypatch, caplog):
    cloud = Cloud()
    backend = cloud.backend(path)
    SamplerV2(backend).run([flipped(3)]).result()
    monkeypatch.setattr("qdmi_qiskit.journal.pruning._bytes_of", lambda path: LARGE)

    def broken(*given, **named):
        from qdmi_qiskit.errors import JournalError

        raise JournalError("disk full")

    monkeypatch.setattr("qdmi_qiskit.journal.store.Journal._forget_until", broken)
    journal_at(path).most_bytes = 10
    backend._recorder.__dict__["most_bytes"] = 10
    job = SamplerV2(backend).run([flipped(3)])
    job.result()
    assert job.is_journaled
    assert "could not be made smaller" in caplog.text


def test_the_command_asks_before_everything_is_gone(path, monkeypatch):
    monkeypatch.setenv("QDMI_JOURNAL", str(path))
    kept(journal_at(path), "0", JobStatus.CREATED, Step.SENT)
    refused = CliRunner().invoke(cli, ["prune", "--everything"], input="n\n")
    assert refused.exit_code != 0
    assert ids(journal_at(path)) == ["0"]
    done = CliRunner().invoke(cli, ["prune", "--everything", "--yes"])
    assert "1 jobs forgotten" in done.output
    assert ids(journal_at(path)) == []
    wrong = CliRunner().invoke(cli, ["prune", "--size", "much"])
    assert "wanted one such as 500M" in wrong.output
