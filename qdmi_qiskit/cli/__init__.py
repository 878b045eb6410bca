"""The command line `qdmi`: list devices, look at one, run a circuit file, check a plug-in.

`qdmi --help` imports neither Qiskit nor any plug-in; each sub-command imports what it needs
when it is called.
"""

from __future__ import annotations

import os
import sys

from qdmi_qiskit.cli.app import INTERRUPTED, cli

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line and end the process."""
    try:
        cli(prog_name="qdmi")
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        # A simulator's thread cannot be stopped, and a plain exit would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
