"""Energies of one Hamiltonian on one device: measured, recorded, within a budget."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit.chemistry.record import Floats, Measured, Record
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Price
from qdmi_qiskit.primitives import EstimatorV2
from qdmi_qiskit.primitives.allot import bounded
from qdmi_qiskit.primitives.estimates import need_of
from qdmi_qiskit.primitives.observables import collect, grouped


class BudgetSpentError(Exception):
    """The next energies could take more shots than are left; nothing was sent."""


@dataclass(frozen=True)
class Cost:
    """What one energy takes at most.

    Attributes:
        circuits: Groups of terms, each a circuit.
        shots: Enough for any state; a pilot mostly finds that far fewer do. 0: exact values.
    """

    circuits: int
    shots: int


def cost_of(hamiltonian: SparsePauliOp, precision: float, fewest: int = 1) -> Cost:
    """Return what one energy takes at most with `EstimatorV2`, by its own grouping."""
    if precision == 0:
        return Cost(0, 0)
    empty = QuantumCircuit(hamiltonian.num_qubits)
    pub = EstimatorPub.coerce((empty, hamiltonian), precision)
    observables = collect(pub.observables, hamiltonian.num_qubits)
    shares = bounded(observables, grouped(observables), need_of(pub, fewest))
    return Cost(len(shares), sum(share.shots for share in shares))


def price_of(backend: Any, circuits: int, shots: int) -> tuple[float, str] | None:
    """Return what so many circuits and shots cost and in which currency; None: nobody says.

    Simulators of ours that state no price are free. Circuits share a task as far as the device
    takes several at once.
    """
    spec = getattr(backend, "spec", None)
    price = getattr(spec, "price", None)
    if spec is None or (price is None and not spec.simulator):
        return None
    price = price or Price()
    at_once = spec.capabilities.max_executables
    tasks = circuits if at_once is None else -(-circuits // at_once)
    return price.per_task * tasks + price.per_shot * shots, price.currency


@dataclass
class Energies:
    """Measures energies and keeps the account.

    Attributes:
        backend: Where.
        estimator: Instead of an `EstimatorV2` on the backend: any other V2 estimator.
        hamiltonian: On the logical qubits.
        precision: Standard error wanted of each energy, hartree.
        seed: Of the shots, where the backend takes one; each call gets noise of its own.
        record: Answers what was measured before.
        max_shots: Of all calls together.
        calls: Made so far, those answered by the record included.
        shots: Taken so far, those of the record included; None once a result does not tell.
        replayed: Calls that the record answered.
    """

    backend: Any
    hamiltonian: SparsePauliOp
    precision: float
    record: Record
    estimator: Any = None
    seed: int | None = None
    max_shots: int | None = None
    calls: int = 0
    shots: int | None = 0
    replayed: int = 0
    dearest: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        fewest = getattr(getattr(self.backend, "spec", None), "capabilities", None)
        self.cost = cost_of(self.hamiltonian, self.precision, getattr(fewest, "min_shots", 1))
        if self.max_shots is not None and self.cost.shots > self.max_shots:
            raise ConfigError(
                f"max_shots={self.max_shots}: one energy to {self.precision} Ha may take "
                f"{self.cost.shots} shots; ask for a larger budget or a coarser precision"
            )
        if self.estimator is None:
            self._own = EstimatorV2(self.backend)

    def measure(
        self, key: str, isa: QuantumCircuit, points: Floats, *, reserve: int = 1
    ) -> Measured:
        """Measure all points in one pub, or recall them.

        Args:
            key: What the circuit is called in the record.
            isa: Lowered for the backend.
            points: Shape (points, parameters), columns in the order of `isa.parameters`.
            reserve: Energies for which the budget must still last afterwards.

        Raises:
            BudgetSpentError: It does not.
        """
        found = self.record.recall(key, points)
        call, self.calls = self.calls, self.calls + 1
        if isinstance(found, Measured):
            self.replayed += 1
        else:
            job = None if found is None else self._known(found)
            if job is None:
                self._check(len(points) + reserve)
                job = self._sent(key, isa, points, call)
            result = job.result()[0]
            each = result.metadata.get("shots")
            shots = None if each is None else int(each) * len(points)
            values = (np.atleast_1d(result.data.evs), np.atleast_1d(result.data.stds))
            found = Measured(*values, shots)
            self.record.add(key, points, found)
        if found.shots is None or self.shots is None:
            self.shots = None
        else:
            self.shots += found.shots
            self.dearest = max(self.dearest, -(-found.shots // len(points)))
        return found

    def _check(self, energies: int) -> None:
        if self.max_shots is None:
            return
        if self.shots is None:
            raise ConfigError("max_shots= needs an estimator whose results tell their shots")
        each = min(2 * self.dearest, self.cost.shots) or self.cost.shots
        if self.calls > 1 and self.shots + each * energies > self.max_shots:
            raise BudgetSpentError

    def _sent(self, key: str, isa: QuantumCircuit, points: Floats, call: int) -> Any:
        pub = (isa, self.hamiltonian.apply_layout(isa.layout), points)
        if self.estimator is not None:
            return self.estimator.run([pub], precision=self.precision)
        # The journal knows a run by its tag before anything is sent, and so must the record.
        tag = f"vqe-{uuid4().hex}"
        self.record.begun(key, points, tag)
        return self._seeded(call).run([pub], precision=self.precision, tags=[tag])

    def _seeded(self, call: int) -> EstimatorV2:
        """Return the estimator for a call: with a seed, one whose noise depends on the call alone.

        So a run that goes on from its record sees the noise that it would have seen.
        """
        if self.seed is None:
            return self._own
        seed = int(np.random.SeedSequence([self.seed, call]).generate_state(1)[0])
        return EstimatorV2(self.backend, seed=seed)

    def _known(self, tag: str) -> Any:
        """Return the job of an earlier process, if the journal keeps it.

        A job that was not sent as a whole goes on; where nobody knows whether it was sent, the
        error says so, and nothing is sent again.
        """
        provider = getattr(self.backend, "provider", None)
        if provider is None or not (rows := provider.jobs(tag=tag, limit=1)):
            return None  # it died with its process: a simulation
        return provider.job(rows[0].id, backend=self.backend).resume()


def digest(hamiltonian: SparsePauliOp) -> str:
    """Return what tells a Hamiltonian from another, the order of its terms apart."""
    terms = sorted((label, complex(value)) for label, value in hamiltonian.to_list())
    return hashlib.sha256(repr(terms).encode()).hexdigest()
