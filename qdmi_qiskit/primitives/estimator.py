"""`EstimatorV2` over any device."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives import BaseEstimatorV2, DataBin, EstimatorPubLike, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qdmi_qiskit.adopt import adopted
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import Shots, Values
from qdmi_qiskit.plan import Request
from qdmi_qiskit.primitives.bases import BasisChanges
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.observables import Group, Observables, collect, grouped, moments
from qdmi_qiskit.primitives.options import EstimatorOptions, options_from
from qdmi_qiskit.primitives.sampler import points_of
from qdmi_qiskit.run import seeds, start
from qdmi_qiskit.work import Both, Computation, Work


class EstimatorV2(BaseEstimatorV2):
    """Estimates expectation values of observables on ISA circuits.

    Takes what Qiskit's `BackendEstimatorV2` takes, so swapping the import is enough. Differences,
    each on purpose: `precision` is the standard error of the expectation value that is returned,
    not of each Pauli term; `stds` come from the shots themselves, covariance kept; `precision=0`
    asks for the exact value where the device computes it.
    """

    def __init__(
        self, backend: Any, *, options: dict[str, Any] | None = None, **keywords: Any
    ) -> None:
        """Estimate on a backend.

        Args:
            backend: From `QDMIProvider().get_backend(name)`; any other `BackendV2` works too.
            options: `EstimatorOptions` by name: `default_precision`, `abelian_grouping`, `seed`.
            keywords: The same, as keywords.

        Raises:
            ConfigError: An option is unknown or wrong.
        """
        self._device: QDMIBackend = adopted(backend)
        self._backend = backend
        self._options = options_from(EstimatorOptions, options, keywords)
        self._calls = itertools.count()
        self._bases = BasisChanges(self._device.target, self._device.isa)
        _checked_precision(self._options.default_precision, "default_precision")

    @property
    def backend(self) -> Any:
        """The backend that this estimator runs on."""
        return self._backend

    @property
    def options(self) -> EstimatorOptions:
        """The options; assign to them to change the next calls."""
        return self._options

    def run(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> PrimitiveJob:
        """Start estimating, and return at once.

        Args:
            pubs: Each `(circuit, observables)`, `(circuit, observables, values)` or
                `(circuit, observables, values, precision)`; observables and values broadcast.
            precision: Standard error wanted of every value of pubs that name none;
                `options.default_precision` if not given. 0 asks for exact values.

        Returns:
            A job. `job.result()[i].data` has `evs` and `stds`, both float64 of the pub's shape.
            `stds` is the standard error of each value by itself; values of one pub at one point
            share shots and are correlated. `metadata` has the shots spent on each point.

        Raises:
            ConfigError: A pub is wrong, or there is none, or the precision is.
            RejectedError: A circuit is not ISA.
            UnsupportedError: `precision=0` on a device that computes no exact values.
        """
        default = self._options.default_precision if precision is None else precision
        _checked_precision(default, "precision")
        coerced = [_coerced(pub, default) for pub in pubs]
        if not coerced:
            raise ConfigError("run() got an empty list of pubs: give it at least one")
        for pub in coerced:
            self._device.isa.check(pub.circuit)
        exact = [pub for pub in coerced if pub.precision == 0]
        if exact and not self._device.spec.capabilities.expectations:
            raise UnsupportedError(
                f"precision=0 asks for exact values, which {self._device.spec.name} does not "
                "compute: ask for a precision > 0, such as 0.01"
            )
        plans = [self._planned(pub) for pub in coerced]
        parts: list[Work[Any]] = [self._sampled(plans)] if len(exact) < len(coerced) else []
        if exact:
            wanted = [plan for plan in plans if plan.pub.precision == 0]
            parts.append(Computation(partial(self._computed, wanted)))
        return PrimitiveJob(Both(parts), partial(_result, plans=plans))

    def _planned(self, pub: EstimatorPub) -> _Plan:
        if self._bases.target is not self._device.target:  # the backend was refreshed
            self._bases = BasisChanges(self._device.target, self._device.isa)
        observables = collect(pub.observables, pub.circuit.num_qubits)
        point, number = _pairs(pub)
        if pub.precision == 0:
            return _Plan(pub, observables, point, number, [])
        groups = grouped(observables, abelian=self._options.abelian_grouping)
        return _Plan(
            pub, observables, point, number, _shares(pub, observables, groups, point, number)
        )

    def _sampled(self, plans: Sequence[_Plan]) -> Work[tuple[Shots, ...]]:
        requests = []
        for plan in plans:
            values = points_of(plan.pub)
            for share in plan.shares:
                circuit = self._bases.measured(plan.pub.circuit, share.group)
                requests.append(
                    Request(circuit, values[share.points], share.shots, circuit.num_clbits)
                )
        seed, call = self._options.chosen_seed(), next(self._calls)
        return start(
            self._device.session,
            self._device.spec,
            requests,
            seeds=None if seed is None else seeds(seed, call=call),
        )

    def _computed(self, plans: Sequence[_Plan]) -> tuple[Values, ...]:
        session, formats = self._device.session, self._device.spec.capabilities.formats
        encode = encoder(formats, session.encoders)
        return tuple(
            session.expectations(
                encode(plan.pub.circuit), points_of(plan.pub), plan.observables.sums()
            )
            for plan in plans
        )


@dataclass(frozen=True, slots=True)
class _Share:
    """What one group gets: the points that need it (indices) and the shots at each."""

    group: Group
    points: npt.NDArray[np.intp]
    shots: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """A pub taken apart: for each of its values the point and the observable it belongs to."""

    pub: EstimatorPub
    observables: Observables
    point: npt.NDArray[np.intp]
    number: npt.NDArray[np.intp]
    shares: list[_Share]


def _pairs(pub: EstimatorPub) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return, for each value of the pub in C order, the index of its point and observable."""
    shape, points = pub.shape, pub.parameter_values.shape
    point = np.arange(pub.parameter_values.size).reshape(points)
    number = np.arange(pub.observables.size).reshape(pub.observables.shape)
    return np.broadcast_to(point, shape).ravel(), np.broadcast_to(number, shape).ravel()


def _shares(
    pub: EstimatorPub,
    observables: Observables,
    groups: Sequence[Group],
    point: npt.NDArray[np.intp],
    number: npt.NDArray[np.intp],
) -> list[_Share]:
    """Allot shots to groups so that every value meets the precision at the least total.

    The variance of a group's part is at most the square of its weight w_g, the sum of its
    |coefficients|; to keep sum_g w_g^2 / n_g within precision^2 at the least sum of n_g takes
    n_g = w_g (sum_h w_h) / precision^2. (Lagrange; Source: Crawford et al., Quantum 5, 385
    (2021), section 2, with the bound in the place of the unknown deviation.)
    """
    size = np.abs(observables.coefficients)
    weights = np.array([size[:, group.terms].sum(axis=1) for group in groups]).reshape(
        len(groups), len(size)
    )
    wanted = weights * weights.sum(axis=0) / pub.precision**2
    found = []
    for group, weight, shots in zip(groups, weights, wanted, strict=True):
        needs = weight[number] > 0
        points = np.unique(point[needs])
        if points.size:
            number_of_shots = int(np.ceil(shots[np.unique(number[needs])].max() - 1e-9))
            found.append(_Share(group, points, max(number_of_shots, 1)))
    return found


def _result(parts: Sequence[Any], *, plans: Sequence[_Plan]) -> PrimitiveResult[PubResult]:
    has_shots = any(plan.pub.precision > 0 for plan in plans)
    outcomes = iter(parts[0]) if has_shots else iter(())
    values = iter(parts[-1])
    results = []
    for plan in plans:
        if plan.pub.precision == 0:
            table = next(values)
            evs = table[plan.point, plan.number] + plan.observables.constants[plan.number]
            results.append(_pub_result(plan, evs, np.zeros_like(evs), 0, 0))
        else:
            results.append(_estimated(plan, outcomes))
    return PrimitiveResult(results, metadata={"version": 2})


def _estimated(plan: _Plan, outcomes: Any) -> PubResult:
    observables = plan.observables
    shape = (plan.pub.parameter_values.size, len(observables.constants))
    means, variances = np.zeros(shape), np.zeros(shape)
    for share in plan.shares:
        shots = next(outcomes)
        first = plan.pub.circuit.num_clbits
        masks = [
            sum(1 << (first + j) for j in np.flatnonzero(mask).tolist())
            for mask in share.group.masks
        ]
        coefficients = observables.coefficients[:, share.group.terms]
        for row, point in enumerate(share.points.tolist()):
            valid = share.shots if shots.valid is None else int(shots.valid[row])
            if valid == 0:
                raise JobFailedError(
                    f"the device discarded every shot of point {point}: ask for a better precision",
                    job_id="",
                )
            mean, variance, squares = moments(
                shots.bits[row, :valid], masks, shots.num_bits, coefficients
            )
            # Two more shots, one either way by the group's own scale, as in the rule of
            # succession: a rare outcome that never came does not make the error zero, and
            # the standard error of a lone Pauli never exceeds 1 / sqrt(shots).
            smoothed = (valid * variance + 2 * squares) / (valid + 2)
            means[point] += mean
            variances[point] += smoothed / valid
    evs = means[plan.point, plan.number] + observables.constants[plan.number]
    stds = np.sqrt(variances[plan.point, plan.number])
    per_point = sum(share.shots for share in plan.shares)
    return _pub_result(plan, evs, stds, per_point, len(plan.shares))


def _pub_result(plan: _Plan, evs: Values, stds: Values, shots: int, circuits: int) -> PubResult:
    shape = plan.pub.shape
    return PubResult(
        DataBin(evs=evs.reshape(shape), stds=stds.reshape(shape), shape=shape),
        metadata={
            "target_precision": plan.pub.precision,
            "shots": shots,
            "circuits": circuits,
            "circuit_metadata": plan.pub.circuit.metadata,
        },
    )


def _coerced(pub: EstimatorPubLike, precision: float) -> EstimatorPub:
    try:
        coerced = EstimatorPub.coerce(pub, precision)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{error}") from error
    _checked_precision(coerced.precision, "precision")
    return coerced


def _checked_precision(precision: Any, name: str) -> None:
    if isinstance(precision, bool) or not isinstance(precision, int | float | np.floating):
        raise ConfigError(f"{name}={precision!r}: wanted a number of at least 0, such as 0.01")
    if not 0 <= precision < np.inf:
        raise ConfigError(
            f"{name}={precision!r}: wanted a standard error greater than 0 (the smaller, the more "
            "shots), or 0 for exact values"
        )
