"""Start a worker. Nothing heavy is imported before the number of threads is settled."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Serve the streams, or do the job in a folder; returns the exit code."""
    # task/none binds nothing: Aer would take every core of the node, and be slower for it.
    mine = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or "1"
    os.environ.setdefault("OMP_NUM_THREADS", mine)
    if arguments[:1] == ["--folder"] and len(arguments) == 2:
        from qdmi_qiskit.worker.batch import work

        return work(Path(arguments[1]))
    if arguments:
        sys.stderr.write("usage: python -m qdmi_qiskit.worker [--folder DIR]\n")
        return 2
    from qdmi_qiskit.worker.serve import serve

    return serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
