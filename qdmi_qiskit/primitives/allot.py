"""How many shots each group of terms gets, so that every value meets its precision.

The value of an observable is a sum over groups g of means of n_g samples each; its variance is
sum_g s_g^2 / n_g. Given the deviations s_g, the least total that keeps it at precision^2 is
n_g = s_g (sum_h s_h) / precision^2 (Lagrange). Stand-ins for the unknown s_g:

* `bounded`: the weight w_g, the sum of the group's |coefficients|, which no deviation exceeds.
  Safe without looking, and dear. Dearer yet with the same shots for every group, as other
  estimators take them.
* `refined`: the deviation that a pilot of few shots saw at each point, with the margin that its
  own scatter asks for, and never more than `bounded`. Points that need less get less where shots
  cost (`Need.apart`): tasks of one group then differ in their points and shots.

The pilot's shots decide and are not used again: an estimate from shots that also chose their own
number would be biased. Nor does the final number of shots depend on the final shots.

Sources: Wecker, Hastings, Troyer, Phys. Rev. A 92, 042303 (2015), section V; Rubin, Babbush,
McClean, New J. Phys. 20, 053020 (2018), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.model import Values
from qdmi_qiskit.primitives.observables import Group, Observables

Indices = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]

RULES = 2
"""Of the allotment after a pilot, counted up when they change: a run in the journal goes on by
those that it began with, else its jobs would be others. By 1, an outcome that no pilot saw added
nothing to the margin."""
PAIR = 2
"""Shots that any group gets at least: one alone has no variance."""
FEWEST = 10
"""Shots that a group gets at least after a pilot."""
PILOT = 0.01
"""Share that the pilot takes of the shots for independent outcomes; those are a multiple of what
is needed near an eigenstate."""
PILOT_FEWEST = 16
PILOT_EACH = 64
"""Shots that the pilot gives to a group in the mean at most: they know a deviation to a tenth."""
WORTH = 8
"""A pilot is made where the safe number of shots is at least so many times the pilot's."""
MARGIN = 2.0
"""Standard deviations of the pilot's prediction by which its shots are increased."""
STEP = 1.15
"""Factor between the numbers of shots that points are rounded up to."""
SAVING = 0.05
"""Share of a group's shots that has to be saved for its points to be measured by themselves."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one group gets.

    Attributes:
        group: The terms and their basis.
        points: Indices of the points of the pub that need it, ascending.
        shots: At each of them.
    """

    group: Group
    points: Indices
    shots: int


@dataclass(frozen=True, slots=True)
class Need:
    """The values of a pub: which observable at which point, and how precisely.

    Attributes:
        point: For each value, the index of its point.
        number: For each value, the index of its observable.
        precision: Standard error wanted of each.
        fewest: Shots that the device takes at least.
        apart: Whether points may take different shots.
        fine: Whether any numbers of shots may be asked for at no cost; else only those that some
            group takes anyway, so that there are no more jobs of one number each.
    """

    point: Indices
    number: Indices
    precision: float
    fewest: int = 1
    apart: bool = False
    fine: bool = False


def bounded(
    observables: Observables, groups: Sequence[Group], need: Need, *, uniform: bool = False
) -> list[Share]:
    """Allot by the bound that no deviation exceeds; groups that nobody needs are left out.

    Args:
        observables: The terms.
        groups: Of them.
        need: The values wanted.
        uniform: Give every group the same.
    """
    weights = _per_group(np.abs(observables.coefficients), groups)
    wanted = weights * weights.sum(axis=0) / need.precision**2
    if uniform:
        wanted = np.broadcast_to((weights**2).sum(axis=0) / need.precision**2, weights.shape)
    fewest = max(need.fewest, PAIR)
    points, numbers = np.unique(need.point), np.unique(need.number)
    used: npt.NDArray[np.bool_] = weights > 0
    most = np.ceil(np.where(used, wanted, 0.0)[:, numbers].max(axis=1, initial=0.0) - 1e-9)
    everywhere = np.logical_and.reduce(used[:, numbers], axis=1)
    somewhere = np.logical_or.reduce(used[:, numbers], axis=1)
    found = []
    for k in np.flatnonzero(somewhere).tolist():
        where = points if everywhere[k] else np.unique(need.point[used[k, need.number]])
        found.append(Share(groups[k], where, max(int(most[k]), fewest)))
    return found


def pilot(observables: Observables, safe: Sequence[Share], need: Need) -> list[Share]:
    """Return the pilot's shares, or none where a pilot is not worth its shots and its job.

    It is shared in the proportion that terms of independent outcomes would ask for.
    """
    if observables.coefficients.shape[1] < 2:
        return []
    groups = [share.group for share in safe]
    scales = np.sqrt(_per_group(observables.coefficients**2, groups))
    expected = PILOT * (scales * scales.sum(axis=0)).max(axis=1) / need.precision**2
    expected *= min(1.0, PILOT_EACH * len(groups) / expected.sum())
    shots = np.maximum(np.ceil(expected), max(PILOT_FEWEST, need.fewest)).astype(int).tolist()
    if WORTH * sum(shots) > sum(share.shots for share in safe):
        return []
    return [
        Share(share.group, share.points, number) for share, number in zip(safe, shots, strict=True)
    ]


def refined(
    safe: Sequence[Share], need: Need, variances: Values, errors: Values, kept: float = 1.0
) -> list[Share]:
    """Allot by what the pilot saw.

    Args:
        safe: What `bounded` allotted; nobody gets more, unless the device discards shots.
        need: The values wanted.
        variances: Of one value, as the pilot saw them, shape `(groups, points, observables)`.
        errors: The variance of each of `variances`, the same shape.
        kept: Share of the pilot's shots that the device did not discard.
    """
    deviations = np.sqrt(variances[:, need.point, need.number])
    wanted = deviations * deviations.sum(axis=0) / need.precision**2
    # Relative error of the predicted variance of a value, sum_g s_g^2 / n_g = precision^2.
    spread = errors[:, need.point, need.number]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.nansum(np.where(wanted > 0, spread / wanted**2, 0.0), axis=0)
    wanted = wanted * (1 + MARGIN * np.sqrt(error) / need.precision**2)
    at_point = np.zeros((int(need.point.max(initial=-1)) + 1, len(safe)))
    np.maximum.at(at_point, need.point, wanted.T)
    most = np.array([share.shots for share in safe], np.int64)
    valid = np.clip(np.ceil(at_point), np.minimum(most, FEWEST), most)
    shots = np.maximum(np.ceil(valid / kept), need.fewest).astype(np.int64).T
    asked = [row[share.points] for row, share in zip(shots, safe, strict=True)]
    highest = [int(row.max()) for row in asked]
    if not need.apart:
        return [replace(share, shots=most) for share, most in zip(safe, highest, strict=True)]
    levels = _levels(highest, fine=need.fine)
    return [each for k, share in enumerate(safe) for each in _split(share, asked[k], levels)]


def _levels(most: Sequence[int], *, fine: bool) -> Counts:
    """Return numbers of shots to round up to, ascending, each at least `STEP` times the last.

    Args:
        most: What the dearest point of each group needs.
        fine: Take all of a scale; else some of `most`.
    """
    highest = max(most, default=0)
    if fine:
        scale = highest / STEP ** np.arange(math.ceil(math.log(max(highest, 1), STEP)))
        return np.unique(np.ceil(scale).astype(np.int64))
    found: list[int] = []
    for shots in sorted(set(most), reverse=True):
        if not found or found[-1] >= STEP * shots:
            found.append(shots)
    return np.array(found[::-1], np.int64)


def _split(share: Share, asked: Counts, levels: Counts) -> list[Share]:
    """Give points what they need, rounded up to one of the levels or to what the dearest needs."""
    most = asked.max()
    if asked.min() * (1 + SAVING) > most:
        return [replace(share, shots=int(most))]
    allowed = np.append(levels[levels < most], most)
    given = allowed[allowed.searchsorted(asked)]
    if given.sum() > (1 - SAVING) * most * len(given):
        return [replace(share, shots=int(most))]
    return [
        Share(share.group, share.points[given == shots], int(shots)) for shots in np.unique(given)
    ]


def _per_group(size: Values, groups: Sequence[Group]) -> Values:
    """Return the sum of `size` over each group's terms, shape `(groups, observables)`."""
    sums = [size[:, group.terms].sum(axis=1) for group in groups]
    return np.array(sums).reshape(len(groups), len(size))
