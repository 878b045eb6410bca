"""Aer as a device: its gates, control flow, noise from a recording, options and methods."""

from __future__ import annotations

import inspect
import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import (
    DiagonalGate,
    Initialize,
    MCPhaseGate,
    MCXGate,
    PauliGate,
    U2Gate,
    UCGate,
    UnitaryGate,
    XXPlusYYGate,
)
from qiskit.quantum_info import (
    DensityMatrix,
    Kraus,
    Operator,
    Pauli,
    Statevector,
    SuperOp,
    average_gate_fidelity,
    random_unitary,
)
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2, spec_json
from qdmi_qiskit.devices.aer.noise import dampings, gate_error, noise_from, operation_error
from qdmi_qiskit.devices.aer.options import AerOptions
from qdmi_qiskit.errors import ConfigError, RejectedError
from qdmi_qiskit.model import Capabilities, DeviceSpec, Figures, Operation, Site

METHODS = ("", "statevector", "density_matrix", "matrix_product_state", "stabilizer")
NO_GATES = {"measure", "reset", "delay"}


@cache
def aer(method: str = ""):
    return QDMIProvider().get_backend(f"aer:{method}" if method else "aer", num_qubits=4)


def gates_of(method: str) -> list[str]:
    target = aer(method).target
    return [
        name
        for name in target.operation_names
        if name not in NO_GATES and not inspect.isclass(target.operation_from_name(name))
    ]


def prepared(num_qubits: int) -> QuantumCircuit:
    """A Clifford state without symmetry: no two qubits alike, all of them entangled."""
    circuit = QuantumCircuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.h(qubit)
        if qubit % 2:
            circuit.s(qubit)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
        circuit.h(qubit)
        circuit.s(qubit)
    return circuit


def paulis(num_qubits: int) -> list[str]:
    return ["".join(letters) for letters in itertools.product("IXYZ", repeat=num_qubits)][1:]


def values_of(circuit: QuantumCircuit, backend) -> np.ndarray:
    """Every Pauli's expectation value: all there is to know of a state."""
    pub = (circuit, paulis(circuit.num_qubits))
    return EstimatorV2(backend).run([pub], precision=0).result()[0].data.evs


def wanted_of(state, num_qubits: int) -> np.ndarray:
    return np.array(
        [np.real(state.expectation_value(Pauli(label))) for label in paulis(num_qubits)]
    )


# Gates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "name"), [(method, name) for method in METHODS for name in gates_of(method)]
)
def test_a_gate_is_qiskits_own_matrix(method, name):
    """On the state of `prepared`, beside a spectator; its qubits in falling order."""
    gate = aer(method).target.operation_from_name(name)
    angles = np.random.default_rng(len(name)).uniform(-3, 3, len(gate.params)).tolist()
    if method == "stabilizer":
        angles = [np.pi / 2 * round(angle) for angle in angles]
    bound = gate.to_mutable()
    bound.params = angles
    if name == "cu2":  # Qiskit has no class for it, and a gate made by control() has no matrix
        bound = U2Gate(*angles).control()
    n = gate.num_qubits + 1
    places = list(range(n - 1, 0, -1))
    circuit = prepared(n)
    circuit.append(bound, places)
    state = Statevector(prepared(n)).evolve(Operator(bound), places)
    np.testing.assert_allclose(values_of(circuit, aer(method)), wanted_of(state, n), atol=1e-9)


@pytest.mark.parametrize("name", gates_of("extended_stabilizer"))
def test_a_gate_of_the_approximate_method_is_qiskits_own_matrix(name):
    """It has no exact values: total variation below 0.1, of which 0.05 is its declared error."""
    fast = {"extended_stabilizer_sampling_method": "metropolis"}
    backend = QDMIProvider().get_backend("aer:extended_stabilizer", num_qubits=4, **fast)
    bound = backend.target.operation_from_name(name).to_mutable()
    bound.params = [np.pi / (2 if name == "rz" else 4)] * len(bound.params)  # Aer's limit
    n = bound.num_qubits
    places = list(range(n))[::-1]
    circuit = QuantumCircuit(n, n)
    circuit.h(range(n))
    circuit.s(0)
    circuit.append(bound, places)
    circuit.h(range(n))  # every outcome is reached from another by flips: the chain walks so
    wanted = Statevector(circuit.remove_final_measurements(inplace=False)).probabilities()
    circuit.measure(range(n), range(n))
    counts = backend.run(circuit, shots=4000, seed=3).result().get_counts()
    seen = np.array([counts.get(f"{k:0{n}b}", 0) for k in range(2**n)]) / 4000
    assert np.abs(seen - wanted).sum() / 2 < 0.1


VARIADIC = {
    "pauli": PauliGate("XYZ"),
    "diagonal": DiagonalGate(np.exp(1j * np.array([0.1, 0.9, -2.0, 0.4])).tolist()),
    "unitary": UnitaryGate(random_unitary(8, seed=2)),
    "multiplexer": UCGate([random_unitary(2, seed=k).data for k in range(4)]),
    "mcx": MCXGate(3),
    "mcphase": MCPhaseGate(0.7, 2),
}


@pytest.mark.parametrize("name", VARIADIC)
def test_a_gate_of_any_width_is_qiskits_own_matrix(name):
    gate = VARIADIC[name]
    assert gate.name == name
    n = min(gate.num_qubits + 1, 4)
    places = list(range(n))[::-1][: gate.num_qubits]
    circuit = prepared(n)
    circuit.append(gate, places)
    state = Statevector(prepared(n)).evolve(Operator(gate), places)
    np.testing.assert_allclose(values_of(circuit, aer()), wanted_of(state, n), atol=1e-9)


def test_initialize_sets_a_state():
    vector = np.array([0.1, 0.5j, -0.7, 0.2 + 0.1j])
    vector = vector / np.linalg.norm(vector)
    circuit = QuantumCircuit(2)
    circuit.append(Initialize(vector.tolist()), [1, 0])
    state = Statevector(vector).reverse_qargs()
    np.testing.assert_allclose(values_of(circuit, aer()), wanted_of(state, 2), atol=1e-9)


@pytest.mark.parametrize("kind", [Kraus, SuperOp])
def test_channels_are_averaged_over_exactly(kind):
    damping = Kraus([[[1, 0], [0, np.sqrt(0.7)]], [[0, np.sqrt(0.3)], [0, 0]]])
    circuit = prepared(2)
    circuit.append(kind(damping).to_instruction(), [1])
    state = DensityMatrix(prepared(2)).evolve(damping, [1])
    np.testing.assert_allclose(values_of(circuit, aer()), wanted_of(state, 2), atol=1e-9)


def test_reset_and_delay():
    circuit = QuantumCircuit(2, 2)
    circuit.x([0, 1])
    circuit.reset(0)
    circuit.delay(100, 1, "ns")
    circuit.measure([0, 1], [0, 1])
    assert aer().run(circuit, shots=5).result().get_counts() == {"10": 5}


def test_a_gate_that_aer_does_not_have_is_not_in_the_target():
    for method in METHODS:
        assert {"save_state", "set_statevector", "roerror"}.isdisjoint(
            aer(method).target.operation_names
        )
    circuit = QuantumCircuit(1, 1)
    circuit.append(Gate("mystery", 1, []), [0])
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="uses mystery on qubit 0"):
        aer().run(circuit)


def test_no_turn_but_a_quarter_is_clifford():
    circuit = QuantumCircuit(1, 1)
    circuit.rz(0.3, 0)
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match=r"rz\(0\.3\), which is no Clifford gate"):
        aer("stabilizer").run(circuit)


# Control flow -----------------------------------------------------------------------------------


def counts_of(circuit, **options):
    return aer().run(circuit, shots=8, **options).result().get_counts()


def test_a_while_loop_runs_until_its_condition_fails():
    """A counter of two bits by X and CX; the loop ends when bit 1 is set: after two rounds."""
    circuit = QuantumCircuit(2, 2)
    with circuit.while_loop((circuit.clbits[1], 0)):
        circuit.cx(0, 1)
        circuit.x(0)
        circuit.measure([0, 1], [0, 1])
    circuit.measure([0, 1], [0, 1])
    assert counts_of(circuit) == {"10": 8}


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_a_for_loop_counts(rounds):
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(rounds)):
        circuit.x(0)
    circuit.measure(0, 0)
    assert counts_of(circuit) == {str(rounds % 2): 8}


def test_a_for_loop_breaks_and_continues():
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(5)):
        circuit.x(0)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 0)):
            circuit.break_loop()
        circuit.x(1)
    circuit.measure(1, 1)
    assert counts_of(circuit) == {"10": 8}  # one whole round, then half of one


@pytest.mark.parametrize(("word", "flipped"), [(0, 0), (1, 1), (2, 2), (3, 1)])
def test_a_switch_takes_its_case(word, flipped):
    circuit = QuantumCircuit(3, 5)
    for bit in range(2):
        if word >> bit & 1:
            circuit.x(bit)
    circuit.measure([0, 1], [0, 1])
    circuit.reset([0, 1])
    with circuit.switch(circuit.clbits[0]) as case:
        with case(True):
            circuit.x(1)
        with case(case.DEFAULT), circuit.if_test((circuit.clbits[1], 1)):
            circuit.x(2)
    circuit.measure([0, 1, 2], [2, 3, 4])
    (key,) = counts_of(circuit)
    assert key == f"{1 << flipped if flipped else 0:03b}{word:02b}"


def test_nested_conditions_with_else():
    for word in range(4):
        circuit = QuantumCircuit(3, 3)
        for bit in range(2):
            if word >> bit & 1:
                circuit.x(bit)
        circuit.measure([0, 1], [0, 1])
        with circuit.if_test((circuit.clbits[0], 1)) as otherwise:  # noqa: SIM117
            with circuit.if_test((circuit.clbits[1], 1)):
                circuit.x(2)
        with otherwise, circuit.if_test((circuit.clbits[1], 0)):
            circuit.x(2)
        circuit.measure(2, 2)
        assert counts_of(circuit) == {f"{int(word in (0, 3))}{word:02b}": 8}


# Noise from a recording -------------------------------------------------------------------------

SHOTS = 40_000


def recorded(**changes) -> DeviceSpec:
    """One asymmetric pair; what is not changed is ideal."""
    sites = changes.pop("sites", (Site(0), Site(1)))
    figures = {"sx": {}, "x": {}, "cx": {}, "measure": {}} | changes
    ones, pairs = [(0,), (1,)], [(0, 1), (1, 0)]

    def table(name, places):
        return {place: figures[name].get(place, Figures()) for place in places}

    return DeviceSpec(
        name="recorded",
        version="1",
        sites=sites,
        operations=(
            Operation("sx", 1, (), table("sx", ones)),
            Operation("x", 1, (), table("x", ones)),
            Operation("rz", 1, ("a",)),
            Operation("cx", 2, (), table("cx", pairs)),
            Operation("measure", 1, (), table("measure", ones)),
            Operation("reset", 1, (), dict.fromkeys(ones, Figures())),
            Operation("delay", 1, ("time",), dict.fromkeys(ones, Figures())),
        ),
        capabilities=Capabilities(formats=("qiskit",)),
        dt=1e-9,
    )


def twin(spec: DeviceSpec):
    return QDMIProvider().get_backend("aer", noise=spec)


def rate(spec: DeviceSpec, circuit: QuantumCircuit, bit: int) -> float:
    """How often a bit is 1."""
    data = SamplerV2(twin(spec), seed=11).run([circuit], shots=SHOTS).result()[0].data
    return float(data.c.slice_bits(bit).bitcount().mean())


def near(seen: float, wanted: float) -> bool:
    """Within 5 standard deviations of a binomial rate."""
    return abs(seen - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / SHOTS)


@pytest.mark.parametrize("site", [0, 1])
def test_the_error_of_a_gate_is_the_recorded_one(site):
    """Depolarising to average fidelity F leaves the flipped state with 1 - (1 - F) per gate."""
    spec = recorded(x={(0,): Figures(fidelity=0.99), (1,): Figures(fidelity=0.96)})
    lost = 1 - (0.99, 0.96)[site]
    circuit = QuantumCircuit(2, 2)
    circuit.x(site)
    circuit.measure([0, 1], [0, 1])
    assert near(rate(spec, circuit, site), 1 - lost)
    assert rate(spec, circuit, 1 - site) == 0


def test_the_error_of_a_pair_is_the_recorded_one():
    """F = 1 - p (1 - 1/4); half of the depolarised states flip a given qubit."""
    spec = recorded(cx={(0, 1): Figures(fidelity=0.9), (1, 0): Figures(fidelity=0.97)})
    for pair, fidelity in (((0, 1), 0.9), ((1, 0), 0.97)):
        circuit = QuantumCircuit(2, 2)
        circuit.cx(*pair)
        circuit.measure([0, 1], [0, 1])
        for bit in (0, 1):
            assert near(rate(spec, circuit, bit), (1 - fidelity) / (1 - 1 / 4) / 2)


def test_readout_errs_in_the_recorded_direction():
    sites = (
        Site(0, prob_meas1_prep0=0.02, prob_meas0_prep1=0.13),
        Site(1, prob_meas1_prep0=0.09, prob_meas0_prep1=0.01),
    )
    spec = recorded(sites=sites, measure={(0,): Figures(fidelity=0.5)})  # the site knows better
    none, both = QuantumCircuit(2, 2), QuantumCircuit(2, 2)
    both.x([0, 1])
    for circuit in (none, both):
        circuit.measure([0, 1], [0, 1])
    assert near(rate(spec, none, 0), 0.02)
    assert near(rate(spec, none, 1), 0.09)
    assert near(rate(spec, both, 0), 1 - 0.13)
    assert near(rate(spec, both, 1), 1 - 0.01)


def test_a_fidelity_of_readout_alone_errs_both_ways():
    spec = recorded(measure={(1,): Figures(fidelity=0.95)})
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    assert rate(spec, circuit, 0) == 0
    assert near(rate(spec, circuit, 1), 0.05)


def test_delays_relax():
    spec = recorded(sites=(Site(0, t1=20e-6, t2=15e-6), Site(1, t1=80e-6, t2=60e-6)))
    for site, t1 in ((0, 20e-6), (1, 80e-6)):
        circuit = QuantumCircuit(2, 2)
        circuit.x(site)
        circuit.delay(20, site, "us")
        circuit.measure([0, 1], [0, 1])
        assert near(rate(spec, circuit, site), np.exp(-20e-6 / t1))


@pytest.mark.parametrize("t2", [15e-6, 33e-6])  # a mixture of resets and phase flips; Kraus
def test_delays_dephase_exactly(t2):
    spec = recorded(sites=(Site(0, t1=20e-6, t2=t2), Site(1)))
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    circuit.delay(5000, 0, "dt")
    circuit.delay(5, 1, "us")
    evs = EstimatorV2(twin(spec)).run([(circuit, ["IY", "IZ", "YI"])], precision=0).result()[0]
    decay = np.exp(-5e-6 / t2)
    gain = 1 - np.exp(-5e-6 / 20e-6)
    np.testing.assert_allclose(evs.data.evs, [-decay, gain, -1], atol=1e-10)


def test_a_delay_of_unknown_length_is_refused():
    spec = replace(recorded(sites=(Site(0, t1=1e-5), Site(1))), dt=None)
    circuit = QuantumCircuit(2, 1)
    circuit.delay(100, 0, "dt")
    circuit.measure(0, 0)
    with pytest.raises(RejectedError, match="a delay of 100 dt: recorded relaxes in the meantime"):
        twin(spec).run(circuit)
    free = replace(spec, sites=(Site(0), Site(1)))
    assert twin(free).run(circuit, shots=3).result().get_counts() == {"0": 3}


@pytest.mark.parametrize("fidelity", [0.999, 0.9, None])
def test_what_goes_into_the_circuit_and_into_the_model_is_the_whole_error(fidelity):
    sites = [Site(0, t1=30e-6, t2=45e-6), Site(1, t1=50e-6, t2=20e-6)]
    figures = Figures(duration=60e-9, fidelity=fidelity)
    rest = operation_error("cz", figures, sites, damping=False)
    assert not any(item.name == "kraus" for circuit in rest.circuits for item in circuit)
    ((position, channel),) = dampings("cz", figures, sites)
    whole = SuperOp(rest).compose(SuperOp(channel), [position])
    assert position == 0
    assert whole.is_cptp()
    wanted = average_gate_fidelity(gate_error(figures, sites)) if fidelity is None else fidelity
    if fidelity == 0.999:  # less than relaxation alone
        assert average_gate_fidelity(gate_error(Figures(60e-9), sites)) < 0.999
    assert average_gate_fidelity(whole) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("fidelity", [0.999, 0.99, 0.9])
@pytest.mark.parametrize("num_sites", [1, 2])
def test_what_relaxation_explains_is_not_charged_twice(fidelity, num_sites):
    sites = [Site(0, t1=30e-6, t2=20e-6), Site(1, t1=50e-6, t2=90e-6)][:num_sites]
    error = gate_error(Figures(duration=15e-9, fidelity=fidelity), sites)
    assert average_gate_fidelity(error) == pytest.approx(fidelity, abs=1e-9)


@pytest.mark.parametrize("num_sites", [1, 2])
def test_a_gate_better_than_its_lifetimes_keeps_its_fidelity(num_sites):
    """It relaxes for a shorter time: no T1 or T2 makes a gate worse than it was measured to be."""
    sites = [Site(0, t1=1e-6, t2=1e-6), Site(1, t1=3e-6, t2=2e-6)][:num_sites]
    alone = gate_error(Figures(duration=100e-9), sites)
    both = gate_error(Figures(duration=100e-9, fidelity=0.9973), sites)
    assert average_gate_fidelity(alone) < 0.98
    assert average_gate_fidelity(both) == pytest.approx(0.9973, abs=1e-12)
    excited = np.eye(4**num_sites)[:, -1]
    left = (SuperOp(both).data @ excited)[0].real
    assert 0 < left < (SuperOp(alone).data @ excited)[0].real  # it decays, but less
    assert SuperOp(both).is_cptp()


def test_a_reset_leaves_what_its_fidelity_says():
    spec = recorded()
    resets = Operation("reset", 1, (), {(0,): Figures(fidelity=0.93), (1,): Figures()})
    kept = tuple(op for op in spec.operations if op.name != "reset")
    spec = replace(spec, operations=(*kept, resets))
    circuit = QuantumCircuit(2, 2)
    circuit.x([0, 1])
    circuit.reset([0, 1])
    circuit.measure([0, 1], [0, 1])
    assert near(rate(spec, circuit, 0), 0.07)
    assert rate(spec, circuit, 1) == 0


def test_a_t2_beyond_twice_t1_is_cut():
    error = gate_error(Figures(duration=100e-9), [Site(0, t1=1e-6, t2=9e-6)])
    assert SuperOp(error).is_cptp()


def test_what_is_not_known_is_ideal():
    assert noise_from(recorded()).is_ideal()
    assert gate_error(Figures(), [Site(0)]) is None
    assert gate_error(Figures(duration=1e-6), [Site(0)]) is None
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    ideal = twin(recorded())
    assert ideal.run(circuit, shots=99).result().get_counts() == {"01": 99}
    assert ideal.spec.capabilities.bases  # one state serves all bases: the fast road
    assert not twin(recorded(x={(1,): Figures(fidelity=0.9)})).spec.capabilities.bases
    assert not twin(recorded(sites=(Site(0), Site(1, t1=1e-5)))).spec.capabilities.bases


def test_noise_comes_from_a_file_a_spec_or_a_model(tmp_path):
    spec = recorded(x={(0,): Figures(fidelity=0.9)})
    file = tmp_path / "device.json"
    file.write_text(spec_json.dumps(spec))
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    counts = [
        QDMIProvider().get_backend("aer", noise=given).run(circuit, shots=500, seed=2).result()
        for given in (spec, file, str(file), f"replay:{file}")
    ]
    assert len({tuple(sorted(result.get_counts().items())) for result in counts}) == 1
    assert 20 < counts[0].get_counts()["00"] < 90
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.2, 1), ["x"])
    noisy = QDMIProvider().get_backend("aer", noise=model, num_qubits=3)
    assert noisy.run(circuit, shots=500, seed=2).result().get_counts().keys() == {"01", "00"}


def test_a_twin_looks_like_the_recorded_device():
    spec = recorded(x={(0,): Figures(30e-9, 0.9)}, sites=(Site(0, "A", t1=1e-5), Site(1, "B")))
    backend = twin(spec)
    assert backend.spec.name == "recorded"
    assert backend.spec.sites == spec.sites
    assert backend.spec.simulator
    assert backend.target["x"][0,].error == pytest.approx(0.1)
    assert backend.target.qubit_properties[0].t1 == 1e-5
    assert backend.num_qubits == 2
    assert "h" not in backend.target.operation_names


def test_noise_reaches_into_blocks():
    spec = recorded(x={(1,): Figures(fidelity=0.9)})
    spec = replace(spec, operations=(*spec.operations, Operation("if_else", None)))
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    assert near(rate(spec, circuit, 1), 0.9)


def exchange(figures: Figures) -> DeviceSpec:
    """Two qubits that meet by iswap, which Aer does not have; cx is bad, and means nothing here."""
    spec = recorded(cx={(0, 1): Figures(fidelity=0.6), (1, 0): Figures(fidelity=0.6)})
    both = {(0, 1): figures, (1, 0): Figures()}
    return replace(spec, operations=(*spec.operations, Operation("iswap", 2, (), both)))


def test_a_gate_that_aer_lacks_is_written_in_others():
    """The noise is the gate's own, not that of the gates in which it is written."""
    wrong = (1 - 0.85) / (1 - 1 / 4) / 2  # as for cx above
    for spec, pair, chance in (
        (exchange(Figures(fidelity=0.85)), (0, 1), wrong),
        (exchange(Figures(fidelity=0.85)), (1, 0), 0.0),
    ):
        circuit = QuantumCircuit(2, 2)
        circuit.x(0)
        circuit.iswap(*pair)
        circuit.measure([0, 1], [0, 1])
        assert near(rate(spec, circuit, 1), 1 - chance)
        assert near(rate(spec, circuit, 0), chance)


def test_a_gate_that_aer_lacks_works_without_noise_in_blocks_and_in_exact_values():
    spec = recorded()
    places = {(0, 1): Figures(), (1, 0): Figures()}
    more = (Operation("iswap", 2, (), places), Operation("if_else", None))
    backend = twin(replace(spec, operations=(*spec.operations, *more)))
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.iswap(0, 1)
    exact = EstimatorV2(backend).run([(circuit, ["XI", "YI", "ZI", "IZ"])], precision=0)
    paulis = [Pauli(label) for label in ("XI", "YI", "ZI", "IZ")]
    wanted = [Statevector(circuit).expectation_value(pauli).real for pauli in paulis]
    assert max(wanted[:2]) > 0.99  # the axis tells iswap from swap
    np.testing.assert_allclose(exact.result()[0].data.evs, wanted, atol=1e-10)
    block = QuantumCircuit(2, 2)
    block.x(0)
    block.measure(0, 0)
    with block.if_test((0, 1)):
        block.iswap(0, 1)
    block.measure([0, 1], [0, 1])
    assert backend.run(block, shots=50).result().get_counts() == {"10": 50}


def test_angles_of_a_gate_that_aer_lacks_are_bound_late_and_at_once():
    """A definition keeps the angles that its gate had when it was made: it must not be reused."""
    spec = recorded()
    places = {(0, 1): Figures(), (1, 0): Figures()}
    gate = Operation("xx_plus_yy", 2, ("theta", "beta"), places)
    backend = twin(replace(spec, operations=(*spec.operations, gate)))
    theta = Parameter("t")
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.append(XXPlusYYGate(theta, 0.4), [0, 1])
    circuit.measure([0, 1], [0, 1])
    isa = backend.pass_manager(1).run(circuit)
    assert "xx_plus_yy" in isa.count_ops()
    values = np.array([0.6, 1.9, np.pi])
    wanted = np.sin(values / 2) ** 2  # the excitation has gone over
    data = SamplerV2(backend, seed=3).run([(isa, values)], shots=SHOTS).result()[0].data.c
    for k, chance in enumerate(wanted):
        assert near(data[k].slice_bits(1).bitcount().mean(), chance)
        counts = backend.run(isa.assign_parameters([values[k]]), shots=SHOTS, seed=k + 1)
        assert near(counts.result().get_counts().get("10", 0) / SHOTS, chance)


def test_a_move_takes_a_state_to_the_resonator_and_back_at_its_price():
    spec = recorded()
    move = Operation("move", 2, (), {(0, 1): Figures(fidelity=0.91)})
    backend = twin(replace(spec, operations=(*spec.operations, move)))
    gate = backend.target.operation_from_name("move")
    there, back = QuantumCircuit(2, 2), QuantumCircuit(2, 2)
    for circuit, moves in ((there, 1), (back, 2)):
        circuit.x(0)
        for _ in range(moves):
            circuit.append(gate, [0, 1])
        circuit.measure([0, 1], [0, 1])
    p = (1 - 0.91) / (1 - 1 / 4)  # a depolarised qubit is wrong half of the time
    for circuit, bit, kept in ((there, 1, 1 - p), (back, 0, (1 - p) ** 2)):
        data = SamplerV2(backend, seed=5).run([circuit], shots=SHOTS).result()[0].data.c
        assert near(data.slice_bits(bit).bitcount().mean(), (1 + kept) / 2)
        assert near(data.slice_bits(1 - bit).bitcount().mean(), (1 - kept) / 2)


def test_what_nobody_can_simulate_is_left_out_and_said(caplog):
    spec = recorded()
    spec = replace(spec, operations=(*spec.operations, Operation("teleport", 2)))
    assert "teleport" not in twin(spec).target.operation_names
    assert "cannot simulate teleport" in caplog.text


def test_the_width_of_a_recorded_device_is_its_own():
    with pytest.raises(ConfigError, match="recorded has 2; leave it out"):
        QDMIProvider().get_backend("aer", noise=recorded(), num_qubits=7)


# Options and methods ----------------------------------------------------------------------------


def test_every_option_is_one_of_aers():
    ours = {"num_qubits", "noise", "processor", "sample_states"}
    theirs = AerSimulator().options
    for name in AerOptions.model_fields:
        if name in ours:
            continue
        assert hasattr(theirs, name), f"AerSimulator has no option {name!r}"


def test_options_reach_aer():
    backend = QDMIProvider().get_backend(
        "aer", method="matrix_product_state", matrix_product_state_max_bond_dimension=1
    )
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    exact = EstimatorV2(backend).run([(circuit, "XX")], precision=0).result()[0].data.evs
    assert abs(exact) < 0.5  # one product state cannot hold the correlation, which is 1


@pytest.mark.parametrize("option", ["device", "processor"])
def test_a_processor_that_is_not_there_is_refused(option):
    if "GPU" in AerSimulator().available_devices():
        pytest.skip("this Aer has a GPU")
    words = "the installed qiskit-aer has CPU; install qiskit-aer-gpu"
    with pytest.raises(ConfigError, match=words):
        QDMIProvider().get_backend("aer", **{option: "GPU"})
    assert QDMIProvider().get_backend("aer", **{option: "CPU"}).spec.simulator


def test_name_and_method_must_not_contradict():
    with pytest.raises(ConfigError, match="contradict each other"):
        QDMIProvider().get_backend("aer:stabilizer", method="statevector")
    backend = QDMIProvider().get_backend("aer:stabilizer", method="stabilizer")
    assert backend.spec.name == "aer:stabilizer"


def test_more_qubits_than_the_method_takes_are_refused():
    with pytest.raises(ConfigError, match="ask for fewer, or for another method"):
        QDMIProvider().get_backend("aer:density_matrix", num_qubits=60)
    assert QDMIProvider().get_backend("aer:stabilizer", num_qubits=60).num_qubits == 60


def test_the_methods_are_listed():
    from qdmi_qiskit.registry import driver

    names = driver("aer").names()
    assert {"", "statevector", "stabilizer", "density_matrix"} <= set(names)
    assert "unitary" not in names


@pytest.mark.parametrize("method", METHODS)
def test_bits_are_right_with_every_method(method):
    circuit = QuantumCircuit(4, 6)
    circuit.x([0, 3])
    circuit.cx(3, 1)
    circuit.measure([3, 0, 2, 1], [0, 5, 1, 3])
    counts = aer(method).run(circuit, shots=6).result().get_counts()
    assert counts == {"101001": 6}


@pytest.mark.parametrize("sample_states", [True, False])
def test_both_roads_through_aer_agree(sample_states):
    """One simulation per point, drawn here, or every shot drawn by Aer."""
    backend = QDMIProvider().get_backend("aer", num_qubits=4, sample_states=sample_states)
    circuit = prepared(4)
    circuit.ry(0.7, 2)
    wanted = Statevector(circuit).probabilities()
    circuit.measure_all()
    counts = backend.run(circuit, shots=SHOTS, seed=5).result().get_counts()
    seen = np.array([counts.get(f"{k:04b}", 0) for k in range(16)]) / SHOTS
    assert (np.abs(seen - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / SHOTS) + 1e-12).all()


def test_a_failure_of_aer_is_told_in_its_words():
    backend = QDMIProvider().get_backend("aer:statevector", max_memory_mb=1)
    circuit = QuantumCircuit(25, 25)
    circuit.h(range(25))
    circuit.reset(0)
    circuit.measure(range(25), range(25))
    with pytest.raises(Exception, match=r"(?i)memory"):
        backend.run(circuit, shots=1).result()


def test_the_spec_of_a_session_does_not_change():
    session = aer().session
    first, second = session.spec(), session.spec()
    assert replace(first, taken_at=second.taken_at) == second
    assert first.operations
