"""Large jobs, cut into pieces that run one after the other: what waits to be read stays small.

Aer returns a Python string for each shot, or a row of probabilities for each point: some ten
times what the outcome takes when it is packed. Here each piece is packed as soon as it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from qiskit.providers import JobStatus as QiskitJobStatus

from qdmi_qiskit.bits import num_bytes
from qdmi_qiskit.devices.aer.job import Part, failure
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import Bits, Shots, Task


class Piece(NamedTuple):
    """A part of a task that runs by itself; half-open ranges."""

    number: int
    task: Task
    points: tuple[int, int]
    shots: tuple[int, int]


def cut(number: int, task: Task, points: tuple[int, int], shots: int) -> Iterator[Piece]:
    """Return some points of a task, in pieces of at most so many shots; each has its own seed.

    Args:
        number: Of the task in its job.
        task: To be cut.
        points: Which; a half-open range.
        shots: At most, in a piece.
    """
    values = task.values[slice(*points)]
    for a in range(0, task.shots, shots):
        b = min(a + shots, task.shots)
        seed = _seed(task.seed, points[0], a)
        yield Piece(number, replace(task, values=values, shots=b - a, seed=seed), points, (a, b))


def _seed(seed: int | None, point: int, shot: int) -> int | None:
    """Return the seed of a piece: the first one has that of the task."""
    if seed is None or point == shot == 0:
        return seed
    state = np.random.SeedSequence([seed, point, shot]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(2))  # 62 bits: Aer adds to it


class Series:
    """What Aer's own job says of one run, said of many that run one after the other."""

    def __init__(
        self,
        tasks: Sequence[Task],
        batches: Iterable[Sequence[Piece]],
        start: Callable[[Sequence[Task]], Sequence[Part]],
    ) -> None:
        """Begin, in a thread.

        Args:
            tasks: The whole ones, for their shape.
            batches: Pieces that run together.
            start: Starts the native runs of tasks.
        """
        self._canceled, self.success = False, True
        self.results: list[Shots] = []
        pool = ThreadPoolExecutor(1, "qdmi-aer")
        self._future = pool.submit(self._run, tuple(tasks), iter(batches), start)
        pool.shutdown(wait=False)

    def _run(
        self,
        tasks: Sequence[Task],
        batches: Iterator[Sequence[Piece]],
        start: Callable[[Sequence[Task]], Sequence[Part]],
    ) -> None:
        whole: dict[int, Bits] = {}
        for batch in batches:
            if self._canceled:
                return
            for piece, shots in zip(batch, _outcomes([p.task for p in batch], start), strict=True):
                task = tasks[piece.number]
                if shots.bits.shape[:2] == (task.points, task.shots):
                    whole[piece.number] = shots.bits
                    continue
                if piece.number not in whole:
                    shape = (task.points, task.shots, num_bytes(task.num_bits))
                    whole[piece.number] = np.empty(shape, np.uint8)
                whole[piece.number][slice(*piece.points), slice(*piece.shots)] = shots.bits
        self.results = [Shots(whole[k], task.num_bits) for k, task in enumerate(tasks)]

    def result(self, timeout: float | None = None) -> Series:
        """Wait, and return this, whose `results` are the outcomes of the tasks."""
        self._future.result(timeout)
        return self

    def status(self) -> QiskitJobStatus:
        """Return the state in Qiskit's words."""
        if not self._future.done():
            return QiskitJobStatus.RUNNING
        if self._future.exception() is not None:
            return QiskitJobStatus.ERROR
        return QiskitJobStatus.CANCELLED if self._canceled else QiskitJobStatus.DONE

    def cancel(self) -> bool:
        """Stop after the piece that runs now."""
        self._canceled = not self._future.done()
        return self._canceled


def _outcomes(
    tasks: Sequence[Task], start: Callable[[Sequence[Task]], Sequence[Part]]
) -> list[Shots]:
    found: dict[int, Shots] = {}
    for part in start(tasks):
        experiments: list[Any] = []
        for native in part.natives:
            result = native.result()
            if not result.success:
                raise JobFailedError(failure(result), job_id="")
            experiments += result.results
        found.update(zip(part.tasks, part.read(experiments), strict=True))
    return [found[index] for index in range(len(tasks))]
