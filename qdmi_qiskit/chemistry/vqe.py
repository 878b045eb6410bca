"""VQE over SciPy's optimisers: gradients in one pub, a record to go on from, a budget.

What is reported is the energy of the last point, measured again with its standard error: the
lowest energy seen on the way is biased low by its own noise. Finite-shot VQE seldom improves on
coupled-cluster amplitudes (LiH: 0.001 mHa from the start, no circuit run), so `maxiter=0`, which
measures the start, is a setting like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from qdmi_qiskit.chemistry.ansatz import bind, lower
from qdmi_qiskit.chemistry.energies import BudgetSpentError, Energies, cost_of, digest, price_of
from qdmi_qiskit.chemistry.record import Floats, Record
from qdmi_qiskit.errors import ConfigError, did_you_mean

_GRADIENT = ("SLSQP", "L-BFGS-B", "BFGS", "CG", "TNC")
_SERIAL = ("COBYLA", "COBYQA", "Nelder-Mead", "Powell")


@dataclass(frozen=True)
class Preview:
    """What a VQE is about to take; nothing was sent for it.

    Attributes:
        energies: Points at which the energy is measured: SLSQP and its like take about two values
            and a gradient of two points per parameter in each iteration.
        circuits: Executables, one per point and group of terms; a pilot may double them.
        shots: At most, enough for any state; a pilot mostly finds that far fewer do.
        two_qubit_gates: Of the circuit of the loop; the last energy is measured with fewer.
        price: Of `circuits` and `shots`, or of `max_shots` where that is less; None: not said.
        currency: ISO 4217 code of the price.
    """

    energies: int
    circuits: int
    shots: int
    two_qubit_gates: int
    price: float | None
    currency: str | None

    def __str__(self) -> str:
        price = "price unknown"
        if self.price is not None:
            price = f"at most {self.price:,.2f} {self.currency}" if self.price else "free"
        energies = f"about {self.energies:,} energies" if self.energies > 1 else "one energy"
        return (
            f"{energies}: {self.circuits:,} circuits of "
            f"{self.two_qubit_gates:,} two-qubit gates, at most {self.shots:,} shots, {price}"
        )


@dataclass(frozen=True, eq=False)
class Step:
    """One value that the optimiser asked for.

    Attributes:
        number: From 1.
        point: Parameters, radians, by the order of the start.
        energy: Measured there, hartree.
        error: Its standard error, hartree.
        shots: Taken so far, gradients included; None: not known.
    """

    number: int
    point: Floats
    energy: float
    error: float
    shots: int | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Where a VQE ended.

    Attributes:
        energy: Measured again at the end, hartree.
        error: Its standard error, hartree.
        parameters: Name -> value, radians.
        circuit: Lowered, bound: what was measured last, without measurements.
        steps: Values on the way, for the convergence plot.
        shots: In all; None: not known.
        calls: Of the estimator, each one pub.
        replayed: Calls of these that the record answered.
        stopped: Why it ended: the optimiser's words, "max_shots" or "maxiter=0".
    """

    energy: float
    error: float
    parameters: dict[str, float]
    circuit: QuantumCircuit
    steps: list[Step]
    shots: int | None
    calls: int
    replayed: int
    stopped: str


@dataclass
class VQE:
    """Finds parameters of least energy on one device.

    Attributes:
        backend: Any backend.
        ansatz: Logical circuit with parameters, without measurements.
        hamiltonian: On its qubits.
        maxiter: Of the optimiser: iterations (SLSQP and its like) or energies (COBYLA);
            0: the start is measured and nothing else.
        method: SciPy's. Those that use gradients get central differences, all points of one in
            one pub.
        precision: Standard error wanted of each energy, hartree; 0 where the device is exact.
        step: Of the differences, and first step of COBYLA, radians. With shots no less than
            0.05: the noise of a difference is the noise of an energy over twice the step.
        max_shots: Budget; the run ends before it would be spent, with the last energy measured.
        seed: Of transpiler and shots.
        record: A file that the run goes on from if it is there (see `record.py`).
        estimator: Measures instead of `EstimatorV2(backend)`: one with mitigation, or of several
            devices. It must take circuits for `backend`.
        trials: Layouts to try (see `lower`).
        callback: Called after each value of the optimiser.
        options: Further ones of SciPy's method.
    """

    backend: Any
    ansatz: QuantumCircuit
    hamiltonian: SparsePauliOp
    maxiter: int = 10
    method: str = "SLSQP"
    precision: float = 0.005
    step: float = 0.1
    max_shots: int | None = None
    seed: int | None = None
    record: Path | str | None = None
    estimator: Any = None
    trials: int = 1
    callback: Callable[[Step], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*_GRADIENT, *_SERIAL)
        if self.method not in known:
            raise ConfigError(f"method={self.method!r}{did_you_mean(self.method, known)}")
        if self.maxiter < 0:
            raise ConfigError(f"maxiter={self.maxiter}: wanted at least 0")
        if not 0 < self.step < math.inf:
            raise ConfigError(f"step={self.step}: wanted an angle above 0, radians")
        if not 0 <= self.precision < math.inf:
            raise ConfigError(f"precision={self.precision}: wanted hartree, at least 0")
        least = self.ansatz.num_parameters + 2
        if self.method == "COBYLA" and 0 < self.maxiter < least:
            raise ConfigError(
                f"maxiter={self.maxiter}: COBYLA needs at least {least} energies for "
                f"{least - 2} parameters, or 0 to measure the start"
            )
        self._lowered: QuantumCircuit | None = None

    def preview(self) -> Preview:
        """Return what `run` is about to take."""
        width, energies = self.ansatz.num_parameters, 1
        if self.maxiter and self.method in _GRADIENT:
            energies += 1 + self.maxiter * (2 * width + 2)
        elif self.maxiter:
            energies += self.maxiter
        one = cost_of(self.hamiltonian, self.precision)
        circuits, shots = energies * one.circuits, energies * one.shots
        if self.max_shots is not None:
            shots = min(shots, self.max_shots)
        price = price_of(self.backend, circuits, shots)
        return Preview(
            energies, circuits, shots, self._isa().num_nonlocal_gates(), *(price or (None, None))
        )

    def run(self, start: Mapping[str, float]) -> Outcome:
        """Optimise from a start, or go on where the record ends.

        Args:
            start: Name of each parameter -> value, radians; as from `uccsd`.

        Raises:
            ConfigError: The start does not fit the circuit, the record or budget not the VQE.
        """
        names = list(start)
        if set(names) != {parameter.name for parameter in self.ansatz.parameters}:
            raise ConfigError("start= must have a value for each parameter of the ansatz by name")
        header = {
            "backend": getattr(self.backend, "name", type(self.backend).__name__),
            "ansatz": [self.ansatz.name, self.ansatz.num_qubits, names],
            "hamiltonian": digest(self.hamiltonian),
            "precision": self.precision,
        }
        record = Record(self.record, header)
        try:
            energies = Energies(
                self.backend,
                self.hamiltonian,
                self.precision,
                record,
                estimator=self.estimator,
                seed=self.seed,
                max_shots=self.max_shots,
            )
            return self._run(start, energies)
        finally:
            record.close()

    def _run(self, start: Mapping[str, float], energies: Energies) -> Outcome:
        names, steps = list(start), list[Step]()
        point, stopped = np.array(list(start.values()), dtype=float), "maxiter=0"
        if self.maxiter:
            point, stopped = self._optimised(names, point, energies, steps)
        parameters = dict(zip(names, point.tolist(), strict=True))
        # Bound first, the circuit lowers to about half of the gates.
        isa = lower(bind(self.ansatz, parameters), self.backend, seed=self.seed, trials=self.trials)
        found = energies.measure(f"end {point.tolist()}", isa, np.empty((1, 0)), reserve=0)
        return Outcome(
            energy=float(found.energies[0]),
            error=float(found.errors[0]),
            parameters=parameters,
            circuit=isa,
            steps=steps,
            shots=energies.shots,
            calls=energies.calls,
            replayed=energies.replayed,
            stopped=stopped,
        )

    def _optimised(
        self, names: list[str], start: Floats, energies: Energies, steps: list[Step]
    ) -> tuple[Floats, str]:
        isa = self._isa()
        # Lowering may reorder parameters: columns follow their names.
        columns = [names.index(parameter.name) for parameter in isa.parameters]

        def value(point: Floats) -> float:
            found = energies.measure("loop", isa, point[None, columns])
            one = Step(
                len(steps) + 1,
                point.copy(),
                float(found.energies[0]),
                float(found.errors[0]),
                energies.shots,
            )
            steps.append(one)
            if self.callback is not None:
                self.callback(one)
            return one.energy

        def gradient(point: Floats) -> Floats:
            shifts = self.step * np.eye(len(point))
            points = np.concatenate([point + shifts, point - shifts])
            up, down = energies.measure("loop", isa, points[:, columns]).energies.reshape(2, -1)
            return (up - down) / (2 * self.step)

        options = {"maxiter": self.maxiter, **self.options}
        if self.method == "COBYLA":
            options = {"rhobeg": self.step, "tol": 0.005, **options}
        jac = gradient if self.method in _GRADIENT else None
        try:
            found = minimize(value, start, jac=jac, method=self.method, options=options)
        except BudgetSpentError:
            return min(steps, key=lambda step: step.energy).point, "max_shots"
        return np.asarray(found.x, dtype=float), str(found.message)

    def _isa(self) -> QuantumCircuit:
        if self._lowered is None:
            self._lowered = lower(self.ansatz, self.backend, seed=self.seed, trials=self.trials)
        return self._lowered
