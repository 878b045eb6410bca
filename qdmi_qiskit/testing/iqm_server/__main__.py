"""`python -m qdmi_qiskit.testing.iqm_server garnet -- COMMAND ...` runs a command on the wire."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from qdmi_qiskit.testing.iqm_server.chips import NAMES
from qdmi_qiskit.testing.iqm_server.server import rehearse


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--exact", is_flag=True, help="Without noise.")
@click.option("--sound", is_flag=True, help="Without NaN, null and invalid observations.")
@click.option("--seed", default=0, help="Of calibration sets and shots.")
def main(name: str, command: tuple[str, ...], *, exact: bool, sound: bool, seed: int) -> None:
    """Run COMMAND in an environment in which NAME is on a loopback IQM Server."""
    with rehearse(name, noise=not exact, spoilt=not sound, seed=seed) as environment:
        ended = subprocess.run(command, env=os.environ | environment, check=False)  # noqa: S603
    sys.exit(ended.returncode)


main()
