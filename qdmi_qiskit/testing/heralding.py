"""A device in memory that discards every fifth shot, as heralding or post-selection does.

It sweeps, takes tasks of different shots, keeps order and takes seeds: all that the poor device
does not. Which shots are lost depends on the point, so that points keep different numbers.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import numpy as np

from qdmi_qiskit.bits import from_bools, num_bytes
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Capabilities, DeviceSpec, JobStatus, Shots, Task
from qdmi_qiskit.testing.poor import GATES, operations, sites
from qdmi_qiskit.testing.simulate import simulate

EVERY = 5


class HeraldingJob(Job):
    """A job that is done at once."""

    def __init__(self, job_id: str, outcome: tuple[Shots, ...]) -> None:
        self.id, self._outcome = job_id, outcome

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def result(self) -> tuple[Shots, ...]:
        return self._outcome


class HeraldingSession(Session):
    """Shot i of point p is lost if `i + p` leaves 4 when divided by 5."""

    def __init__(self, seed: int = 0) -> None:
        self._entropy = np.random.SeedSequence(seed)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def spec(self) -> DeviceSpec:
        return DeviceSpec(
            name="heralding",
            version="1",
            sites=sites(),
            operations=operations(),
            capabilities=Capabilities(
                formats=("qiskit",),
                max_executables=None,
                sweeps=True,
                mixed_shots=True,
                ordered_shots=True,
                seeds=True,
            ),
            simulator=True,
            dt=1e-9,
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> HeraldingJob:
        with self._lock:
            number = next(self._numbers)
            fresh = self._entropy.spawn(len(tasks))
        outcome = tuple(
            _run(task, kept if task.seed is None else np.random.SeedSequence(task.seed))
            for task, kept in zip(tasks, fresh, strict=True)
        )
        return HeraldingJob(f"heralding-{number}", outcome)


def _run(task: Task, entropy: np.random.SeedSequence) -> Shots:
    width = task.program.num_bits
    bits = np.zeros((task.points, task.shots, num_bytes(width)), np.uint8)
    valid = np.zeros(task.points, np.int64)
    for point, child in enumerate(entropy.spawn(task.points)):
        circuit = task.program.payload
        if task.program.parameters:
            circuit = circuit.assign_parameters(task.values[point].tolist())
        packed = from_bools(
            simulate(circuit, GATES).sample(task.shots, np.random.default_rng(child))
        )
        kept = packed[(np.arange(task.shots) + point) % EVERY != EVERY - 1]
        valid[point] = len(kept)
        bits[point, : len(kept)] = kept
    return Shots(bits, width, valid)


class HeraldingDriver:
    """`heralding:`; the option `seed` begins another stream of outcomes."""

    def open(self, locator: str, **options: object) -> HeraldingSession:
        """Return a session on a device of its own."""
        seed = options.pop("seed", 0)
        if locator or options or not isinstance(seed, int):
            raise ConfigError(f"heralding: takes seed=INTEGER, not {locator!r} {options}")
        return HeraldingSession(seed)

    def names(self, **_options: object) -> Sequence[str]:
        """List the one device there is."""
        return ("",)


driver = HeraldingDriver()
