"""The loopback server, asked by urllib: what it has, and that its bits are right."""

import json

import numpy as np
import pytest

from qdmi_qiskit.testing.iqm_server import NAMES, IQMServer
from qdmi_qiskit.testing.iqm_server.chips import chip, qc_id
from tests.iqm.server_asker import ONE, PI, Asker, circuit, measure, op, prx, star_circuit


def test_lists_its_machines(shared):
    listed = shared.get("quantum-computers")["quantum_computers"]
    assert [each["alias"] for each in listed] == list(NAMES)
    by_id = shared.get(f"quantum-computers/{qc_id(chip('deneb'))}/health")
    assert by_id["healthy"] is True


@pytest.mark.parametrize(
    ("method", "path", "code", "word"),
    [
        ("GET", "quantum-computers/none/health", 404, "qc_not_found"),
        ("POST", "jobs/none/circuit", 404, "qc_not_found"),
        ("POST", "jobs/garnet/sweep", 400, "unsupported_job_type"),
        ("GET", "calibration-sets/garnet/none", 404, "calibration_set_not_found"),
        ("GET", "quantum-computers/garnet/artifacts/none", 404, "qc_artifact_not_found"),
        ("GET", f"jobs/{qc_id(chip('deneb'))}", 404, "job_not_found"),
        ("GET", "jobs/none", 400, "invalid_input"),
        ("GET", "jobs", 404, "not_found"),
        ("DELETE", "quantum-computers", 405, "method_not_allowed"),
        ("PUT", "about", 405, "method_not_allowed"),
    ],
)
def test_says_what_is_not_there(shared, method, path, code, word):
    assert shared.refused(method, path) == (code, word)


def test_garnet_is_a_lattice_and_deneb_a_star(shared):
    (garnet,) = shared.get("quantum-computers/garnet/artifacts/static-quantum-architectures")
    assert len(garnet["qubits"]) == 20
    assert len(garnet["connectivity"]) == 30
    assert ["QB8", "QB3"] in garnet["connectivity"]
    star = shared.get("calibration-sets/deneb/default/dynamic-quantum-architecture")
    assert star["computational_resonators"] == ["CR1"]
    (loci,) = (each["loci"] for each in star["gates"]["move"]["implementations"].values())
    assert loci == [[f"QB{k}", "CR1"] for k in range(1, 7)]
    assert "cc_prx" not in star["gates"]


def test_dead_qubit_is_on_the_chip_but_not_calibrated(shared):
    static = "quantum-computers/garnet-dead/artifacts/static-quantum-architectures"
    assert "QB11" in shared.get(static)[0]["qubits"]
    found = shared.get("calibration-sets/garnet-dead/default/dynamic-quantum-architecture")
    assert "QB11" not in found["qubits"]
    assert len(found["qubits"]) == 19
    assert "QB11" not in json.dumps(found["gates"])


def test_default_implementation_differs_by_locus(shared):
    gate = shared.get("calibration-sets/garnet/default/dynamic-quantum-architecture")["gates"]["cz"]
    assert gate["default_implementation"] == "crf"
    assert gate["override_default_implementation"] == {"QB1,QB4": "tgss", "QB17,QB12": "tgss"}
    assert ["QB17", "QB12"] not in gate["implementations"]["crf"]["loci"]


def test_some_observations_are_useless(shared):
    text = shared.raw("GET", "api/v1/calibration-sets/garnet/default/metrics").body.decode()
    assert ":NaN," in text
    assert ":Infinity," in text
    fields = {each["dut_field"]: each for each in json.loads(text)["observations"]}
    assert fields["metrics.rb.prx.drag_crf_sx.QB7.fidelity:par=d2"]["invalid"] is True
    assert fields["characterization.model.QB3.t2_echo_time"]["value"] is None
    assert fields["metrics.ssro.measure.constant.QB9.error_0_to_1"]["value"] is None
    assert "characterization.model.QB5.t1_time" not in fields
    assert "characterization.model.QB6.t1_time" in fields


def test_observations_can_all_be_sound():
    with IQMServer("garnet", spoilt=False) as server:
        text = Asker(server).raw("GET", "api/v1/calibration-sets/garnet/default/metrics").body
    assert not any(word in text for word in (b"NaN", b"Infinity", b'"value":null', b":true"))
    assert b"QB5.t1_time" in text


def test_calibration_set_has_durations_and_frequencies_in_si_units(shared):
    listed = shared.get("calibration-sets/garnet/default")["observations"]
    found = {each["dut_field"]: (each["value"], each["unit"]) for each in listed}
    assert found["gates.cz.crf.QB8__QB3.duration"] == (40e-9, "s")
    assert found["gates.measure.constant.QB1.acquisition_type"] == ("threshold", "")
    frequency, unit = found["controllers.QB20.drive.frequency"]
    assert 4e9 < frequency < 6e9
    assert unit == "Hz"


@pytest.mark.parametrize("order", ["program", "sorted", "reversed"])
def test_bits_come_by_key_and_in_the_order_of_the_locus(ask, order):
    ask.server.behaviour.key_order = order
    source = np.random.default_rng(5)
    for width in range(1, 13):
        ones = source.integers(0, 2, width)
        ones[0] = 1
        qubits = [f"QB{k}" for k in source.permutation(np.arange(1, 21))[:width]]
        prepared = [prx(qubit) for qubit, one in zip(qubits, ones, strict=True) if one]
        shuffled = source.permutation(width).tolist()
        single, joint = shuffled[: width // 2], shuffled[width // 2 :]
        read = [measure(f"m_{width}_0_{k}", qubits[k]) for k in single]
        read.append(measure("joint", *(qubits[k] for k in joint)))
        job = ask.wait(ask.submit(circuit(*prepared, *read), shots=3))
        (rows,) = ask.get(f"jobs/{job['id']}/artifacts/measurements")
        for k in single:
            assert rows[f"m_{width}_0_{k}"] == [[ones[k]]] * 3
        assert rows["joint"] == [[ones[k] for k in joint]] * 3
        (counts,) = ask.get(f"jobs/{job['id']}/artifacts/measurement_counts")
        keys = [each["args"]["key"] for each in read]
        wanted = {"program": keys, "sorted": sorted(keys), "reversed": keys[::-1]}[order]
        assert counts["measurement_keys"] == wanted == list(rows)
        word = "".join(str(bit) for key in wanted for bit in rows[key][0])
        assert counts["counts"] == {word: 3}


def test_circuits_of_a_job_keep_their_order(shared):
    second = circuit(measure("m", "QB1"))
    found = shared.run(ONE, second, ONE, shots=1)
    assert [each["m"] for each in found] == [[[1]], [[0]], [[1]]]


def test_qubit_mapping_moves_everything_with_it(shared):
    logical = circuit(
        prx("a"),
        measure("x", "a", feedback_key="f"),
        op("cc_prx", "b", angle=PI, phase=0.0, feedback_qubit="a", feedback_key="f"),
        measure("y", "b", "c"),
    )
    names = {"a": "QB20", "b": "QB1", "c": "QB2"}
    legacy = [{"logical_name": k, "physical_name": v} for k, v in names.items()]
    for mapping in (names, legacy):
        (found,) = shared.run(logical, qubit_mapping=mapping, shots=1)
        assert found == {"x": [[1]], "y": [[1, 0]]}
    assert "does not map" in shared.failure(ONE, qubit_mapping=names)


def test_condition_and_reset_act_in_the_middle(shared):
    (found,) = shared.run(
        circuit(
            prx("QB1", PI / 2),
            measure("first", "QB1", feedback_key="f"),
            op("cc_prx", "QB2", angle=PI, phase=0.0, feedback_qubit="QB1", feedback_key="f"),
            measure("copy", "QB2"),
            op("reset", "QB1"),
            measure("last", "QB1"),
        ),
        shots=200,
    )
    assert found["first"] == found["copy"]
    assert 60 < sum(row[0] for row in found["first"]) < 140
    assert found["last"] == [[0]] * 200


def test_condition_on_a_qubit_that_nothing_measures(shared):
    (found,) = shared.run(
        circuit(
            measure("m", "QB1", feedback_key="f"),
            op("cc_prx", "QB2", angle=PI, phase=0.0, feedback_qubit="QB1", feedback_key="f"),
        )
    )
    assert found == {"m": [[0]] * 10}


def test_a_star_entangles_by_moving(shared):
    for one in (0.0, 1.0):
        (found,) = shared.run(star_circuit(one), on="deneb", shots=20)
        assert found["m"] == [[one, one]] * 20


def test_phases_of_a_move_matter_unless_tracked(shared):
    half = prx("QB1", PI / 2, PI / 2)
    back = prx("QB1", -PI / 2, PI / 2)
    move = op("move", "QB1", "CR1")
    ramsey = circuit(half, move, move, back, measure("m", "QB1"))
    (tracked,) = shared.run(ramsey, on="deneb", shots=300)
    assert tracked["m"] == [[0]] * 300
    (loose,) = shared.run(ramsey, on="deneb", shots=300, move_gate_frame_tracking="none")
    assert 10 < sum(row[0] for row in loose["m"]) < 80  # 300 sin(0.35)^2 = 35
