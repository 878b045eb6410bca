"""Fit what the user wants to what the device takes. The only fallback there is.

`plan` cuts requests into jobs that obey the capabilities; `merge.merge` puts the
pieces back. Both are pure, and neither knows what a circuit is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.merge import Place, Shape
from qdmi_qiskit.model import Basis, Capabilities, Program, Task, Values

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Request(Generic[C]):
    """A circuit, the points to run it at, and the shots at each point.

    Attributes:
        circuit: Whatever `encode` takes.
        values: float64, shape `(points, parameters)`.
        shots: Shots at each point, at least 1.
        num_bits: Classical bits one shot returns.
        writes: Whether the circuit writes any of them. One that does not is never sent:
            every outcome is zero, and no device is paid to say so.
        basis: What to measure after the circuit; its bits lie above the circuit's own.
    """

    circuit: C
    values: Values
    shots: int
    num_bits: int
    writes: bool = True
    basis: Basis | None = None

    @property
    def shape(self) -> Shape:
        """All that is needed to put the outcome together again."""
        return Shape(len(self.values), self.shots, self.num_bits)


class Chunk(NamedTuple):
    """One job: its tasks, and where each outcome belongs."""

    tasks: tuple[Task, ...]
    places: tuple[Place, ...]


Piece = tuple[Task, Place]


class Codec(Protocol[C]):
    """What the planner needs to know of circuits."""

    def encode(self, circuit: C, /) -> Program:
        """Make a program of a circuit, its parameters left open."""
        ...

    def bound(self, circuit: C, values: Values, /) -> Iterable[Program]:
        """Make one program for each row of values."""
        ...

    def measured(self, circuit: C, basis: Basis, /) -> C:
        """Append the measurement of a basis to a circuit."""
        ...


def plan(
    requests: Sequence[Request[C]],
    capabilities: Capabilities,
    codec: Codec[C],
    *,
    seeds: Iterator[int] | None = None,
) -> tuple[Chunk, ...]:
    """Cut requests into chunks; each chunk is one job the device accepts.

    Args:
        requests: What is wanted. A circuit that occurs in several is encoded once where the
            device sweeps.
        capabilities: What the device takes.
        codec: How circuits become programs.
        seeds: Gives every task a seed of its own; `None`: no seeds.

    Raises:
        ConfigError: A request has fewer shots than the device allows.
    """
    programs: dict[int, Program] = {}
    pieces: list[Piece] = []
    for index, request in enumerate(requests):
        if request.writes:
            pieces += _pieces(index, request, capabilities, codec, programs, seeds)
    if len(pieces) == 1:
        ((task, place),) = pieces
        return (Chunk((task,), (place,)),)
    return tuple(_pack(pieces, capabilities))


def _pieces(
    index: int,
    request: Request[C],
    caps: Capabilities,
    codec: Codec[C],
    programs: dict[int, Program],
    seeds: Iterator[int] | None,
) -> Iterable[Piece]:
    if request.shots < caps.min_shots:
        raise ConfigError(
            f"{request.shots} shots asked, but the device takes no fewer than {caps.min_shots} "
            f"per circuit: ask for at least {caps.min_shots}"
        )
    circuit, basis = request.circuit, request.basis
    if basis is not None and not caps.bases:
        circuit, basis = codec.measured(circuit, basis), None
    points = len(request.values)
    if caps.sweeps and caps.max_shots is caps.max_total_shots is caps.max_executables is None:
        if not points:
            return ()
        program = _encoded(circuit, codec, programs)
        seed = None if seeds is None else next(seeds)
        task = Task(program, request.shots, request.values, seed, basis)
        return ((task, Place(index, (0, points), (0, request.shots))),)
    cuts = _cuts(request.shots, caps)
    tables: Iterable[tuple[tuple[int, int], Program, Values]]
    if not caps.sweeps:
        tables = _rows(circuit, request.values, codec)
    else:
        largest = max(b - a for a, b in cuts)
        fits = None if caps.max_total_shots is None else caps.max_total_shots // largest
        most = _least(caps.max_executables, fits)
        tables = _sweeps(circuit, request.values, codec, programs, most)
    return _cut_up(index, tables, cuts, basis, seeds)


def _cut_up(
    index: int,
    tables: Iterable[tuple[tuple[int, int], Program, Values]],
    cuts: Sequence[tuple[int, int]],
    basis: Basis | None,
    seeds: Iterator[int] | None,
) -> Iterator[Piece]:
    for points, program, values in tables:
        for shots in cuts:
            seed = None if seeds is None else next(seeds)
            task = Task(program, shots[1] - shots[0], values, seed, basis)
            yield task, Place(index, points, shots)


def _cuts(shots: int, caps: Capabilities) -> tuple[tuple[int, int], ...]:
    most = _least(caps.max_shots, caps.max_total_shots)
    if most is None or shots <= most:
        return ((0, shots),)
    cuts = tuple(_ranges(shots, most))
    if min(b - a for a, b in cuts) < caps.min_shots:
        raise ConfigError(
            f"{shots} shots asked, but the device takes {caps.min_shots} to {most} per circuit, "
            f"and no parts within that range add up to them: ask for {len(cuts) * caps.min_shots}"
        )
    return cuts


def _encoded(circuit: C, codec: Codec[C], programs: dict[int, Program]) -> Program:
    """Encode a circuit once; the requests hold their circuits, so no id is used twice."""
    program = programs.get(id(circuit))
    if program is None:
        program = programs[id(circuit)] = codec.encode(circuit)
    return program


def _sweeps(
    circuit: C, values: Values, codec: Codec[C], programs: dict[int, Program], limit: int | None
) -> Iterator[tuple[tuple[int, int], Program, Values]]:
    if len(values):
        program = _encoded(circuit, codec, programs)
        for a, b in _ranges(len(values), limit):
            yield (a, b), program, values[a:b]


def _rows(
    circuit: C, values: Values, codec: Codec[C]
) -> Iterator[tuple[tuple[int, int], Program, Values]]:
    for point, program in enumerate(codec.bound(circuit, values)):
        yield (point, point + 1), program, np.empty((1, 0))


def _least(*limits: int | None) -> int | None:
    return min([limit for limit in limits if limit is not None], default=None)


def _ranges(total: int, limit: int | None) -> Iterator[tuple[int, int]]:
    """Cut `total` into the fewest parts within `limit`, as even as possible.

    Even parts keep every part above a device's minimum where any cut can.
    """
    parts = 1 if limit is None else -(-total // limit)
    for k in range(parts if total else 0):
        yield k * total // parts, (k + 1) * total // parts


def _pack(pieces: Sequence[Piece], caps: Capabilities) -> Iterator[Chunk]:
    if not caps.mixed_shots:
        pieces = sorted(pieces, key=lambda piece: piece[0].shots)
    batch: list[Piece] = []
    size = total = 0
    for piece in pieces:
        task = piece[0]
        cost = task.points * task.shots
        full = caps.max_executables is not None and size + task.points > caps.max_executables
        dear = caps.max_total_shots is not None and total + cost > caps.max_total_shots
        clash = not caps.mixed_shots and batch and batch[0][0].shots != task.shots
        if batch and (full or dear or clash):
            yield _chunk(batch)
            batch, size, total = [], 0, 0
        batch.append(piece)
        size += task.points
        total += cost
    if batch:
        yield _chunk(batch)


def _chunk(batch: Sequence[Piece]) -> Chunk:
    return Chunk(tuple([task for task, _ in batch]), tuple([place for _, place in batch]))
