"""Maps of devices without a coupling map."""

from __future__ import annotations

import pytest

from qdmi_qiskit import QDMIProvider, plot

pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs the extra plot")


@pytest.fixture(autouse=True)
def _no_window():
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


@pytest.mark.parametrize(
    ("number", "said"), [(5, ""), (60, "; 40 of 60 qubits")], ids=["whole", "part"]
)
def test_a_map_without_lines_says_why(number, said):
    backend = QDMIProvider().get_backend("aer:matrix_product_state", num_qubits=number)
    ax = plot.device_map(backend)
    assert not ax.lines
    assert ax.get_title() == f"aer:matrix_product_state: every pair interacts{said}"
