"""A journal that is damaged, locked, not ours to write, or on a full disk: the run goes on."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.errors import JournalError, QdmiError
from qdmi_qiskit.journal import Journal, journal_at
from tests.lasting import Cloud, flipped, readings
from tests.test_journal import noted

WORDS = [3, 4, 9, 14, 5, 10]
RIGHT = [f"{word:04b}" for word in WORDS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "runs.sqlite"


def ran_with_a_warning(path, match):
    cloud = Cloud(limit=1)
    sampler = SamplerV2(cloud.backend(path))
    with pytest.warns(UserWarning, match=match):
        job = sampler.run([flipped(3), flipped(4)], shots=3)
    assert readings(job.result()) == ["0011", "0100"]
    assert not job.is_journaled
    with pytest.raises(QdmiError, match="could not be written"):
        job.resume()


def test_work_goes_on_without_a_journal_that_is_damaged(path):
    path.parent.mkdir()
    path.write_bytes(b"no database, but a long enough text to be taken for one" * 100)
    ran_with_a_warning(path, "damaged.*move it away")
    with pytest.raises(JournalError, match="damaged"):
        QDMIProvider(environ={"QDMI_JOURNAL": str(path)}).jobs()


def test_work_goes_on_without_a_journal_of_another_program_or_a_newer_version(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE somebody_elses (a)")
    connection.commit()
    ran_with_a_warning(path, "another program")
    connection.execute("DROP TABLE somebody_elses")
    connection.execute(f"PRAGMA application_id = {0x51444D49}")
    connection.execute("PRAGMA user_version = 999")
    connection.commit()
    connection.close()
    ran_with_a_warning(path, "version 999")


def test_work_goes_on_without_a_journal_in_a_place_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    ran_with_a_warning(tmp_path / "file" / "runs.sqlite", "cannot be used")


def test_work_goes_on_while_another_process_locks_the_journal(path, monkeypatch):
    noted(journal_at(path), "a")
    monkeypatch.setattr("qdmi_qiskit.journal.file.PATIENCE", 0.2)
    journal_at(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        ran_with_a_warning(path, "locked")
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def held_up(path, spoil, *, submit_key):
    """Run while `spoil` happens to the journal after the first submission."""
    cloud = Cloud(limit=1, submit_key=submit_key)
    submit, spoiled = cloud.simulator.submit, []

    def spoiling(tasks, *, key):
        if len(cloud.posted) == 1 and not spoiled:
            spoiled.append(key)
            journal_at(path).flush()
            spoil()
        return submit(tasks, key=key)

    cloud.simulator.submit = spoiling
    job = SamplerV2(cloud.backend(path)).run([flipped(word) for word in WORDS], shots=3)
    assert readings(job.result()) == RIGHT
    assert spoiled
    assert set(cloud.posted.values()) == {1}
    return cloud, job


@pytest.mark.filterwarnings("ignore:the journal")
@pytest.mark.parametrize("submit_key", [True, False])
def test_a_journal_that_is_spoiled_on_the_way_loses_no_result(path, submit_key):
    noise = random.Random(1)  # noqa: S311 - it only spoils a file

    def spoil():
        for file in path.parent.iterdir():
            if not file.name.endswith("-shm"):
                file.write_bytes(noise.randbytes(file.stat().st_size))

    _, job = held_up(path, spoil, submit_key=submit_key)
    assert readings(job.result()) == RIGHT
    journal_at(path).close()
    for use in (lambda: Journal(path).rows(), lambda: noted(Journal(path), "b")):
        with suppress(JournalError):
            use()


@pytest.mark.parametrize("submit_key", [True, False])
def test_a_journal_that_is_taken_away_on_the_way_loses_no_result(path, submit_key):
    _, job = held_up(path, lambda: shutil.rmtree(path.parent), submit_key=submit_key)
    assert readings(job.result()) == RIGHT


FULL = """
import json, resource, sys, warnings
from pathlib import Path
from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal import journal_at
from tests.lasting import Cloud, flipped, readings
from tests.test_journal_faults import WORDS, held_up

path = Path(sys.argv[1])
told = []
warnings.showwarning = lambda message, *rest: told.append(str(message))

def fill():
    size = max(file.stat().st_size for file in path.parent.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

found = {}
cloud, job = held_up(path, fill, submit_key=sys.argv[2] == "True")
again = SamplerV2(cloud.backend(path)).run([flipped(7)], shots=3)
found["again"] = readings(again.result())
found["kept"] = again.is_journaled
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
later = SamplerV2(cloud.backend(path)).run([flipped(8)], shots=3)
found["later"] = readings(later.result())
found["later kept"] = later.is_journaled
journal_at(path).close()
found["rows"] = [row.done for row in QDMIProvider(environ={"QDMI_JOURNAL": str(path)}).jobs()]
print(json.dumps({**found, "told": told}))
"""


def in_a_process(program, *words):
    ran = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran.stderr


@pytest.mark.parametrize("submit_key", [True, False])
def test_a_disk_that_is_full_loses_no_result_and_is_used_again_when_it_is_not(path, submit_key):
    found, log = in_a_process(FULL, str(path), str(submit_key))
    assert found["again"] == ["0111"]
    assert not found["kept"]
    assert any("cannot be used" in text and "goes on" in text for text in found["told"])
    assert found["later"] == ["1000"]
    assert found["later kept"]
    assert found["rows"][0] == 1
    assert "Traceback" not in log


UNWRITABLE = """
import json, os, sys, warnings
from pathlib import Path
from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.errors import JournalError
from tests.lasting import Cloud, flipped, readings

path = Path(sys.argv[1])
cloud = Cloud()
warm = path.with_name("warm.sqlite")  # nobody may not be allowed to import
SamplerV2(cloud.backend(warm)).run([flipped(7)], shots=3).result()
QDMIProvider(environ={"QDMI_JOURNAL": str(warm)}).jobs()
told = []
warnings.showwarning = lambda message, *rest: told.append(str(message))
path.parent.chmod(0o555 if "readable" in sys.argv else 0o511)
if os.getuid() == 0:
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
job = SamplerV2(cloud.backend(path)).run([flipped(7)], shots=3)
found = {"again": readings(job.result()), "kept": job.is_journaled, "told": told}
try:
    QDMIProvider(environ={"QDMI_JOURNAL": str(path)}).jobs()
except JournalError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


@pytest.mark.parametrize("readable", [True, False])
def test_a_journal_that_is_not_ours_to_write(readable):
    folder = Path(tempfile.mkdtemp(prefix="qdmi-ro-"))
    try:
        path = folder / "runs.sqlite"
        noted(journal_at(path), "a")
        journal_at(path).close()
        path.chmod(0o444 if readable else 0o400)
        folder.chmod(0o755 if readable else 0o711)
        found, _ = in_a_process(UNWRITABLE, str(path), *["readable"] * readable)
        assert found["again"] == ["0111"]
        assert not found["kept"]
        assert any("cannot be used" in text and "goes on" in text for text in found["told"])
        assert str(path) in found["error"]
        assert "QDMI_JOURNAL" in found["error"]
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)
