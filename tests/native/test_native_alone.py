"""The device layer alone: programs run, and devices are described, without importing Qiskit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from qiskit.circuit.controlflow import get_control_flow_name_mapping
from qiskit.circuit.library import get_standard_gate_name_mapping

from qdmi_qiskit.devices.native import standard
from qdmi_qiskit.testing.native_device import PREFIX
from tests.native.libraries import DDSIM, c_library, needs_compiler, needs_core

HEAVY = {"qiskit", "qiskit_aer", "pydantic", "scipy", "rich", "click"}
ROOT = Path(__file__).parents[2]
TEXT = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[3] c;\nqubit[3] q;\n'
    "h q[0];\ncx q[0], q[2];\nx q[1];\n"
    "c[1] = measure q[0];\nc[0] = measure q[2];\nc[2] = measure q[1];\n"
)
WORDS = [0b100, 0b111]
"""Equal bits 0 and 1, a one in bit 2."""


def alone(code, *arguments):
    """What a fresh interpreter prints, and what it had imported."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    *said, modules = ran.stdout.splitlines()
    return said, HEAVY & {*json.loads(modules)}


RUN = f"""
from qdmi_qiskit.bits import count
from qdmi_qiskit.model import Program, Task
from qdmi_qiskit.registry import open_device
session = open_device("native:{DDSIM}")
job = session.submit([Task(Program("qasm3", {TEXT!r}, 3), 400)], key="k")
print(job.wait(300).value)
found = count(job.result()[0].bits[0])
print(list(found), sum(found.values()), min(found.values()) > 100)
job.cancel()
print(session.job.__name__, session.status().status.value)
session.close()
"""


@needs_core
def test_bell_on_ddsim_imports_neither_qiskit_nor_pydantic():
    # 100 of 400 is ten standard deviations from a half.
    said, heavy = alone(RUN)
    assert said == ["done", f"{WORDS} 400 True", "job idle"]
    assert heavy == set()


DESCRIBED = """
import sys
from qdmi_qiskit.registry import open_device
with open_device(sys.argv[1]) as session:
    spec, facts = session.spec(), session.facts()
    print(len(spec.operations) > 2, spec.capabilities.formats[:1], facts["name"])
"""


@needs_core
@pytest.mark.parametrize(("name", "formats"), [(DDSIM, ("qasm3",)), ("mqt.sc.iqm.garnet", ())])
def test_a_description_imports_neither(name, formats):
    said, heavy = alone(DESCRIBED, f"native:{name}")
    assert said[0].startswith(f"True {formats}")
    assert heavy == set()


@needs_core
@pytest.mark.parametrize("command", ["show", "record"])
def test_the_command_line_describes_without_qiskit(command):
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom qdmi_qiskit.cli import cli\n"
        "ran = CliRunner().invoke(cli, sys.argv[1:])\n"
        "print(ran.exit_code, 'ddsim' in ran.output.lower())"
    )
    said, heavy = alone(code, command, f"native:{DDSIM}")
    assert said == ["0 True"]
    assert heavy.isdisjoint({"qiskit", "pydantic"})


LIBRARY = """
import sys
from qdmi_qiskit.bits import count
from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.model import Program, Task
session = driver.open("", library=sys.argv[1], prefix=sys.argv[2])
text = "OPENQASM 3.0;\\nbit[3] c;\\nqubit[7] q;\\nflip q[2];\\nc[1] = measure q[2];\\n"
job = session.submit([Task(Program("qasm3", text, 3), 20)], key="k")
job.wait(300)
print(count(job.result()[0].bits[0]), session.spec().num_qubits)
"""


@needs_compiler
@pytest.mark.parametrize("minor", [2, 3, 4])
def test_options_bring_pydantic_and_no_qiskit(minor):
    said, heavy = alone(LIBRARY, str(c_library(minor)), PREFIX)
    assert said == ["{2: 20} 6"]
    assert heavy == {"pydantic"}


@needs_core
def test_the_example_runs_and_prints_the_counts():
    example = ROOT / "examples" / "device_layer.py"
    ran = subprocess.run(
        [sys.executable, str(example)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert [word for word, _ in lines] == ["00", "11"]
    assert sum(int(number) for _, number in lines) == 1000


def test_our_table_of_instructions_is_qiskits():
    theirs = {
        name: (gate.num_qubits, tuple(str(getattr(p, "name", p)) for p in gate.params))
        for name, gate in get_standard_gate_name_mapping().items()
    }
    assert {name: tuple(each) for name, each in standard.STANDARD.items()} == theirs
    assert {*get_control_flow_name_mapping()} == standard.CONTROL_FLOW
