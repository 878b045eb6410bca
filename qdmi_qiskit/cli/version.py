"""`qdmi version`: what is installed."""

from __future__ import annotations

import platform

import click

from qdmi_qiskit import __version__
from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import as_json

_ALWAYS = ("qiskit", "qiskit-aer")


@click.command()
@as_json
def version(as_json: bool) -> None:
    """Show versions: ours, Python's, Qiskit's and those of installed plug-ins."""
    from qdmi_qiskit.cli.plugins import plugins, version_of

    found: dict[str, str | None] = {"qdmi-qiskit": __version__, "python": platform.python_version()}
    for name in _ALWAYS:
        found[name] = version_of(name)
    for plugin in plugins():
        for name in (plugin.distribution, *plugin.requires):
            installed = version_of(name)
            if installed is not None:
                found.setdefault(name, installed)
    if as_json:
        display.print_json(found)
        return
    display.fields([(name, value or "not installed") for name, value in found.items()])
