"""Files that a user is given: configurations, recordings, programs: an error of ours, or fine."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdmi_qiskit import QDMIProvider, config, spec_json
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.recordings import __file__ as recordings
from tests.junk import ANY, DEEP, spoil

# 4: some OpenQASM 3 is read only with a package that is not here.
CODES = (0, 1, 2) if find_spec("qiskit_qasm3_import") else (0, 1, 2, 4)

SOME = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
TOML = """default = "sim"
[backends.sim]
device = "aer"
num_qubits = 3
method = "statevector"
[backends.lab]
device = "iqm:garnet"
url = "https://iqm.example.org"
token = "env:TOKEN"
[backends.lab.auth]
password = { a = [1, 2.5, true, 2026-01-01] }
"""
PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
gate two(a) p, q { rz(a) p; cx p, q; }
input float[64] t;
qubit[3] q;
bit[3] c;
x q[0];
two(pi / 2) q[0], q[1];
if (c[0]) { x q[2]; }
c[0] = measure q[0];
c[2] = measure q[2];
"""
OLD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nx q[0];\nmeasure q -> c;\n'
ODD_WORDS = st.sampled_from(
    [
        *(
            "[",
            "]",
            "{",
            "}",
            '"',
            "'",
            ";",
            "(",
            ")",
            "=",
            "\n",
            "\0",
            "\ud800",
            "999999999999999999",
        ),
        *(
            "1e999",
            "nan",
            "-1",
            "[[",
            "]]",
            "q[99999999]",
            "qubit[1000000000]",
            "#",
            "//",
            "/*",
            "e",
        ),
        *(
            "include",
            "\\u0000",
            "while (true) {}",
            "inf",
            '"""',
            "for uint i in [0:1000000000] {",
            "",
        ),
    ]
)


@st.composite
def garbled(draw, text):
    """Draw a text with pieces left out, doubled or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(text)))
        end = min(begin + draw(st.integers(0, 12)), len(text))
        text = text[:begin] + draw(ODD_WORDS | st.text(max_size=3)) + text[end:]
    return text


def tried(path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        for name in (None, "lab", "sim"):
            config.masked(config.resolve(name, {}, config=path, environ={}))
    except QdmiError:
        return


@SOME
@given(garbled(TOML) | st.text())
def test_any_configuration(tmp_path, text):
    tried(tmp_path / "config.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP * 10,
        "a = " + "{ b = " * DEEP,
        "[" + "a." * DEEP * 3 + "b]\nc = 1",
        "a" + ".a" * DEEP * 3 + " = 1",
        'default = "' + "x" * 10**6 + '"',
        "backends.x.device = " + "9" * 5000,
        "".join(f'[backends.b{k}]\ndevice = "b{k + 1}"\n' for k in range(3000)),
    ],
    ids=range(7),
)
def test_deep_and_long_configurations(tmp_path, text):
    tried(tmp_path / "config.toml", text)


def open_star():
    return (Path(recordings).parent / "star6.json").read_text()


STAR = json.loads(open_star())


@settings(SOME, max_examples=150)
@given(st.integers(0))
def test_any_recording(tmp_path, seed):
    document = spoil(STAR, random.Random(seed))  # noqa: S311 - it only spoils
    opened(tmp_path / "r.json", json.dumps(document))


@SOME
@given(ANY.map(json.dumps) | garbled(open_star()[:3000]))
def test_any_text_of_a_recording(tmp_path, text):
    opened(tmp_path / "r.json", text)


@pytest.mark.parametrize("text", ["[" * DEEP * 40, '{"sites":' * DEEP * 40, "9" * 10**4, "", "\0"])
def test_deep_and_long_recordings(tmp_path, text):
    opened(tmp_path / "r.json", text)


def opened(path, text):
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        spec = spec_json.loads(text)
        backend = QDMIProvider(environ={}).get_backend(f"replay:{path}")
    except QdmiError:
        return
    assert spec_json.loads(spec_json.dumps(spec)) == spec
    assert backend.num_qubits == len(spec.sites)


@settings(SOME, max_examples=60)
@given(garbled(PROGRAM) | garbled(OLD))
def test_any_program(tmp_path, text):
    run(tmp_path / "p.qasm", text)


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM + "x q[0" + "]" * DEEP,
        PROGRAM + "rz(" + "(" * DEEP + "1" + ")" * DEEP + ") q[0];",
        PROGRAM.replace("qubit[3]", "qubit[1000000000]"),
        OLD.replace("q[2]", "q[1000000000]"),
        OLD + "rz(" + "-" * DEEP + "1) q[0];",
        OLD + "rz(1/0) q[0];",
        "OPENQASM 3.0;" + "if (true) {" * 300 + "}" * 300,
        "\0" * 100,
    ],
    ids=range(8),
)
def test_deep_and_huge_programs(tmp_path, text):
    run(tmp_path / "p.qasm", text)


def run(path, text):
    """Run a file; the command's own codes are fine, an error that was not foreseen is not."""
    from qdmi_qiskit.cli import app

    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    command = ["run", str(path), "-b", "aer", "-o", "num_qubits=4", "--shots", "5"]
    found = CliRunner().invoke(app.cli, command)
    assert found.exit_code in CODES, found.output
    assert "not foreseen" not in found.output, found.output[-500:]
