"""Opening an IQM device and running on it: requests and CPU time, against IQM's two adapters.

    python -m benchmarks.iqm [ROUNDS]

All run the same circuits in processes of their own against one loopback server, in turn; medians
of CPU time (user and system). Two circuits: a Bell pair, and a flip of the first of three qubits,
which shows whose bits come in the wrong order. A peer that is not installed is left out:
`iqm.qiskit_iqm` comes with iqm-client, `iqm.qdmi` with `iqm-qdmi[qiskit]`. Requests are compared
with peers that know the device's errors, as we do; qiskit_iqm's default knows none.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from rich.console import Console
from rich.table import Table

from qdmi_qiskit.testing.iqm_server import IQMServer

LIMIT = 0.6  # seconds of CPU for importing and opening, beyond Qiskit's own import
QISKIT = """
import qiskit, qiskit.transpiler, qiskit.primitives, qiskit.providers
"""
CIRCUITS = """
import json
from math import pi
from qiskit import QuantumCircuit

def circuits(width):
    bell, flip = QuantumCircuit(width, 2), QuantumCircuit(width, 3)
    bell.r(pi / 2, pi / 2, [0, 1])
    bell.cz(0, 1)
    bell.r(-pi / 2, pi / 2, 1)
    bell.measure([0, 1], [0, 1])
    flip.r(pi, 0, 0)
    flip.measure([0, 1, 3], [0, 1, 2])
    return [bell, flip]
"""
OURS = """
import os
from qdmi_qiskit import QDMIProvider
backend = QDMIProvider().get_backend("iqm:garnet")
"""
CLIENT = """
import os, warnings
warnings.simplefilter("ignore")
from iqm.qiskit_iqm import IQMProvider
provider = IQMProvider(os.environ["IQM_SERVER_URL"], quantum_computer="garnet")
backend = provider.get_backend(use_metrics=METRICS)
"""
BARE = "qiskit_iqm, no figures"
LIBRARY = """
import os
from iqm.qdmi.qiskit import IQMBackend
backend = IQMBackend(
    base_url=os.environ["IQM_SERVER_URL"], qc_alias="garnet", token=os.environ["IQM_TOKEN"]
)
"""
RUN = """
counts = backend.run(circuits(backend.num_qubits)[:NUMBER], shots=200).result().get_counts()
print(json.dumps(counts if isinstance(counts, list) else [counts]))
"""


@dataclass
class Seen:
    """What one contestant's processes showed; seconds of CPU, one of each round."""

    opening: list[float] = field(default_factory=list)
    bell: list[float] = field(default_factory=list)
    requests: int = 0
    wrong: str = ""


def cpu(code: str, environment: Mapping[str, str]) -> tuple[float, str]:
    """Return the CPU seconds of a fresh interpreter that runs `code`, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said")
        to = (os.POSIX_SPAWN_OPEN, 1, str(said), os.O_WRONLY | os.O_CREAT, 0o600)
        command = [sys.executable, "-c", code]
        silent = (os.POSIX_SPAWN_OPEN, 2, str(Path(folder, "err")), os.O_WRONLY | os.O_CREAT, 0o600)
        process = os.posix_spawn(sys.executable, command, environment, file_actions=[to, silent])
        _, status, usage = os.wait4(process, 0)
        if status:
            sys.exit(f"{code} failed: {Path(folder, 'err').read_text(encoding='utf-8')}")
        return usage.ru_utime + usage.ru_stime, said.read_text(encoding="utf-8")


def contestants() -> dict[str, str]:
    """Return what opens the device, by name."""
    found = {"ours": OURS}
    if find_spec("iqm") and find_spec("iqm.qiskit_iqm"):
        found["qiskit_iqm"] = CLIENT.replace("METRICS", "True")
        found[BARE] = CLIENT.replace("METRICS", "False")
    if find_spec("iqm") and find_spec("iqm.qdmi"):
        found["iqm.qdmi"] = LIBRARY
    return found


def wrong(said: str) -> str:
    """Return what is not as it has to be."""
    bell, flip = json.loads(said)
    found = []
    if not set(bell) <= {"00", "11"} or sum(bell.values()) != 200:
        found.append(f"Bell pair {bell}")
    if flip != {"001": 200}:
        found.append(f"flip of qubit 0 {flip}")
    return "WRONG: " + ", ".join(found) if found else ""


def measure(rounds: int) -> tuple[dict[str, Seen], list[float]]:
    """Run everything in turn."""
    seen = {name: Seen() for name in contestants()}
    qiskit = []
    with IQMServer("garnet", noise=False, spoilt=False) as server:
        environment = {**os.environ, **server.environment("garnet")}
        for number in range(rounds + 1):
            spent = cpu(QISKIT, environment)[0]
            if number:  # the first round warms byte code and the file cache
                qiskit.append(spent)
            for name, opening in contestants().items():
                spent = cpu(opening, environment)[0]
                server.log.clear()
                bell = cpu(CIRCUITS + opening + RUN.replace("NUMBER", "1"), environment)[0]
                if number:
                    seen[name].opening.append(spent)
                    seen[name].bell.append(bell)
                    continue
                seen[name].requests = len(server.log.requests)
                both = CIRCUITS + opening + RUN.replace("NUMBER", "2")
                seen[name].wrong = wrong(cpu(both, environment)[1])
    return seen, qiskit


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seen, qiskit = measure(rounds)
    base = statistics.median(qiskit)
    table = Table("", "requests", "open, CPU s", "beyond Qiskit", "open and Bell, CPU s", "bits")
    for name, each in seen.items():
        opening, bell = statistics.median(each.opening), statistics.median(each.bell)
        table.add_row(
            name,
            str(each.requests),
            f"{opening:.2f}",
            f"{opening - base:.2f}",
            f"{bell:.2f}",
            each.wrong or "right",
        )
    console = Console(width=120)
    console.print(table)
    ours, peers = seen["ours"], {k: v for k, v in seen.items() if k != "ours"}
    beyond = statistics.median(ours.opening) - base
    verdict = "ok" if beyond <= LIMIT else "MISSED"
    console.print(
        f"import and open: {beyond:.2f} s beyond Qiskit's import of {base:.2f} s, limit {LIMIT} s "
        f"({verdict}); median of {rounds}"
    )
    if peers:
        least = min(each.requests for name, each in peers.items() if name != BARE)
        verdict = "ok" if ours.requests <= least else "MISSED"
        console.print(
            f"requests to open and run: {ours.requests}, best peer with figures {least} ({verdict})"
        )
    for name, each in peers.items():
        pairs = [
            [a / b for a, b in zip(mine, yours, strict=True)]
            for mine, yours in ((ours.opening, each.opening), (ours.bell, each.bell))
        ]
        first, second = (statistics.median(pair) for pair in pairs)
        console.print(f"CPU, ours over {name}: open {first:.2f}, open and Bell {second:.2f}")


if __name__ == "__main__":
    main()
