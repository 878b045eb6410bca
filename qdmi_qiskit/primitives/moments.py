"""What the shots of one basis say of observables, and how sure a sum of such means is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.bits import from_bools, to_words
from qdmi_qiskit.model import Bits, Shots, Values
from qdmi_qiskit.primitives.worth import Words, Worth

_TABLE = 12  # measured bits up to which outcomes are counted in a table over all of them
_FEW = 4  # how many times fewer shots than outcomes are not counted, but looked up one by one
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


def cautious(shots: npt.NDArray[np.int64], second: Values, scale: Values) -> Values:
    """Return the variance of a value with two more shots, one either way by the scale.

    That is the rule of succession: what never came in few shots is not impossible. It is too large
    in the mean, so it may decide how many shots are taken, not how good they were. The arguments
    are those of `Moments`.
    """
    return (shots * second + 2 * scale) / (shots + 2)


def scatter(second: Values, fourth: Values) -> Values:
    """Return the variance of one squared deviation: shots times the error of `second`."""
    return np.maximum(fourth - second**2, 0.0)


def wary(shots: npt.NDArray[np.int64], scattered: Values, scale: Values) -> Values:
    """Return the variance of one squared deviation as `cautious` returns that of one value.

    Half of an outcome more counts, as far off as a lone Pauli's other one, twice the root of the
    scale. Without it nothing would look as sure as the variance of what never came.
    """
    return (shots * scattered + 8 * scale**2) / (shots + 2)


class Uncertainty:
    """Adds up the variance of a sum of independent means, one of each basis.

    The variance of a mean of n shots is estimated without bias by m2 / (n - 1), m2 the second
    central moment; of the sum, by V = sum m2 / (n - 1). Where the estimate itself is rough, the
    error over the square root of V is yet larger than 1 in the mean. To the second order in 1 / n

        E[error^2 / V] = 1 + (sum 2 m2^2 / n^3) / V^2 + 2 (sum m3 / n^2)^2 / V^3

    (the delta method with Var(m2) = (m4 - m2^2) / n + 2 m2^2 / n^2 and Cov(mean, m2) = m3 / n; the
    fourth moments cancel), and V is enlarged by that. The last term is Gosset's for few shots and
    for outcomes so rare that few were seen.

    Where no shot of a basis differed, an outcome that never came is still possible. Half of the
    square of the change that one such shot would make is added, the change taken as a lone
    Pauli's, twice the root of the scale: then a lone Pauli's errors are at most 1.2 standard errors
    in the mean however rare its other outcome is. The largest over the bases, not their sum: in
    a sum over many, those that vary tell how large V is.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Begin with nothing.

        Args:
            shape: `(points, observables)`.
        """
        self._first, self._second, self._third, self._unseen = np.zeros((4, *shape))

    def add(self, points: npt.NDArray[np.intp], seen: Moments) -> None:
        """Add the mean of a basis that was measured at some of the points."""
        n = seen.shots.astype(np.float64)
        where = slice(None) if len(points) == len(self._first) else points
        self._first[where] += seen.second / np.maximum(n - 1, 1)
        self._second[where] += 2 * seen.second**2 / n**3
        self._third[where] += seen.third / n**2
        constant = seen.second <= _ROUNDING * seen.scale
        if constant.any():
            unseen = np.where(constant, 2 * seen.scale, 0.0) / n**2
            self._unseen[where] = np.maximum(self._unseen[where], unseen)

    def variance(self) -> Values:
        """Return the variance of the sum, float64, shape `(points, observables)`."""
        first = self._first
        safe = np.where(first > 0, first, 1.0)
        rough = self._second / safe + 2 * (self._third / safe) ** 2
        whole: Values = first + np.where(first > 0, rough, 0.0) + self._unseen
        return whole


def moments(shots: Shots, first: int, worth: Worth) -> Moments:
    """Return what shots say of observables that one basis measures.

    The moments are of the observables' values, so that the covariance between terms is kept.

    Args:
        shots: The outcome, at least one valid shot per point.
        first: Which bit belongs to the first qubit of the basis; the others follow.
        worth: What outcomes of the basis are worth.
    """
    width = worth.width
    if width <= _TABLE and first + width <= 64:
        words = to_words(shots.bits) >> np.uint64(first) & np.uint64(2**width - 1)
        if shots.valid is None and words.shape[1] * _FEW <= 2**width:
            found = [_direct(worth.look_up(words))]
        else:
            counts = _counts(words.astype(np.int64), shots.valid, 2**width)
            found = [_moments(counts, worth.table())]
    else:
        found = [
            _moments(counts, worth.values(lanes))
            for counts, lanes in (_histogram(row, first, width) for row in _valid(shots))
        ]
    parts = found[0] if len(found) == 1 else [np.concatenate(p) for p in zip(*found, strict=True)]
    total, mean, second, third, fourth = parts
    return Moments(total, mean, second, third, fourth, worth.scale)


_Parts = tuple[npt.NDArray[np.int64], Values, Values, Values, Values]


def _direct(values: Values) -> _Parts:
    """From the value of each shot, shape `(points, shots, observables)`."""
    points, total, _ = values.shape
    add = np.add.reduce  # half the cost of `mean` where shots are few
    mean = add(values, axis=1) / total
    shifted = values - mean[:, None]
    squares = shifted * shifted
    second, fourth = add(squares, axis=1) / total, add(squares * squares, axis=1) / total
    third = add(squares * shifted, axis=1) / total
    return np.full((points, 1), total, np.int64), mean, second, third, fourth


def _moments(counts: npt.NDArray[np.int64], values: Values) -> _Parts:
    """From counts `(points, outcomes)` and the values of the outcomes.

    Powers are taken about the middle of the values: no digits are lost to a large mean.
    """
    middle = (values.max(axis=0) + values.min(axis=0)) / 2
    shifted = values - middle
    squares = shifted * shifted
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / total
    one, two = shares @ shifted, shares @ squares
    three, four = shares @ (squares * shifted), shares @ (squares * squares)
    second = np.maximum(two - one**2, 0.0)
    third = three - 3 * two * one + 2 * one**3
    fourth = four - 4 * three * one + 6 * two * one**2 - 3 * one**4
    return total, one + middle, second, third, fourth


def _valid(shots: Shots) -> list[Bits]:
    if shots.valid is None:
        return list(shots.bits)
    return [row[:number] for row, number in zip(shots.bits, shots.valid.tolist(), strict=True)]


def _counts(
    words: npt.NDArray[np.int64], valid: npt.NDArray[np.int64] | None, size: int
) -> npt.NDArray[np.int64]:
    """Count outcomes 0 to `size - 1` of shape `(points, shots)`, shape `(points, size)`."""
    if valid is not None:  # what was discarded counts as an outcome of its own
        late = np.arange(words.shape[1]) >= valid[:, None]
        words = np.where(late, size, words)
    bins = size + 1
    flat = (words + bins * np.arange(len(words))[:, None]).ravel()
    return np.bincount(flat, minlength=bins * len(words)).reshape(-1, bins)[:, :size]


def _histogram(shots: Bits, first: int, width: int) -> tuple[npt.NDArray[np.int64], list[Words]]:
    """Return the counts, shape `(1, distinct)`, of distinct outcomes, and those in 64-bit lanes."""
    if shots.shape[1] <= 8 and width < 64:  # integers sort 10 times faster than rows
        words = to_words(shots) >> np.uint64(first) & np.uint64((1 << width) - 1)
        found, counts = np.unique(words, return_counts=True)
        return counts[None, :], [found]
    rows, counts = np.unique(shots, axis=0, return_counts=True)
    bits = np.unpackbits(rows, axis=1)[:, ::-1][:, first : first + width]
    lanes = [to_words(from_bools(bits[:, start : start + 64])) for start in range(0, width, 64)]
    return counts[None, :], lanes
