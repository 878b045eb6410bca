"""The README's blocks run, in order: python in one namespace, toml through the configuration.

A block that begins with a file name in a comment is written to that file; the entry points in
the README's own `pyproject.toml` are what makes its device known to the commands after it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import tomllib
from importlib import util
from pathlib import Path

import pytest

from qdmi_qiskit import config

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# ([\w.]+\.(?:py|toml))\n")
FIRST = (
    "python3 -m venv .venv && .venv/bin/pip install '.[chemistry]' "
    "&& .venv/bin/python examples/qsci.py --backend aer\n"
)
SECOND = (
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' "
    '&& .venv/bin/pytest -m "slow or not slow"\n'
)


NATIVE = "native:mqt."


def has_mqt_core() -> bool:
    return util.find_spec("mqt") is not None and util.find_spec("mqt.core") is not None


def blocks(language: str, *, named: bool = False) -> list[str]:
    return [body for kind, body in BLOCKS if kind == language and bool(NAMED.match(body)) is named]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """No configuration but what a test writes."""
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none")
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in [name for name in os.environ if name.startswith(("QDMI_", "XDG_CONFIG"))]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_is_of_a_kind_that_is_tested():
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "toml", "console"}
    assert TEXT.count("```") == 2 * len(BLOCKS)


def test_the_two_commands_are_those_that_were_promised():
    assert blocks("sh") == [FIRST, SECOND]


def test_python_runs(home, capsys):
    namespace: dict[str, object] = {"__name__": "readme"}
    for body in blocks("python"):
        exec(compile(body, "README.md", "exec"), namespace)  # noqa: S102 - our own page
    shown = capsys.readouterr().out
    assert "'00'" in shown
    assert "'11'" in shown
    assert "'01'" not in shown
    assert namespace["exact"] == pytest.approx(1, abs=1e-10)


def test_the_quick_start_is_short():
    lines = [line for line in blocks("python")[0].splitlines() if line]
    statements = [line for line in lines if not line.startswith(("from ", "import "))]
    assert len(statements) <= 10


def test_profiles_resolve(home, monkeypatch):
    file = home / "config.toml"
    file.write_text("".join(blocks("toml")))
    names = config.profiles(file)
    assert names == ("gpu", "hardware", "lab", "rehearsal", "sim", "twin")
    found = {name: config.resolve(name, config=file) for name in names}
    assert config.resolve(config=file).label == found["sim"].label == "aer"
    assert found["gpu"].options == {"processor": "GPU"}
    assert found["twin"].label == "aer"
    assert found["rehearsal"].label == "replay:~/recorded/bench.json"
    assert found["twin"].options["noise"] == "~/recorded/bench.json"
    assert found["lab"].options["prefix"] == "LAB"
    monkeypatch.setenv("BENCH_TOKEN", "sesame")
    assert found["hardware"].options["token"].reveal() == "sesame"
    monkeypatch.setenv("QDMI_BACKEND", "twin")
    monkeypatch.setenv("QDMI_SIM_METHOD", "statevector")
    twin = config.resolve(config=file)
    assert (twin.name, twin.options["method"]) == ("twin", "statevector")


def test_the_device_in_the_readme_passes_and_the_commands_run(home):
    files = {NAMED.match(body)[1]: body for body in blocks("python", named=True)}
    assert set(files) == {"bench_device.py"}
    (project,) = (tomllib.loads(body) for body in blocks("toml", named=True))
    points = project["project"]["entry-points"]["qdmi_qiskit.devices"]
    info = home / "site" / "bench-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[qdmi_qiskit.devices]\n{lines}")
    for name, body in files.items():
        (home / "site" / name).write_text(body)
    (home / "examples").symlink_to(ROOT / "examples")
    environment = os.environ | {
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "PYTHONPATH": str(home / "site"),
    }
    shown = {}
    for body in blocks("console"):
        for line in body.splitlines():
            if line.startswith("$ pip install ") or (NATIVE in line and not has_mqt_core()):
                continue
            assert line.startswith("$ qdmi "), line
            ran = subprocess.run(
                ["bash", "-c", line[2:]],  # noqa: S607
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
            shown[line] = ran.stdout
    assert shown["$ qdmi check bench"].rstrip().endswith("of bench, 0 failed")
    assert "bench" in shown["$ qdmi devices"]
