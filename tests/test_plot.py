"""Pictures of devices and results: what is drawn where, not how it looks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from qiskit.transpiler import CouplingMap

from qdmi_qiskit import QDMIProvider, plot
from qdmi_qiskit.forecast import Queue

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra plot")


@pytest.fixture(autouse=True)
def _headless():
    from matplotlib import pyplot

    before = pyplot.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(before)


def test_importing_plot_imports_no_matplotlib():
    code = (
        "import sys; import qdmi_qiskit.plot as plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try: plot.convergence([])\n"
        "except ImportError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "matplotlib is not installed: run pip install 'qdmi-qiskit[plot]'\n", ran


@pytest.mark.parametrize(
    ("coupling", "number"), [(CouplingMap.from_grid(4, 5), 20), (CouplingMap.from_heavy_hex(3), 19)]
)
def test_neighbours_lie_next_to_each_other(coupling, number):
    places = plot.positions(coupling, number)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    lengths = [apart[a, b] for a, b in coupling.get_edges()]
    assert 0.5 < min(lengths) <= max(lengths) < 1.6
    assert apart[~np.eye(number, dtype=bool)].min() > 0.5
    np.testing.assert_array_equal(plot.positions(coupling, number), places)


def test_a_hub_lies_in_the_middle_and_strangers_on_a_circle():
    star = CouplingMap([(0, leaf) for leaf in range(1, 6)])
    radius = np.linalg.norm(plot.positions(star, 6) - plot.positions(star, 6).mean(axis=0), axis=1)
    assert radius.argmin() == 0
    assert radius[0] < 0.2 * radius[1:].min()
    np.testing.assert_allclose(np.linalg.norm(plot.positions(None, 7), axis=1), 1)
    np.testing.assert_allclose(
        np.linalg.norm(plot.positions(CouplingMap.from_full(4), 4), axis=1), 1
    )


def test_a_map_shows_every_pair_the_worst_darkest_and_marks_the_layout():
    backend = QDMIProvider().get_backend("replay:grid20")
    ax = plot.device_map(backend, qubits=[3, 7])
    pairs = {tuple(sorted(pair)) for pair in backend.target.build_coupling_map().get_edges()}
    assert len(ax.lines) == len(pairs) == 30
    assert ax.get_title() == "replay:grid20, calibrated 2026-11-20 08:00"
    errors = {pair: backend.target["cz"][pair].error for pair in pairs}
    places = plot.positions(backend.target.build_coupling_map(), 20)

    def line(pair):
        wanted = places[list(pair)]
        return next(each for each in ax.lines if np.allclose(each.get_xydata(), wanted))

    worst, best = max(errors, key=errors.get), min(errors, key=errors.get)
    assert sum(line(worst).get_color()[:3]) < sum(line(best).get_color()[:3])
    rings = [each for each in ax.collections if len(each.get_offsets()) == 2]
    np.testing.assert_allclose(rings[-1].get_offsets(), places[[3, 7]])
    assert [text.get_text() for text in ax.texts] == [str(qubit) for qubit in range(20)]
    assert {text.get_color() for text in ax.texts} == {"black", "white"}  # on light and dark


def test_a_map_tells_the_queue():
    backend = QDMIProvider().get_backend("replay:grid20")
    start = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    for queue, words in (
        (
            Queue(3, None, start, {}),
            "jobs waiting: 3, a job sent now starts at 2026-11-20 09:30 UTC",
        ),
        (Queue(0, None, start, {}), "jobs waiting: 0"),
        (Queue(None, None, None, {}), None),
    ):
        _, *told = plot.device_map(backend, queue=queue).get_title().splitlines()
        assert told == ([] if words is None else [words])


def test_a_history_shows_the_medians_of_every_calibration_in_order():
    spec = QDMIProvider().get_backend("replay:grid20").spec
    stamp = spec.calibration
    later = replace(
        spec,
        calibration=replace(stamp, id="next", time=stamp.time + timedelta(days=1)),
        sites=tuple(replace(site, t1=None, t2=2 * site.t2) for site in spec.sites),
    )
    errors, times = plot.calibration_history([later, spec])
    pairs = [
        1 - figures.fidelity
        for operation in spec.operations
        for where, figures in (operation.sites or {}).items()
        if len(where) == 2
    ]
    labels = [line.get_label() for line in errors.lines]
    assert labels == ["two-qubit error", "readout error"]
    np.testing.assert_allclose(errors.lines[0].get_ydata(), [100 * np.median(pairs)] * 2)
    t1, t2 = times.lines
    known = 1e6 * np.median([site.t2 for site in spec.sites])
    np.testing.assert_allclose(t2.get_ydata(), [known, 2 * known])
    assert len(t1.get_ydata()) == 1
    assert list(t2.get_xdata()) == [stamp.time, later.calibration.time]


def test_a_history_of_a_device_without_figures_says_so():
    axes = plot.calibration_history([QDMIProvider().get_backend("aer", num_qubits=3).spec])
    assert np.diff(axes[0].get_xlim()) == 2  # days
    assert [ax.texts[0].get_text() for ax in axes] == ["no figures"] * 2


def test_a_device_without_figures_is_grey():
    ax = plot.device_map(QDMIProvider().get_backend("aer", num_qubits=5))
    assert len(ax.texts) == 5
    assert len(ax.lines) == 0
    assert len(ax.figure.axes) == 1  # no colour bars


def test_convergence_is_drawn_in_millihartree():
    steps = [SimpleNamespace(number=k + 1, energy=-1 - k / 100, error=0.002) for k in range(3)]
    ax = plot.convergence(steps, exact=-1.02, reference=-1.0)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 20], [2, 10], [3, 0]], atol=1e-9)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "1.6 mHa of exact",
        "Hartree-Fock",
    }
    plain = plot.convergence(steps)
    assert plain.get_ylabel() == "energy (Ha)"


def test_configurations_are_ranked_and_coloured():
    shots = np.array([0b0101, 0b0101, 0b0110, 0b0001, 0b0110, 0b0101])
    valid = lambda each: np.bitwise_count(each) == 2  # noqa: E731
    ax = plot.configurations(shots, 4, valid=valid)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["01|01", "01|10", "00|01"]
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], [3 / 6, 2 / 6, 1 / 6])
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[0] == colours[1] != colours[2]
    assert len(plot.configurations(shots, 4, top=2).patches) == 2


def test_errors_are_drawn_against_size():
    ax = plot.error_against_size({"QSCI": ([1, 4], [100.0, 0.0])})
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 100], [4, 1e-4]])
    assert ax.get_xscale() == ax.get_yscale() == "log"
