"""Checks of Qiskit's interfaces on the device: `SamplerV2`, `EstimatorV2`, `backend.run`."""

from __future__ import annotations

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit.primitives import EstimatorV2, SamplerV2
from qdmi_qiskit.testing.circuits import flip, turns
from qdmi_qiskit.testing.harness import SEED, Harness


def _share(counts: dict[str, int], word: str) -> float:
    return counts.get(word, 0) / max(sum(counts.values()), 1)


def check_sampler_keeps_registers_apart(harness: Harness) -> None:
    """Two registers of one circuit, read one by one."""
    qubits, low, high = (
        QuantumRegister(2),
        ClassicalRegister(1, "low"),
        ClassicalRegister(9, "high"),
    )
    circuit = QuantumCircuit(qubits, low, high)
    circuit.x(1)
    circuit.measure(0, low[0])
    circuit.measure(1, high[8])
    sampler = SamplerV2(harness.backend, seed=SEED)
    result = sampler.run([harness.transpiled(circuit)], shots=harness.usable_shots).result()
    data = result[0].data
    for name, word in (("low", "0"), ("high", "100000000")):
        counts = data[name].get_counts()
        assert _share(counts, word) >= 1 - harness.tolerance, (
            f"register {name!r} reads {counts}, wanted {word}: pack all registers into one word, "
            "the first in the lowest bits"
        )


def check_sampler_sweeps(harness: Harness) -> None:
    """A pub of shape (2, 2) keeps its shape and its points."""
    circuit = harness.transpiled(turns([Parameter("b"), Parameter("a")]))
    values = {"a": [[0, np.pi], [0, np.pi]], "b": [[0, 0], [np.pi, np.pi]]}
    sampler = SamplerV2(harness.backend, seed=SEED)
    result = sampler.run([(circuit, values)], shots=harness.usable_shots).result()
    bits = result[0].data.c
    assert bits.shape == (2, 2), f"a pub of shape (2, 2) came back with shape {bits.shape}"
    for row in (0, 1):
        for column in (0, 1):
            counts, word = bits.get_counts((row, column)), f"{column}{row}"
            assert _share(counts, word) >= 1 - harness.tolerance, (
                f"point {(row, column)} reads {counts}, wanted {word}"
            )


def check_estimator_signs(harness: Harness) -> None:
    """X on qubit 0: <Z0> = -1, the others +1."""
    width = min(3, harness.spec.num_qubits)
    circuit = QuantumCircuit(width)
    circuit.x(0)
    isa = harness.transpiled(circuit)
    operators = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], width) for q in range(width)]
    if isa.layout is not None:
        operators = [operator.apply_layout(isa.layout) for operator in operators]
    estimator = EstimatorV2(harness.backend, seed=SEED)
    precision = 1 / np.sqrt(harness.usable_shots)
    data = estimator.run([(isa, operators)], precision=precision).result()[0].data
    want = [-1.0] + [1.0] * (width - 1)
    slack = 2 * harness.tolerance + 1e-9
    for qubit in range(width):
        assert abs(data.evs[qubit] - want[qubit]) <= slack, (
            f"after X on qubit 0 <Z{qubit}> is {data.evs[qubit]}, wanted {want[qubit]}: a bit is "
            "in the wrong place or upside down"
        )
    assert np.isfinite(data.stds).all(), f"standard errors are {data.stds}"


def check_backend_run_counts(harness: Harness) -> None:
    """`backend.run` gives Qiskit's counts, the last classical bit leftmost."""
    circuit = harness.transpiled(flip(0))
    job = harness.backend.run([circuit], shots=harness.usable_shots, seed=SEED)
    counts = job.result(harness.timeout).get_counts()
    assert _share(counts, "01") >= 1 - harness.tolerance, f"X on qubit 0 gave {counts}"
