"""Shots for an energy, ours against `BackendEstimatorV2`: ground states, the same true error.

    python -m benchmarks.shots [SEEDS [MOLECULE ...]]

Theirs is known exactly: uniform shots over Qiskit's own groups make an error of variance V / N
after N shots, V from the exact ground state. Ours is run, once for each seed: N shots in the mean,
the pilot's counted. The device draws the outcomes of every basis from its exact distribution, so
that all of the estimator runs, and nothing is simulated twice. The ratio N E / V is given twice:

* over the first 10 seeds, E the variance that the shots which those seeds allotted give, from the
  exact deviations of the groups. Ten errors alone would leave a ratio uncertain by 45 %.
* over all seeds, E the mean square of the errors that came out; uncertain by sqrt(2 / SEEDS).

"errors / variances" is how the two E compare over all seeds: 1 if no estimate is biased.
The last column is the ratio of the best allotment of these groups, deviations known beforehand.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

warnings.filterwarnings("ignore", category=DeprecationWarning)

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.quantum_info import SparsePauliOp, Statevector
from rich.console import Console
from rich.table import Table
from scipy.sparse.linalg import eigsh

from benchmarks.works import molecule
from qdmi_qiskit import EstimatorV2, QDMIBackend, bits
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.devices.aer.terminal import turned
from qdmi_qiskit.model import (
    Basis,
    Capabilities,
    DeviceSpec,
    JobStatus,
    Operation,
    Shots,
    Site,
    Task,
)
from qdmi_qiskit.primitives.observables import Group, Observables, collect

SEEDS = 400
FIRST = 10  # seeds that the promise is about
LIMITS = {"qubit_wise": 0.25, "commuting": 0.10}


class Drawn(Job):
    def __init__(self, outcome: tuple[Shots, ...]) -> None:
        self.id, self._outcome = "drawn", outcome

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def result(self) -> tuple[Shots, ...]:
        return self._outcome


class Drawing(Session):
    """Holds one state; the gates of a circuit turn it, and a basis measures it.

    Attributes:
        asked: The shots of every task of the last job.
    """

    def __init__(self, state: np.ndarray) -> None:
        self._state = state
        self._num_qubits = len(state).bit_length() - 1
        self._rng = np.random.default_rng(1)
        self._totals: dict[bytes, np.ndarray] = {}
        self._turned: dict[bytes, np.ndarray] = {}
        self.asked: list[int] = []

    def spec(self) -> DeviceSpec:
        gates = {"h": 1, "s": 1, "sdg": 1, "x": 1, "y": 1, "z": 1, "cx": 2, "cz": 2, "swap": 2}
        return DeviceSpec(
            name="drawing",
            version="1",
            sites=tuple(Site(k) for k in range(self._num_qubits)),
            operations=tuple(Operation(k, v) for k, v in {**gates, "measure": 1}.items()),
            capabilities=Capabilities(
                formats=("qiskit",),
                bases=True,
                sweeps=True,
                max_executables=None,
                mixed_shots=True,
            ),
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        self.asked = [task.shots for task in tasks]
        return Drawn(tuple(self._drawn(task) for task in tasks))

    def _drawn(self, task: Task) -> Shots:
        total = self.total(task.program.payload, task.basis)
        words = total.searchsorted(self._rng.random((task.points, task.shots)), side="right")
        return Shots(bits.from_words(words.astype(np.uint64), task.num_bits), task.num_bits)

    def total(self, circuit: QuantumCircuit, basis: Basis) -> np.ndarray:
        """The cumulative chances of the outcomes of a basis, float64."""
        key = self._key(circuit)
        whole = key + b"|" + basis.qubits.tobytes() + basis.x.tobytes() + basis.z.tobytes()
        if whole not in self._totals:
            n = self._num_qubits
            x, z = np.zeros((2, n), bool)
            x[basis.qubits], z[basis.qubits] = basis.x, basis.z
            cube = turned(self._after(circuit, key)[None], x, z).reshape([2] * n)
            idle = [k for k in range(n) if k not in set(basis.qubits.tolist())]
            chances = cube.sum(axis=tuple(n - 1 - k for k in idle)).ravel()
            self._totals[whole] = np.cumsum(chances)
            self._totals[whole] /= self._totals[whole][-1]
        return self._totals[whole]

    def _key(self, circuit: QuantumCircuit) -> bytes:
        gates = [(g.name, *(circuit.find_bit(q).index for q in g.qubits)) for g in circuit.data]
        return str(gates).encode()

    def _after(self, circuit: QuantumCircuit, key: bytes) -> np.ndarray:
        if not circuit.data:
            return self._state
        if key not in self._turned:
            self._turned = {key: Statevector(self._state).evolve(circuit).data}
        return self._turned[key]


def deviations(
    session: Drawing, circuit: QuantumCircuit, observables: Observables, groups: Sequence[Group]
) -> np.ndarray:
    """The exact standard deviation of one shot of each group."""
    found = []
    for group in groups:
        whole = circuit if group.turn is None else circuit.compose(group.turn)
        chances = np.diff(session.total(whole, group.basis), prepend=0.0)
        outcomes = np.arange(len(chances))
        powers = group.masks @ (1 << np.arange(group.masks.shape[1]))
        weights = observables.coefficients[0, group.terms] * group.signs
        values = np.zeros(len(chances))
        for power, weight in zip(powers.tolist(), weights.tolist(), strict=True):
            values += weight * (1.0 - 2.0 * (np.bitwise_count(outcomes & power) & 1))
        mean = chances @ values
        found.append(np.sqrt(max(chances @ (values - mean) ** 2, 0.0)))
    return np.array(found)


def theirs(operator: SparsePauliOp, state: np.ndarray) -> float:
    """Variance times shots in all, of uniform shots over Qiskit's qubit-wise groups."""
    rest = SparsePauliOp(operator.paulis[~identity(operator)], operator.coeffs[~identity(operator)])
    groups = rest.group_commuting(qubit_wise=True)
    total = 0.0
    for group in groups:
        image = group.to_matrix(sparse=True) @ state
        total += float(np.vdot(image, image).real - np.vdot(state, image).real ** 2)
    return len(groups) * total


def identity(operator: SparsePauliOp) -> np.ndarray:
    return ~(operator.paulis.x | operator.paulis.z).any(axis=1)


def main(seeds: int, names: list[str]) -> None:
    columns = ("molecule", "grouping", "precision", "shots", f"ratio, {FIRST} seeds", "at most")
    table = Table(*columns, "ratio, true errors", "seeds", "errors / variances", "best")
    for name in ("LiH", "H2O"):
        if names and name not in names:
            continue
        operator = molecule(name)
        values, vectors = eigsh(
            operator.to_matrix(sparse=True), k=1, which="SA", v0=np.ones(2**operator.num_qubits)
        )
        variance = theirs(operator, vectors[:, 0])
        circuit = QuantumCircuit(operator.num_qubits)
        for grouping, limit in LIMITS.items():
            session = Drawing(vectors[:, 0].astype(complex))
            estimator = EstimatorV2(QDMIBackend(session), grouping=grouping)
            for precision, times in ((0.01, seeds), (0.003, max(seeds // 40, FIRST))):
                row = one(session, estimator, circuit, operator, precision, times, values[0])
                ratio, errors = row["exact"] / variance, row["errors"] / variance
                sigma = np.sqrt(2 / times)
                cells = (
                    name,
                    grouping,
                    f"{precision:g}",
                    f"{row['shots']:.0f}",
                    f"{ratio:.3f} +- {row['scatter'] / variance:.3f}",
                    f"{limit}{'' if ratio <= limit else ' MISSED'}",
                    f"{errors:.3f} +- {errors * sigma:.3f}",
                    str(times),
                    f"{row['fair']:.3f} +- {sigma:.3f}",
                    f"{row['best'] / variance:.3f}",
                )
                table.add_row(*cells)
                print(" | ".join(cells), flush=True)
    Console(width=150).print(table)


def one(
    session: Drawing,
    estimator: EstimatorV2,
    circuit: QuantumCircuit,
    operator: SparsePauliOp,
    precision: float,
    times: int,
    energy: float,
) -> dict[str, float]:
    """Estimate so often; return shots times variance: by the first seeds, by errors, the least."""
    pub = EstimatorPub.coerce((circuit, operator, None, precision))
    observables = collect(pub.observables, circuit.num_qubits)
    errors, shots, exact = [], [], []
    scales = None
    for _ in range(times):
        found = estimator.run([pub]).result()[0]
        if scales is None:
            groups = estimator._grouped(observables)  # noqa: SLF001 - remembered from the run
            scales = deviations(session, circuit, observables, groups)
        errors.append(float(found.data.evs) - energy)
        shots.append(found.metadata["shots"])
        exact.append(float((scales**2 / np.array(session.asked)).sum()))
    mean, squares = float(np.mean(shots)), float(np.mean(np.square(errors)))
    products = np.multiply(shots, exact)[:FIRST]
    return {
        "shots": mean,
        "exact": float(np.mean(shots[:FIRST]) * np.mean(exact[:FIRST])),
        "scatter": float(products.std(ddof=1)),
        "errors": mean * squares,
        "fair": squares / float(np.mean(exact)),
        "best": float(scales.sum() ** 2),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS, sys.argv[2:])
