"""Small devices with noise that is known."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache

import numpy as np

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Session
from qdmi_qiskit.model import Calibration, Capabilities, DeviceSpec, Figures, Operation, Site

LINE = 4


@cache
def spec(*, readout=(), fidelity=1.0, durations=True) -> DeviceSpec:
    """A line of r and cz. `readout`: (1 for 0, 0 for 1) of each qubit."""
    pairs = [pair for k in range(LINE - 1) for pair in ((k, k + 1), (k + 1, k))]
    ones = {(k,): Figures(32e-9 if durations else None, 1.0) for k in range(LINE)}
    rates = [*readout, *[(0.0, 0.0)] * (LINE - len(readout))]
    return DeviceSpec(
        name="line",
        version="1",
        sites=tuple(
            Site(k, f"Q{k + 1}", prob_meas1_prep0=rates[k][0], prob_meas0_prep1=rates[k][1])
            for k in range(LINE)
        ),
        operations=(
            Operation("r", 1, ("theta", "phi"), ones),
            Operation("cz", 2, (), {pair: Figures(60e-9, fidelity) for pair in pairs}),
            Operation("delay", 1, ("duration",), {(k,): Figures() for k in range(LINE)}),
            Operation(
                "measure",
                1,
                (),
                {(k,): Figures(1e-6, 1 - sum(rates[k]) / 2) for k in range(LINE)},
            ),
        ),
        capabilities=Capabilities(formats=("qiskit",), max_executables=None, mixed_shots=True),
        calibration=Calibration("one"),
    )


def backend(**figures) -> QDMIBackend:
    return QDMIProvider().get_backend("aer", noise=spec(**figures))


class Counting(Session):
    """Another session, and what went through it."""

    def __init__(self, inner):
        self._inner, self.tasks, self.calibration = inner, [], "one"

    @property
    def encoders(self):
        return self._inner.encoders

    @property
    def gates(self):
        return self._inner.gates

    def spec(self):
        return replace(self._inner.spec(), calibration=Calibration(self.calibration))

    def submit(self, tasks, *, key):
        self.tasks += tasks
        return self._inner.submit(tasks, key=key)

    @property
    def shots(self):
        return sum(task.shots * task.points for task in self.tasks)


def counted(**figures) -> QDMIBackend:
    return QDMIBackend(Counting(backend(**figures).session))


def sweep():
    """A circuit with two parameters and 40 points, ISA for the line, without symmetry."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.ry(a, 0)
    circuit.cx(0, 1)
    circuit.ry(b, 1)
    circuit.cx(1, 2)
    circuit.rx(0.4, 2)
    points = np.random.default_rng(3).uniform(-2, 2, (40, 2))
    return circuit, points


def every(number):
    return ["".join(each) for each in itertools.product("IXYZ", repeat=number)]
