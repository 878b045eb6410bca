"""What the shots of one basis say of observables, and how sure a sum of such means is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.bits import from_bools, to_words
from qdmi_qiskit.model import Bits, Shots, Values
from qdmi_qiskit.primitives.observables import Flags, Group

_TABLE = 12  # measured bits up to which outcomes are counted in a table over all of them
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Moments:
    """What the shots of one basis say of each observable at each point.

    All but `shots` and `scale` are float64, shape `(points, observables)`, and central moments are
    those of the sample: sums over the shots, divided by their number.

    Attributes:
        shots: How many counted, int64, shape `(points, 1)`.
        mean: Of the observable's values over the shots.
        second: Central moment of one value.
        third: The same.
        fourth: The same.
        scale: Variance of one value if all outcomes were equally likely, shape `(observables,)`.
    """

    shots: npt.NDArray[np.int64]
    mean: Values
    second: Values
    third: Values
    fourth: Values
    scale: Values

    def cautious(self) -> Values:
        """Return the variance of a value with two more shots, one either way by the scale.

        That is the rule of succession: what never came in few shots is not impossible. It is too
        large in the mean, so it may decide how many shots are taken, not how good they were.
        """
        return (self.shots * self.second + 2 * self.scale) / (self.shots + 2)

    def scatter(self) -> Values:
        """Return the variance of one squared deviation: shots times the error of `second`."""
        return np.maximum(self.fourth - self.second**2, 0.0)


class Uncertainty:
    """Adds up the variance of a sum of independent means, one of each basis.

    The variance of a mean of n shots is estimated without bias by m2 / (n - 1), m2 the second
    central moment; of the sum, by V = sum m2 / (n - 1). Where the estimate itself is rough, the
    error over the square root of V is yet larger than 1 in the mean. To the second order in 1 / n

        E[error^2 / V] = 1 + (sum 2 m2^2 / n^3) / V^2 + 2 (sum m3 / n^2)^2 / V^3

    (the delta method with Var(m2) = (m4 - m2^2) / n + 2 m2^2 / n^2 and Cov(mean, m2) = m3 / n; the
    fourth moments cancel), and V is enlarged by that. The last term is Gosset's for few shots and
    for outcomes so rare that few were seen.

    Where no shot of a basis differed, an outcome that never came is still possible: the largest
    change that one such shot of one basis would make, by the scale of its coefficients, is added
    in square. One basis, not all: in a sum over many, those that vary tell how large V is.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Begin with nothing.

        Args:
            shape: `(points, observables)`.
        """
        self._first, self._second, self._third, self._unseen = np.zeros((4, *shape))

    def add(self, points: npt.NDArray[np.intp], seen: Moments) -> None:
        """Add the mean of a basis that was measured at some of the points."""
        n = seen.shots
        self._first[points] += seen.second / np.maximum(n - 1, 1)
        self._second[points] += 2 * seen.second**2 / n**3
        self._third[points] += seen.third / n**2
        unseen = np.where(seen.second <= _ROUNDING * seen.scale, seen.scale, 0.0) / n**2
        self._unseen[points] = np.maximum(self._unseen[points], unseen)

    def variance(self) -> Values:
        """Return the variance of the sum, float64, shape `(points, observables)`."""
        first = self._first
        safe = np.where(first > 0, first, 1.0)
        rough = self._second / safe + 2 * (self._third / safe) ** 2
        whole: Values = first + np.where(first > 0, rough, 0.0) + self._unseen
        return whole


def moments(
    shots: Shots,
    group: Group,
    first: int,
    coefficients: Values,
    tables: dict[Group, Powers] | None = None,
) -> Moments:
    """Return what shots say of observables that one basis measures.

    Each shot gives a value of each observable: its terms' parities (+1 even, -1 odd), weighted.
    The moments of those values keep the covariance between terms.

    Args:
        shots: The outcome, at least one valid shot per point.
        group: Its terms.
        first: Which bit belongs to the first qubit of the group's basis; the others follow.
        coefficients: float64, shape `(observables, terms of the group)`.
        tables: What the values of all outcomes are, remembered by group for the same coefficients.
    """
    width = len(group.basis.qubits)
    if width <= _TABLE and first + width <= 64:
        table = tables.get(group) if tables is not None else None
        if table is None:
            outcomes = np.arange(2**width, dtype=np.uint64)
            table = _powers(_values([outcomes], group.masks, coefficients * group.signs))
            if tables is not None:
                tables[group] = table
        found = [_moments(_counts(shots, first, width), table)]
    else:
        found = [
            _moments(counts, _powers(_values(lanes, group.masks, coefficients * group.signs)))
            for counts, lanes in (_histogram(row, first, width) for row in _valid(shots))
        ]
    parts = found[0] if len(found) == 1 else [np.concatenate(p) for p in zip(*found, strict=True)]
    total, mean, second, third, fourth = parts
    scale = (coefficients**2).sum(axis=1)
    return Moments(total, mean, second, third, fourth, scale)


Powers = tuple[Values, Values]
"""The middle of the values, `(observables,)`, and the first four powers about it, `(outcomes,
4 * observables)`: about the middle no digits are lost to a large mean."""


def _powers(values: Values) -> Powers:
    middle = (values.max(axis=0) + values.min(axis=0)) / 2
    shifted = values - middle
    squares = shifted * shifted
    return middle, np.hstack([shifted, squares, squares * shifted, squares * squares])


def _moments(
    counts: npt.NDArray[np.int64], powers: Powers
) -> tuple[npt.NDArray[np.int64], Values, Values, Values, Values]:
    """From counts `(points, outcomes)` and the powers of the values of the outcomes."""
    total = counts.sum(axis=1, keepdims=True)
    middle, table = powers
    one, two, three, four = np.split((counts @ table) / total, 4, axis=1)
    second = np.maximum(two - one**2, 0.0)
    third = three - 3 * two * one + 2 * one**3
    fourth = four - 4 * three * one + 6 * two * one**2 - 3 * one**4
    return total, one + middle, second, third, fourth


def _values(lanes: Sequence[npt.NDArray[np.uint64]], masks: Flags, coefficients: Values) -> Values:
    """Return each observable's value for each outcome, shape `(outcomes, observables)`."""
    parity = np.zeros((len(lanes[0]), len(masks)), np.uint8)
    for lane, words in enumerate(lanes):
        here = masks[:, 64 * lane : 64 * (lane + 1)]
        powers = np.uint64(1) << np.arange(here.shape[1], dtype=np.uint64)
        part = np.where(here, powers, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        parity += np.bitwise_count(words[:, None] & part)
    return (1.0 - 2.0 * (parity & 1)) @ coefficients.T


def _valid(shots: Shots) -> list[Bits]:
    if shots.valid is None:
        return list(shots.bits)
    return [row[:number] for row, number in zip(shots.bits, shots.valid.tolist(), strict=True)]


def _counts(shots: Shots, first: int, width: int) -> npt.NDArray[np.int64]:
    """Count every outcome of the `width` bits from bit `first`, shape `(points, 2**width)`."""
    size = 2**width
    words = (to_words(shots.bits) >> np.uint64(first)).astype(np.int64) & (size - 1)
    if shots.valid is not None:  # what was discarded counts as an outcome of its own
        late = np.arange(words.shape[1]) >= shots.valid[:, None]
        words = np.where(late, size, words)
    bins = size + 1
    flat = (words + bins * np.arange(len(words))[:, None]).ravel()
    return np.bincount(flat, minlength=bins * len(words)).reshape(-1, bins)[:, :size]


def _histogram(
    shots: Bits, first: int, width: int
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.uint64]]]:
    """Return the counts, shape `(1, distinct)`, of distinct outcomes, and those in 64-bit lanes."""
    rows, counts = np.unique(shots, axis=0, return_counts=True)
    bits = np.unpackbits(rows, axis=1)[:, ::-1][:, first : first + width]
    lanes = [to_words(from_bools(bits[:, start : start + 64])) for start in range(0, width, 64)]
    return counts[None, :], lanes
