"""Fit what the user wants to what the device takes. The only fallback there is.

`plan` cuts requests into jobs that obey the capabilities; `merge` puts the
pieces back. Both are pure, and neither knows what a circuit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from qdmi_qiskit import bits
from qdmi_qiskit.errors import ConfigError, ProtocolError
from qdmi_qiskit.model import Basis, Bits, Capabilities, Program, Shots, Task, Values

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


class Shape(NamedTuple):
    """The size of one outcome."""

    points: int
    shots: int
    num_bits: int


class Place(NamedTuple):
    """Where the outcome of one task belongs; half-open ranges."""

    request: int
    points: tuple[int, int]
    shots: tuple[int, int]


class Chunk(NamedTuple):
    """One job: its tasks, and where each outcome belongs."""

    tasks: tuple[Task, ...]
    places: tuple[Place, ...]


Piece = tuple[Task, Place]


@dataclass(frozen=True, slots=True)
class Codec(Generic[C]):
    """What the planner needs to know of circuits.

    Attributes:
        encode: Makes a program of a circuit, its parameters left open.
        bound: Makes one program for each row of values.
        measured: Appends the measurement of a basis to a circuit.
    """

    encode: Callable[[C], Program]
    bound: Callable[[C, Values], Iterable[Program]]
    measured: Callable[[C, Basis], C]


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
        if not request.writes:
            continue
        if request.basis is None or capabilities.bases:
            asked = request
        else:
            circuit = codec.measured(request.circuit, request.basis)
            asked = replace(request, circuit=circuit, basis=None)
        pieces += _pieces(index, asked, capabilities, codec, programs, seeds)
    if len(pieces) == 1:
        return (_chunk(pieces),)
    return tuple(_pack(pieces, capabilities))


def _pieces(
    index: int,
    request: Request[C],
    caps: Capabilities,
    codec: Codec[C],
    programs: dict[int, Program],
    seeds: Iterator[int] | None,
) -> Iterator[Piece]:
    if request.shots < caps.min_shots:
        raise ConfigError(
            f"{request.shots} shots asked, but the device takes no fewer than {caps.min_shots} "
            f"per circuit: ask for at least {caps.min_shots}"
        )
    unlimited = caps.max_shots is None and caps.max_total_shots is None
    cuts = ((0, request.shots),) if unlimited else _cuts(request.shots, caps)
    tables: Iterable[tuple[tuple[int, int], Program, Values]]
    if not caps.sweeps:
        tables = _rows(request, codec)
    elif caps.max_executables is None and caps.max_total_shots is None:
        whole = (0, len(request.values))
        program = _encoded(request.circuit, codec, programs)
        tables = ((whole, program, request.values),) if whole[1] else ()
    else:
        largest = max(b - a for a, b in cuts)
        fits = None if caps.max_total_shots is None else caps.max_total_shots // largest
        tables = _sweeps(request, codec, programs, _least(caps.max_executables, fits))
    for points, program, values in tables:
        for shots in cuts:
            seed = None if seeds is None else next(seeds)
            task = Task(program, shots[1] - shots[0], values, seed, request.basis)
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
    request: Request[C], codec: Codec[C], programs: dict[int, Program], limit: int | None
) -> Iterator[tuple[tuple[int, int], Program, Values]]:
    if len(request.values):
        program = _encoded(request.circuit, codec, programs)
        for a, b in _ranges(len(request.values), limit):
            yield (a, b), program, request.values[a:b]


def _rows(
    request: Request[C], codec: Codec[C]
) -> Iterator[tuple[tuple[int, int], Program, Values]]:
    for point, program in enumerate(codec.bound(request.circuit, request.values)):
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


def merge(
    shapes: Sequence[Shape],
    places: Sequence[Sequence[Place]],
    results: Iterable[Sequence[Shots]],
) -> tuple[Shots, ...]:
    """Put every outcome where it belongs; the order of arrival does not matter.

    Each result is put away before the next is taken, and none is held afterwards.

    Where a device discarded shots, the valid ones of all pieces of a point come
    first and `Shots.valid` says how many they are. Where some pieces of a point
    failed, `Shots.failures` has the reason of the last.

    Raises:
        ProtocolError: An outcome has another shape than its task asked for.
    """
    if len(shapes) == 1 and len(places) == 1 and len(places[0]) == 1:
        ((only,),) = results
        return (_checked(only, places[0][0], shapes[0]),)  # nothing to put together
    made: dict[int, _Growing] = {}
    for row, result in zip(places, results, strict=True):
        for place, raw in zip(row, result, strict=True):
            shape = shapes[place.request]
            shots = _checked(raw, place, shape)
            growing = made.get(place.request)
            if growing is None:
                growing = made[place.request] = _Growing(shape, place, shots)
            else:
                growing.add(place, shots)
    return tuple(
        made[k].shots() if k in made else Shots(_nothing(shape), shape.num_bits)
        for k, shape in enumerate(shapes)
    )


def _nothing(shape: Shape) -> Bits:
    return np.zeros((shape.points, shape.shots, bits.num_bytes(shape.num_bits)), np.uint8)


class _Growing:
    """The outcome of a request while its pieces come."""

    __slots__ = ("_bits", "_failures", "_pieces", "_shape", "_whole")

    def __init__(self, shape: Shape, place: Place, shots: Shots) -> None:
        self._shape = shape
        self._whole: Shots | None = None
        if place.points == (0, shape.points) and place.shots == (0, shape.shots):
            self._whole = shots  # nothing to put together
            return
        self._bits = _nothing(shape)
        self._failures: dict[int, str] = {}
        self._pieces: list[tuple[Place, npt.NDArray[np.int64] | None]] = []
        self.add(place, shots)

    def add(self, place: Place, shots: Shots) -> None:
        self._bits[slice(*place.points), slice(*place.shots)] = shots.bits
        self._pieces.append((place, shots.valid))
        for point, reason in shots.failures.items():
            self._failures[place.points[0] + point] = reason

    def shots(self) -> Shots:
        if self._whole is not None:
            return self._whole
        kept = None
        if any(valid is not None for _, valid in self._pieces):
            kept = self._moved_up()
        return Shots(self._bits, self._shape.num_bits, kept, self._failures)

    def _moved_up(self) -> npt.NDArray[np.int64]:
        """Move the valid shots of all pieces together; return how many each point has."""
        kept = np.zeros(self._shape.points, np.int64)
        for place, valid in sorted(self._pieces, key=lambda piece: piece[0].shots):
            first, last = place.shots
            for row, point in enumerate(range(*place.points)):
                number = last - first if valid is None else int(valid[row])
                line, start = self._bits[point], int(kept[point])
                line[start : start + number] = line[first : first + number]
                kept[point] += number
        for point, number in enumerate(kept.tolist()):
            self._bits[point, number:] = 0
        return kept


def _checked(shots: Shots, place: Place, shape: Shape) -> Shots:
    points, number = place.points[1] - place.points[0], place.shots[1] - place.shots[0]
    want = (points, number, bits.num_bytes(shape.num_bits))
    if shots.bits.shape != want or shots.bits.dtype != np.uint8:
        raise ProtocolError(
            f"the device returned bits of shape {shots.bits.shape} and dtype {shots.bits.dtype}, "
            f"expected {want} and uint8: report it to the author of the plug-in"
        )
    valid = shots.valid
    if valid is not None and (
        valid.shape != (points,) or (valid < 0).any() or (valid > number).any()
    ):
        raise ProtocolError(
            f"the device says that {valid.tolist()} of {number} shots are valid at {points} "
            "points: report it to the author of the plug-in"
        )
    failed = sorted(shots.failures)
    if failed and (valid is None or failed[0] < 0 or failed[-1] >= points or valid[failed].any()):
        raise ProtocolError(
            f"the device says that points {failed} of {points} failed, and not that none of their "
            "shots is valid: report it to the author of the plug-in"
        )
    return shots


def lost(places: Sequence[Place], shapes: Sequence[Shape], reason: str) -> tuple[Shots, ...]:
    """Return what stands in for the outcome of a job that has none: no shot of it is valid."""
    made = []
    for place in places:
        points, shots = (b - a for a, b in (place.points, place.shots))
        num_bits = shapes[place.request].num_bits
        made.append(
            Shots(
                np.zeros((points, shots, bits.num_bytes(num_bits)), np.uint8),
                num_bits,
                np.zeros(points, np.int64),
                dict.fromkeys(range(points), reason),
            )
        )
    return tuple(made)
