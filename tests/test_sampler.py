"""`SamplerV2`: shapes, values, shots, registers, discarded shots, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Parameter, ParameterVector
from qiskit.primitives import BackendSamplerV2, BitArray, StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from qdmi_qiskit import QDMIProvider, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.testing.heralding import HeraldingSession
from qdmi_qiskit.testing.poor import PoorSession
from tests.references import line_device

AER = QDMIProvider().get_backend("aer")
NOISY = QDMIProvider().get_backend("aer", noise=line_device(3, fidelity=0.99))


def sampled(pubs, *, backend=AER, shots=None, **options):
    return SamplerV2(backend, **options).run(pubs, shots=shots).result()


def swept(num_qubits=2):
    """Qubit k turned by its own angle, measured crosswise."""
    angles = ParameterVector("a", num_qubits)
    circuit = QuantumCircuit(num_qubits, num_qubits)
    for k in range(num_qubits):
        circuit.rx(angles[k], k)
    circuit.measure(range(num_qubits), reversed(range(num_qubits)))
    return circuit


def test_every_point_of_a_sweep_lands_in_its_place():
    """Angles 0 and pi say which point it is: bit 1-k of the outcome is angle k."""
    flags = np.array([[[0, 0], [0, 1], [1, 0]], [[1, 1], [1, 0], [0, 1]]])
    (result,) = sampled([(swept(), np.pi * flags, 7)])
    bits = result.data.c
    assert isinstance(bits, BitArray)
    assert (bits.shape, bits.num_shots, bits.num_bits) == ((2, 3), 7, 2)
    assert result.data.shape == (2, 3)
    for place in np.ndindex(2, 3):
        first, second = flags[place]
        assert bits[place].get_counts() == {f"{first}{second}": 7}
    assert result.metadata["shots"] == 7


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 1, 3)])
def test_shapes_are_kept(shape):
    values = np.zeros((*shape, 2))
    (result,) = sampled([(swept(), values)], shots=3)
    assert result.data.c.shape == result.data.shape == shape


def test_values_by_name_go_to_their_parameters():
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(2, 2)
    circuit.rx(b, 0)
    circuit.rx(a, 1)
    circuit.measure([0, 1], [0, 1])
    rows, columns = np.array([[0.0], [np.pi]]), np.array([[0.0, np.pi, 0.0]])
    values = {a: rows + 0 * columns, b: columns + 0 * rows}
    (result,) = sampled([(circuit, values)], shots=5)
    got = [[result.data.c[i, j].get_counts() for j in range(3)] for i in range(2)]
    assert got == [[{f"{a}{b}": 5} for b in (0, 1, 0)] for a in (0, 1)]


def test_a_sweep_agrees_with_the_statevector():
    values = np.random.default_rng(3).uniform(-np.pi, np.pi, (6, 2))
    shots = 20_000
    (ours,) = sampled([(swept(), values)], shots=shots, seed=4)
    for k, (first, second) in enumerate(values):
        chances = [np.sin(first / 2) ** 2, np.sin(second / 2) ** 2]
        wanted = np.array([chances[1], chances[0]])  # bit 0 is qubit 1
        bits = ours.data.c[k]
        seen = np.array([bits.slice_bits(bit).bitcount().mean() for bit in (0, 1)])
        sigma = np.sqrt(wanted * (1 - wanted) / shots)
        assert (np.abs(seen - wanted) < 5 * sigma + 1e-12).all()


@pytest.mark.parametrize("session", [None, HeraldingSession, PoorSession])
def test_pubs_may_differ_in_shots_and_in_everything(session):
    backend = AER if session is None else QDMIBackend(session())
    manager = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1)
    one, two = QuantumCircuit(1, 1), QuantumCircuit(2, 3)
    one.x(0)
    one.measure(0, 0)
    two.x(1)
    two.measure([0, 1], [2, 1])
    isa = manager.run([one, two, swept()])
    pubs = [(isa[0], None, 40), isa[1], (isa[2], [[0, np.pi], [np.pi, 0]], 30), (isa[0], None, 40)]
    results = sampled(pubs, backend=backend, shots=20)
    requested = [pub.metadata.get("requested_shots", pub.metadata["shots"]) for pub in results]
    assert requested == [40, 20, 30, 40]
    assert set(results[0].data.c.get_counts()) == {"1"}
    assert set(results[1].data.c.get_counts()) == {"010"}
    assert [set(results[2].data.c[k].get_counts()) for k in range(2)] == [{"01"}, {"10"}]
    if session is not HeraldingSession:
        assert [pub.data[next(iter(pub.data))].num_shots for pub in results] == [40, 20, 30, 40]


def test_default_shots_are_an_option():
    sampler = SamplerV2(AER, options={"default_shots": 11})
    assert sampler.run([swept().assign_parameters([0, 0])]).result()[0].data.c.num_shots == 11
    sampler.options.default_shots = 12
    assert sampler.run([swept().assign_parameters([0, 0])]).result()[0].data.c.num_shots == 12
    assert sampler.backend is AER


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("name", ["crx", "cry"])
def test_the_angle_of_a_controlled_gate_is_bound(name, conditional):
    """Aer by itself runs such gates with angle 0: its issues 2323, 2391 and 2403."""
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    if conditional:
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            getattr(circuit, name)(Parameter("t"), 0, 1)
    else:
        getattr(circuit, name)(Parameter("t"), 0, 1)
    circuit.measure([0, 1], [0, 1])
    (result,) = sampled([(circuit, [[0], [np.pi], [2 * np.pi]])], shots=6)
    counts = [result.data.c[k].get_counts() for k in range(3)]
    assert counts == [{"01": 6}, {"11": 6}, {"01": 6}]


# Registers --------------------------------------------------------------------------------------


def test_partial_several_unused_and_overlapping_registers():
    bits = [Clbit() for _ in range(12)]
    circuit = QuantumCircuit(QuantumRegister(2, "q"), name="registers")
    circuit.add_bits(bits)
    for name, places in {
        "part": [0, 1],
        "unused": [3],
        "wide": range(2, 12),
        "over": [9, 0],
    }.items():
        circuit.add_register(ClassicalRegister(bits=[bits[k] for k in places], name=name))
    circuit.x(1)
    circuit.measure([0, 1], [0, 9])
    circuit.metadata = {"tag": 7}
    (result,) = sampled([circuit], shots=4)
    counts = {name: result.data[name].get_counts() for name in result.data}
    assert counts == {
        "part": {"00": 4},
        "unused": {"0": 4},
        "wide": {"0010000000": 4},
        "over": {"01": 4},
    }
    assert result.metadata["circuit_metadata"] == {"tag": 7}


def test_mid_circuit_measurement_reset_and_conditions():
    circuit = QuantumCircuit(
        QuantumRegister(2, "q"), ClassicalRegister(2, "mid"), ClassicalRegister(2, "end")
    )
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure([0, 1], [2, 3])
    data = sampled([circuit], shots=300, seed=2)[0].data
    mid, end = (getattr(data, name).get_bitstrings() for name in ("mid", "end"))
    assert {*zip(mid, end, strict=True)} == {("00", "00"), ("01", "10")}
    assert abs(mid.count("01") - 150) < 5 * np.sqrt(75)


def test_a_circuit_that_only_measures_nothing_is_all_zeros():
    (result,) = sampled([QuantumCircuit(2, 9)], shots=3)
    assert result.data.c.get_counts() == {"0" * 9: 3}


def test_joined_data_reads_like_qiskits():
    circuit = QuantumCircuit(
        QuantumRegister(3, "q"), ClassicalRegister(1, "a"), ClassicalRegister(2, "b")
    )
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    ours = sampled([circuit], shots=2)[0].join_data().get_counts()
    theirs = StatevectorSampler().run([circuit], shots=2).result()[0].join_data().get_counts()
    assert ours == theirs == {"101": 2}


# Discarded shots --------------------------------------------------------------------------------


def test_discarded_shots_are_left_out_and_said():
    backend = QDMIBackend(HeraldingSession())
    manager = generate_preset_pass_manager(1, backend=backend)
    values = [[0, 0], [np.pi, 0], [0, np.pi], [np.pi, np.pi], [0, 0]]
    (result,) = sampled([(manager.run(swept()), values)], backend=backend, shots=14)
    bits = result.data.c
    assert result.metadata["requested_shots"] == 14
    valid = result.metadata["valid_shots"]
    assert valid == [12, 11, 11, 11, 11]  # shot i of point p is lost if (i + p) % 5 == 4
    assert bits.num_shots == result.metadata["shots"] == 11  # what all points have
    assert [set(bits[k].get_counts()) for k in range(5)] == [{"00"}, {"10"}, {"01"}, {"11"}, {"00"}]


def test_a_point_that_lost_every_shot_is_an_error():
    class Lossy(HeraldingSession):
        def submit(self, tasks, *, key):
            job = super().submit(tasks, key=key)
            for shots in job._outcome:
                shots.valid[-1] = 0
            return job

    backend = QDMIBackend(Lossy())
    isa = generate_preset_pass_manager(1, backend=backend).run(swept())
    with pytest.raises(JobFailedError, match="every shot of point 1 of pub 0: ask for more shots"):
        sampled([(isa, [[0, 0], [0, 0]])], backend=backend, shots=5)


def test_backend_run_counts_only_valid_shots():
    backend = QDMIBackend(HeraldingSession())
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    result = backend.run(circuit, shots=10, memory=True).result()
    assert result.get_counts() == {"1": 8}
    assert result.get_memory() == ["1"] * 8


def test_a_histogram_says_that_order_means_nothing():
    backend = QDMIBackend(PoorSession())
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    (result,) = sampled([circuit], backend=backend, shots=4)
    assert result.metadata["ordered_shots"] is False
    assert "ordered_shots" not in sampled([circuit], shots=4)[0].metadata


# Seeds ------------------------------------------------------------------------------------------


def coins(n=4):
    circuit = QuantumCircuit(n, n)
    circuit.sx(range(n))
    circuit.measure(range(n), range(n))
    return circuit


def spun():
    """Random outcomes that do not depend on the parameter."""
    circuit = QuantumCircuit(4, 4)
    circuit.sx(range(4))
    circuit.rz(Parameter("a"), 0)
    circuit.measure(range(4), range(4))
    return circuit


def shots_of(result, name="c"):
    return result.data[name].get_bitstrings()


@pytest.mark.parametrize("backend", [AER, NOISY, QDMIBackend(HeraldingSession())])
def test_a_seed_repeats_a_sequence_of_calls_but_no_call(backend):
    isa = generate_preset_pass_manager(0, backend=backend).run(coins(3))
    runs = []
    for _ in range(2):
        sampler = SamplerV2(backend, seed=21)
        runs.append([shots_of(sampler.run([isa], shots=60).result()[0]) for _ in range(3)])
    assert runs[0] == runs[1]
    assert len({tuple(shots) for shots in runs[0]}) == 3  # a loop's noise is not frozen


@pytest.mark.parametrize("backend", [AER, QDMIProvider().get_backend("aer:density_matrix")])
def test_two_points_with_the_same_values_differ(backend):
    (result,) = sampled([(spun(), [[0.3]] * 4)], backend=backend, shots=80, seed=1)
    points = [tuple(result.data.c[k].get_bitstrings()) for k in range(4)]
    assert len(set(points)) == 4


def test_two_equal_pubs_differ():
    results = sampled([coins(), coins(), (coins(), None, 50)], shots=80, seed=1)
    shots = [tuple(shots_of(result)[:50]) for result in results]
    assert len(set(shots)) == 3


def test_seed_simulator_is_the_same_under_qiskits_name():
    one = sampled([coins()], shots=50, seed=8)[0]
    other = sampled([coins()], shots=50, options={"seed_simulator": 8})[0]
    assert shots_of(one) == shots_of(other)


def test_without_a_seed_calls_differ():
    assert shots_of(sampled([coins()], shots=64)[0]) != shots_of(sampled([coins()], shots=64)[0])


# Other people's backends ------------------------------------------------------------------------


def test_any_backend_of_qiskits_works():
    theirs = AerSimulator()
    circuit = swept().assign_parameters([np.pi, 0])
    ours = SamplerV2(theirs).run([circuit], shots=6).result()[0].data.c.get_counts()
    qiskits = BackendSamplerV2(backend=theirs).run([circuit], shots=6).result()[0].data.c
    assert ours == qiskits.get_counts() == {"10": 6}
    assert SamplerV2(theirs).backend is theirs


def test_a_noisy_backend_of_qiskits_works():
    theirs = GenericBackendV2(3, seed=5)
    isa = generate_preset_pass_manager(1, backend=theirs, seed_transpiler=5).run(
        swept().assign_parameters([np.pi, 0])
    )
    counts = SamplerV2(theirs, seed=3).run([isa], shots=500).result()[0].data.c.get_counts()
    assert counts["10"] > 400
