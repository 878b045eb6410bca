"""Whole shots from fractions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdmi_qiskit.dispatch.apportion import apportion
from qdmi_qiskit.errors import ConfigError

FREE = [(1, None)] * 3


def test_ten_shots_over_three_are_ten():
    assert apportion(10, [1, 1, 1], FREE).tolist() == [4, 3, 3]
    assert apportion(2, [1, 1, 1], FREE).sum() == 2
    assert apportion(10, [5, 3, 2], FREE).tolist() == [5, 3, 2]
    assert apportion(7, [0, 1, 1], FREE).tolist() == [0, 4, 3]


def test_ranges_are_kept_and_the_rest_goes_to_the_others():
    assert apportion(100, [1, 1, 1], [(1, 10), (1, None), (1, None)]).tolist() == [10, 45, 45]
    assert apportion(10, [1, 1, 1], [(4, None)] * 3).tolist() == [5, 5, 0]
    assert apportion(240, [9, 1], [(1, None), (150, None)]).tolist() == [240, 0]
    # A cap on one lifts the other over its own least.
    assert apportion(240, [9, 1], [(1, 100), (140, None)]).tolist() == [100, 140]


def test_what_cannot_be_split_is_refused():
    for total, weights, ranges in (
        (5, [1, 1], [(1, 2), (1, 2)]),
        (3, [1, 1], [(4, None), (5, None)]),
        (3, [0, 0], [(1, None)] * 2),
        (3, [1, -1], [(1, None)] * 2),
        (3, [1, np.nan], [(1, None)] * 2),
    ):
        with pytest.raises(ConfigError):
            apportion(total, weights, ranges)


def slow(total, weights, ranges):
    """Every way there is, and the one nearest to the proportions."""
    quota = total * np.array(weights) / sum(weights)
    best = None
    choices = [
        [0, *range(least, (total if most is None else min(most, total)) + 1)] if weight else [0]
        for weight, (least, most) in zip(weights, ranges, strict=True)
    ]
    for parts in itertools.product(*choices):
        if sum(parts) == total:
            distance = np.abs(np.array(parts) - quota).sum()
            best = distance if best is None else min(best, distance)
    return best, quota


member = st.tuples(
    st.sampled_from([0, 1, 2, 5]), st.integers(1, 8), st.one_of(st.none(), st.integers(1, 20))
)


@given(st.integers(1, 24), st.lists(member, min_size=1, max_size=3))
def test_it_is_the_nearest_way_of_all(total, members):
    weights = [weight for weight, _, _ in members]
    ranges = [(least, most) for _, least, most in members]
    if not any(weights):
        return
    best, quota = slow(total, weights, ranges)
    if best is None:
        with pytest.raises(ConfigError):
            apportion(total, weights, ranges)
        return
    parts = apportion(total, weights, ranges)
    assert parts.sum() == total
    for part, weight, (least, most) in zip(parts, weights, ranges, strict=True):
        assert part == 0 or (weight and least <= part <= (most or total))
    assert np.abs(parts - quota).sum() == pytest.approx(best, abs=1e-6)
