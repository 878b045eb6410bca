"""The file of runs: what it keeps, what it refuses, and what happens when it is not there."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import warnings
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.errors import ConfigError, JournalError, QdmiError
from qdmi_qiskit.journal import Inputs, JobRow, Journal, journal_at, owner, pack, place, plain
from qdmi_qiskit.journal.packing import pack_shots, unpack, unpack_shots
from qdmi_qiskit.journal.place import is_off
from qdmi_qiskit.journal.rows import ChunkRow, Step
from qdmi_qiskit.journal.schema import STEPS
from qdmi_qiskit.model import JobStatus, Shots
from qdmi_qiskit.secret import Secret
from tests.lasting import Cloud, flipped, readings

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "runs.sqlite"


def row(name, **said):
    known = {"kind": "sampler", "backend": "lab", "device": "iqm:garnet", "tags": ()}
    known |= {"state": JobStatus.CREATED, "created": NOW, "chunks": 0, "sent": 0, "done": 0}
    return JobRow(id=name, **{**known, **said})


def noted(journal, name, chunks=1, **said):
    inputs = Inputs({"name": "lab"}, "{}", pack({"seed": 1}), None)
    planned = [ChunkRow(f"{name}-{k}", Step.PLANNED, b"12345678") for k in range(chunks)]
    return journal.begin(row(name, **said), inputs, owner.lease(), 0, planned)


# Where it lies.


def test_the_journal_lies_where_the_user_keeps_data():
    assert str(place(None, {"HOME": "/home/u"})) == "/home/u/.local/share/qdmi/journal.sqlite"
    assert str(place(None, {"HOME": "/u", "XDG_DATA_HOME": "/d"})) == "/d/qdmi/journal.sqlite"
    assert str(place("~/runs", {"HOME": "/home/u"})) == "/home/u/runs"
    assert str(place("/a", {"HOME": "/u", "QDMI_JOURNAL": "/b"})) == "/b"
    assert place(True, {"HOME": "/u"}) == place(None, {"HOME": "/u"})
    for off in ("off", "OFF", "none", False):
        assert place(off, {"HOME": "/u"}) is None
        assert is_off(off)
    with pytest.raises(ConfigError, match="wanted a path"):
        place(3, {"HOME": "/u"})


def test_configuration_profile_and_keyword_say_whether_runs_are_kept(tmp_path):
    config = tmp_path / "config.toml"
    there = tmp_path / "there.sqlite"
    config.write_text(
        f'journal = "{there}"\n[backends.kept]\ndevice = "aer"\njournal = true\nnum_qubits = 4\n'
        '[backends.not]\ndevice = "kept"\njournal = false\n'
    )
    provider = QDMIProvider(config=config, environ={})

    def jobs_after(name, **options):
        backend = provider.get_backend(name, **options)
        SamplerV2(backend).run([flipped(5)], shots=3).result()
        return len(provider.jobs())

    assert jobs_after("not") == 0
    assert jobs_after("aer", num_qubits=4) == 0, "a simulator's runs are kept without being asked"
    assert jobs_after("kept") == 1
    assert jobs_after("kept", journal=False) == 1
    assert jobs_after("aer", num_qubits=4, journal=True) == 2
    other = tmp_path / "other.sqlite"
    assert jobs_after("aer", num_qubits=4, journal=str(other)) == 2
    assert len(journal_at(other).rows()) == 1
    off = QDMIProvider(config=config, environ={"QDMI_JOURNAL": "off"})
    SamplerV2(off.get_backend("kept")).run([flipped(5)], shots=3).result()
    assert off.jobs() == []
    with pytest.raises(ConfigError, match="journal = 3"):
        provider.get_backend("aer", journal=3)


def test_only_the_owner_may_read_it(path):
    noted(journal_at(path), "a")
    path.parent.chmod(0o755)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    path.chmod(0o644)
    Journal(path).rows()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_named_by_mistake_stays_open(path):
    path.mkdir(parents=True)
    path.chmod(0o755)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(path).rows()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


# What it keeps.


def test_rows_are_found_by_backend_state_tag_time_and_beginning_of_the_id(path):
    journal = journal_at(path)
    for k in range(6):
        number = noted(
            journal,
            f"{k}abc",
            created=NOW + timedelta(hours=k),
            backend="lab" if k % 2 else "sim",
            tags=("odd",) if k % 2 else ("even", "all"),
        )
        if k > 3:
            journal.note_state(number, JobStatus.DONE)
    ids = [found.id for found in journal.rows()]
    assert ids == ["5abc", "4abc", "3abc", "2abc", "1abc", "0abc"]
    assert [found.id for found in journal.rows(limit=2)] == ids[:2]
    assert [found.id for found in journal.rows(backend="sim")] == ["4abc", "2abc", "0abc"]
    assert len(journal.rows(backend="iqm:garnet")) == 6
    assert [found.id for found in journal.rows(state=JobStatus.DONE)] == ids[:2]
    assert [found.tags for found in journal.rows(tag="all", limit=1)] == [("all", "even")]
    assert [found.id for found in journal.rows(since=NOW + timedelta(hours=4))] == ids[:2]
    assert journal.find("3").id == "3abc"
    for wrong in ("", "9", "\0", "%"):
        with pytest.raises(ConfigError):
            journal.find(wrong)
    noted(journal, "3abd")
    with pytest.raises(ConfigError, match="3abc, 3abd"):
        journal.find("3ab")
    assert journal.find("3abc").id == "3abc"


def test_a_run_is_found_by_the_vendors_id_too(path):
    journal = journal_at(path)
    number = noted(journal, "a", chunks=2)
    journal.note(number, 0, 1, ChunkRow("a-1", Step.SENT, b"12345678", job="arn:task/7"))
    assert journal.find("arn:task/7").id == "a"


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(1, 20), st.booleans()),
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_outcomes_come_back_as_they_were(sizes, source):
    rng = np.random.default_rng(source.getrandbits(32))
    outcome = []
    for points, shots, num_bits, thinned in sizes:
        bits = rng.integers(0, 256, (points, shots, -(-num_bits // 8)), dtype=np.uint8)
        valid = rng.integers(0, shots + 1, points) if thinned else None
        failures = {0: "why"} if thinned and points else {}
        outcome.append(Shots(bits, num_bits, valid, failures))
    found = unpack_shots(pack_shots(outcome))
    for before, after in zip(outcome, found, strict=True):
        assert before.bits.shape == after.bits.shape
        assert (before.bits == after.bits).all()
        assert (before.num_bits, before.failures) == (after.num_bits, after.failures)
        assert (before.valid is None) == (after.valid is None)
        assert before.valid is None or (before.valid == after.valid).all()


# What is damaged or hostile.


def blob_of(body):
    return b"QJ1" + blake2b(body, digest_size=16).digest() + body


@given(st.binary(max_size=200))
def test_any_bytes_are_no_outcome_and_say_so(blob):
    for given_blob in (blob, b"QJ1" + blob, blob_of(blob), None, "text", 3):
        with pytest.raises(JournalError, match="damaged"):
            unpack_shots(given_blob)


@given(st.binary(max_size=120), st.integers(0, 300))
def test_any_header_is_an_outcome_or_an_error_of_ours(text, claimed):
    content = claimed.to_bytes(4, "little") + text
    body = len(content).to_bytes(8, "little") + zlib.compress(content)
    with pytest.raises(JournalError):
        unpack_shots(blob_of(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_description_is_an_outcome_or_an_error_of_ours(header, described):
    import json

    head = json.dumps([{"shots": header}, described]).encode()
    content = len(head).to_bytes(4, "little") + head
    body = len(content).to_bytes(8, "little") + zlib.compress(content)
    with suppress(JournalError):
        assert unpack_shots(blob_of(body)) == ()


def test_a_bomb_takes_no_memory():
    bomb = zlib.compress(bytes(10**7))
    for claimed in (10, 10**7, 2**63):
        blob = blob_of(claimed.to_bytes(8, "little") + bomb)
        with pytest.raises(JournalError, match="damaged"):
            unpack(blob, most=10**6)


def test_one_bit_that_flips_is_noticed():
    blob = bytearray(pack_shots([Shots(np.arange(12, dtype=np.uint8).reshape(2, 6, 1), 5)]))
    for place_of in range(len(blob)):
        blob[place_of] ^= 4
        with pytest.raises(JournalError):
            unpack_shots(bytes(blob))
        blob[place_of] ^= 4


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A journal with a run of each kind."""
    from qiskit import QuantumCircuit

    from qdmi_qiskit import EstimatorV2

    path = tmp_path_factory.mktemp("fuzz") / "runs.sqlite"
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    backend = provider.get_backend("aer", num_qubits=4, journal=True)
    plain_circuit = QuantumCircuit(2)
    plain_circuit.h(0)
    SamplerV2(backend).run([flipped(5)], shots=3).result()
    EstimatorV2(backend).run([(plain_circuit, ["ZZ", "XI"])], precision=0.1).result()
    backend.run(flipped(6), shots=4).result()
    journal_at(path).close()
    connection = sqlite3.connect(path)
    content = "\n".join(connection.iterdump())
    connection.close()
    return content


FIELDS = [
    ("runs", "kind"),
    ("runs", "state"),
    ("runs", "created"),
    ("runs", "owner"),
    ("inputs", "opening"),
    ("inputs", "spec"),
    ("inputs", "call"),
    ("inputs", "circuits"),
    ("specs", "body"),
    ("chunks", "state"),
    ("chunks", "key"),
    ("chunks", "fingerprint"),
    ("chunks", "facts"),
    ("chunks", "attempt"),
    ("chunks", "number"),
    ("results", "body"),
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(FIELDS),
    st.binary(max_size=40) | st.text(max_size=10) | st.integers(-(2**62), 2**62) | st.floats(),
)
def test_a_record_with_anything_in_it_is_an_error_of_ours(recorded, tmp_path_factory, field, value):
    path = tmp_path_factory.mktemp("one") / "runs.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(recorded)
    table, column = field
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute(f"PRAGMA application_id = {0x51444D49}")
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))  # noqa: S608
    connection.commit()
    connection.close()
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    reader = sqlite3.connect(path)
    ids = [found for (found,) in reader.execute("SELECT id FROM runs")]
    reader.close()
    assert len(ids) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for job_id in ids:
            with suppress(QdmiError, TimeoutError):
                provider.jobs()
                provider.job(job_id).result(timeout=5)
    journal_at(path).close()


def test_a_damaged_outcome_can_be_asked_for_again(path):
    cloud = Cloud(limit=None)
    job = SamplerV2(cloud.backend(path)).run([flipped(9)], shots=3)
    job.result()
    journal = journal_at(path)
    journal.flush()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE results SET body = x'00'")
    connection.commit()
    connection.close()
    from tests.test_durable_runs import elsewhere

    with pytest.raises(JournalError, match="damaged"):
        elsewhere(path, job, cloud).result()
    assert readings(elsewhere(path, job, cloud).resume().result()) == ["1001"]
    assert len(cloud.posted) == 1


# Several processes.


def test_a_lease_ends_with_its_process(path):
    journal = journal_at(path)
    number = noted(journal, "a")
    assert journal.is_held(number)
    with pytest.raises(ConfigError, match="is sending this run"):
        journal.take(number)
    host, pid, begun, token = owner.lease().split()
    assert not owner.is_alive(f"{host} {pid} 12345 {token}", 0)  # that number was another's
    assert not owner.is_alive(f"{host} 999999999 {begun} {token}", 0)
    assert owner.is_alive(f"elsewhere {pid} {begun} {token}", datetime.now(UTC).timestamp())
    assert not owner.is_alive(f"elsewhere {pid} {begun} {token}", NOW.timestamp() - 3600)
    for nonsense in (None, 3, "", "a b", "a b c d", b"x"):
        assert not owner.is_alive(nonsense, 0)
    assert owner.described(f"{host} {pid} {begun} {token}") == f"process {os.getpid()} on {host}"
    assert host == "".join(socket.gethostname().split())


def test_a_process_that_forks_leaves_its_child_a_journal_that_works(path):
    journal = journal_at(path)
    number = noted(journal, "parents")
    pid = os.fork()
    if pid == 0:
        fine = False
        try:
            noted(journal_at(path), "childs")
            journal_at(path).flush()
            fine = len(journal_at(path).rows()) == 2 and journal_at(path).is_held(number)
        finally:
            os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert {found.id for found in journal.rows()} == {"parents", "childs"}


# Secrets.


def test_no_secret_is_in_the_journal(path, monkeypatch):
    monkeypatch.setenv("DUMMY_TOKEN", "dummy-secret-7f3a")
    options = {"token": Secret("env:DUMMY_TOKEN"), "auth": {"password": Secret("env:DUMMY_TOKEN")}}
    assert plain(options) == {"token": "env:DUMMY_TOKEN", "auth": {"password": "env:DUMMY_TOKEN"}}
    assert plain({"model": object()}) is None
    journal = journal_at(path)
    inputs = Inputs({"options": plain(options)}, "{}", pack({}), None)
    journal.begin(row("a"), inputs, owner.lease(), 0, [])
    journal.close()
    for file in path.parent.iterdir():
        assert b"dummy-secret" not in file.read_bytes()
    assert b"env:DUMMY_TOKEN" in path.read_bytes()
