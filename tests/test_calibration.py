"""Standard errors against true errors: thousands of estimates of energies and of random sums.

The device draws from the exact outcome distribution of each basis, ideal or depolarised and
misread, so that thousands of runs of the whole estimator, pilots included, take seconds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import EstimatorV2, bits
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.model import Capabilities, DeviceSpec, JobStatus, Operation, Shots, Site
from tests.references import random_state, random_sum

ESTIMATES = 2000
SLOW = pytest.mark.slow  # all but one of each kind


class Drawn(Job):
    def __init__(self, outcome):
        self.id, self._outcome = "drawn", outcome

    def status(self):
        return JobStatus.DONE

    def result(self):
        return self._outcome


class Drawing(Session):
    """Measures states given by name: `circuit.name` says which; gates after it turn the state.

    With probability `mix` the state is the maximally mixed one; each bit is misread with
    probability `flip`.
    """

    def __init__(self, states, *, mix=0.0, flip=0.0, seed=1):
        self._states, self._mix, self._flip = states, mix, flip
        self._rng = np.random.default_rng(seed)
        self._known = {}

    def spec(self):
        n = next(iter(self._states.values())).num_qubits
        names = {
            "rz": 1,
            "h": 1,
            "s": 1,
            "sdg": 1,
            "x": 1,
            "y": 1,
            "z": 1,
            "cx": 2,
            "cz": 2,
            "swap": 2,
        }
        return DeviceSpec(
            name="drawing",
            version="1",
            sites=tuple(Site(k) for k in range(n)),
            operations=tuple(Operation(k, v) for k, v in {**names, "measure": 1}.items()),
            capabilities=Capabilities(
                formats=("qiskit",),
                bases=True,
                sweeps=True,
                max_executables=None,
                mixed_shots=True,
            ),
        )

    def submit(self, tasks, *, key):
        return Drawn(tuple(self._drawn(task) for task in tasks))

    def _drawn(self, task):
        total = self._total(task.program.payload, task.basis)
        words = total.searchsorted(self._rng.random((task.points, task.shots)), side="right")
        return Shots(bits.from_words(words.astype(np.uint64), task.num_bits), task.num_bits)

    def _total(self, circuit, basis, name=None):
        name = circuit.name if name is None else name
        gates = tuple((g.name, *map(circuit.find_bit, g.qubits)) for g in circuit.data)
        where = basis.qubits.tolist()
        key = name, str(gates), tuple(where), basis.x.tobytes(), basis.z.tobytes()
        if key not in self._known:
            turned = circuit.copy()
            for qubit, x, z in zip(where, basis.x, basis.z, strict=True):
                if x and z:
                    turned.sdg(qubit)
                if x:
                    turned.h(qubit)
            chances = self._states[name].evolve(turned).probabilities(where)
            chances = (1 - self._mix) * chances + self._mix / len(chances)
            cube = chances.reshape([2] * len(where))
            for axis in range(cube.ndim):
                cube = (1 - self._flip) * cube + self._flip * np.flip(cube, axis)
            self._known[key] = np.cumsum(cube.ravel())
            self._known[key] /= self._known[key][-1]
        return self._known[key]

    def exact(self, name, operator):
        """The expectation value that this device has."""
        total = 0.0
        for label, coefficient in operator.to_list():
            acts = len(label) - label.count("I")
            left = (1 - self._mix * (acts > 0)) * (1 - 2 * self._flip) ** acts
            value = self._states[name].expectation_value(SparsePauliOp(label))
            total += float(np.real(coefficient * value)) * left
        return total


class Sweeping(Drawing):
    """The value of the only parameter says which state is measured; jobs are counted."""

    def __init__(self, states, *, mixed=True, **options):
        super().__init__(states, **options)
        self._mixed, self.jobs = mixed, []

    def spec(self):
        spec = super().spec()
        return replace(spec, capabilities=replace(spec.capabilities, mixed_shots=self._mixed))

    def submit(self, tasks, *, key):
        self.jobs.append([(task.points, task.shots) for task in tasks])
        return super().submit(tasks, key=key)

    def _drawn(self, task):
        empty = QuantumCircuit(len(task.basis.qubits))
        words = [
            self._total(empty, task.basis, str(int(number))).searchsorted(
                self._rng.random(task.shots), side="right"
            )
            for (number,) in task.values
        ]
        return Shots(bits.from_words(np.array(words, np.uint64), task.num_bits), task.num_bits)


@cache
def molecule(name):
    """A Hamiltonian in STO-3G by Jordan-Wigner, and its ground state."""
    drivers = pytest.importorskip("qiskit_nature.second_q.drivers")
    mappers = pytest.importorskip("qiskit_nature.second_q.mappers")
    linalg = pytest.importorskip("scipy.sparse.linalg")
    atoms = {"H2": "H 0 0 0; H 0 0 0.735", "LiH": "Li 0 0 0; H 0 0 1.595"}
    problem = drivers.PySCFDriver(atom=atoms[name], basis="sto3g").run()
    operator = mappers.JordanWignerMapper().map(problem.hamiltonian.second_q_op())
    operator = SparsePauliOp(operator.paulis, operator.coeffs.real)
    start = np.ones(2**operator.num_qubits)
    _, states = linalg.eigsh(operator.to_matrix(sparse=True), k=1, which="SA", v0=start)
    return operator, Statevector(states[:, 0])


def scores(session, works, precision, *, points=1, **options):
    """Estimate each (name, operator) in a pub of its own; return the errors over stds, and stds.

    The points of a pub are alike, and each has shots of its own.
    """
    exact = {}
    estimator = EstimatorV2(QDMIBackend(session), **options)
    z, stds = [], []
    for first in range(0, len(works), 100):
        batch = works[first : first + 100]
        same = BindingsArray({}, shape=(points,))
        pubs = [(QuantumCircuit(op.num_qubits, name=name), op, same) for name, op in batch]
        results = estimator.run(pubs, precision=precision).result()
        for (name, operator), pub in zip(batch, results, strict=True):
            key = name, id(operator)
            if key not in exact:
                exact[key] = session.exact(name, operator)
            stds.append(pub.data.stds)
            z.append((pub.data.evs - exact[key]) / pub.data.stds)
    return np.concatenate(z), np.concatenate(stds)


def near(state, angle, rng):
    """A state at some angle from one."""
    other = rng.normal(size=len(state.data)) + 1j * rng.normal(size=len(state.data))
    other -= np.vdot(state.data, other) * state.data
    whole = np.cos(angle) * state.data + np.sin(angle) * other / np.linalg.norm(other)
    return Statevector(whole)


@pytest.mark.parametrize("precision", [0.01, pytest.param(1 / 64, marks=SLOW)])
def test_an_outcome_that_no_pilot_saw_does_not_cost_the_precision(precision):
    """At the minimum of H2 the other determinant has a weight of 0.013: most pilots miss it."""
    operator, state = molecule("H2")
    works = [("minimum", operator)] * 400
    z, stds = scores(Drawing({"minimum": state}, seed=8), works, precision)
    assert (stds > 1.1 * precision).mean() < 0.02  # 0.4 and 0.2 where it counts as impossible
    assert np.mean(z**2) == pytest.approx(1, abs=4 * np.sqrt(2 / 400))


@pytest.mark.parametrize("mixed", [True, pytest.param(False, marks=SLOW)])
def test_points_that_need_fewer_shots_take_fewer_and_stay_calibrated(mixed):
    """From the ground state, which few shots tell, to states in which terms vary fully."""
    operator, state = molecule("H2")
    rng = np.random.default_rng(11)
    points, precision = 20, 0.01
    states = {str(k): near(state, k / points, rng) for k in range(points)}
    session = Sweeping(states, seed=2, mixed=mixed)
    circuit = QuantumCircuit(4)
    circuit.rz(Parameter("k"), 0)
    values = np.arange(points, dtype=float)[:, None]
    exact = np.array([session.exact(name, operator) for name in states])
    estimator = EstimatorV2(QDMIBackend(session))
    z, stds, spent = [], [], []
    for _ in range(ESTIMATES // points):
        (pub,) = estimator.run([(circuit, operator, values)], precision=precision).result()
        z.append((pub.data.evs - exact) / pub.data.stds)
        stds.append(pub.data.stds)
        spent.append(pub.metadata.get("point_shots", [pub.metadata["shots"]] * points))
        assert max(spent[-1]) == pub.metadata["shots"]
    check(np.concatenate(z), np.concatenate(stds), precision)
    if mixed:  # any numbers of shots cost nothing
        assert np.sum(spent) < 0.8 * points * np.max(spent, axis=1).sum()
        assert len(session.jobs) == 2 * ESTIMATES // points
        assert np.mean(stds) > 0.8 * precision
    else:  # a pilot and the rest: no more numbers of shots than groups
        assert all(len({shots for _, shots in job}) == 1 for job in session.jobs)
        assert len(session.jobs) <= 2 * 5 * ESTIMATES // points
    assert sum(n * s for job in session.jobs for n, s in job) == np.sum(spent)


NOISE = {"ideal": {}, "noisy": {"mix": 0.04, "flip": 0.02}}


def check(z, stds, precision):
    """The rms of 2 000 independent scores varies by 0.016 in itself."""
    assert len(z) >= ESTIMATES
    assert 0.95 <= np.sqrt(np.mean(z**2)) <= 1.05
    assert np.abs(z).max() <= 6
    assert np.sqrt(np.mean(stds**2)) <= 1.1 * precision


@pytest.mark.parametrize(
    ("noise", "grouping", "precision"),
    [
        pytest.param(*each, marks=() if each == ("noisy", "qubit_wise", 1 / 64) else SLOW)
        for each in product(NOISE, ["qubit_wise", "commuting"], [0.03, 1 / 64])
    ],
)
def test_errors_of_the_energy_of_h2_are_calibrated(noise, grouping, precision):
    operator, state = molecule("H2")
    options = NOISE[noise] if grouping == "qubit_wise" or noise == "ideal" else {"mix": 0.04}
    session = Drawing({"ground": state}, seed=17, **options)
    works = [("ground", operator)] * ESTIMATES
    z, stds = scores(session, works, precision, grouping=grouping)
    check(z, stds, precision)


@pytest.mark.parametrize(
    ("noise", "allocation"),
    [
        pytest.param(*each, marks=() if each == ("noisy", "variance") else SLOW)
        for each in product(NOISE, ["variance", "coefficients", "uniform"])
    ],
)
def test_errors_of_random_sums_are_calibrated(noise, allocation):
    rng = np.random.default_rng(5)
    states = {str(k): Statevector(random_state(rng, 4, 0)) for k in range(100)}
    works = [(name, random_sum(rng, 4, int(rng.integers(2, 12)))) for name in states] * 20
    session = Drawing(states, seed=3, **NOISE[noise])
    z, stds = scores(session, works, 0.03, shot_allocation=allocation)
    check(z, stds, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("grouping", ["qubit_wise", "commuting"])
@pytest.mark.parametrize("noise", NOISE)
def test_errors_of_the_energy_of_lih_are_calibrated(noise, grouping):
    operator, state = molecule("LiH")
    options = NOISE[noise] if grouping == "qubit_wise" or noise == "ideal" else {"mix": 0.04}
    session = Drawing({"ground": state}, seed=17, **options)
    works = [("ground", operator)] * (ESTIMATES // 5)
    z, stds = scores(session, works, 1 / 64, points=5, grouping=grouping)
    check(z, stds, 1 / 64)
