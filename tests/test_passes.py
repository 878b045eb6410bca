"""`backend.pass_manager` compiles as Qiskit does and loads nobody else's plug-ins."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import ConfigError
from tests.references import line_device


@pytest.fixture(scope="module")
def backend():
    return QDMIProvider().get_backend("aer", noise=line_device(5))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_it_compiles_as_qiskits_own(backend, level):
    circuit = QuantumCircuit(4)
    circuit.h(0)
    circuit.cx(0, 3)
    circuit.ryy(0.3, 1, 2)
    circuit.ccx(3, 1, 0)
    circuit.measure_all()
    ours = backend.pass_manager(level, seed_transpiler=5).run(circuit)
    theirs = generate_preset_pass_manager(level, backend=backend, seed_transpiler=5).run(circuit)
    assert ours == theirs
    assert ours.layout.final_index_layout() == theirs.layout.final_index_layout()


def test_one_per_level_is_kept_until_the_device_is_refreshed():
    backend = QDMIProvider().get_backend("aer", num_qubits=3)
    first = backend.pass_manager(1)
    assert backend.pass_manager(1) is first
    assert backend.pass_manager(2) is not first
    assert backend.pass_manager(1, seed_transpiler=1) is not first
    backend.refresh()
    assert backend.pass_manager(1) is not first


def test_an_unknown_level_is_refused(backend):
    with pytest.raises(ConfigError, match=r"level=4: wanted an optimisation level, 0, 1, 2 or 3"):
        backend.pass_manager(4)


STAGES = ("init", "layout", "routing", "translation", "optimization", "scheduling")
GROUPS = ("qiskit.synthesis", *(f"qiskit.transpiler.{stage}" for stage in STAGES))


def test_plugins_of_other_packages_are_not_loaded(tmp_path):
    (tmp_path / "slow_plugins.py").write_text("class Slow:\n    pass\n", encoding="utf-8")
    info = tmp_path / "slow_plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[{group}]\nslow = slow_plugins:Slow\n" for group in GROUPS), encoding="utf-8"
    )
    code = textwrap.dedent(
        """
        import sys
        from qiskit import QuantumCircuit
        import stevedore
        from qdmi_qiskit import QDMIProvider
        backend = QDMIProvider().get_backend("aer", num_qubits=3)
        circuit = QuantumCircuit(2)
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure_all()
        for level in range(4):
            backend.pass_manager(level).run(circuit)
        from qdmi_qiskit.cli import cli
        cli(["run", "bell.qasm", "--backend", "aer", "--shots", "1"], standalone_mode=False)
        print("slow_plugins" in sys.modules)
        stevedore.ExtensionManager("qiskit.transpiler.routing")
        print("slow_plugins" in sys.modules)
        """
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        cwd=Path(__file__).parents[1] / "examples",
        capture_output=True,
        text=True,
        check=True,
    )
    # Loaded as Qiskit does it, a group without others' plug-ins, it comes: it is there.
    assert run.stdout.split()[-2:] == ["False", "True"]
