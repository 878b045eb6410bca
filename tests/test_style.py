"""ruff, mypy and import-linter are tests like any other: `pytest` is the whole check."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
COMMANDS = {
    "lint": [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "--no-cache", "."],
    "types": [sys.executable, "-m", "mypy"],
    "floors": [str(SCRIPTS / "lint-imports"), "--no-cache"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_style(name):
    ran = subprocess.run(COMMANDS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_ci_runs_what_the_readme_says():
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    for command in ("pip install -e '.[test]'", ".venv/bin/pytest"):
        assert command in readme
    for command in ("pip\" install -q -e '.[test]'", "/bin/pytest"):
        assert command in ci
    assert "unset PYTHONDONTWRITEBYTECODE" in ci
