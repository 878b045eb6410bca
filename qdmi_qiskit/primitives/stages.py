"""The shots of an estimator's call: a pilot where one is worth it, and what it leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from qiskit import QuantumCircuit

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.forecast import Considered
from qdmi_qiskit.journal import Ledger, Stage
from qdmi_qiskit.model import Basis, Shots, Values
from qdmi_qiskit.plan import Request
from qdmi_qiskit.primitives.allot import Share
from qdmi_qiskit.primitives.estimates import Plan, learned
from qdmi_qiskit.primitives.measured import Measured
from qdmi_qiskit.primitives.pubs import points_of
from qdmi_qiskit.run import Run, start
from qdmi_qiskit.work import Looked, Staged, Work

Outcomes = tuple[Shots, ...]


class Stages:
    """Sends the pilots of a call, and with them whatever needs none; the rest follows by itself."""

    def __init__(
        self,
        device: QDMIBackend,
        plans: Sequence[Plan],
        append: Callable[[QuantumCircuit, Basis], QuantumCircuit],
        stream: Iterator[int] | None,
        ledger: Ledger | None,
    ) -> None:
        """Prepare a call.

        Args:
            device: Where it runs.
            plans: Of its pubs, those of exact values among them.
            append: Appends the measurement of a basis, in gates of the device.
            stream: A seed for every task of both stages; None: no seeds.
            ledger: Its page in the journal, if there is one.
        """
        self._device, self._plans = device, plans
        self._stream, self._ledger = stream, ledger
        self._measured = Measured(append, device.compiled)

    def begin(self) -> Work[tuple[Outcomes, Outcomes]]:
        """Start, and return the outcomes of both stages, share by share; see `Staged`."""
        ledger, device = self._ledger, self._device
        piloted = any(plan.pilot for plan in self._plans)
        if piloted and (ledger is None or ledger.intent is None):
            most = Considered(device.spec, partial(at_most, self._plans))
            device.session.admit(most, asks=True)
        stage = None if ledger is None else ledger.stage(0, last=not piloted)
        first = self._started([plan.first for plan in self._plans], stage)
        if not piloted:
            return Staged(first, None)
        if ledger is not None and not ledger.sends:
            return Looked(first, self._refined)
        return Staged(first, self._refined, abandons=ledger is not None and not ledger.lost)

    def _refined(self, outcomes: Outcomes) -> Run:
        """Start the second stage."""
        rest = iter(outcomes)
        for plan in self._plans:
            seen = [next(rest) for _ in plan.first]
            if plan.pilot:
                plan.final.extend(learned(plan, seen))
        stage = None if self._ledger is None else self._ledger.stage(1, last=True)
        return self._started([plan.final for plan in self._plans], stage)

    def _started(self, shares: Sequence[Sequence[Share]], stage: Stage | None) -> Run:
        requests = []
        for plan, some in zip(self._plans, shares, strict=True):
            circuit, values = plan.circuit, points_of(plan.pub)
            for share in some:
                rows = values if len(share.points) == len(values) else values[share.points]
                turned = self._measured.turned(circuit, share.group, plan.observables)
                requests.append(_request(turned, rows, circuit.num_clbits, share))
        device = self._device
        return start(
            device.session,
            device.spec,
            requests,
            seeds=self._stream,
            measured=self._measured,
            stage=stage,
            compiled=device.compiled,
        )


def at_most(plans: Sequence[Plan]) -> list[Request[QuantumCircuit]]:
    """Return requests that no state of the device makes more of; none is to be sent."""
    found: list[Request[QuantumCircuit]] = []
    for plan in plans:
        values, own = points_of(plan.pub), plan.circuit.num_clbits
        found += [
            _request(plan.circuit, values[share.points], own, share)
            for share in [*plan.pilot, *plan.safe]
        ]
    return found


def _request(
    circuit: QuantumCircuit, rows: Values, own: int, share: Share
) -> Request[QuantumCircuit]:
    """Return what measures a share.

    Args:
        circuit: To be measured.
        rows: float64, shape `(points, parameters)`.
        own: Classical bits of the user's circuit.
        share: Says how often, and in which basis.
    """
    basis = share.group.basis
    return Request(circuit, rows, share.shots, own + len(basis.qubits), basis=basis)
