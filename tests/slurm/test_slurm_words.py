"""Frames, words and options by themselves: no Slurm needed."""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit import errors
from qdmi_qiskit.devices.slurm import clients, driver, words
from qdmi_qiskit.devices.slurm.executor import _minutes
from qdmi_qiskit.devices.slurm.frames import LINE, MARK, Frames
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import ConfigError, JobFailedError, ProtocolError, RejectedError
from qdmi_qiskit.model import Basis, DeviceState, DeviceStatus, JobStatus, PauliSum, Shots
from qdmi_qiskit.options import parse


class Pair:
    """Two ends of a stream, each with a thread that receives."""

    def __init__(self, noise=b""):
        self.got = [[], []]
        pipes = [os.pipe(), os.pipe()]
        self.lines = []
        self.ends = []
        for k in (0, 1):
            read, write = pipes[k][0], pipes[1 - k][1]
            self.ends.append(
                Frames(lambda read=read: os.read(read, 777), self.writer(write, noise))
            )
        self._files = [number for pipe in pipes for number in pipe]
        self._threads = [
            threading.Thread(target=self.receive, args=(k,), daemon=True) for k in (0, 1)
        ]
        for thread in self._threads:
            thread.start()

    def writer(self, number, noise):
        def write(line):
            self.lines.append(line)
            os.write(number, noise + line)

        return write

    def receive(self, k):
        for message in self.ends[k].messages():
            self.got[k].append(message)

    def close(self):
        for number in (self._files[1], self._files[3]):
            os.close(number)
        for thread in self._threads:
            thread.join(5)
        for number in (self._files[0], self._files[2]):
            os.close(number)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 60_000), st.booleans()), max_size=8),
    st.sampled_from([b"", b"banner", b"banner\n", b"\n\n", b"half a \x1eQDM\n"]),
)
def test_messages_of_any_size_arrive_in_order_both_ways(sent, noise):
    pair = Pair(noise)
    random = np.random.default_rng(7)
    wanted = [[], []]
    try:
        threads = []
        for side in (0, 1):
            mine = []
            for k, (end, size, more) in enumerate(sent):
                if end == side:
                    text = random.bytes(size).hex() if k % 2 else "0" * size
                    mine.append(({"k": k, "text": text}, more))
            wanted[1 - side] = [message for message, _ in mine]

            def send(side=side, mine=mine):
                for message, more in mine:
                    pair.ends[side].send(message, more=more)

            threads.append(threading.Thread(target=send))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive(), "a sender waits for ever"
    finally:
        pair.close()
    assert pair.got == wanted
    assert all(len(line) <= LINE + 1 and line.startswith(MARK) for line in pair.lines)


def test_who_waits_for_an_answer_is_told_that_nobody_is_there():
    read, write = os.pipe()
    frames = Frames(lambda: os.read(read, 100), lambda line: None)
    failed = []

    def send():
        try:
            frames.send("x" * 5000, more=True)
        except ConnectionError as error:
            failed.append(str(error))

    thread = threading.Thread(target=send)
    thread.start()
    os.close(write)
    assert list(frames.messages()) == []
    thread.join(5)
    os.close(read)
    assert failed == ["the other side has gone"]


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, -0.0], [np.pi, 1e-300]]),
        np.arange(6).reshape(1, 2, 3),
        np.array([[[0, 255], [7, 8]]], np.uint8),
        np.array([True, False]),
        np.empty((1, 0)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">f8"),
    ],
)
def test_arrays_come_back_exactly(array):
    back = words.to_array(words.from_array(array))
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(back, array)
    assert back.flags.writeable


def test_arrays_of_other_types_are_refused():
    with pytest.raises(ProtocolError, match=r"an array of type '\|O'"):
        words.to_array(["|O", [1], "AAAA"])


def test_values_come_back_equal():
    basis = Basis(np.array([0, 3], np.intp), np.array([True, False]), np.array([True, True]))
    again = words.to_basis(words.from_basis(basis))
    assert all(np.array_equal(getattr(again, n), getattr(basis, n)) for n in ("qubits", "x", "z"))
    assert again.qubits.dtype == np.intp
    flags = np.eye(3, dtype=bool)
    observable = PauliSum(flags, ~flags, np.array([0.5, -1.0, 2.0]))
    again = words.to_sum(words.from_sum(observable))
    assert all(
        np.array_equal(getattr(again, n), getattr(observable, n))
        for n in ("x", "z", "coefficients")
    )
    shots = Shots(np.ones((2, 3, 1), np.uint8), 5, np.array([3, 0]), {1: "the laser went out"})
    again = words.to_shots(words.from_shots(shots))
    assert np.array_equal(again.bits, shots.bits)
    assert (again.num_bits, again.failures) == (5, {1: "the laser went out"})
    assert again.valid.tolist() == [3, 0]
    state = DeviceState(status=DeviceStatus.BUSY, queue_length=4, message="m")
    assert words.to_state(words.from_state(state)) == state


def test_circuits_come_back_equal():
    circuit = QuantumCircuit(3, 2, name="odd")
    circuit.rx(Parameter("b") + 1, 0)
    circuit.rz(Parameter("a"), 2)
    circuit.measure([2, 0], [0, 1])
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    data = words.from_circuit(circuit)
    assert words.to_circuit(data) == circuit
    assert words.from_circuit(circuit, version=13)[6] == 13
    with pytest.raises(RejectedError, match="a QuantumCircuit, not a str"):
        words.from_circuit("OPENQASM 3;")
    with pytest.raises(RejectedError, match="cannot be read by Qiskit"):
        words.to_circuit(b"QISKIT\x7f" + data[7:])


@pytest.mark.parametrize("name", sorted(words._ERRORS))
def test_errors_keep_their_kind_and_words(name):
    kind = getattr(errors, name)
    error = kind("why", job_id="7") if kind is JobFailedError else kind("why")
    again = words.to_error(words.from_error(error))
    assert type(again) is kind
    assert str(again) == "why"
    assert getattr(again, "job_id", "7") == "7"


def test_an_error_that_nobody_foresaw_is_the_plugins():
    again = words.to_error(words.from_error(ZeroDivisionError("division by zero")), "job 7")
    assert type(again) is ProtocolError
    assert str(again) == "ZeroDivisionError: division by zero (job 7)"


@pytest.mark.parametrize("value", ["00:30:00", "30", 30, "1-12", time(0, 30), "2-03:04:05"])
def test_times_that_slurm_takes(value):
    assert parse(SlurmOptions, {"time": value}, device="slurm").time == str(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": "soon"}, "minutes, or a time such as"),
        ({"time": True}, "minutes, or a time such as"),
        ({"partition": "-o"}, "does not start with '-'"),
        ({"partition": "a b"}, "a name without spaces"),
        ({"extra": ("-p",)}, "a long flag"),
        ({"extra": ("--export=ALL",)}, "a flag other than --export"),
        ({"extra": ("--wrap=rm -r x",)}, "a flag other than --wrap"),
        ({"partitions": "quantum"}, "did you mean 'partition'"),
        ({"array": 1001}, "less than or equal to 1000"),
        ({"idle": 0}, "greater than 0"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        driver.open("aer", **options)


def test_an_allocation_inside_an_allocation_is_refused():
    with pytest.raises(ConfigError, match="drop one"):
        driver.open("slurm:aer")


def test_the_flags_say_all_that_was_said():
    given = {"partition": "q", "account": "a", "licenses": "l:1", "cpus": 3, "memory": "2G"}
    flags = parse(SlurmOptions, given | {"extra": ("--nice",)}, device="slurm").flags()
    assert flags == [
        "--partition=q", "--account=a", "--mem=2G", "--licenses=l:1", "--cpus-per-task=3",
        "--time=00:30:00", "--nodes=1", "--ntasks=1", "--nice",
    ]  # fmt: skip


def test_the_environment_of_a_job_holds_no_secret_and_no_job_around(monkeypatch):
    for name, value in {
        "SLURM_CONF": "/etc/slurm/slurm.conf",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_PARTITION": "classical",
        "SBATCH_PARTITION": "x",
        "IQM_TOKEN": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "QDMI_LAB_TOKEN": "secret",
        "QDMI_LAB_URL": "https://lab",
        "QDMI_OTHER_TOKEN": "file:/x",
        "MINE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    found = clients.environment(["MINE"])
    assert "secret" not in found.values()
    assert found["SLURM_CONF"] == "/etc/slurm/slurm.conf"
    assert found["MINE"] == "1"
    assert (found["QDMI_LAB_URL"], found["QDMI_OTHER_TOKEN"]) == ("https://lab", "file:/x")
    assert not any(name.startswith(("SLURM_JOB", "SBATCH")) for name in found)
    assert clients.environment(step=True)["SLURM_JOB_ID"] == "7"


@pytest.mark.parametrize(
    ("state", "reason", "status"),
    [
        ("PENDING", "Licenses", JobStatus.QUEUED),
        ("PENDING", "AssocGrpLicenseMinutes", JobStatus.QUEUED),
        ("PENDING", "DependencyNeverSatisfied", JobStatus.FAILED),
        ("CONFIGURING", "None", JobStatus.QUEUED),
        ("SUSPENDED", "None", JobStatus.RUNNING),
        ("COMPLETING", "None", JobStatus.RUNNING),
        ("COMPLETED", "None", JobStatus.DONE),
        ("CANCELLED", "None", JobStatus.CANCELED),
        ("TIMEOUT", "TimeLimit", JobStatus.FAILED),
        ("OUT_OF_MEMORY", "OutOfMemory", JobStatus.FAILED),
        ("NODE_FAIL", "None", JobStatus.FAILED),
        ("A_NEW_WORD", "None", JobStatus.RUNNING),
    ],
)
def test_slurms_words_in_ours(state, reason, status):
    assert clients.Seen("7", state, reason).status is status


@pytest.mark.parametrize(
    ("text", "minutes"), [("30", 30), ("00:30:00", 30), ("1-12", 2160), ("10:30", 11)]
)
def test_limits_in_minutes(text, minutes):
    assert _minutes(text) == minutes


def test_without_slurm_the_error_says_where_to_go(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.UnavailableError, match="such as a login node"):
        driver.open("aer").spec()
    monkeypatch.undo()
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "none"))
    with suppress(FileNotFoundError), pytest.raises(errors.UnavailableError):
        driver.open("aer").spec()


def test_the_table_names_tests_that_there_are():
    here = Path(__file__).parent
    named = set(re.findall(r"`((?:test_\w+|nodes_stay_up))`", (here / "README.md").read_text()))
    sources = [*here.glob("test_*.py"), *here.parent.glob("chemistry/test_*.py")]
    known = set(re.findall(r"^def (\w+)", "".join(map(Path.read_text, sources)), re.MULTILINE))
    assert len(named) > 40
    assert named <= known
