"""Put the outcomes of device jobs together to what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qdmi_qiskit import bits
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import Bits, Shots

_BYTE = np.dtype(np.uint8)


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
    found, want = shots.bits, (points, number, bits.num_bytes(shape.num_bits))
    if found.shape != want or found.dtype != _BYTE:
        raise ProtocolError(
            f"the device returned bits of shape {found.shape} and dtype {found.dtype}, "
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
    if shots.failures:
        failed = sorted(shots.failures)
        if valid is None or failed[0] < 0 or failed[-1] >= points or valid[failed].any():
            raise ProtocolError(
                f"the device says that points {failed} of {points} failed, and not that none of "
                "their shots is valid: report it to the author of the plug-in"
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
