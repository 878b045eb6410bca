"""`python -m benchmarks.journal`: what keeping runs in the journal costs.

Three figures, each beside what is promised: wall time of 100 tasks on a service 20 ms away; CPU of
10 000 circuits; CPU of looking into a journal of 100 000 runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.journal import Recorder, journal_at
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    JobStatus,
    Operation,
    Shots,
    Site,
    Task,
)

LATENCY = 0.02


class FarJob(Job):
    numbers = itertools.count()

    def __init__(self, tasks: Any, latency: float) -> None:
        self.id, self._tasks, self._latency = f"far-{next(self.numbers)}", tasks, latency

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def result(self) -> tuple[Shots, ...]:
        time.sleep(self._latency)
        return tuple(_zeros(task) for task in self._tasks)


def _zeros(task: Task) -> Shots:
    return Shots(np.zeros((task.points, task.shots, 1), np.uint8), task.num_bits)


class FarSession(Session):
    """A service some milliseconds away, that takes OpenQASM 3."""

    def __init__(self, *, latency: float, executables: int, submit_key: bool) -> None:
        self._latency = latency
        self._spec = DeviceSpec(
            name="far",
            version="1",
            sites=tuple(Site(k) for k in range(4)),
            operations=(
                Operation("rz", 1, ("phi",)),
                Operation("sx", 1),
                Operation("cx", 2),
                Operation("measure", 1),
            ),
            capabilities=Capabilities(
                formats=("qasm3",),
                max_executables=executables,
                retrieve=True,
                detached=True,
                submit_key=submit_key,
                ordered_shots=True,
            ),
        )

    def spec(self) -> DeviceSpec:
        return self._spec

    def submit(self, tasks: Any, *, key: str) -> FarJob:
        time.sleep(self._latency)
        return FarJob(tasks, self._latency)


def circuit(number: int) -> QuantumCircuit:
    made = QuantumCircuit(4, 4, name=f"c{number}")
    for k in range(10):
        made.rz(0.1 * number + k, k % 4)
        made.sx(k % 4)
        made.cx(k % 4, (k + 1) % 4)
    made.measure(range(4), range(4))
    return made


def far(place: Path | None, **said: Any) -> Callable[[], None]:
    backend = QDMIBackend(
        FarSession(**said), name="far", recorder=Recorder(place, True, "far", "far:", {})
    )
    circuits = [circuit(k) for k in range(100)]

    def call() -> None:
        backend.run(circuits, shots=100).result()

    return call


def ten_thousand(place: Path | None, backend: QDMIBackend) -> Callable[[], None]:
    recorder = Recorder(place, True, "b", "b:", {})
    sampler = SamplerV2(QDMIBackend(backend.session, name="b", recorder=recorder))
    circuits = [circuit(k) for k in range(10_000)]

    def call() -> None:
        sampler.run(circuits, shots=100).result()

    return call


def ratio(
    ours: Callable[[], None], theirs: Callable[[], None], clock: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """Return the median of ours over theirs, and of theirs in seconds; in alternation."""
    ratios, seconds = [], []
    for number in range(rounds):
        spent = {}
        for call in (theirs, ours) if number % 2 else (ours, theirs):
            start = clock()
            call()
            spent[call] = clock() - start
        ratios.append(spent[ours] / spent[theirs])
        seconds.append(spent[theirs])
    return statistics.median(ratios), statistics.median(seconds)


def crowded(path: Path, runs: int) -> str:
    """Make a journal of many runs by copying one of each; return the id of one in the middle."""
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    backend = provider.get_backend("aer", num_qubits=4, journal=True)
    job = SamplerV2(backend).run([circuit(1)], shots=100, tags=["t"])
    job.result()
    journal_at(path).close()
    connection = sqlite3.connect(path)
    copied = (
        "SELECT k, printf('%032x', k * 7919), kind, backend, device, state, created + k, changed, "
        "NULL, beat, NULL FROM runs, n WHERE number = 1"
    )
    numbers = "WITH RECURSIVE n(k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM n WHERE k < ?)"
    connection.execute(f"{numbers} INSERT INTO runs {copied}", (runs,))
    for table, columns in {
        "inputs": "opening, spec, call, circuits",
        "chunks": "stage, number, key, state, attempt, fingerprint, job, reason, facts",
        "results": "stage, number, body",
        "tags": "tag",
    }.items():
        theirs = ", ".join(f"one.{column}" for column in columns.split(", "))
        connection.execute(
            f"INSERT INTO {table} (run, {columns}) SELECT runs.number, {theirs} "  # noqa: S608
            f"FROM runs, {table} AS one WHERE one.run = 1 AND runs.number > 1"
        )
    connection.commit()
    connection.close()
    return f"{runs // 2 * 7919:032x}"


def cpu_of(call: Callable[[], Any], times: int = 50) -> float:
    call()
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def main(words: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="qdmi-journal-"))
    for name, measure in (("latency", latency), ("circuits", many_circuits), ("rows", many_rows)):
        if not words or name in words:
            measure(folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def latency(folder: Path) -> None:
    for name, key in (("by key", True), ("no key", False)):
        said = {"latency": LATENCY, "executables": 1, "submit_key": key}
        found, seconds = ratio(
            far(folder / "a.sqlite", **said), far(None, **said), time.perf_counter, 21
        )
        print(f"100 tasks, 20 ms away, {name}: wall {found:.3f} of {seconds:.3f} s (at most 1.05)")


def many_circuits(folder: Path) -> None:
    aer = QDMIProvider(environ={}).get_backend("aer", num_qubits=4)
    far_away = QDMIBackend(FarSession(latency=0.0, executables=100, submit_key=True), name="far")
    one_each = QDMIBackend(FarSession(latency=0.0, executables=1, submit_key=True), name="far")
    for name, backend in (
        ("Aer", aer),
        ("OpenQASM 3, 100 in a job", far_away),
        ("OpenQASM 3, each a job", one_each),
    ):
        found, seconds = ratio(
            ten_thousand(folder / "b.sqlite", backend),
            ten_thousand(None, backend),
            time.process_time,
            2,
        )
        print(f"10 000 circuits, {name}: CPU {found:.3f} of {seconds:.2f} s (at most 1.10)")


def many_rows(folder: Path) -> None:
    path = folder / "c.sqlite"
    job_id = crowded(path, 100_000)
    provider = QDMIProvider(environ={"QDMI_JOURNAL": str(path)})
    assert len(provider.jobs(limit=20)) == 20
    assert provider.job(job_id).result()[0].data.c.num_shots == 100
    for name, call in (
        ("jobs(limit=20)", lambda: provider.jobs(limit=20)),
        ("jobs(limit=20, state='done', tag='t')", lambda: provider.jobs(state="done", tag="t")),
        ("job(id)", lambda: provider.job(job_id)),
        ("job(id).result()", lambda: provider.job(job_id).result()),
    ):
        print(f"100 000 runs, {name}: {1e3 * cpu_of(call):.2f} ms of CPU")


main(sys.argv[1:])
