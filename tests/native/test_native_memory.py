"""Thousands of sessions with queries and jobs: no wrong access, no leak, nothing left open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qdmi_qiskit.testing.native_device import MINORS, PREFIX, build, compiler

CYCLES = int(os.environ.get("QDMI_TEST_CYCLES", "10000"))
"""Times that a session is opened, asked, runs a job and is closed."""

WHOLE = int(os.environ.get("QDMI_TEST_WHOLE", "20"))
"""Every how many cycles the device is asked everything, which is 280 queries; with 1, in every
cycle, it takes four times as long."""

WATCHED = 20
"""Cycles under valgrind, which is fifty times slower."""

CRASHED = ("Tracer caught signal", "LeakSanitizer has encountered a fatal error")
"""What LeakSanitizer says when it fails itself, which it does now and then on a busy machine."""

TRIES = 5

SCRIPT = """
import gc
import sys
from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.model import Program, Task
from qdmi_qiskit.testing.native_device import PREFIX, counters

library, cycles, whole, words = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
text = "OPENQASM 3.0;\\nbit[2] c;\\nqubit[7] q;\\nflip q[0];\\nc[0] = measure q[0];\\n"


def resident():
    gc.collect()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


for cycle in range(cycles):
    session = driver.open("", library=library, prefix=PREFIX, custom1=words)
    session.status()
    if cycle % whole == 0:
        session.raw
    job = session.submit([Task(Program("qasm3", text, 2), 5)], key="k")
    if cycle % 3 == 0:
        job.cancel()
    else:
        assert job.wait(300).value == "done"
        assert job.result()[0].bits.tolist() == [[[1]] * 5]
    session.close()
    if cycle == cycles // 4:
        before = resident()
del job, session
print("grown by", resident() - before, "KiB")
import time
end = time.monotonic() + 120
while counters(library)["jobs"] and time.monotonic() < end:
    time.sleep(0.05)  # canceled jobs are freed behind our back
print({k: v for k, v in counters(library).items() if k in ("sessions", "jobs", "misused")})
"""


def sanitizer():
    """Return the run-time library of AddressSanitizer; None if the compiler has none."""
    found = compiler()
    if found is None or not sys.platform.startswith("linux"):
        return None
    ran = subprocess.run(
        [found, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False
    )
    path = Path(ran.stdout.strip())
    return str(path) if path.is_absolute() and path.exists() else None


@pytest.mark.slow
@pytest.mark.skipif(sanitizer() is None, reason="needs a compiler with AddressSanitizer")
@pytest.mark.parametrize("minor", MINORS)
def test_cycles_neither_leak_nor_touch_foreign_memory(tmp_path, minor):
    ran = cycles(tmp_path, minor, CYCLES)
    assert "{'sessions': 0, 'jobs': 0, 'misused': 0}" in ran.stdout
    assert "LeakSanitizer: detected" in ran.stderr  # it looked: Python itself leaves memory
    assert PREFIX not in ran.stderr  # no leak began in a function of the library
    assert "AddressSanitizer: heap" not in ran.stderr
    # KiB over three quarters of the cycles, of which AddressSanitizer itself keeps some.
    assert int(ran.stdout.split()[2]) < 6_000


@pytest.mark.skipif(sanitizer() is None, reason="needs a compiler with AddressSanitizer")
def test_a_leak_would_be_seen(tmp_path):
    ran = cycles(tmp_path, 4, 12, "leak")
    assert "LeakSanitizer: detected" in ran.stderr
    assert f"{PREFIX}_QDMI_device_session_init" in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind and a C compiler")
@pytest.mark.parametrize(("words", "minor"), [("quiet", 3), ("quiet", 4), ("leak", 4)])
def test_valgrind_sees_no_wrong_access_and_no_leak_that_is_not_there(tmp_path, words, minor):
    library, log = build(tmp_path, minor), tmp_path / "valgrind.log"
    command = ["valgrind", "--leak-check=full", "--num-callers=30", f"--log-file={log}"]
    ran = subprocess.run(
        [*command, sys.executable, "-c", SCRIPT, str(library), str(WATCHED), "1", words],
        env={**os.environ, "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "{'sessions': 0, 'jobs': 0, 'misused': 0}" in ran.stdout
    text = log.read_text()
    assert "ERROR SUMMARY" in text
    # Python's own imports fill the log: what counts is whether a function of the library is in it.
    assert (f"{PREFIX}_QDMI_" in text) is (words == "leak")


def cycles(folder, minor, number, words="quiet"):
    library = build(folder, minor, PREFIX, "-fsanitize=address", "-fno-omit-frame-pointer")
    environ = {
        **os.environ,
        "LD_PRELOAD": sanitizer(),
        # Python itself leaves memory at its end: reports are read, and do not fail the process.
        "ASAN_OPTIONS": (
            "detect_leaks=1:quarantine_size_mb=1:exitcode=0:halt_on_error=1:abort_on_error=1"
        ),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", SCRIPT, str(library), str(number), str(WHOLE), words]
    for _ in range(TRIES):
        ran = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=570, check=False
        )
        if not any(each in ran.stderr for each in CRASHED):
            assert ran.returncode == 0, ran.stderr[-3000:]
            return ran
    return pytest.skip(f"LeakSanitizer itself crashes here: {ran.stderr[-500:]}")
