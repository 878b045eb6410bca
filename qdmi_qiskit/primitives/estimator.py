"""`EstimatorV2` over any device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, EstimatorPubLike, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qdmi_qiskit.adopt import adopted
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.checks import checked_precision
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.forecast import Estimate, forecast
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.journal import Ledger
from qdmi_qiskit.model import DeviceSpec, Values
from qdmi_qiskit.primitives.allot import RULES, bounded, pilot
from qdmi_qiskit.primitives.around import around
from qdmi_qiskit.primitives.bases import BasisChanges
from qdmi_qiskit.primitives.commuting import commuting
from qdmi_qiskit.primitives.estimates import Plan, computed, estimated, need_of
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.moved import moved
from qdmi_qiskit.primitives.observables import Group, Observables, collect, grouped
from qdmi_qiskit.primitives.options import EstimatorOptions, options_from
from qdmi_qiskit.primitives.pubs import KnownPub, coerced, note_drift, points_of
from qdmi_qiskit.primitives.records import Begun, saved, taken_up
from qdmi_qiskit.primitives.stages import Stages, at_most
from qdmi_qiskit.primitives.worth import Tables
from qdmi_qiskit.run import seeds
from qdmi_qiskit.work import Both, Computation, Work

_REMEMBERED = 64  # groupings of observables


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
            options: `EstimatorOptions` by name: `default_precision`, `shot_allocation`,
                `abelian_grouping`, `seed`.
            keywords: The same, as keywords.

        Raises:
            ConfigError: An option is unknown or wrong.
        """
        self._device: QDMIBackend = adopted(backend)
        self._backend = backend
        self._options = options_from(EstimatorOptions, options, keywords)
        self._calls = itertools.count()
        self._groups: dict[bytes, list[Group]] = {}
        self._tables = Tables()
        self._bases = BasisChanges(self._device.target, self._device.isa)
        self.mitigation = self._device.mitigation
        self._around: Any = None
        checked_precision(self._options.default_precision, "default_precision")

    @property
    def backend(self) -> Any:
        """The backend that this estimator runs on."""
        return self._backend

    @property
    def options(self) -> EstimatorOptions:
        """The options; assign to them to change the next calls."""
        return self._options

    def run(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        tags: Iterable[str] = (),
    ) -> PrimitiveJob:
        """Start estimating, and return at once.

        Args:
            pubs: Each `(circuit, observables)`, `(circuit, observables, values)` or
                `(circuit, observables, values, precision)`; observables and values broadcast.
            precision: Standard error wanted of every value of pubs that name none;
                `options.default_precision` if not given. 0 asks for exact values.
            tags: Words by which `provider.jobs(tag=)` finds the job.

        Returns:
            A job. `job.result()[i].data` has `evs` and `stds`, both float64 of the pub's shape.
            `stds` is the standard error of each value by itself; values of one pub at one point
            share shots and are correlated. `metadata` has the shots spent on each point.

        Raises:
            ConfigError: A pub is wrong, or there is none, or the precision is; `precision=0` on a
                device that computes no exact values is.
            RejectedError: A circuit is not ISA.
        """
        default = self._options.default_precision if precision is None else precision
        checked_precision(default, "precision")
        if self.mitigation:
            if self._around is None:
                seed = self._options.chosen_seed()
                self._around = around(self, self.mitigation, seed)
            job: PrimitiveJob = self._around.run(pubs, precision=default, tags=tags)
            return job  # a MitigatedJob, which reads the same
        whole = [_coerced(pub, index, default) for index, pub in enumerate(pubs)]
        if not whole:
            raise ConfigError("run() got an empty list of pubs: give it at least one")
        whole = self._current(whole)
        for pub in whole:
            self._device.isa.check(pub.circuit)
        exact = [pub for pub in whole if pub.precision == 0]
        if exact and not self._device.spec.capabilities.expectations:
            raise ConfigError(
                f"precision=0 asks for exact values, which {self._device.spec.name} does not "
                "compute: ask for a precision > 0, such as 0.01"
            )
        ledger, call = None, 0
        options = asdict(self._options)
        if len(exact) < len(whole):  # exact values alone make no device job
            call = next(self._calls)
            ledger = self._device.ledger("estimator", partial(_saved, whole, options, call), tags)

        def begin(page: Ledger | None) -> tuple[Both[Any], Callable[..., list[PubResult]]]:
            anew = page is not None and page.intent is not None
            mine = EstimatorV2(self._backend, options=options) if anew else self
            return mine._begun(whole, call, page)  # noqa: SLF001 - our own class

        return PrimitiveJob(begin, ledger)

    def estimate(
        self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None
    ) -> Estimate:
        """Return what `run` would take at most, without sending anything.

        How many shots are enough depends on the state: told are those that are enough whatever it
        is, and with them those of the pilot. Exact values take none. Mitigation is not counted.
        """
        default = self._options.default_precision if precision is None else precision
        whole = [_coerced(pub, index, default) for index, pub in enumerate(pubs)]
        plans = [self._planned(pub) for pub in whole]
        device = self._device
        return forecast(device.spec, device.target, at_most(plans), at_most=True)

    def _current(self, pubs: list[EstimatorPub]) -> list[EstimatorPub]:
        circuits = [pub.circuit for pub in pubs]
        now = self._device.current(circuits)
        return [
            pub if found is pub.circuit else moved(pub, found)
            for pub, found in zip(pubs, now, strict=True)
        ]

    def _begun(
        self, pubs: Sequence[EstimatorPub], call: int, ledger: Ledger | None, rules: int = RULES
    ) -> tuple[Both[Any], Callable[..., list[PubResult]]]:
        if self._bases.target is not self._device.target:  # the backend was refreshed
            self._bases = BasisChanges(self._device.target, self._device.isa)
            self._groups.clear()
        plans = [self._planned(pub, rules) for pub in pubs]
        exact = [plan for plan in plans if plan.pub.precision == 0]
        parts: list[Work[Any]] = []
        if len(exact) < len(plans):
            parts.append(self._stages(plans, call, ledger).begin())
        if exact:
            wanted = [(plan, points_of(plan.pub)) for plan in exact]
            parts.append(Computation(partial(self._computed, wanted)))
        return Both(parts), partial(_result, plans=plans, spec=self._device.spec)

    def _planned(self, pub: EstimatorPub, rules: int = RULES) -> Plan:
        spec = self._device.spec
        observables = collect(pub.observables, pub.circuit.num_qubits)
        # Nobody can change the copy between the two stages.
        circuit = self._device.compiled.frozen(pub.circuit)
        need = need_of(pub, spec.capabilities.min_shots, spec)
        if pub.precision == 0:
            return Plan(pub, circuit, observables, need, safe=[], pilot=[])
        groups = self._grouped(observables)
        rule = self._options.shot_allocation
        safe = bounded(observables, groups, need, uniform=rule == "uniform")
        shares = pilot(observables, safe, need) if rule == "variance" else []
        return Plan(pub, circuit, observables, need, safe, shares, tables=self._tables, rules=rules)

    def _grouped(self, observables: Observables) -> list[Group]:
        """Group terms, or remember how: a loop asks for the same observable again and again."""
        rule = self._options.grouping if self._options.abelian_grouping else "none"
        key = observables.key() + rule.encode()
        groups = self._groups.get(key)
        if groups is None:
            if len(self._groups) >= _REMEMBERED:
                self._groups.clear()
            if rule == "commuting":
                groups = commuting(observables, self._device.target)
            else:
                groups = grouped(observables, abelian=rule == "qubit_wise")
            if not self._device.spec.capabilities.bases:
                self._bases.learn(observables.x.shape[1], [group.basis for group in groups])
            self._tables.learn(groups, observables)
            self._groups[key] = groups
        return groups

    def _stages(self, plans: Sequence[Plan], call: int, ledger: Ledger | None) -> Stages:
        seed = self._options.chosen_seed()
        stream = None if seed is None else seeds(seed, call=call)
        return Stages(self._device, plans, self._bases.measured, stream, ledger)

    def _computed(self, plans: Sequence[tuple[Plan, Values]]) -> list[Values]:
        session, formats = self._device.session, self._device.spec.capabilities.formats
        encode = encoder(formats, session.encoders)
        return [
            session.expectations(encode(plan.pub.circuit), values, plan.observables.sums())
            for plan, values in plans
        ]


def _saved(
    pubs: Sequence[EstimatorPub], options: dict[str, Any], call: int
) -> tuple[bytes, bytes | None]:
    said = [[pub.observables.tolist(), pub.precision] for pub in pubs]
    return saved(pubs, said, options=options, call=call, rules=RULES)


def restored(ledger: Ledger, opened: Callable[[Ledger], QDMIBackend]) -> PrimitiveJob:
    """Return the job of a run in the journal; see `records.taken_up`."""

    def pub_of(circuit: QuantumCircuit, values: Any, terms: Any, precision: float) -> EstimatorPub:
        return EstimatorPub(circuit, ObservablesArray.coerce(terms), values, precision)

    def begun(pubs: list[Any], call: dict[str, Any]) -> Begun:
        options, number, rules = call["options"], call["call"], call.get("rules", 1)
        return lambda backend, page: EstimatorV2(backend, options=options)._begun(  # noqa: SLF001
            pubs, number, page, rules
        )

    return taken_up(ledger, opened, pub_of, begun)


def _result(
    parts: Sequence[Any], *, plans: Sequence[Plan], spec: DeviceSpec, partial: bool
) -> list[PubResult]:
    sampled = any(plan.pub.precision > 0 for plan in plans)
    first, second = parts[0] if sampled else ((), ())
    outcomes, refinements, tables = iter(first), iter(second), iter(parts[-1])
    results = []
    for plan in plans:
        seen = [next(outcomes) for _ in plan.first]
        if plan.pub.precision == 0:
            results.append(computed(plan, next(tables)))
        elif plan.pilot:
            refined = [next(refinements) for _ in plan.final]
            results.append(estimated(plan, plan.final, refined, partial=partial))
        else:
            results.append(estimated(plan, plan.safe, seen, partial=partial))
    note_drift(results, [plan.pub.circuit for plan in plans], spec)
    return results


def _coerced(pub: EstimatorPubLike, index: int, precision: float) -> EstimatorPub:
    if isinstance(pub, tuple | list) and len(pub) > 3 and pub[3] is not None:
        checked_precision(pub[3], "precision")
    wanted = "(circuit, observables, values, precision)"
    found = coerced(KnownPub.coerce, pub, precision, index=index, wanted=wanted)
    checked_precision(found.precision, "precision")
    return found
