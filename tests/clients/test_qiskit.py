"""Qiskit's and Aer's own tools on our backend, where another module does not prove them yet."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.exceptions import MissingOptionalLibraryError
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from tests.clients.installed import MARKS, client

visualization = client("qiskit.visualization")
aer = client("qiskit_aer")

pytestmark = MARKS
SHOTS = 40_000


def registers():
    """Two registers, an outcome of each basis state of its own, and both orders of bits."""
    circuit = QuantumCircuit(3)
    circuit.ry(0.8, 0)
    circuit.cx(0, 2)
    circuit.ry(1.9, 1)
    circuit.measure_all()
    return circuit


def distance(one, other):
    keys = set(one) | set(other)
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in keys) / 2 / SHOTS


def sampled_noise():
    """Mean distance of two samples of SHOTS over 8 outcomes, at most."""
    return np.sqrt(8 / (np.pi * SHOTS))


def test_their_primitives_over_our_backend_agree_with_ours():
    backend = QDMIProvider().get_backend("replay:grid20")
    isa = backend.pass_manager(1, seed_transpiler=1, initial_layout=[5, 11, 6]).run(registers())
    ours = SamplerV2(backend, seed=2).run([isa], shots=SHOTS).result()[0].data.meas
    theirs = BackendSamplerV2(backend=backend, options={"seed_simulator": 3})
    found = theirs.run([isa], shots=SHOTS).result()[0].data.meas
    assert distance(ours.get_counts(), found.get_counts()) < 2 * sampled_noise()

    bare = isa.remove_final_measurements(inplace=False)
    pub = (bare, SparsePauliOp(["IXX", "ZIZ"], [0.4, 0.8]).apply_layout(isa.layout))
    estimators = [
        EstimatorV2(backend, seed=2),
        BackendEstimatorV2(backend=backend, options={"seed_simulator": 3}),
    ]
    one, two = (each.run([pub], precision=0.01).result()[0].data for each in estimators)
    assert abs(one.evs - two.evs) < 4 * np.hypot(one.stds, two.stds)


def test_aer_makes_our_noise_from_our_backend():
    backend = QDMIProvider().get_backend("replay:grid20")
    isa = backend.pass_manager(1, seed_transpiler=1, initial_layout=[5, 11, 6]).run(registers())
    ours = backend.run(isa, shots=SHOTS, seed=2).result().get_counts()
    simulator = aer.AerSimulator.from_backend(backend, seed_simulator=3)
    theirs = simulator.run(isa, shots=SHOTS).result().get_counts()
    ideal = aer.AerSimulator(seed_simulator=4).run(registers(), shots=SHOTS).result().get_counts()
    assert distance(ours, theirs) < 2 * sampled_noise()
    assert distance(ours, ideal) > 3 * sampled_noise()


@pytest.mark.xfail(
    shutil.which("dot") is None,
    raises=MissingOptionalLibraryError,
    reason="qiskit/visualization/gate_map.py asks for Graphviz's `dot`, coordinates or not: "
    "qdmi_qiskit draws its own maps",
)
@pytest.mark.parametrize("plot", ["plot_gate_map", "plot_error_map", "plot_coupling_map"])
def test_maps_are_drawn(plot):
    pyplot = client("matplotlib.pyplot")
    backend = QDMIProvider().get_backend("replay:grid20")
    places = [(row, column) for row in range(4) for column in range(5)]
    if plot == "plot_coupling_map":
        edges = [list(edge) for edge in backend.coupling_map.get_edges()]
        figure = visualization.plot_coupling_map(20, places, edges)
    else:
        figure = getattr(visualization, plot)(backend, qubit_coordinates=places)
    assert figure.axes
    pyplot.close(figure)
