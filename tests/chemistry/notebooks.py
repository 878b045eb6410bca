"""Run a notebook of `examples/` headless, where the environment says, and print its report.

python -m tests.chemistry.notebooks vqe_h2
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbclient
import nbformat

EXAMPLES = Path(__file__).parents[2] / "examples"


def executed(name: str, timeout: int = 600) -> nbformat.NotebookNode:
    """Return the notebook with its outputs; the file stays as it is."""
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=timeout, resources={}).execute(cwd=str(EXAMPLES))
    return notebook


def report(notebook: nbformat.NotebookNode) -> dict:
    """Return the JSON that the last cell prints."""
    outputs = notebook.cells[-1].outputs
    text = "".join(output.text for output in outputs if output.get("name") == "stdout")
    return json.loads(text.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(report(executed(sys.argv[1]))))  # noqa: T201 - for whoever started it
