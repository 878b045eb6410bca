"""`qdmi record` and `qdmi diff`, and the comparison itself."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import pytest
from click.testing import CliRunner

from qdmi_qiskit import QDMIProvider, config, recordings, spec_json
from qdmi_qiskit.cli import cli
from qdmi_qiskit.model import Calibration, Figures, Operation, Site
from qdmi_qiskit.recordings.changes import Change, changes


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none")
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in [name for name in os.environ if name.startswith(("QDMI_", "XDG_CONFIG"))]:
        monkeypatch.delenv(variable)


def qdmi(*args, stdin=None):
    return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)


def printed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def changed(spec, *, sites=None, places=None, drop=(), name=None):
    """Return a spec with other sites by index, other figures by operation, without some names."""
    new = tuple((sites or {}).get(site.index, site) for site in spec.sites)
    operations = tuple(
        replace(op, sites=(places or {}).get(op.name, op.sites))
        for op in spec.operations
        if op.name not in drop
    )
    return replace(spec, sites=new, operations=operations, name=name or spec.name)


def without(spec, index):
    """Return a spec that lost a qubit: indices above it move down."""
    move = {k: k - (k > index) for k in range(spec.num_qubits) if k != index}
    sites = tuple(replace(spec.sites[k], index=new) for k, new in move.items())
    operations = tuple(
        replace(
            op,
            sites=op.sites
            and {
                tuple(move[k] for k in place): figures
                for place, figures in op.sites.items()
                if index not in place
            },
        )
        for op in spec.operations
    )
    return replace(spec, sites=sites, operations=operations)


GRID = recordings.load("grid20")
CZ = next(op.sites for op in GRID.operations if op.name == "cz")


def test_nothing_changed():
    assert changes(GRID, GRID) == []
    assert changes(GRID, replace(GRID, calibration=Calibration("later"))) == []


def test_worst_first_best_last_by_name():
    site = GRID.sites
    ones = next(op.sites for op in GRID.operations if op.name == "r")
    after = changed(
        GRID,
        sites={
            3: replace(site[3], t1=site[3].t1 / 3),  # three times worse
            4: replace(site[4], t2=site[4].t2 * 2),  # twice as good
            5: replace(site[5], prob_meas0_prep1=site[5].prob_meas0_prep1 * 1.5),
            6: replace(site[6], prob_meas1_prep0=None),
            7: replace(site[7], prob_meas1_prep0=site[7].prob_meas1_prep0 / 4),
        },
        places={
            "cz": {
                place: replace(figures, fidelity=1 - 2 * (1 - figures.fidelity))
                if set(place) == {0, 1}
                else figures
                for place, figures in CZ.items()
                if set(place) != {18, 19}
            },
            "r": {**ones, (2,): replace(ones[2,], duration=40e-9)},
        },
        drop=["reset"],
    )
    found = changes(GRID, after)
    told = [(each.kind, each.what, each.where) for each in found]
    assert told == [
        ("lost", "reset", ()),
        ("lost", "cz", ("Q19", "Q20")),
        ("worse", "T1", ("Q4",)),
        ("worse", "cz error", ("Q1", "Q2")),
        ("worse", "reads 0 for 1", ("Q6",)),
        ("worse", "r duration", ("Q3",)),
        ("unknown", "reads 1 for 0", ("Q7",)),
        ("better", "T2", ("Q5",)),
        ("better", "reads 1 for 0", ("Q8",)),
    ]
    factors = [each.factor for each in found if each.factor is not None]
    assert factors == pytest.approx([3, 2, 1.5, 1.25, 0.5, 0.25], rel=1e-6)
    assert found[2].relative == pytest.approx(-2 / 3)
    assert found[3].relative == pytest.approx(1, rel=1e-6)
    assert found[3].before == pytest.approx(1 - CZ[0, 1].fidelity)
    back = [(each.kind, each.what) for each in changes(after, GRID)]
    assert back[0] == ("worse", "reads 1 for 0")
    assert back[-2:] == [("gained", "reset"), ("gained", "cz")]
    assert ("known", "reads 1 for 0") in back


def test_a_lost_qubit_stands_for_all_it_had_and_shifts_nobody():
    after = without(GRID, 7)
    assert changes(GRID, after) == [Change("lost", "qubit", ("Q8",))]
    assert changes(after, GRID) == [Change("gained", "qubit", ("Q8",))]


def test_qubits_without_names_are_matched_by_index():
    nameless = replace(GRID, sites=tuple(replace(site, name="") for site in GRID.sites))
    sites = (replace(nameless.sites[0], t1=1e-6), *nameless.sites[1:])
    (only,) = changes(nameless, replace(nameless, sites=sites))
    assert (only.kind, only.what, only.where) == ("worse", "T1", ("0",))


def test_directions_and_equal_figures_are_told_once_and_apart_where_they_differ():
    spec = replace(
        GRID,
        sites=(Site(0, "A"), Site(1, "B")),
        operations=(
            Operation("x", 1, (), {(0,): Figures(fidelity=0.99)}),
            Operation("sx", 1, (), {(0,): Figures(fidelity=0.99)}),
            Operation("ecr", 2, (), {(0, 1): Figures(1e-7, 0.98), (1, 0): Figures(1e-7, 0.97)}),
            Operation("rz", 1, (), {(0,): Figures(0.0, 1.0)}),
        ),
    )
    after = changed(
        spec,
        places={
            "x": {(0,): Figures(fidelity=0.98)},
            "sx": {(0,): Figures(fidelity=0.98)},
            "ecr": {(0, 1): Figures(1e-7, 0.96), (1, 0): Figures(1e-7, 0.9)},
            "rz": {(0,): Figures(0.0, 0.5)},
        },
    )
    found = changes(spec, after)
    assert [(each.what, each.where) for each in found] == [
        ("rz error", ("A",)),
        ("ecr error", ("B", "A")),
        ("ecr error", ("A", "B")),
        ("x, sx error", ("A",)),
    ]
    assert math.isinf(found[0].factor)
    assert found[0].relative is None


# The commands ----------------------------------------------------------------------------------


def test_record_writes_what_replay_opens(tmp_path):
    file = tmp_path / "twin.json"
    shown = qdmi("record", "replay:grid20")
    assert shown.exit_code == 0
    assert shown.stderr == ""
    wrote = qdmi("record", "replay:grid20", "--output", file)
    assert (wrote.exit_code, wrote.stdout) == (0, "")
    assert "grid20, 20 qubits, calibration grid20-2026-11-20" in wrote.stderr
    assert file.read_text() == shown.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["twin.json"]
    spec = spec_json.load(file)
    assert (spec.sites, spec.operations) == (GRID.sites, GRID.operations)
    backend = QDMIProvider().get_backend(f"replay:{file}")
    assert backend.calibration == GRID.calibration
    with_options = qdmi("record", "aer", "-o", "num_qubits=3")
    assert spec_json.loads(with_options.stdout).num_qubits == 3


def test_record_says_why_it_cannot(tmp_path):
    nowhere = qdmi("record", "replay:star6", "--output", tmp_path / "no" / "file.json")
    assert nowhere.exit_code == 1
    assert "No such file" in nowhere.stderr
    unknown = qdmi("record", "replay:star7")
    assert unknown.exit_code == 2
    assert "did you mean 'star6'" in unknown.stderr


def test_diff_prints_worst_first_and_json(tmp_path):
    sites = {0: replace(GRID.sites[0], t1=1e-6), 1: replace(GRID.sites[1], t2=60e-6)}
    after = replace(changed(GRID, sites=sites), calibration=Calibration("next"))
    file = tmp_path / "after.json"
    file.write_text(spec_json.dumps(after))
    result = qdmi("diff", "grid20", file)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert (
        lines[0]
        == "before   grid20, 20 qubits, calibration grid20-2026-11-20, 2026-11-20 08:00+00:00"
    )
    assert lines[1] == "after    grid20, 20 qubits, calibration next"
    assert lines[2] == "changes  1 worse, 1 better"
    rows = [line.split() for line in lines[6:]]
    before = GRID.sites[0].t1
    drop = f"{100 * (1e-6 / before - 1):+.3g}"
    assert rows[0] == ["worse", "T1", "Q1", f"{before * 1e6:.4g}", "us", "1", "us", drop, "%"]
    assert rows[1][:3] == ["better", "T2", "Q2"]
    document = printed(qdmi("diff", "grid20", file, "--json"))
    assert document["counts"]["worse"] == document["counts"]["better"] == 1
    assert document["changes"][0]["factor"] == pytest.approx(before / 1e-6)
    assert document["changes"][0]["qubits"] == ["Q1"]
    assert document["after"]["calibration"] == "next"
    assert len(printed(qdmi("diff", "grid20", file, "--json", "--limit", 1))["changes"]) == 1
    short = qdmi("diff", "grid20", file, "--limit", 1).stdout
    assert short.endswith("... 1 more; --limit 2 shows them\n")


def test_diff_reads_standard_input_and_ends_as_documented(tmp_path):
    same = qdmi("diff", "grid20", "-", "--exit-code", stdin=spec_json.dumps(GRID))
    assert same.exit_code == 0
    assert same.stdout.endswith("changes  none\n")
    other = qdmi("diff", "grid20", "-", "--exit-code", stdin=spec_json.dumps(without(GRID, 3)))
    assert other.exit_code == 1
    assert "lost  qubit" in other.stdout
    assert qdmi("diff", "grid20", "-", stdin=spec_json.dumps(without(GRID, 3))).exit_code == 0
    wrong = qdmi("diff", "grid20", "-", stdin="{}")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "format: got None" in wrong.stderr
    assert qdmi("diff", "-", "-").exit_code == 2
    assert qdmi("diff", "grid20", "grid20", "--limit", 0).exit_code == 2
    assert "Exit codes" in qdmi("diff", "--help").stdout
