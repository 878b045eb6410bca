"""What the README says of IQM runs."""

from __future__ import annotations

import re
from pathlib import Path

from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.devices.iqm import IQMOptions
from qdmi_qiskit.testing.iqm_server import IQMServer

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = re.search(r"^## IQM\n(.*?)^## ", TEXT, re.DOTALL | re.MULTILINE)[1]


def test_the_lines_run(monkeypatch, capsys):
    lines = [line[4:] for line in SECTION.splitlines() if line.startswith("    ")]
    circuit = QuantumCircuit(2)
    circuit.x(1)
    with IQMServer("garnet", noise=False) as server:
        for name, value in server.environment("garnet").items():
            monkeypatch.setenv(name, value)
        exec("\n".join(lines), {"QDMIProvider": QDMIProvider, "circuit": circuit})  # noqa: S102
        assert capsys.readouterr().out == f"{{'10': 1000}} {server.calibration('garnet').id}\n"


def test_the_options_exist():
    (listed,) = re.findall(r"^\* Options: (.*?)\n\*", SECTION, re.DOTALL | re.MULTILINE)
    words = re.findall(r"`(\w+)`", listed)
    assert len(words) > 8
    assert set(words) - {"metadata"} <= set(IQMOptions.model_fields)
