"""Libraries that misbehave end in an error of ours that says what, never in a crash."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.devices.native.words import Status
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    ProtocolError,
    RejectedError,
    SubmitUnknownError,
    UnavailableError,
    UnsupportedError,
)
from qdmi_qiskit.model import Program, Task
from qdmi_qiskit.testing.native_device import PREFIX, counters
from tests.native.libraries import TEST, c_library, opened

pytestmark = pytest.mark.usefixtures("compiler")

TEXT = "OPENQASM 3.0;\nbit[2] c;\nqubit[7] q;\nflip q[0];\nc[0] = measure q[0];\n"


def task(text=TEXT, shots=20, **options):
    return Task(Program("qasm3", text, 2), shots, **options)


def submitted(words, *tasks, name="test-1.4"):
    return opened(name, words).submit(tasks or [task()], key="k")


OPENING = {
    "init-fatal": (UnavailableError, r"ERROR_FATAL \(-1\)"),
    "init-denied": (ConfigError, "ERROR_PERMISSIONDENIED.*|credentials"),
    "init-nonsense": (ProtocolError, r"no QDMI status \(77\)"),
    "no-version": (ProtocolError, "does not say which QDMI"),
    "version-1.1": (UnsupportedError, "implements QDMI 1.1.0"),
    "version-2": (UnsupportedError, "implements QDMI 2.0.0"),
    "version-other": (UnsupportedError, "functions of 1.4"),
    "unterminated-name": (ProtocolError, "no NUL"),
    "overflow": (ProtocolError, "wrote more than"),
    "huge": (ProtocolError, "bytes"),
    "name-fatal": (UnavailableError, "property NAME.*ERROR_FATAL"),
    "name-nonsense": (ProtocolError, "-1234"),
}


@pytest.mark.parametrize("name", TEST)
@pytest.mark.parametrize("word", OPENING)
def test_opening_says_what_is_wrong(name, word):
    kind, message = OPENING[word]
    library = c_library(int(name[-1]))
    opened(name).close()
    before = counters(library)["sessions"]
    with pytest.raises(kind, match=message):
        opened(name, word)
    assert counters(library)["sessions"] == before


QUERYING = {
    "wrong-size": "answers 4 bytes, QDMI wants 8",
    "null-site": "null handle",
    "site-twice": "lists a site twice",
    "foreign-site": "not in the device's list",
    "half-a-pair": "13 handles, no multiple of 2",
    "no-index": "no unique index",
}


@pytest.mark.parametrize("name", TEST)
@pytest.mark.parametrize("word", QUERYING)
def test_a_wrong_answer_to_a_query_is_named(name, word):
    with opened(name, word) as session, pytest.raises(ProtocolError, match=QUERYING[word]):
        session.spec()


def test_a_state_that_there_is_not_is_named():
    with opened("test-1.4", "state-nonsense") as session, pytest.raises(ProtocolError, match="17"):
        session.status()


READING = {
    "cut-shots": "no list of words",
    "shots-unended": "no end",
    "shots-garbage": "else than 0 and 1",
}


@pytest.mark.parametrize("name", TEST)
@pytest.mark.parametrize("word", READING)
def test_wrong_shots_are_not_read(name, word):
    job = submitted(word, name=name)
    job.wait(300)
    with pytest.raises(ProtocolError, match=READING[word]):
        job.result()


@pytest.mark.parametrize("name", TEST)
def test_a_job_in_no_state_is_named(name):
    job = submitted("job-nonsense", name=name)
    with pytest.raises(ProtocolError, match="state 42"):
        job.status()


def test_a_job_without_a_handle_is_named():
    with opened("test-1.4", "null-job") as session, pytest.raises(ProtocolError, match="handle"):
        session.submit([task()], key="k")


@pytest.mark.parametrize("name", TEST)
def test_a_wait_that_returns_early_is_repeated(name):
    job = submitted("early-wait", name=name)
    assert job.wait(300).value == "done"
    assert job.result()[0].bits.tolist() == [[[1]] * 20]


@pytest.mark.parametrize("name", TEST)
def test_a_job_that_fails_says_so_in_every_version(name):
    job = submitted("", task("nonsense;\n"), name=name)
    assert job.wait(300).value == "failed"
    with pytest.raises(JobFailedError, match="stderr") as raised:
        job.result()
    assert raised.value.job_id == job.id


def test_a_wait_gives_up_in_time_and_leaves_the_job():
    job = submitted("endless")
    for timeout in (0.0, 0.02, 1.1):
        with pytest.raises(TimeoutError):
            job.wait(timeout)
    assert not job.status().final


def test_a_submit_that_may_have_worked_is_not_called_a_refusal():
    with opened("test-1.4", "submit-denied") as session:
        with pytest.raises(ConfigError, match="PERMISSIONDENIED") as raised:
            session.submit([task()], key="k")
        assert raised.value.status is Status.ERROR_PERMISSIONDENIED
    stranger = opened("test-1.4", "submit-fatal", prefix="STRANGER", bit_order="highest_first")
    with pytest.raises(SubmitUnknownError, match="look before sending") as raised:
        stranger.submit([task()], key="k")
    assert raised.value.status is Status.ERROR_FATAL
    with opened("test-1.4", "submit-fatal") as here, pytest.raises(RejectedError, match="FATAL"):
        here.submit([task()], key="k")


def test_an_unknown_librarys_bits_are_not_guessed():
    stranger = opened("test-1.4", prefix="STRANGER")
    assert stranger.spec().num_qubits == 6
    with pytest.raises(ConfigError, match=r"in which order.*bit_order"):
        stranger.submit([task()], key="k")


def test_lowest_first_is_the_other_way_round():
    stranger = opened("test-1.4", prefix="STRANGER", bit_order="lowest_first")
    job = stranger.submit([task(shots=3)], key="k")
    job.wait(300)
    assert job.result()[0].bits.tolist() == [[[2]] * 3]


def run(code, **variables):
    environ = {**os.environ, **variables, "LIBRARY": str(c_library(4))}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )


OPEN = (
    "import os\nfrom qdmi_qiskit.devices.native import driver\n"
    f"session = driver.open('', library=os.environ['LIBRARY'], prefix={PREFIX!r})\n"
)


def test_a_library_that_cannot_be_initialised_is_named():
    ran = run(OPEN, QDMI_TEST_INITIALIZE="-8")
    assert "ConfigError" in ran.stderr
    assert "cannot be initialised: the library answers ERROR_PERMISSIONDENIED" in ran.stderr


def test_a_session_without_a_handle_is_named():
    ran = run(OPEN, QDMI_TEST_NULL_SESSION="1")
    assert "ProtocolError" in ran.stderr
    assert "without a handle" in ran.stderr


FORKED = (
    OPEN
    + """
import sys
session.spec()
child = os.fork()
if child == 0:
    try:
        session.status()
    except Exception as error:
        print(type(error).__name__, error)
    sys.stdout.flush()
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(status, session.status().status.value)
"""
)


def test_a_forked_process_is_told_and_does_not_hang():
    ran = run(FORKED)
    first, second = ran.stdout.splitlines()
    assert first.startswith("UnavailableError")
    assert "spawn" in first
    assert second == "0 idle"


MISSING = {
    "no-such-device": (ConfigError, "no QDMI device"),
    "": (ConfigError, "does not say which|no QDMI device"),
}


@pytest.mark.parametrize("locator", MISSING)
def test_devices_that_are_not_there_are_named(locator):
    kind, message = MISSING[locator]
    with pytest.raises(kind, match=message):
        driver.open(locator)


def test_files_that_are_no_libraries_are_named(tmp_path):
    nothing = tmp_path / "nothing.so"
    with pytest.raises(ConfigError, match="there is no QDMI library"):
        driver.open("", library=str(nothing), prefix="X")
    nothing.write_text("text")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        driver.open("", library=str(nothing), prefix="X")
    with pytest.raises(ConfigError, match="absolute"):
        driver.open("", library="nothing.so", prefix="X")
    with pytest.raises(ConfigError, match=r"no WRONG_QDMI_device_initialize.*check the prefix"):
        driver.open("", library=str(c_library(4)), prefix="WRONG")
    with pytest.raises(ConfigError, match="C function"):
        driver.open("", library=str(c_library(4)), prefix="no prefix")
    with pytest.raises(ConfigError, match="belong together"):
        driver.open("", library=str(c_library(4)))


def test_circuits_too_wide_are_refused():
    encode = opened("test-1.4").encoders["qasm3"]
    with pytest.raises(RejectedError, match="7 qubits, of 6"):
        encode(QuantumCircuit(7, 1))
