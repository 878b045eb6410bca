"""From synthetic capability documents to devices: units, labels, directions, versions."""

import copy

import pytest
from qiskit import QuantumCircuit, transpile

from qdmi_qiskit.devices.braket.capability import Device, dialect_of
from qdmi_qiskit.devices.braket.spec import spec_from
from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import Figures, Price
from qdmi_qiskit.target import target_from


def fidelity(value, kind="RANDOMIZED_BENCHMARKING", **more):
    return {"fidelityType": {"name": kind}, "fidelity": value, **more}


def qubit(t1, t2, unit="S", **more):
    return {
        "T1": {"value": t1, "standardError": None, "unit": unit},
        "T2": {"value": t2, "unit": unit},
        "oneQubitFidelity": [
            fidelity(0.999),
            fidelity(0.998, "SIMULTANEOUS_RANDOMIZED_BENCHMARKING"),
            fidelity(0.97, "READOUT"),
            fidelity(0.02, "READOUT_ERROR_0_TO_1"),
            fidelity(0.04, "READOUT_ERROR_1_TO_0"),
        ],
        **more,
    }


def pair(*entries):
    return {"twoQubitGateFidelity": list(entries)}


def gate(name, value, direction=None):
    entry = {"gateName": name, "fidelity": value, "fidelityType": {"name": "X"}}
    return entry | ({"direction": direction} if direction else {})


def document(**changes):
    base = {
        "braketSchemaHeader": {"name": "braket.device_schema.iqm.x", "version": "1"},
        "service": {
            "executionWindows": [],
            "shotsRange": [1, 20000],
            "deviceCost": {"price": 0.00145, "unit": "shot"},
            "updatedAt": "2026-01-05T06:00:00",
            "getTaskPollIntervalMillis": 200,
        },
        "action": {
            "braket.ir.openqasm.program": {"supportedOperations": ["cz", "prx", "h", "barrier"]},
            "braket.ir.openqasm.program_set": {
                "maximumExecutables": 100,
                "maximumTotalShots": 200000,
            },
        },
        "paradigm": {
            "qubitCount": 3,
            "nativeGateSet": ["cz", "prx", "cc_prx", "measure_ff", "barrier"],
            "connectivity": {
                "fullyConnected": False,
                "connectivityGraph": {"10": ["2"], "1": ["2"], "2": ["1", "10"]},
            },
        },
        "standardized": {
            "braketSchemaHeader": {"version": "1"},
            "oneQubitProperties": {
                "1": qubit(4e-5, 2e-5),
                "2": qubit(41.0, 21.0, "us"),
                "10": qubit(42000.0, 22000.0, "ns"),
            },
            "twoQubitProperties": {
                "1-2": pair(gate("Two_Qubit_Clifford", 0.5), gate("CZ", 0.991)),
                "2-10": pair(gate("CZ", 0.98), gate("CZ", 0.975)),
            },
        },
    }
    for path, value in changes.items():
        place, parts = base, path.split("__")
        for part in parts[:-1]:
            place = place[part]
        place[parts[-1]] = value
    return base


def device(given=None, provider="IQM", simulator=False):
    return Device("arn:aws:braket:r::device/qpu/x/Y", "Y", provider, simulator, given or document())


def operation(spec, name):
    return next(each for each in spec.operations if each.name == name)


def test_labels_are_sorted_as_numbers_and_closed_up():
    spec = spec_from(device())
    assert [(site.index, site.name) for site in spec.sites] == [(0, "1"), (1, "2"), (2, "10")]
    assert dialect_of(device(), verbatim=True).labels == (1, 2, 10)


def test_times_come_in_any_unit_and_leave_in_seconds():
    sites = spec_from(device()).sites
    assert [site.t1 for site in sites] == pytest.approx([4e-5, 4.1e-5, 4.2e-5])
    assert [site.t2 for site in sites] == pytest.approx([2e-5, 2.1e-5, 2.2e-5])


NO_TIMES = (
    {"value": 3.0},
    {"value": 3, "unit": "fortnight"},
    {},
    None,
    3,
    {"value": None, "unit": "s"},
    {"value": -1, "unit": "s"},
)


@pytest.mark.parametrize("wrong", NO_TIMES)
def test_a_time_without_a_known_unit_is_not_known(wrong):
    given = document()
    given["standardized"]["oneQubitProperties"]["1"]["T1"] = wrong
    assert spec_from(device(given)).sites[0].t1 is None


def test_readout_errors_are_errors_and_readout_is_a_fidelity():
    spec = spec_from(device())
    assert operation(spec, "measure").sites[(0,)] == Figures(None, 0.97)
    assert spec.sites[0].prob_meas1_prep0 == 0.02
    assert spec.sites[0].prob_meas0_prep1 == 0.04


def test_simultaneous_benchmarking_is_what_a_gate_does():
    assert operation(spec_from(device()), "r").sites[(0,)].fidelity == 0.998


def test_pairs_are_read_by_gate_name_both_ways_the_worst_of_two():
    sites = operation(spec_from(device()), "cz").sites
    assert {place: figures.fidelity for place, figures in sites.items()} == {
        (0, 1): 0.991,
        (1, 0): 0.991,
        (1, 2): 0.975,
        (2, 1): 0.975,
    }


def test_a_directed_edge_of_a_directed_gate_has_one_direction():
    given = document(
        paradigm__nativeGateSet=["prx", "ecr"],
        paradigm__connectivity={"connectivityGraph": {"1": ["2"], "2": ["10"], "10": ["2"]}},
        standardized__twoQubitProperties={
            "1-2": pair(gate("ECR", 0.99)),
            "2-10": pair(
                gate("ECR", 0.98, {"control": 10, "target": 2}),
                gate("ECR", 0.97, {"control": 2, "target": 10}),
            ),
        },
    )
    sites = operation(spec_from(device(given)), "ecr").sites
    assert {place: figures.fidelity for place, figures in sites.items()} == {
        (0, 1): 0.99,
        (1, 2): 0.97,
        (2, 1): 0.98,
    }


def test_an_undirected_gate_works_both_ways_on_a_directed_edge():
    given = document(paradigm__connectivity={"connectivityGraph": {"1": ["2"], "2": []}})
    assert set(operation(spec_from(device(given)), "cz").sites) == {(0, 1), (1, 0)}


def test_what_qiskit_cannot_say_is_left_out():
    names = {each.name for each in spec_from(device()).operations}
    assert names == {"r", "cz", "measure"}


def test_limits_price_and_calibration():
    spec = spec_from(device(), per_task=0.3)
    caps = spec.capabilities
    assert (caps.min_shots, caps.max_shots) == (1, 20000)
    assert (caps.max_executables, caps.max_total_shots, caps.sweeps) == (100, 200000, True)
    assert (caps.submit_key, caps.retrieve, caps.cancel) == (True, True, True)
    assert spec.price == Price(0.3, 0.00145)
    assert spec.calibration.id == "2026-01-05T06:00:00"
    assert spec.calibration.time.tzinfo is not None
    assert device().poll_interval == 0.2


def test_a_reservation_may_have_limits_of_its_own():
    given = document(service__reservationShotsRange=[5, 50000])
    assert spec_from(device(given)).capabilities.max_shots == 20000
    caps = spec_from(device(given), reserved=True).capabilities
    assert (caps.min_shots, caps.max_shots) == (5, 50000)


@pytest.mark.parametrize(
    ("cost", "price"),
    [
        ({"price": 0.075, "unit": "minute"}, None),
        ({"price": 2.0, "unit": "task"}, Price(2.0, 0.0)),
        (None, None),
    ],
)
def test_a_price_by_time_is_no_price_of_shots(cost, price):
    assert spec_from(device(document(service__deviceCost=cost)), per_task=0.3).price == price


def version_3():
    return document(
        braketSchemaHeader={"name": "braket.device_schema.ionq.x", "version": "1"},
        paradigm={
            "qubitCount": 3,
            "nativeGateSet": ["GPI", "GPI2", "ZZ"],
            "connectivity": {"fullyConnected": True, "connectivityGraph": {}},
        },
        standardized={
            "braketSchemaHeader": {"version": "3"},
            "oneQubitProperties": {"1": {"oneQubitFidelity": [fidelity(0.9997, unit="fraction")]}},
            "T1": {"value": 188.0, "unit": "s"},
            "T2": {"value": 950.0, "unit": "ms"},
            "readoutFidelity": [{"fidelity": 0.995, "unit": "fraction"}],
            "readoutDuration": {"value": 150.0, "unit": "us"},
            "singleQubitGateDuration": {"value": 63.0, "unit": "us"},
            "singleQubitFidelity": [fidelity(0.9995)],
            "twoQubitGateFidelity": [fidelity(0.992)],
            "twoQubitGateDuration": {"value": 650.0, "unit": "us"},
            "activeResetDuration": {"value": 50.0, "unit": "us"},
            "updatedAt": "2026-02-01T00:00:00Z",
        },
    )


def test_version_3_speaks_of_the_whole_device():
    spec = spec_from(device(version_3(), "IonQ"))
    assert [site.t1 for site in spec.sites] == [188.0] * 3
    assert [site.t2 for site in spec.sites] == [0.95] * 3
    ones = operation(spec, "gpi_rad").sites
    assert ones[(0,)] == Figures(pytest.approx(63e-6), 0.9995)
    assert ones[(1,)] == Figures(pytest.approx(63e-6), 0.9997)  # the qubit's own
    assert operation(spec, "rzz").sites[(2, 0)] == Figures(pytest.approx(650e-6), 0.992)
    assert len(operation(spec, "rzz").sites) == 6
    assert operation(spec, "measure").sites[(0,)] == Figures(pytest.approx(150e-6), 0.995)
    assert spec.calibration.id == "2026-02-01T00:00:00Z"
    assert not spec.capabilities.ordered_shots  # IonQ answers with probabilities
    assert "reset" not in {each.name for each in spec.operations}  # a duration is no operation


def test_percent_is_a_fraction():
    given = version_3()
    given["standardized"]["twoQubitGateFidelity"] = [{"fidelity": 98.4}]
    spec = spec_from(device(given, "AQT"))
    assert operation(spec, "rzz").sites[(0, 1)].fidelity == pytest.approx(0.984)


def test_rigettis_rx_is_quarter_turns_and_rz_is_free():
    given = document(
        braketSchemaHeader={"name": "braket.device_schema.rigetti.x", "version": "2"},
        paradigm__nativeGateSet=["rx", "rz", "cz", "barrier"],
    )
    spec = spec_from(device(given, "Rigetti"))
    assert {each.name for each in spec.operations} == {"rz", "x", "sx", "sxdg", "cz", "measure"}
    assert operation(spec, "rz").sites[(0,)] == Figures(0.0, 1.0)
    assert operation(spec, "sx").sites[(0,)].fidelity == 0.998
    circuit = QuantumCircuit(2)
    circuit.rx(0.3, 0)
    circuit.cx(0, 1)
    isa = transpile(circuit, target=target_from(spec), seed_transpiler=1)
    assert set(isa.count_ops()) <= {"rz", "x", "sx", "sxdg", "cz"}


def test_reset_is_there_where_it_is_offered():
    given = document(action__x={})
    program = given["action"]["braket.ir.openqasm.program"]
    program["supportedOperations"] = ["cz", "prx", "reset"]
    assert operation(spec_from(device(given)), "reset").num_sites == 1


def test_a_simulator_has_no_places_and_no_labels():
    given = document(paradigm={"qubitCount": 34})
    del given["standardized"]
    given["action"].pop("braket.ir.openqasm.program_set")
    spec = spec_from(device(given, "Amazon Braket", simulator=True))
    assert spec.num_qubits == 34
    assert spec.simulator
    assert operation(spec, "h").sites is None
    assert (spec.capabilities.max_executables, spec.capabilities.sweeps) == (1, False)


def test_the_service_compiles_where_that_is_asked():
    spec = spec_from(device(), verbatim=False)
    assert operation(spec, "h").sites is None
    assert dialect_of(device(), verbatim=False).labels is None
    assert spec.num_qubits == 3


def test_unknown_versions_and_fields_are_no_error():
    given = document(
        braketSchemaHeader={"name": "braket.device_schema.iqm.x", "version": "99"},
        future={"field": [1]},
    )
    given["standardized"]["braketSchemaHeader"]["version"] = "4"
    given["standardized"]["oneQubitProperties"]["1"]["oneQubitFidelity"] += [
        {"fidelityType": None, "fidelity": None}, "nonsense", {"fidelity": 1e9},
    ]  # fmt: skip
    given["standardized"]["twoQubitProperties"] |= {"odd": None, "1-x": {}, "1-3": {"a": 1}}
    expected, found = spec_from(device()), spec_from(device(given))
    assert found.operations == expected.operations
    assert found.sites == expected.sites


@pytest.mark.parametrize("missing", ["standardized", "service"])
def test_missing_parts_are_not_known(missing):
    given = document()
    del given[missing]
    spec = spec_from(device(given))
    assert spec.num_qubits == 3
    if missing == "standardized":
        assert operation(spec, "cz").sites[(0, 1)] == Figures()


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("action", {}, "no OpenQASM"),
        ("paradigm__nativeGateSet", ["magic"], "magic"),
    ],
)
def test_a_device_that_qiskit_cannot_use_says_why(path, value, told):
    with pytest.raises(UnsupportedError, match=told):
        spec_from(device(document(**{path: value})))


def test_debiasing_takes_more_shots_and_no_program_sets():
    given = copy.deepcopy(version_3())
    with pytest.raises(UnsupportedError, match="debias"):
        spec_from(device(given, "IonQ"), debias=True)
    kind = "braket.device_schema.error_mitigation.debias.Debias"
    given["provider"] = {"errorMitigation": {kind: {"minimumShots": 2500}}}
    caps = spec_from(device(given, "IonQ"), debias=True).capabilities
    assert (caps.min_shots, caps.max_executables) == (2500, 1)


def test_version_2_says_the_same_as_version_1_in_its_own_units():
    """Units `s` and `fraction`, and directions that give a pair's figures to one order."""
    from qdmi_qiskit.testing.braket_service.documents import garnet
    from qdmi_qiskit.testing.braket_service.documents.versions import second

    first, plain, directed = (
        spec_from(Device(each.arn, each.name, each.provider, False, each.document))
        for each in (garnet(), second(garnet()), second(garnet(), directed=True))
    )
    assert plain.sites == first.sites
    assert plain.operations == first.operations
    assert directed.sites == first.sites
    assert operation(directed, "cz").sites.keys() == operation(first, "cz").sites.keys()
    assert operation(directed, "cz").sites[(0, 1)] == operation(first, "cz").sites[(0, 1)]
    assert (
        plain.sites[0].t1
        == garnet().document["standardized"]["oneQubitProperties"]["1"]["T1"]["value"]
    )


def test_the_label_of_a_direction_decides_whose_figure_it_is():
    given = document()
    given["standardized"]["braketSchemaHeader"]["version"] = "2"
    given["standardized"]["twoQubitProperties"] = {
        "1-2": pair(
            gate("CZ", 0.991, {"control": 1, "target": 2}),
            gate("CZ", 0.97, {"control": 2, "target": 1}),
        )
    }
    for entry in given["standardized"]["oneQubitProperties"].values():
        entry["T1"]["unit"] = entry["T2"]["unit"] = "s"
    spec = spec_from(device(given))
    sites = operation(spec, "cz").sites
    assert (sites[0, 1].fidelity, sites[1, 0].fidelity) == (0.991, 0.97)
    assert [site.t1 for site in spec.sites] == [4e-5, 41.0, 42000.0]
