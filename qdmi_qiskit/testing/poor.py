"""The poorest device allowed, in memory: what the planner has to make up for.

Text in (OpenQASM 2), one program per job, 2 to 100 shots, a histogram out; nothing to cancel and
nothing to find again. Five qubits on a line, five gates, with figures. Outcomes are ideal.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from qiskit import qasm2

from qdmi_qiskit.bits import count, from_bools, from_counts
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError, JobFailedError, ProtocolError, RejectedError
from qdmi_qiskit.model import (
    Calibration,
    Capabilities,
    DeviceSpec,
    Figures,
    JobStatus,
    Operation,
    Shots,
    Site,
    Task,
)
from qdmi_qiskit.testing.simulate import Ending, simulate

GATES = frozenset({"rz", "sx", "x", "cx", "measure"})
_TAKEN = datetime(2026, 1, 1, tzinfo=UTC)


class PoorJob(Job):
    """A job that is queued when first asked and done after that."""

    def __init__(self, job_id: str, shots: Shots) -> None:
        self.id = job_id
        self._shots = shots
        self._states = itertools.chain([JobStatus.QUEUED], itertools.repeat(JobStatus.DONE))

    def status(self) -> JobStatus:
        return next(self._states)

    def result(self) -> tuple[Shots, ...]:
        if self.status() is not JobStatus.DONE:
            raise JobFailedError(f"job {self.id} is not done: wait for it", job_id=self.id)
        return (self._shots,)


class PoorSession(Session):
    """Outcomes are drawn from one stream, so that jobs in one order are reproducible."""

    def __init__(self, seed: int = 0) -> None:
        self._source = np.random.default_rng(seed)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def spec(self) -> DeviceSpec:
        return DeviceSpec(
            name="poor",
            version="1",
            sites=sites(),
            operations=operations(),
            capabilities=Capabilities(formats=("qasm2",), min_shots=2, max_shots=100),
            simulator=True,
            calibration=Calibration("poor-1", _TAKEN),
            dt=1e-9,
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> PoorJob:
        if len(tasks) != 1 or tasks[0].points != 1 or not 2 <= tasks[0].shots <= 100:
            raise ProtocolError(
                "poor takes one program of 2 to 100 shots per job; the planner sent "
                f"{[(task.points, task.shots) for task in tasks]} (points, shots)"
            )
        ending = read(tasks[0].program.payload)
        with self._lock:
            columns = ending.sample(tasks[0].shots, self._source)
            job_id = f"poor-{next(self._numbers)}"
        width = tasks[0].program.num_bits
        packed = from_counts(count(from_bools(columns)), width)
        return PoorJob(job_id, Shots(packed[None], width))


def read(text: str) -> Ending:
    """Run OpenQASM 2 up to its measurements.

    Raises:
        RejectedError: It is none, or uses what the device does not execute.
    """
    try:
        circuit = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    except qasm2.QASM2ParseError as error:
        raise RejectedError(f"no OpenQASM 2: {error}") from error
    return simulate(circuit, GATES)


def sites() -> tuple[Site, ...]:
    """Five qubits, no two alike."""
    return tuple(
        Site(
            k,
            name=f"P{k + 1}",
            t1=(60 + 5 * k) * 1e-6,
            t2=(40 + 5 * k) * 1e-6,
            frequency=(4.8 + 0.1 * k) * 1e9,
            prob_meas1_prep0=0.01 + 0.001 * k,
            prob_meas0_prep1=0.02 + 0.001 * k,
        )
        for k in range(5)
    )


def operations() -> tuple[Operation, ...]:
    """The gate set: CX along the line, both ways."""
    places: list[tuple[int, ...]] = [(k,) for k in range(5)]
    pairs: list[tuple[int, ...]] = [pair for k in range(4) for pair in ((k, k + 1), (k + 1, k))]
    one = {place: Figures(32e-9, 0.9995 - 0.0001 * place[0]) for place in places}
    two = {pair: Figures(180e-9, 0.992 - 0.001 * min(pair)) for pair in pairs}
    return (
        Operation("cx", 2, (), two),
        Operation("measure", 1, (), {place: Figures(1.2e-6, 0.985) for place in places}),
        Operation("rz", 1, ("phi",), {place: Figures(0.0, 1.0) for place in places}),
        Operation("sx", 1, (), one),
        Operation("x", 1, (), dict(one)),
    )


class PoorDriver:
    """`poor:`; the option `seed` begins another stream of outcomes."""

    def open(self, locator: str, **options: object) -> PoorSession:
        """Return a session on a device of its own."""
        seed = options.pop("seed", 0)
        if locator or options or not isinstance(seed, int):
            raise ConfigError(f"poor: takes seed=INTEGER and no locator, not {locator!r} {options}")
        return PoorSession(seed)

    def names(self, **_options: object) -> Sequence[str]:
        """List the one device there is."""
        return ("",)


driver = PoorDriver()
