"""From what members returned to one result: shots end to end, estimates by inverse variance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives import BitArray, DataBin, PubResult, SamplerPubResult
from scipy.special import gammaincc

Array = npt.NDArray[np.float64]
LEVEL = 0.01
"""Of the consistency test: how often members that agree are said to disagree."""

_APART = 2.0  # in standard errors: up to here, wrong weights cost at most 36 % more variance


class DisagreementWarning(UserWarning):
    """Members do not estimate the same value: at least one is biased, and so is the mean."""


def pooled_shots(results: Sequence[SamplerPubResult], metadata: dict[str, Any]) -> SamplerPubResult:
    """Put shots of the same pub end to end, all registers of a result together.

    The rows of every register stay aligned, so correlations between registers are kept.
    """
    first = results[0].data
    registers = {
        name: BitArray.concatenate_shots([result.data[name] for result in results])
        for name in first.keys()  # noqa: SIM118 - a DataBin iterates over nothing
    }
    if any(result.metadata.get("ordered_shots") is False for result in results):
        metadata = {"ordered_shots": False, **metadata}
    return SamplerPubResult(DataBin(**registers, shape=first.shape), metadata=metadata)


def pooled_estimates(
    results: Sequence[PubResult],
    asked: Sequence[float],
    names: Sequence[str],
    metadata: dict[str, Any],
) -> PubResult:
    """Average estimates of the same values by inverse variance.

    Weights are the inverse of the variance that was *asked* of each member. Those of what came,
    1 / std**2, follow the outcomes, and pull the mean towards those with little scatter (half a
    standard error for 100 shots of a value near 0.8); they are used only where members keep to
    what was asked so differently (a factor of 2) that the pull is the smaller evil. The standard
    error is of what came, sqrt(sum w**2 std**2), whichever weights were used.

    Args:
        results: With `evs` and `stds`, all of one shape.
        asked: The precision asked of each.
        names: Of the members, for the warning.
        metadata: Of the result; `consistency` is added to it.
    """
    evs = np.array([np.asarray(result.data.evs, dtype=np.float64) for result in results])
    stds = np.array([_stated(result, goal) for result, goal in zip(results, asked, strict=True)])
    expected = _expected(stds, np.asarray(asked, dtype=np.float64))
    exact = expected == 0
    inverse = exact.astype(np.float64) if exact.any() else 1 / expected**2
    weight = (inverse / inverse.sum()).reshape(-1, *(1,) * (evs.ndim - 1))
    mean, std = (weight * evs).sum(axis=0), np.sqrt((weight**2 * stds**2).sum(axis=0))
    if len(results) > 1:
        scale = expected.reshape(weight.shape)
        found = consistency(evs, np.where(stds > 0, stds, scale))
        metadata = {**metadata, "consistency": found}
        if found["p"] < LEVEL:
            warnings.warn(
                f"{', '.join(names)} disagree on pub {metadata.get('pub', '')}: chi2 between "
                f"members, p = {found['p']:.2g} < {LEVEL}; at least one is biased, so the mean is "
                "too: look at job.by_member()",
                DisagreementWarning,
                stacklevel=2,
            )
    shape = mean.shape
    return PubResult(DataBin(evs=mean, stds=std, shape=shape), metadata=metadata)


def _stated(result: PubResult, asked: float) -> Array:
    stds = np.asarray(result.data.stds, dtype=np.float64)
    if result.metadata.get("shots") is None:  # Qiskit's StatevectorEstimator adds noise and says 0
        stds = np.where(stds == 0, asked, stds)
    return stds


def _expected(stds: Array, asked: Array) -> Array:
    """Return the standard error of each member by which to weigh it, shape `(members,)`."""
    delivered = np.sqrt(np.nanmean(stds.reshape(len(stds), -1) ** 2, axis=1))
    if not (asked * delivered).all():
        return np.where(asked == 0, delivered, asked)
    kept = delivered / asked
    return delivered if kept.max() > _APART * kept.min() else asked


def consistency(evs: Array, stds: Array) -> dict[str, Any]:
    """Test whether members estimate the same values.

    For each value chi2 = sum over members of (ev - mean)**2 / std**2, mean by 1 / std**2, with
    members - 1 degrees of freedom. Values of one pub share shots, so the smallest tail
    probability is taken times the number of values (Bonferroni): never too small.

    Args:
        evs: Shape `(members, ...)`.
        stds: The same shape. Where all members claim to be exact, they agree or they do not.

    Returns:
        `statistic`, `level`, `dof`, `chi2` (nested lists), `p`.
    """
    dof = len(evs) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / stds**2
        mean = (inverse * evs).sum(axis=0) / inverse.sum(axis=0)
        chi2 = (inverse * (evs - mean) ** 2).sum(axis=0)
    certain = (stds == 0).any(axis=0)
    apart = np.ptp(evs, axis=0) > 1e-6
    chi2 = np.where(certain, np.where(apart, np.inf, 0.0), chi2)
    tails = np.where(np.isinf(chi2), 0.0, gammaincc(dof / 2, np.nan_to_num(chi2, posinf=0.0) / 2))
    return {
        "statistic": "chi2 per value between members, Bonferroni over values",
        "level": LEVEL,
        "dof": dof,
        "chi2": chi2.tolist(),
        "p": float(min(1.0, tails.min(initial=1.0) * max(tails.size, 1))),
    }


def total_variation(one: dict[str, int], other: dict[str, int]) -> float:
    """Return the total-variation distance of two histograms, 0 to 1.

    >>> total_variation({"0": 3, "1": 1}, {"0": 1, "1": 1})
    0.25
    """
    shots, others = sum(one.values()), sum(other.values())
    return 0.5 * sum(
        abs(one.get(key, 0) / shots - other.get(key, 0) / others) for key in {*one, *other}
    )
