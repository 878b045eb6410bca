"""Checks of bases that a device measures after a program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit.model import Basis
from qdmi_qiskit.testing.harness import Harness


def check_bases_as_declared(harness: Harness) -> None:
    """Declared: each qubit is measured along its axis, the first qubit in the lowest bit.

    Not declared: the planner appends gates and measurements, and no task has a basis.
    """
    if not harness.capabilities.bases or len(harness.spec.sites) < 3:
        return
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.h(0)  # X is -1
    circuit.h(1)
    circuit.s(1)  # Y is +1
    circuit.x(2)  # Z is -1
    isa = harness.transpiled(circuit)
    sites = list(range(3)) if isa.layout is None else isa.layout.final_index_layout()
    axes = {sites[0]: (True, False), sites[1]: (True, True), sites[2]: (False, True)}
    bits = {sites[0]: 1, sites[1]: 0, sites[2]: 1}
    plain = harness.encoded(isa)
    for chosen in (sites, sites[1:]):
        qubits = sorted(chosen)
        x, z = (np.array([axes[q][k] for q in qubits]) for k in (0, 1))
        seed = None if not harness.capabilities.seeds else len(qubits)
        task = replace(
            harness.task(circuit, seed=seed), program=plain, basis=Basis(np.array(qubits), x, z)
        )
        (shots,) = harness.run(task)
        want = sum(bits[qubit] << j for j, qubit in enumerate(qubits))
        harness.compare(
            shots,
            want,
            f"qubits {qubits} measured along X, Y and Z come out wrong: measure X after H, Y after "
            "S dagger and H, and put the j-th qubit of Task.basis into bit num_bits + j",
        )
