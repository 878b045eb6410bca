"""Every bit where it belongs, on every loopback device, whatever the order of keys."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import EstimatorV2, SamplerV2
from tests.iqm.loopback import NAMES, ORDERS, backend_on, exact, isa_for

EVERYWHERE = [(name, order) for name in NAMES for order in ORDERS]


def pattern(width):
    """Qubits to flip so that neither the reverse nor a rotation is the same."""
    return [k for k in range(width) if k in (0, 2, 3, 7, 8)] if width > 1 else [0]


def word_of(width):
    return "".join("1" if k in pattern(width) else "0" for k in range(width))[::-1]


def flipped(width):
    circuit = QuantumCircuit(width)
    circuit.x(pattern(width))
    return circuit


def measured(circuit):
    out = QuantumCircuit(circuit.num_qubits, circuit.num_qubits)
    out.compose(circuit, inplace=True)
    out.measure(range(circuit.num_qubits), range(circuit.num_qubits))
    return out


@pytest.mark.parametrize(("name", "order"), EVERYWHERE)
def test_asymmetric_states_come_out_right_everywhere(name, order):
    backend = backend_on(exact(order), name)
    widths = [w for w in range(1, 13) if w <= backend.num_qubits]
    circuits = [isa_for(backend, measured(flipped(width))) for width in widths]
    words = [word_of(width) for width in widths]
    result = backend.run(circuits, shots=5, memory=True).result()
    for k, word in enumerate(words):
        assert result.get_counts(k) == {word: 5}
        assert result.get_memory(k) == [word] * 5
    for pub, word in zip(SamplerV2(backend).run(circuits, shots=5).result(), words, strict=True):
        assert pub.data.c.get_counts() == {word: 5}
    pubs = []
    for width in widths:
        isa = isa_for(backend, flipped(width))
        zs = [SparsePauliOp.from_sparse_list([("Z", [k], 1.0)], width) for k in range(width)]
        pubs.append((isa, [z.apply_layout(isa.layout) for z in zs]))
    for width, pub in zip(
        widths, EstimatorV2(backend).run(pubs, precision=0.3).result(), strict=True
    ):
        want = [-1.0 if k in pattern(width) else 1.0 for k in range(width)]
        assert pub.data.evs.tolist() == want


@pytest.mark.parametrize(("name", "order"), EVERYWHERE)
def test_an_entangled_state_without_symmetry_has_its_expectation_values(name, order):
    """All axes of all qubits and their neighbours' products, against the state vector."""
    backend = backend_on(exact(order), name)
    width = 5
    circuit = QuantumCircuit(width)
    for k in range(width):
        circuit.ry(0.3 + 0.5 * k, k)
        circuit.rz(1.1 - 0.4 * k, k)
    circuit.cx(0, 1)
    circuit.cx(3, 2)
    circuit.ry(0.7, 4)
    labels = [(axis, [k]) for axis in "XYZ" for k in range(width)]
    labels += [(pair, [k, k + 1]) for pair in ("XY", "ZZ", "YX") for k in range(width - 1)]
    operators = [SparsePauliOp.from_sparse_list([(*each, 1.0)], width) for each in labels]
    want = [Statevector(circuit).expectation_value(each).real for each in operators]
    isa = isa_for(backend, circuit)
    sent = [each.apply_layout(isa.layout) for each in operators]
    data = EstimatorV2(backend).run([(isa, sent)], precision=0.03).result()[0].data
    # 400 values in all: beyond 6 sigma one in a million runs.
    assert (np.abs(data.evs - want) < 6 * np.maximum(data.stds, 0.03)).all()


@pytest.mark.parametrize("order", ORDERS)
def test_qiskits_own_primitives_get_the_same_bits(order):
    backend = backend_on(exact(order))
    isa = isa_for(backend, measured(flipped(9)))
    counts = BackendSamplerV2(backend=backend).run([isa], shots=5).result()[0].data.c.get_counts()
    assert counts == {word_of(9): 5}
    bare = isa_for(backend, flipped(4))
    zs = [SparsePauliOp.from_sparse_list([("Z", [k], 1.0)], 4) for k in range(4)]
    operators = [z.apply_layout(bare.layout) for z in zs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        estimator = BackendEstimatorV2(backend=backend)
        data = estimator.run([(bare, operators)], precision=0.3).result()[0].data
    assert data.evs.tolist() == [-1.0, 1.0, -1.0, -1.0]


@pytest.mark.parametrize("order", ORDERS)
def test_partial_several_loose_overlapping_and_unused_registers(order):
    backend = backend_on(exact(order), "garnet-dead")
    a, unused = ClassicalRegister(12, "a"), ClassicalRegister(2, "unused")
    overlap = ClassicalRegister(name="overlap", bits=[a[11], a[2]])
    circuit = QuantumCircuit(QuantumRegister(4), a, unused, overlap, [Clbit()])
    circuit.x([1, 3])
    circuit.measure(0, 10)
    circuit.measure(1, 2)
    circuit.measure(2, 11)
    circuit.measure(3, 14)  # the loose one
    isa = isa_for(backend, circuit)
    data = SamplerV2(backend).run([isa], shots=3).result()[0].data
    assert data.a.get_int_counts() == {1 << 2: 3}
    assert data.unused.get_int_counts() == {0: 3}
    assert data.overlap.get_int_counts() == {0b10: 3}
    memory = backend.run([isa], shots=3, memory=True).result().data(0)["memory"]
    assert [int(word, 16) for word in memory] == [1 << 2 | 1 << 14] * 3


def test_pubs_of_different_shots_are_jobs_of_their_own():
    server = exact()
    backend = backend_on(server)
    before = server.jobs_created
    isa = [isa_for(backend, measured(flipped(width))) for width in (2, 3, 4)]
    pubs = [(isa[0], None, 5), (isa[1], None, 9), (isa[2], None, 5)]
    found = SamplerV2(backend).run(pubs).result()
    assert [pub.data.c.get_counts() for pub in found] == [
        {word_of(2): 5},
        {word_of(3): 9},
        {word_of(4): 5},
    ]
    assert server.jobs_created == before + 2
