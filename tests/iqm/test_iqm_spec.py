"""From IQM's JSON to a snapshot: names, numbers, units, what is missing."""

from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, datetime

import pytest

from qdmi_qiskit.devices.iqm.architecture import architecture_from
from qdmi_qiskit.devices.iqm.observations import Observations
from qdmi_qiskit.devices.iqm.spec import capabilities_from, spec_from
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import Figures
from qdmi_qiskit.target import target_from
from tests.iqm import lab, recorded


def operation(spec, name):
    return next(each for each in spec.operations if each.name == name)


def read(raw, *observations, kind="quality-metric-set"):
    return spec_from(
        "lab",
        architecture_from(raw),
        metrics=recorded.observation_set(kind, list(observations)),
    )


def test_garnet_has_names_figures_and_units():
    spec = lab.spec("garnet")
    assert [site.name for site in spec.sites] == [f"QB{k}" for k in range(1, 21)]
    first = spec.sites[0]
    assert (first.t1, first.t2, first.frequency) == (
        pytest.approx(31e-6),
        pytest.approx(8.1e-6),
        pytest.approx(4.201e9),
    )
    assert (first.prob_meas1_prep0, first.prob_meas0_prep1) == (
        pytest.approx(0.0101),
        pytest.approx(0.0301),
    )
    assert operation(spec, "r").sites[0,] == Figures(20e-9, pytest.approx(0.99899))
    assert operation(spec, "measure").sites[19,] == Figures(1e-6, pytest.approx(0.99))
    assert spec.version == "M000_W0_A00"
    assert spec.calibration.id == recorded.SET
    assert spec.calibration.time == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301


def test_cz_is_there_both_ways_with_one_set_of_figures():
    sites = operation(lab.spec("garnet"), "cz").sites
    assert len(sites) == 60
    assert sites[7, 2] == sites[2, 7]  # stored as QB8, QB3 only
    assert sites[7, 2].fidelity is not None
    assert sites[7, 2].duration == 40e-9


def test_figures_are_found_whichever_way_they_were_stored():
    raw = recorded.dynamic(["QB1", "QB2"], [("QB2", "QB1")])
    spec = read(raw, recorded.observation("metrics.irb.cz.crf.QB1__QB2.fidelity:par=d2", 0.98))
    assert operation(spec, "cz").sites[0, 1].fidelity == 0.98


def test_a_dead_qubit_leaves_no_gap():
    spec = lab.spec("dead")
    assert spec.num_qubits == 19
    assert spec.sites[10].name == "QB12"
    assert [site.index for site in spec.sites] == list(range(19))
    pairs = {(spec.sites[a].name, spec.sites[b].name) for a, b in operation(spec, "cz").sites}
    assert not any("QB11" in pair for pair in pairs)
    assert ("QB12", "QB17") in pairs


@pytest.mark.parametrize(("gate", "how"), [("measure", "constant"), ("prx", "drag_crf")])
def test_qubits_without_gate_or_measurement_are_left_out(gate, how):
    raw = recorded.dynamic(["QB1", "QB2", "QB3"], [("QB1", "QB2"), ("QB2", "QB3")])
    raw["gates"][gate]["implementations"][how]["loci"] = [["QB1"], ["QB3"]]
    spec = read(raw)
    assert [site.name for site in spec.sites] == ["QB1", "QB3"]
    assert "cz" not in [each.name for each in spec.operations]  # both went through QB2


def test_figures_belong_to_the_implementation_of_each_locus():
    raw = recorded.dynamic(["QB1", "QB2", "QB3"], [("QB1", "QB2"), ("QB2", "QB3")])
    raw["gates"]["cz"] = recorded.gate(
        "crf",
        [("QB1", "QB2"), ("QB2", "QB3")],
        more={"tgss": [("QB1", "QB2")]},
        override={"QB1,QB2": "tgss"},
    )
    spec = read(
        raw,
        *(
            recorded.observation(f"metrics.irb.cz.{how}.{locus}.fidelity:par=d2", value)
            for how, locus, value in (
                ("crf", "QB1__QB2", 0.5),
                ("tgss", "QB1__QB2", 0.99),
                ("crf", "QB2__QB3", 0.98),
                ("tgss", "QB2__QB3", 0.4),
            )
        ),
    )
    sites = operation(spec, "cz").sites
    assert (sites[0, 1].fidelity, sites[2, 1].fidelity) == (0.99, 0.98)


def test_observations_that_are_no_numbers_are_left_out():
    text = json.dumps(
        recorded.observation_set(
            "quality-metric-set",
            [
                recorded.observation("a", None),
                recorded.observation("b", "high"),
                recorded.observation("c", [1, 2]),
                recorded.observation("d", float("nan")),
                recorded.observation("e", float("inf")),
                recorded.observation("f", True),
                recorded.observation("g", 0.5, invalid=True),
                recorded.observation("h", 0.5, "furlong"),
                recorded.observation("i", 8.6, "us"),
                recorded.observation("j", 4.2, "GHz"),
                {"dut_field": None, "value": 1.0},
                "nonsense",
            ],
        )
    )
    known = Observations(json.loads(text), None)
    assert [known.get(name) for name in "abcdefgh"] == [None] * 8
    assert known.get("i") == pytest.approx(8.6e-6)
    assert known.get("j") == pytest.approx(4.2e9)


def test_of_two_parities_the_one_that_iqm_reads():
    rows = [("x:par=d1", 0.1), ("x:par=d2", 0.2), ("x", 0.3), ("y:par=d1", 0.4), ("y", 0.5)]
    known = Observations(
        {"observations": [recorded.observation(name, value) for name, value in rows]}
    )
    assert known.get("x") == 0.2
    assert known.get("y") == 0.5


def test_figures_out_of_range_are_unknown():
    raw = recorded.dynamic(["QB1", "QB2"], [("QB1", "QB2")])
    spec = read(
        raw,
        recorded.observation("metrics.rb.prx.drag_crf.QB1.fidelity:par=d2", 1.02),
        recorded.observation("characterization.model.QB1.t1_time", -1e-6, "s"),
        recorded.observation("characterization.model.QB1.t2_echo_time", 9e-6, "s"),
        recorded.observation("gates.prx.drag_crf.QB1.duration", -1.0, "s"),
    )
    assert operation(spec, "r").sites[0,] == Figures(None, None)
    assert (spec.sites[0].t1, spec.sites[0].t2) == (None, 9e-6)


def test_a_device_without_any_figures_still_has_a_target():
    spec = spec_from("bare", lab.architecture("garnet"))
    assert spec.version == "unknown"
    assert target_from(spec)["cz"][0, 1] is None


def test_feedback_decides_on_reset_and_conditions():
    with_it = {each.name for each in lab.spec("garnet").operations}
    without = {each.name for each in read(recorded.garnet(feedback=False)).operations}
    assert with_it - without == {"reset", "if_else"}
    assert without == {"r", "rz", "cz", "measure", "delay"}


def test_reset_is_where_feedback_is():
    raw = recorded.dynamic(["QB1", "QB2"], [("QB1", "QB2")])
    raw["gates"]["cc_prx"] = recorded.gate("prx_composite", [("QB2",)])
    assert list(operation(read(raw), "reset").sites) == [(1,)]


def test_limits_become_capabilities():
    caps = capabilities_from(
        {
            "max_executions_per_job": 1000,
            "max_circuits_per_job": 7,
            "max_shots_per_circuit": 500,
            "max_instructions_per_circuit": 10,
        }
    )
    assert (caps.max_total_shots, caps.max_executables, caps.max_shots) == (1000, 7, 500)
    bare = capabilities_from(None)
    assert (bare.max_total_shots, bare.max_executables, bare.max_shots) == (None, None, None)


def test_fictional_czs_cost_what_the_sequence_costs():
    spec = lab.spec("star")
    assert [site.name for site in spec.sites] == [f"QB{k}" for k in range(1, 7)]
    sites = operation(spec, "cz").sites
    assert len(sites) == 30
    # QB6 has no MOVE: the other qubit goes into the resonator. cz.k has 0.995 - k * 1e-4.
    want = (0.995 - 0 * 1e-4) ** 2 * (0.995 - 5 * 1e-4)
    assert sites[0, 5].fidelity == pytest.approx(want)
    assert sites[5, 0] == sites[0, 5]
    assert sites[0, 1].duration == pytest.approx(2 * 96e-9 + 40e-9)
    ways = [(0.995 - a * 1e-4) ** 2 * (0.995 - b * 1e-4) for a, b in ((1, 3), (3, 1))]
    assert sites[1, 3].fidelity == pytest.approx(max(ways))
    assert 1 - sites[0, 5].fidelity == pytest.approx(
        1 - (1 - (1 - 0.995)) ** 2 * (1 - (1 - 0.9945))
    )
    assert math.isclose(sites[0, 5].fidelity, want)


def test_a_mock_is_a_simulator():
    assert spec_from("garnet:mock", lab.architecture("garnet")).simulator
    assert not lab.spec("garnet").simulator


@pytest.mark.parametrize("raw", [{}, {"gates": {}}, {"gates": {"prx": {}}, "qubits": []}])
def test_an_architecture_that_is_none_is_a_protocol_error(raw):
    with pytest.raises(ProtocolError, match="cannot be read"):
        architecture_from(raw)


def test_an_implementation_that_the_server_would_not_take_is_named():
    raw = recorded.dynamic(["QB1", "QB2", "QB3"], [("QB1", "QB2")])
    raw["gates"]["cz"] = recorded.gate("crf", [("QB1", "QB2")], more={"tgss": [("QB2", "QB3")]})
    gate = architecture_from(raw).gate("cz")
    assert gate.named == {("QB2", "QB3")}
    assert gate.loci["QB2", "QB3"] == "tgss"
