"""`EstimatorV2` over any device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, EstimatorPubLike, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qdmi_qiskit.adopt import adopted
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.forecast import Considered, Estimate, forecast
from qdmi_qiskit.formats import Compiled, encoder
from qdmi_qiskit.journal import Ledger, Stage
from qdmi_qiskit.model import Basis, DeviceSpec, Shots, Values
from qdmi_qiskit.plan import Request
from qdmi_qiskit.primitives.allot import Share, bounded, pilot
from qdmi_qiskit.primitives.around import around
from qdmi_qiskit.primitives.bases import BasisChanges
from qdmi_qiskit.primitives.commuting import commuting
from qdmi_qiskit.primitives.estimates import Plan, computed, estimated, learned, need_of
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.moved import moved
from qdmi_qiskit.primitives.observables import Group, Observables, collect, grouped
from qdmi_qiskit.primitives.options import EstimatorOptions, options_from
from qdmi_qiskit.primitives.pubs import KnownPub, coerced, note_drift, points_of
from qdmi_qiskit.primitives.records import Begun, saved, taken_up
from qdmi_qiskit.primitives.worth import Tables
from qdmi_qiskit.run import Run, seeds, start
from qdmi_qiskit.work import Both, Computation, Looked, Staged, Work

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
        _checked_precision(default, "precision")
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
        return forecast(device.spec, device.target, self._at_most(plans), at_most=True)

    def _at_most(self, plans: Sequence[Plan]) -> list[Request[QuantumCircuit]]:
        """Return requests that no state of the device makes more of; none is to be sent."""
        found = []
        for plan in plans:
            values = points_of(plan.pub)
            for share in [*plan.pilot, *plan.safe]:
                basis = share.group.basis
                width = plan.circuit.num_clbits + len(basis.qubits)
                rows = values[share.points]
                found.append(Request(plan.circuit, rows, share.shots, width, basis=basis))
        return found

    def _current(self, pubs: list[EstimatorPub]) -> list[EstimatorPub]:
        circuits = [pub.circuit for pub in pubs]
        now = self._device.current(circuits)
        return [
            pub if found is pub.circuit else moved(pub, found)
            for pub, found in zip(pubs, now, strict=True)
        ]

    def _begun(
        self, pubs: Sequence[EstimatorPub], call: int, ledger: Ledger | None
    ) -> tuple[Both[Any], Callable[..., list[PubResult]]]:
        if self._bases.target is not self._device.target:  # the backend was refreshed
            self._bases = BasisChanges(self._device.target, self._device.isa)
            self._groups.clear()
        plans = [self._planned(pub) for pub in pubs]
        exact = [plan for plan in plans if plan.pub.precision == 0]
        parts: list[Work[Any]] = []
        if len(exact) < len(plans):
            parts.append(self._sampled(plans, call, ledger))
        if exact:
            wanted = [(plan, points_of(plan.pub)) for plan in exact]
            parts.append(Computation(partial(self._computed, wanted)))
        return Both(parts), partial(_result, plans=plans, spec=self._device.spec)

    def _planned(self, pub: EstimatorPub) -> Plan:
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
        return Plan(pub, circuit, observables, need, safe, shares, tables=self._tables)

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
            self._groups[key] = groups
        return groups

    def _sampled(
        self, plans: Sequence[Plan], call: int, ledger: Ledger | None
    ) -> Work[tuple[tuple[Shots, ...], tuple[Shots, ...]]]:
        """Start the pilots, and with them whatever needs none; the rest follows by itself."""
        seed = self._options.chosen_seed()
        stream = None if seed is None else seeds(seed, call=call)
        measured = _Remembered(self._bases.measured, self._device.compiled)
        piloted = any(plan.pilot for plan in plans)
        if piloted and (ledger is None or ledger.intent is None):
            most = Considered(self._device.spec, partial(self._at_most, plans))
            self._device.session.admit(most, asks=True)
        stage = None if ledger is None else ledger.stage(0, last=not piloted)
        first = self._started(plans, [plan.first for plan in plans], stream, measured, stage)
        if not piloted:
            return Staged(first, None)
        following = partial(self._refined, plans, stream, measured, ledger)
        if ledger is not None and not ledger.sends:
            return Looked(first, following)
        return Staged(first, following, abandons=ledger is not None and not ledger.lost)

    def _refined(
        self,
        plans: Sequence[Plan],
        stream: Iterator[int] | None,
        measured: _Remembered,
        ledger: Ledger | None,
        outcomes: tuple[Shots, ...],
    ) -> Run:
        rest = iter(outcomes)
        for plan in plans:
            seen = [next(rest) for _ in plan.first]
            if plan.pilot:
                plan.final.extend(learned(plan, seen))
        stage = None if ledger is None else ledger.stage(1, last=True)
        return self._started(plans, [plan.final for plan in plans], stream, measured, stage)

    def _started(
        self,
        plans: Sequence[Plan],
        shares: Sequence[Sequence[Share]],
        stream: Iterator[int] | None,
        measured: _Remembered,
        stage: Stage | None,
    ) -> Run:
        requests = []
        for plan, some in zip(plans, shares, strict=True):
            circuit, values = plan.circuit, points_of(plan.pub)
            for share in some:
                rows = values if len(share.points) == len(values) else values[share.points]
                basis = share.group.basis
                width = circuit.num_clbits + len(basis.qubits)
                turned = measured.turned(circuit, share.group, plan.observables)
                requests.append(Request(turned, rows, share.shots, width, basis=basis))
        return start(
            self._device.session,
            self._device.spec,
            requests,
            seeds=stream,
            measured=measured,
            stage=stage,
            compiled=self._device.compiled,
        )

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
    return saved(pubs, said, options=options, call=call)


def restored(ledger: Ledger, opened: Callable[[Ledger], QDMIBackend]) -> PrimitiveJob:
    """Return the job of a run in the journal; see `records.taken_up`."""

    def pub_of(circuit: QuantumCircuit, values: Any, terms: Any, precision: float) -> EstimatorPub:
        return EstimatorPub(circuit, ObservablesArray.coerce(terms), values, precision)

    def begun(pubs: list[Any], call: dict[str, Any]) -> Begun:
        options, number = call["options"], call["call"]
        return lambda backend, page: EstimatorV2(backend, options=options)._begun(  # noqa: SLF001
            pubs, number, page
        )

    return taken_up(ledger, opened, pub_of, begun)


class _Remembered:
    """The measured circuits of one call: both stages use the same, and so do later calls."""

    def __init__(
        self, measured: Callable[[QuantumCircuit, Basis], QuantumCircuit], compiled: Compiled
    ) -> None:
        self._measured, self._compiled = measured, compiled
        self._found: dict[tuple[int, int], QuantumCircuit] = {}

    def turned(
        self, circuit: QuantumCircuit, group: Group, observables: Observables
    ) -> QuantumCircuit:
        """Return the circuit followed by the one that makes a group of terms diagonal."""
        if group.turn is None:
            return circuit
        key = id(circuit), id(group)
        if key not in self._found:
            x, z = observables.x[group.terms], observables.z[group.terms]
            make = partial(_followed, circuit, group.turn)
            content = "turned", x.tobytes(), z.tobytes()  # the same for every estimator
            self._found[key] = self._compiled.product(circuit, content, make)
        return self._found[key]

    def __call__(self, circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
        key = id(circuit), id(basis)  # the plans hold both for as long as this lives
        if key not in self._found:
            content = (basis.qubits.tobytes(), basis.x.tobytes(), basis.z.tobytes())
            self._found[key] = self._compiled.product(
                circuit, content, lambda: self._measured(circuit, basis)
            )
        return self._found[key]


def _followed(circuit: QuantumCircuit, turn: QuantumCircuit) -> QuantumCircuit:
    whole: QuantumCircuit = circuit.copy()
    whole.compose(turn, range(circuit.num_qubits), inplace=True, copy=False)
    return whole


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
        _checked_precision(pub[3], "precision")
    wanted = "(circuit, observables, values, precision)"
    found = coerced(KnownPub.coerce, pub, precision, index=index, wanted=wanted)
    _checked_precision(found.precision, "precision")
    return found


def _checked_precision(precision: Any, name: str) -> None:
    if isinstance(precision, bool) or not isinstance(precision, int | float | np.floating):
        raise ConfigError(f"{name}={precision!r}: wanted a number of at least 0, such as 0.01")
    if not 0 <= precision < np.inf:
        raise ConfigError(
            f"{name}={precision!r}: wanted a standard error greater than 0 (the smaller, the more "
            "shots), or 0 for exact values"
        )
