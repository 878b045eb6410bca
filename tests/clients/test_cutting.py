"""qiskit-addon-cutting: the value of a cut circuit from our samplers is that of the whole."""

from __future__ import annotations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import QDMIProvider, SamplerV2
from tests.clients.installed import MARKS, client

cutting = client("qiskit_addon_cutting")

pytestmark = MARKS
SHOTS = 10_000
TERMS = SparsePauliOp(["IZZI", "XIXI", "ZIZZ"])
WEIGHTS = np.array([0.7, -0.4, 0.5])


def entangled():
    circuit = QuantumCircuit(4)
    for qubit, angle in enumerate((0.4, 1.1, -0.7, 0.9)):
        circuit.ry(angle, qubit)
    circuit.cx(0, 1)
    circuit.rzz(0.8, 1, 2)  # what is cut
    circuit.cx(2, 3)
    circuit.rx(0.3, 1)
    return circuit


def weighted(values):
    return float(np.real(np.dot(WEIGHTS, values)))


def test_a_cut_circuit_has_the_value_of_the_whole():
    exact = weighted([Statevector(entangled()).expectation_value(term) for term in TERMS])
    problem = cutting.partition_problem(
        circuit=entangled(), partition_labels="AABB", observables=TERMS.paulis
    )
    experiments, coefficients = cutting.generate_cutting_experiments(
        circuits=problem.subcircuits, observables=problem.subobservables, num_samples=np.inf
    )
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    isa = {
        label: backend.pass_manager(1, seed_transpiler=1).run(part)
        for label, part in experiments.items()
    }
    sampler = SamplerV2(backend, seed=1)
    values = []
    for _ in range(5):
        results = {
            label: sampler.run(circuits, shots=SHOTS).result() for label, circuits in isa.items()
        }
        found = cutting.reconstruct_expectation_values(
            results, coefficients, problem.subobservables
        )
        values.append(weighted(found))
    # The spread of independent repetitions is the error; no reference is in it.
    sigma = np.std(values, ddof=1) / np.sqrt(len(values))
    assert sigma < 0.02
    assert abs(np.mean(values) - exact) < 4 * sigma
