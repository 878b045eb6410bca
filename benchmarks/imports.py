"""What importing costs, against what it cannot do without: CPU time, side by side.

    python benchmarks/imports.py [ROUNDS]

Each round runs every command once in a process of its own, so that a slow spell of the machine
falls on all of them; the medians are compared. The interpreter's own start is subtracted.
"""

from __future__ import annotations

import os
import statistics
import sys

NOTHING = "pass"
PAIRS = {
    "import qdmi_qiskit / import numpy": ("import qdmi_qiskit", "import numpy"),
    "SamplerV2 / import qiskit plus Aer": (
        "import qdmi_qiskit; qdmi_qiskit.SamplerV2",
        "import qiskit, qiskit_aer",
    ),
}
LIMIT = 1.1


def cpu_seconds(code: str) -> float:
    """User plus system time of a fresh interpreter that runs `code`."""
    process = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{code!r} failed")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    commands = [NOTHING, *(code for pair in PAIRS.values() for code in pair)]
    for code in commands:  # byte code and the file cache are warm for all
        cpu_seconds(code)
    times: dict[str, list[float]] = {code: [] for code in commands}
    for _ in range(rounds):
        for code in commands:
            times[code].append(cpu_seconds(code))
    start = statistics.median(times[NOTHING])
    for label, (ours, theirs) in PAIRS.items():
        mine, yours = (statistics.median(times[code]) for code in (ours, theirs))
        ratio = (mine - start) / (yours - start)
        verdict = "ok" if ratio <= LIMIT else f"over {LIMIT}"
        print(
            f"{label}: {ratio:.2f} ({verdict}); {1e3 * mine:.0f} ms / {1e3 * yours:.0f} ms with "
            f"the interpreter's {1e3 * start:.0f} ms, median of {rounds}"
        )


if __name__ == "__main__":
    main()
