"""What `native:` costs beside mqt-core's own bindings, both on DDSIM: CPU time, side by side.

    python -m benchmarks.native [ROUNDS]

1. One job, Bell, 1000 shots: from a program's text to its shots. Calls alternate in one process.
   DDSIM works in processes of its own: the job is counted with them and, for who wants to see
   what Python adds, without.
2. From the start of a process to the counts of Bell: ours by the device layer alone, which does
   not import Qiskit, and by `QDMIBackend`; theirs by `mqt.core.plugins.qiskit`. The interpreter's
   own start counts for all.

Needs mqt-core 4.1.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEXT = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[2] c;\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'
    "c[0] = measure q[0];\nc[1] = measure q[1];\n"
)
BELL = (
    "from qiskit import QuantumCircuit\n"
    "c = QuantumCircuit(2)\nc.h(0)\nc.cx(0, 1)\nc.measure_all()\n"
)
ALONE = (
    "from qdmi_qiskit.bits import count\n"
    "from qdmi_qiskit.model import Program, Task\n"
    "from qdmi_qiskit.registry import open_device\n"
    "session = open_device('native:mqt.ddsim.default')\n"
    f"job = session.submit([Task(Program('qasm3', {TEXT!r}, 2), 1000)], key='bell')\n"
    "job.wait()\n"
    "assert sum(count(job.result()[0].bits[0]).values()) == 1000\n"
)
OURS = (
    BELL + "from qdmi_qiskit import QDMIProvider\n"
    "b = QDMIProvider().get_backend('native:mqt.ddsim.default')\n"
    "assert sum(b.run(c, shots=1000).result().get_counts().values()) == 1000\n"
)
THEIRS = (
    BELL + "from mqt.core.plugins.qiskit import QDMIProvider\n"
    "b = QDMIProvider().get_backend_by_device_id('mqt.ddsim.default')\n"
    "assert sum(b.run(c, shots=1000).result().get_counts().values()) == 1000\n"
)
JOB_LIMIT, START_LIMIT = 1.3, 0.5
JOBS = 100


def workers() -> float:
    """CPU seconds of the processes that this one started, those that ended included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def job_races(rounds: int) -> list[tuple[float, float, float, float]]:
    """Return CPU seconds per job of each round: ours and theirs with DDSIM's, and without."""
    from mqt.core.qdmi import ProgramFormat, builtin_driver

    from qdmi_qiskit.devices.native import driver
    from qdmi_qiskit.model import Program, Task

    session = driver.open("mqt.ddsim.default")
    session.spec()
    device = builtin_driver.open_device("mqt.ddsim.default")
    task = Task(Program("qasm3", TEXT, 2), 1000)

    def ours() -> None:
        job = session.submit([task], key="k")
        job.wait()
        assert job.result()[0].bits.shape == (1, 1000, 1)

    def theirs() -> None:
        job = device.submit_job(TEXT, ProgramFormat.QASM3, 1000)
        job.wait()
        assert len(job.get_shots()) == 1000

    def one(work: Callable[[], None]) -> tuple[float, float]:
        start, before = time.process_time(), workers()
        for _ in range(JOBS):
            work()
        host = time.process_time() - start
        return (host + workers() - before) / JOBS, host / JOBS

    found = []
    for _ in range(rounds):
        (ours_all, ours_host), (theirs_all, theirs_host) = one(ours), one(theirs)
        found.append((ours_all, theirs_all, ours_host, theirs_host))
    return found


def started(code: str) -> float:
    """User plus system time of a fresh interpreter that runs `code`, without DDSIM's workers."""
    counted = code + "import time\nopen(3, 'w').write(str(time.process_time()))\n"
    read, write = os.pipe()
    os.set_inheritable(write, True)
    actions = [(os.POSIX_SPAWN_DUP2, write, 3)]
    command = [sys.executable, "-c", counted]
    process = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
    os.close(write)
    _, status, _ = os.wait4(process, 0)
    with os.fdopen(read) as answer:
        text = answer.read()
    if status:
        sys.exit(f"{code!r} failed")
    return float(text)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    races = [statistics.median(times) for times in zip(*job_races(rounds), strict=True)]
    _say("a job with DDSIM's processes", races[0], races[1], JOB_LIMIT)
    _say("of which in this process", races[2], races[3], None)
    codes = (ALONE, OURS, THEIRS, BELL)
    for code in codes:
        started(code)  # byte code and the file cache are warm for all
    times = zip(*([started(code) for code in codes] for _ in range(rounds)), strict=True)
    alone, mine, yours, qiskit = (statistics.median(each) for each in times)
    _say("process start to Bell, device layer alone", alone, yours, START_LIMIT)
    _say("process start to Bell, backend", mine, yours, None)
    print(f"of which Qiskit itself, for building Bell: {1e3 * qiskit:.2f} ms")


def _say(what: str, mine: float, yours: float, limit: float | None) -> None:
    verdict = "for information" if limit is None else "ok"
    if limit is not None and mine > limit * yours:
        verdict = f"MISSED {limit}"
    print(f"{what}: {1e3 * mine:.2f} ms / {1e3 * yours:.2f} ms = {mine / yours:.2f} ({verdict})")


if __name__ == "__main__":
    main()
