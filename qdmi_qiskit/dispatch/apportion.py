"""Whole shots from fractions: largest remainder, within what each device takes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.errors import ConfigError

_TRIED = 10  # members whose range may exclude them: 2**10 ways to do so are looked at


def apportion(
    total: int,
    weights: Sequence[float] | npt.NDArray[np.float64],
    ranges: Sequence[tuple[int, int | None]],
) -> npt.NDArray[np.int64]:
    """Split `total` in proportion to weights; the parts add up to it.

    A member gets nothing, or a number within its range. Of the ways that the ranges leave, the
    one nearest to the proportions (sum of absolute differences) is taken, and of those the one
    with the most members; ties of remainders go to the earlier member.

    Args:
        total: At least 1.
        weights: At least 0, not all 0; a member of weight 0 gets nothing.
        ranges: Fewest and most for each member; `None`: no limit.

    Returns:
        int64, shape `(members,)`.

    Raises:
        ConfigError: The weights are no weights, or the ranges leave no way.
    """
    weight = np.asarray(weights, dtype=np.float64)
    low = np.array([max(least, 0) for least, _ in ranges], dtype=np.int64)
    high = np.array([total if most is None else min(most, total) for _, most in ranges], np.int64)
    if weight.shape != low.shape or not np.isfinite(weight).all() or (weight < 0).any():
        raise ConfigError(
            f"weights {weight.tolist()}: wanted {len(low)} finite numbers of at least 0"
        )
    if not weight.any():
        raise ConfigError("every weight is 0: give at least one member a weight")
    quota = total * weight / weight.sum()
    possible = (weight > 0) & (low <= high)
    fits = bool(((quota >= low) & (quota <= high))[possible].all())
    doubtful = [] if fits else np.flatnonzero(possible).tolist()
    best: tuple[float, int, npt.NDArray[np.int64]] | None = None
    for left_out in _subsets(doubtful[::-1]):
        used = possible.copy()
        used[list(left_out)] = False
        if not used.any() or not low[used].sum() <= total <= high[used].sum():
            continue
        parts = np.zeros(len(low), dtype=np.int64)
        parts[used] = _within(total, weight[used], low[used], high[used])
        distance = round(float(np.abs(parts - quota).sum()), 9)
        if best is None or (distance, len(left_out)) < best[:2]:
            best = distance, len(left_out), parts
    if best is None:
        shown = ", ".join(f"{a} to {'any' if b is None else b}" for a, b in ranges)
        raise ConfigError(
            f"{total} shots cannot be split over members that take {shown}: ask for another "
            "number, or change the members"
        )
    return best[2]


def _subsets(items: list[int]) -> list[tuple[int, ...]]:
    if len(items) > _TRIED:
        return [tuple(items[:size]) for size in range(len(items) + 1)]
    return [some for size in range(len(items) + 1) for some in itertools.combinations(items, size)]


def _within(
    total: int,
    weight: npt.NDArray[np.float64],
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Split in proportion, clipped to ranges that allow it: low.sum() <= total <= high.sum()."""
    below, above = 0.0, float(total / weight[weight > 0].min()) + 1.0
    for _ in range(100):  # the level at which the clipped parts add up, by bisection
        level = (below + above) / 2
        below, above = (
            (level, above) if np.clip(level * weight, low, high).sum() < total else (below, level)
        )
    ideal = np.clip(above * weight, low, high)
    parts = np.clip(np.floor(ideal + 1e-9).astype(np.int64), low, high)
    while (missing := total - int(parts.sum())) != 0:
        step = 1 if missing > 0 else -1
        room = parts < high if step > 0 else parts > low
        order = np.argsort(-step * (ideal - parts), kind="stable")
        for k in [k for k in order if room[k]][: abs(missing)]:
            parts[k] += step
    return parts
