"""Pure parts of the estimator: a pub taken apart, and shots put together to values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import DataBin, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import DeviceSpec, Shots, Values
from qdmi_qiskit.primitives.allot import RULES, Need, Share, refined
from qdmi_qiskit.primitives.moments import Moments, Uncertainty, cautious, moments, scatter, wary
from qdmi_qiskit.primitives.observables import Observables
from qdmi_qiskit.primitives.worth import Tables

_MISSED = 1.1
"""A standard error larger by more than this is said to miss the precision: the error of the error
itself explains less."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A pub taken apart.

    Attributes:
        pub: As it came.
        circuit: Its circuit, without a symbolic global phase.
        observables: Its terms.
        need: Its values.
        safe: Shots that are enough whatever the state is; nothing for exact values.
        pilot: Shots that find out how many are enough; empty: `safe` is taken at once.
        final: What the pilot led to; filled when it has.
        tables: What outcomes are worth, remembered for as long as the groups are.
        rules: Which of the allotment's; see `RULES`.
    """

    pub: EstimatorPub
    circuit: QuantumCircuit
    observables: Observables
    need: Need
    safe: list[Share]
    pilot: list[Share]
    final: list[Share] = field(default_factory=list)
    tables: Tables = field(default_factory=Tables)
    rules: int = RULES

    @property
    def first(self) -> list[Share]:
        """The shares of the first stage."""
        return self.pilot or self.safe


def need_of(pub: EstimatorPub, fewest: int, spec: DeviceSpec | None = None) -> Need:
    """Number the values of a pub in C order: which point, which observable.

    On a simulator a state costs more than its shots: there all points of a group take the same, in
    one task. Elsewhere each takes what it needs. A number of shots of its own costs a point
    nothing where a job may mix them, or holds a single executable anyway.

    Args:
        pub: Of the call.
        fewest: Shots that the device takes at least.
        spec: Of the device; None: nothing is to be sent.
    """
    caps = None if spec is None else spec.capabilities
    points, observables = pub.parameter_values, pub.observables
    point = np.arange(points.size).reshape(points.shape)
    number = np.arange(observables.size).reshape(observables.shape)
    return Need(
        np.broadcast_to(point, pub.shape).ravel(),
        np.broadcast_to(number, pub.shape).ravel(),
        float(pub.precision),
        fewest,
        apart=spec is not None and not spec.simulator,
        fine=caps is not None and (caps.mixed_shots or caps.max_executables == 1),
    )


def learned(plan: Plan, outcomes: Sequence[Shots]) -> list[Share]:
    """Return the shares of the second stage from the outcomes of the pilot.

    Where the device discarded some of the pilot's shots, it is asked for so many more.
    """
    shape = (len(plan.pilot), plan.pub.parameter_values.size, len(plan.observables.constants))
    second, fourth, scale = np.zeros(shape), np.zeros(shape), np.zeros((shape[0], 1, shape[2]))
    number, asked = np.zeros((*shape[:2], 1), np.int64), 0
    for k, (share, shots) in enumerate(zip(plan.pilot, outcomes, strict=True)):
        seen = _seen(plan, share, shots)
        where = slice(None) if len(share.points) == shape[1] else share.points
        second[k, where], fourth[k, where] = seen.second, seen.fourth
        number[k, where], scale[k] = seen.shots, seen.scale
        asked += share.shots * len(share.points)
    scattered = scatter(second, fourth)
    if plan.rules > 1:
        scattered = wary(number, scattered, scale)
    errors = scattered / np.maximum(number, 1)
    variances = np.where(number > 0, cautious(number, second, scale), 0.0)
    return refined(plan.safe, plan.need, variances, errors, int(number.sum()) / asked)


def estimated(
    plan: Plan, shares: Sequence[Share], outcomes: Sequence[Shots], *, partial: bool = False
) -> PubResult:
    """Return values and standard errors from the shots of every group.

    Groups are measured independently, so their variances add (`Uncertainty`); within a group the
    covariance of its terms is in the variance of the shots.

    Args:
        plan: Of the pub.
        shares: What was asked.
        outcomes: What came, one for each share.
        partial: Values that need a basis without a valid shot are NaN; else that is an error.
    """
    shape = (plan.pub.parameter_values.size, len(plan.observables.constants))
    mean, uncertainty = np.zeros(shape), Uncertainty(shape)
    failures: dict[int, str] = {}
    for share, shots in zip(shares, outcomes, strict=True):
        if partial and shots.valid is not None and not shots.valid.all():
            missing = shots.valid == 0
            needed = plan.observables.coefficients[:, share.group.terms].any(axis=1)
            mean[np.ix_(share.points[missing], needed)] = np.nan
            for row in np.flatnonzero(missing):
                reason = shots.failures.get(int(row), "the device discarded all shots of a basis")
                failures[int(share.points[row])] = reason
            share = replace(share, points=share.points[~missing])
            shots = Shots(shots.bits[~missing], shots.num_bits, shots.valid[~missing])
            if missing.all():
                continue
        seen = _seen(plan, share, shots)
        mean[share.points] += seen.mean
        uncertainty.add(share.points, seen)
    need = plan.need
    evs = mean[need.point, need.number] + plan.observables.constants[need.number]
    stds = np.sqrt(uncertainty.variance()[need.point, need.number])
    stds[np.isnan(evs)] = np.nan
    result = pub_result(plan, evs, stds, shares)
    if failures:
        result.metadata["failures"] = failures
    return result


def computed(plan: Plan, table: Values) -> PubResult:
    """Return exact values, whose standard error is zero."""
    need = plan.need
    evs = table[need.point, need.number] + plan.observables.constants[need.number]
    return pub_result(plan, evs, np.zeros_like(evs), ())


def pub_result(plan: Plan, evs: Values, stds: Values, shares: Sequence[Share]) -> PubResult:
    """Shape values like the pub, and say what they cost."""
    shape = plan.pub.shape
    pilot = sum(share.shots for share in plan.pilot)
    spent = np.zeros(plan.pub.parameter_values.size, np.int64)
    for share in [*plan.pilot, *shares]:
        spent[share.points] += share.shots
    metadata = {
        "target_precision": plan.pub.precision,
        "shots": int(spent.max(initial=0)),
        "circuit_metadata": plan.pub.circuit.metadata,
    }
    if pilot:
        metadata["pilot_shots"] = pilot
    if len(spent) and spent.min() < spent.max():
        metadata["point_shots"] = spent.reshape(plan.pub.parameter_values.shape).tolist()
    if (stds > _MISSED * plan.need.precision).any():
        metadata["precision_missed"] = True
    return PubResult(
        DataBin(evs=evs.reshape(shape), stds=stds.reshape(shape), shape=shape), metadata=metadata
    )


def _seen(plan: Plan, share: Share, shots: Shots) -> Moments:
    if shots.valid is not None and not shots.valid.all():
        point = int(share.points[shots.valid.argmin()])
        if shots.failures:
            reasons = "; ".join(dict.fromkeys(shots.failures.values()))
            raise JobFailedError(
                f"the device failed at point {point}: {reasons}. job.result(partial=True) returns "
                "the other values",
                job_id="",
            )
        raise JobFailedError(
            f"the device discarded all {share.shots} shots of a basis at point {point}: ask for a "
            "better precision, so that it takes more",
            job_id="",
        )
    worth = plan.tables.get(share.group, plan.observables)
    return moments(shots, plan.circuit.num_clbits, worth)
