"""Every bit in the classical bit that the circuit named: random circuits against references.

The reference is `branches.distribution`, exact and independent of Aer. Deterministic circuits
have to agree shot for shot, with the reference and with Aer's own `Result`; the others pass a
chi-square test at level 1e-6 each, so that 200 of them fail by chance once in 5 000 suites.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from scipy.stats import chi2

from qdmi_qiskit import QDMIProvider, SamplerV2
from tests.branches import distribution
from tests.references import line_device

AER = QDMIProvider().get_backend("aer")
PATIENT = QDMIProvider().get_backend("aer", sample_states=False)  # Aer draws every shot
LINE = QDMIProvider().get_backend("aer", noise=line_device(6))
PLAIN = AerSimulator()
SHOTS = 2000
LEVEL = 1e-6
CIRCUITS = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def circuits(draw, *, deterministic: bool, conditions: bool = True):
    """Registers that overlap, miss bits and differ in size; gates; measurements anywhere."""
    num_qubits = draw(st.integers(1, 4))
    num_bits = draw(st.integers(1, 11))
    bits = [Clbit() for _ in range(num_bits)]
    circuit = QuantumCircuit(QuantumRegister(num_qubits, "q"))
    circuit.add_bits(bits)
    for name in "abc"[: draw(st.integers(1, 3))]:
        members = draw(st.lists(st.sampled_from(bits), min_size=1, max_size=9, unique=True))
        circuit.add_register(ClassicalRegister(bits=members, name=name))
    qubit = st.integers(0, num_qubits - 1)
    one = ["x", "id"] if deterministic else ["x", "h", "sx", "t"]
    kinds = ["gate", "gate", "measure", "measure", "reset"]
    kinds += ["pair"] * (num_qubits > 1) + ["if"] * conditions
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=14)):
        site = draw(qubit)
        if kind == "gate":
            getattr(circuit, draw(st.sampled_from(one)))(site)
        elif kind == "pair":
            other = draw(qubit.filter(lambda q, site=site: q != site))
            getattr(circuit, draw(st.sampled_from(["cx", "swap"])))(site, other)
        elif kind == "measure":
            circuit.measure(site, draw(st.sampled_from(range(num_bits))))
        elif kind == "reset":
            circuit.reset(site)
        else:
            condition = draw(st.sampled_from([bits[0], bits[-1], *circuit.cregs]))
            width = condition.size if isinstance(condition, ClassicalRegister) else 1
            with circuit.if_test((condition, draw(st.integers(0, 2**width - 1)))):
                circuit.x(site)
    circuit.measure(draw(qubit), draw(st.sampled_from(range(num_bits))))
    return circuit


def words(result) -> np.ndarray:
    """The outcomes of a `Result` as integers whose bit k is classical bit k, shot by shot."""
    return np.array([int(word, 16) for word in result.results[0].data.memory])


def aers_own(circuit: QuantumCircuit, **options):
    """What Aer returns by itself, or None where it fails on conditionals that nothing reads."""
    result = PLAIN.run(circuit, memory=True, **options).result()
    if result.success:
        return result
    assert circuit.has_control_flow_op(), result.status
    assert result.status.startswith("ERROR: Failed to load circuits"), result.status
    return None


def assert_registers(circuit: QuantumCircuit, data, outcomes: dict[int, int]) -> None:
    """Each register's `BitArray` has exactly the histogram that the whole words imply."""
    for register in circuit.cregs:
        places = [circuit.find_bit(bit).index for bit in register]
        wanted: dict[int, int] = {}
        for word, number in outcomes.items():
            value = sum((word >> place & 1) << k for k, place in enumerate(places))
            wanted[value] = wanted.get(value, 0) + number
        assert data[register.name].get_int_counts() == wanted, register.name


def assert_likely(counts: dict[int, int], wanted: dict[int, float]) -> None:
    """Pearson's test at LEVEL; outcomes of expectation below 5 are pooled."""
    assert set(counts) <= set(wanted), "an outcome that cannot be"
    total = sum(counts.values())
    pairs = [(counts.get(word, 0), total * chance) for word, chance in wanted.items()]
    common = [pair for pair in pairs if pair[1] >= 5]
    rare = [pair for pair in pairs if pair[1] < 5]
    if sum(expected for _, expected in rare) >= 5:
        common.append(tuple(map(sum, zip(*rare, strict=True))))
    statistic = sum((seen - expected) ** 2 / expected for seen, expected in common)
    if len(common) > 1:
        assert chi2.sf(statistic, len(common) - 1) > LEVEL


def only(wanted: dict[int, float]) -> int:
    ((word, chance),) = wanted.items()
    assert chance == pytest.approx(1)
    return word


@CIRCUITS
@given(circuits(deterministic=True))
def test_deterministic_circuits_equal_the_reference_and_aer_itself(circuit):
    word = only(distribution(circuit))
    ours = AER.run(circuit, shots=7, memory=True).result()
    assert set(words(ours).tolist()) == {word}
    theirs = aers_own(circuit, shots=7)
    if theirs is not None:
        assert ours.get_counts() == theirs.get_counts()
        assert ours.get_memory() == theirs.get_memory()
        assert ours.results[0].header == theirs.results[0].header
    data = SamplerV2(AER).run([circuit], shots=7).result()[0].data
    assert_registers(circuit, data, {word: 7})


@settings(CIRCUITS, max_examples=25)
@given(circuits(deterministic=False), st.integers(0, 2**31))
def test_some_random_circuits_follow_the_reference(circuit, seed):
    assert_follows(circuit, seed)


@pytest.mark.slow
@CIRCUITS
@given(circuits(deterministic=False), st.integers(0, 2**31))
def test_random_circuits_follow_the_reference(circuit, seed):
    assert_follows(circuit, seed)


def assert_follows(circuit: QuantumCircuit, seed: int) -> None:
    """Outcomes of one shot at a time, of sampled states and of the sampler follow the reference."""
    wanted = distribution(circuit)
    ours = AER.run(circuit, shots=SHOTS, seed=seed, memory=True).result()
    values, numbers = np.unique(words(ours), return_counts=True)
    assert_likely(dict(zip(values.tolist(), numbers.tolist(), strict=True)), wanted)
    theirs = aers_own(circuit, shots=SHOTS, seed_simulator=seed)
    patient = PATIENT.run(circuit, shots=SHOTS, seed=seed, memory=True).result()
    values, numbers = np.unique(words(patient), return_counts=True)
    assert_likely(dict(zip(values.tolist(), numbers.tolist(), strict=True)), wanted)
    if theirs is not None and not circuit.has_control_flow_op():
        assert patient.get_memory() == theirs.get_memory()  # the same seed, the same shots
    data = SamplerV2(AER, seed=seed).run([circuit], shots=SHOTS).result()[0].data
    for register in circuit.cregs:
        places = [circuit.find_bit(bit).index for bit in register]
        marginal: dict[int, float] = {}
        for word, chance in wanted.items():
            value = sum((word >> place & 1) << k for k, place in enumerate(places))
            marginal[value] = marginal.get(value, 0.0) + chance
        assert_likely(data[register.name].get_int_counts(), marginal)


@settings(CIRCUITS, max_examples=60)
@given(circuits(deterministic=True, conditions=False), st.integers(0, 3), st.integers(0, 99))
def test_routed_circuits_keep_their_bits(circuit, level, seed):
    word = only(distribution(circuit))
    isa = generate_preset_pass_manager(level, backend=LINE, seed_transpiler=seed).run(circuit)
    data = SamplerV2(LINE).run([isa], shots=5).result()[0].data
    assert_registers(circuit, data, {word: 5})
    assert set(words(LINE.run(isa, shots=5, memory=True).result()).tolist()) == {word}
