"""Jobs of C libraries: lists, seeds, failures, lifetimes."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnavailableError
from qdmi_qiskit.model import JobStatus, Program, Task
from qdmi_qiskit.testing.native_device import PREFIX, counters
from tests.native.libraries import DDSIM, TEST, c_library, needs_core, opened
from tests.native.test_native_faults import TEXT, task

pytestmark = pytest.mark.usefixtures("compiler")

BAD = task("nonsense;\n")
COINS = TEXT.replace("flip q[0]", "sx q[0]")


def outcome(job):
    job.wait(300)
    return job.result()


def counted(name="test-1.4", prefix=PREFIX):
    return counters(c_library(int(name[-1]), prefix), prefix)


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        gc.collect()
        time.sleep(0.01)


def test_a_list_of_programs_is_one_job():
    with opened("test-1.4") as session:
        before = counted()["submitted"]
        assert session.spec().capabilities.max_executables == 40
        zero = task(TEXT.replace("flip q[0];\n", ""))
        found = outcome(session.submit([task(), zero, task()], key="k"))
        assert [shots.bits[0, 0, 0] for shots in found] == [1, 0, 1]
        assert counted()["submitted"] == before + 1


def test_one_program_that_fails_leaves_its_siblings():
    with opened("test-1.4") as session:
        job = session.submit([task(), BAD, task()], key="k")
        good, bad, last = outcome(job)
        assert job.status() is JobStatus.DONE
        assert bad.failures == {0: "the library says this program is failed"}
        assert bad.valid.tolist() == [0]
        assert good.failures == last.failures == {}
        assert good.bits[0, :, 0].tolist() == [1] * 20


def test_all_that_fails_is_a_failed_job():
    with opened("test-1.4") as session:
        job = session.submit([BAD, BAD], key="k")
        assert job.wait(300) is JobStatus.FAILED
        with pytest.raises(JobFailedError):
            job.result()


def test_seeds_differ_between_the_programs_of_a_run():
    with opened("test-1.4") as session:
        tasks = [task(COINS, 64, seed=seed) for seed in (1, 2, 1)]
        first, second, third = (shots.bits for shots in outcome(session.submit(tasks, key="k")))
        assert np.array_equal(first, third)
        assert not np.array_equal(first, second)


@pytest.mark.parametrize("words", ["histogram", "no-shots"])
@pytest.mark.parametrize("name", TEST)
def test_a_histogram_does_where_there_are_no_shots(name, words):
    with opened(name, words) as session:
        (shots,) = outcome(session.submit([task(COINS, 100)], key="k"))
        ones = int((shots.bits[0, :, 0] == 1).sum())
        assert shots.bits.shape == (1, 100, 1)
        assert 20 < ones < 80


def test_shots_that_were_discarded_are_said():
    with opened("test-1.4", "fewer-shots") as session:
        (shots,) = outcome(session.submit([task(shots=20)], key="k"))
        assert shots.valid.tolist() == [17]
        assert shots.bits[0, :, 0].tolist() == [1] * 17 + [0] * 3


def test_a_queue_position_is_told():
    with opened("test-1.4") as session:
        job = session.submit([task()], key="k")
        assert job.metadata == {}
        assert job.status() is JobStatus.QUEUED
        assert job.metadata == {"queue_position": 3}


@pytest.mark.parametrize("name", TEST[1:])
def test_a_job_is_found_again(name):
    with opened(name) as session:
        job = session.submit([task(COINS)], key="k")
        found = opened(name).job(job.id)
        assert np.array_equal(outcome(found)[0].bits, outcome(job)[0].bits)
        with pytest.raises(ConfigError, match="finds no job"):
            session.job("test-0")


def test_nothing_stays_open():
    library = {"prefix": "LIFETIMES"}
    with opened("test-1.4", **library) as session:
        pass
    zero = counted(prefix="LIFETIMES")
    assert (zero["sessions"], zero["jobs"]) == (0, 0)
    with opened("test-1.4", bit_order="highest_first", **library) as session:
        session.spec()
        assert counted(prefix="LIFETIMES")["jobs"] == 0  # what was asked with them is freed
        outcome(session.submit([task()], key="k"))
        assert counted(prefix="LIFETIMES")["jobs"] == 0
    end = counted(prefix="LIFETIMES")
    assert (end["sessions"], end["initialized"], end["misused"]) == (0, 1, 0)


def test_a_session_outlives_its_jobs():
    library = {"prefix": "OUTLIVES", "bit_order": "highest_first"}
    session = opened("test-1.4", **library)
    job = session.submit([task()], key="k")
    session.close()
    assert counted(prefix="OUTLIVES")["sessions"] == 1
    assert outcome(job)[0].bits[0, 0, 0] == 1
    end = counted(prefix="OUTLIVES")
    assert (end["sessions"], end["jobs"], end["misused"]) == (0, 0, 0)
    with pytest.raises(UnavailableError, match="closed"):
        session.status()


def test_what_is_forgotten_is_freed_when_it_ended():
    library = {"prefix": "FORGOTTEN", "bit_order": "highest_first"}
    session = opened("test-1.4", **library)
    session.submit([task()], key="k")
    del session
    until(lambda: counted(prefix="FORGOTTEN")["sessions"] == 0)
    end = counted(prefix="FORGOTTEN")
    assert (end["jobs"], end["misused"]) == (0, 0)  # it was not freed while it ran


def test_threads_share_a_session():
    with opened("test-1.4") as session, ThreadPoolExecutor(8) as pool:

        def one(k):
            text = TEXT if k % 2 else TEXT.replace("flip q[0];\n", "")
            return int(outcome(session.submit([task(text)], key=str(k)))[0].bits[0, 0, 0])

        assert list(pool.map(one, range(200))) == [k % 2 for k in range(200)]
    assert counted()["misused"] == 0


def test_several_libraries_work_side_by_side():
    circuit = QuantumCircuit(2, 2)
    circuit.x(1)
    circuit.measure([0, 1], [0, 1])
    from qiskit.transpiler import generate_preset_pass_manager

    jobs = []
    for name in TEST:
        backend = QDMIBackend(opened(name))
        isa = generate_preset_pass_manager(1, backend=backend).run(circuit)
        jobs.append(SamplerV2(backend).run([isa], shots=10))
    for job in jobs:
        assert job.result()[0].data.c.get_counts() == {"10": 10}


EXIT = """
import atexit, ctypes, sys
from qdmi_qiskit.testing.native_device import PREFIX, counters
atexit.register(lambda: print(counters(sys.argv[1])))  # runs last
from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.model import Program, Task
session = driver.open("", library=sys.argv[1], prefix=PREFIX, custom1=sys.argv[2])
session.spec()
task = Task(Program("qasm3", sys.argv[3], 2), 5)
job = session.submit([task], key="k")
if sys.argv[2] != "endless":
    job.wait()
"""


@pytest.mark.parametrize(("words", "left"), [("", 0), ("endless", 1)])
def test_at_exit_everything_is_freed_but_what_runs(words, left):
    ran = subprocess.run(
        [sys.executable, "-c", EXIT, str(c_library(4)), words, TEXT],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"'finalized': {1 - left}, 'sessions': {left}, 'jobs': {left}," in ran.stdout
    assert "'misused': 0" in ran.stdout


@needs_core
def test_ddsim_works_beside_mqt_core():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    backend = QDMIBackend(opened(DDSIM))
    assert backend.run(circuit, shots=5).result().get_counts() == {"1": 5}
    theirs = mqt_device(DDSIM)
    text = TEXT.replace("flip", "x").replace("bit[2]", "bit[1]")
    job = theirs.submit_job(text, mqt_format(), 5)
    job.wait()
    assert job.get_counts() == {"1": 5}
    assert backend.run(circuit, shots=7).result().get_counts() == {"1": 7}


def mqt_device(name):
    from tests.native.oracle import opened_by_mqt

    return opened_by_mqt(name)


def mqt_format():
    from mqt.core.qdmi import ProgramFormat

    return ProgramFormat.QASM3


def test_programs_are_text():
    with opened("test-1.4") as session:
        from qdmi_qiskit.errors import RejectedError

        wrong = Task(Program("qasm3", b"bytes", 2), 1)
        with pytest.raises(RejectedError, match="text"):
            session.submit([wrong], key="k")
