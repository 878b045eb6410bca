"""All queries of QDMI, folded into one snapshot with the right numbers in the right units."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import spec_json
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, RejectedError, UnsupportedError
from qdmi_qiskit.model import DeviceStatus, Figures, Site
from tests.native.libraries import INSTALLED, TEST, needs_compiler, needs_core, opened

PAIRS = [(0, 1), (1, 2), (2, 1), (3, 0), (3, 4), (4, 5), (5, 2)]
"""Couplings of the test device, as positions in its list of sites."""
POSITIONS = [1, 4, 5, 2, 0, 3]
"""Its qubits in the order of their indices 2, 3, 4, 5, 7, 11."""
QUBIT = {position: k for k, position in enumerate(POSITIONS)}


@pytest.fixture(params=TEST)
def session(request):
    with opened(request.param) as found:
        yield found


def operation(spec, name):
    return next(each for each in spec.operations if each.name == name)


@needs_compiler
def test_sites_come_in_the_order_of_their_indices(session):
    sites = session.spec().sites
    assert [site.name for site in sites] == ["T2", "T3", "T4", "T5", "T7", "T11"]
    # Raw 42000 and 22000, times the scale factor 2.0, in ns.
    assert sites[0] == Site(0, "T2", t1=pytest.approx(84e-6), t2=pytest.approx(44e-6))


@needs_compiler
def test_resonators_are_no_qubits(session):
    assert len(session.raw.sites) == 7
    assert session.raw.values["qubitsnum"] == session.spec().num_qubits == 6


@needs_compiler
def test_couplings_keep_their_direction(session):
    assert session.raw.coupling == tuple(PAIRS)
    cx = operation(session.spec(), "cx")
    assert set(cx.sites) == {(QUBIT[a], QUBIT[b]) for a, b in PAIRS}
    assert (QUBIT[0], QUBIT[1]) in cx.sites
    assert (QUBIT[1], QUBIT[0]) not in cx.sites


@needs_compiler
def test_figures_are_seconds_and_fractions(session):
    spec = session.spec()
    cx, sx = operation(spec, "cx"), operation(spec, "sx")
    pair = cx.sites[QUBIT[3], QUBIT[4]]
    assert pair.duration == pytest.approx(134 * 2 * 1e-9)
    assert pair.fidelity == pytest.approx(0.99 - 0.003 - 0.0004)
    assert sx.sites[(QUBIT[5],)] == Figures(pytest.approx(30e-9), pytest.approx(0.985))
    properties = QDMIBackend(session).target["cx"][QUBIT[3], QUBIT[4]]
    assert properties.error == pytest.approx(0.0134)


@needs_compiler
def test_raw_answers_are_kept(session):
    facts = session.raw
    assert facts.values["lengthunit"] == "um"
    assert facts.values["lengthscalefactor"] == 0.5
    assert facts.values["minatomdistance"] == 4
    assert facts.values["libraryversion"].startswith("1.")
    assert facts.sites[3].values == {
        "index": 11,
        "t1": 44000,
        "t2": 24000,
        "name": "T11",
        "xcoordinate": 0,
        "ycoordinate": 10,
        "zcoordinate": 3,
        "iszone": False,
        "moduleindex": 0,
        "submoduleindex": 3,
    }
    cnot = next(each for each in facts.operations if each.name == "cnot")
    assert cnot.values["interactionradius"] == 6
    assert cnot.figures[0, 1]["idlingfidelity"] == 0.9995
    barrier = next(each for each in facts.operations if each.name == "barrier")
    assert "qubitsnum" not in barrier.values


@needs_compiler
def test_each_version_answers_what_it_has():
    old, middle, new = (opened(name) for name in TEST)
    assert (old.raw.children, middle.raw.children, new.raw.children) == (0, 2, 2)
    assert old.raw.values["needscalibration"] == 3
    assert middle.raw.values["pulsesupport"] == 2
    assert "needscalibration" not in new.raw.values
    assert new.raw.values["id"] == "qdmi-qiskit.test"
    assert "id" not in middle.raw.values
    assert old.status().queue_length is None
    assert new.status().queue_length == 12


@needs_compiler
def test_status_and_calibration_are_told(session):
    assert session.status().status is DeviceStatus.IDLE
    assert session.spec().calibration.id == "calibration-9"
    spec = session.spec()
    assert spec_json.loads(spec_json.dumps(spec)) == spec


@needs_compiler
def test_child_devices_open_by_number():
    assert opened("test-1.4", child=1).spec().name == "child 3"
    with pytest.raises(ConfigError, match="has 2 child devices, 0 to 1"):
        opened("test-1.4", child=2)


@needs_compiler
def test_zones_are_refused_with_the_reason():
    session = opened("test-1.4", "zones")
    assert session.raw.sites[7].values["xextent"] == 98
    with pytest.raises(UnsupportedError, match="zones"):
        session.spec()


@needs_compiler
def test_durations_without_a_unit_are_left_out():
    spec = opened("test-1.4", "no-unit").spec()
    assert spec.sites[0].t1 is None
    assert operation(spec, "sx").sites[(0,)] == Figures(None, pytest.approx(0.989))


@needs_compiler
def test_a_fidelity_in_percent_is_not_believed():
    spec = opened("test-1.4", "percent").spec()
    assert operation(spec, "sx").sites[(0,)].fidelity is None


@needs_compiler
def test_a_gate_that_nobody_knows_can_be_used():
    session = opened("test-1.4", prefix="STRANGER", bit_order="highest_first")
    backend = QDMIBackend(session)
    circuit = QuantumCircuit(6, 1)
    circuit.append(backend.target.operation_from_name("flip"), [4])
    circuit.measure(4, 0)
    assert backend.run(circuit, shots=10).result().get_counts() == {"1": 10}


@needs_compiler
def test_programs_use_positions_of_the_devices_list():
    session = opened("test-1.4")
    circuit = QuantumCircuit(6, 2)
    circuit.cx(QUBIT[3], QUBIT[4])
    circuit.measure([QUBIT[3], QUBIT[4]], [0, 1])
    text = session.encoders["qasm3"](circuit)
    assert "qubit[7] q;" in text
    assert "cnot q[3], q[4];" in text
    assert session.encoders["qasm2"](circuit).count("measure") == 2


@needs_compiler
def test_what_the_device_has_not_is_refused_by_name():
    encode = opened("test-1.4").encoders["qasm3"]
    circuit = QuantumCircuit(1, 1, name="mine")
    circuit.h(0)
    with pytest.raises(RejectedError, match="'mine' uses h"):
        encode(circuit)


SC = sorted(name for name in INSTALLED if name.startswith("mqt.sc."))


@needs_core
@pytest.mark.parametrize("name", SC)
def test_devices_without_formats_are_there_to_be_queried(name):
    with opened(name) as session:
        spec = session.spec()
        assert spec.capabilities.formats == ()
        backend = QDMIBackend(session)
        assert backend.target.num_qubits == spec.num_qubits
        circuit = QuantumCircuit(1, 1)
        circuit.measure(0, 0)
        with pytest.raises(UnsupportedError, match="format"):
            backend.run(circuit, shots=1)


@needs_core
def test_garnet_has_its_figures():
    spec = opened("mqt.sc.iqm.garnet").spec()
    assert spec.num_qubits == 20
    assert spec.sites[0].name == "QB1"
    assert spec.sites[0].t1 == pytest.approx(26.626e-6)
    cz = operation(spec, "cz")
    assert len(cz.sites) == 30
    assert cz.sites[0, 1].fidelity == pytest.approx(0.99434, abs=1e-5)


@pytest.mark.skipif("mqt.na.default" not in INSTALLED, reason="needs mqt-core 3")
def test_neutral_atoms_are_refused():
    with pytest.raises(UnsupportedError, match="zones"):
        opened("mqt.na.default").spec()
