"""The two scenarios of the Quantum Executor paper, on whatever backends are named.

1. A batch of reference circuits on every backend, with the same number of shots each.
2. How far the counts of each backend are from those of an ideal simulator (total variation).

    python examples/compare_backends.py --backend replay:grid20 --backend aer --shots 1024

Source: Bisicchia, Bocci, Brogi, "Quantum Executor", sections 4.1 and 4.2.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit

from qdmi_qiskit.dispatch import DispatchSampler, Replicate, total_variation

IDEAL = "aer"


def references() -> list[QuantumCircuit]:
    """Return three circuits of growing depth, none of them symmetric in its bits."""
    flip, ghz, kernel = QuantumCircuit(3), QuantumCircuit(3), QuantumCircuit(3)
    flip.x(1)
    ghz.h(2)
    ghz.cx(2, 0)
    ghz.cx(2, 1)
    ghz.x(1)
    for angle in (0.3, 0.9, 1.4):
        for qubit in range(3):
            kernel.ry(angle * (qubit + 1), qubit)
        kernel.cx(0, 1)
        kernel.cx(1, 2)
    for circuit, name in ((flip, "flip"), (ghz, "ghz"), (kernel, "kernel")):
        circuit.name = name
        circuit.measure_all()
    return [flip, ghz, kernel]


def benchmark(backends: Sequence[str], shots: int, seed: int | None) -> dict[str, Any]:
    """Return the counts of every circuit on every backend that worked, and why others did not."""
    group = DispatchSampler(backends, Replicate(), optimization_level=2, seed=seed)
    job = group.run(references(), shots=shots)
    job.wait()
    return {
        "counts": {
            name: {pub: result.join_data().get_counts() for pub, result in pubs.items()}
            for name, pubs in job.by_member().items()
        },
        "failures": {group.members[s.member].name: str(s.error) for s in job.failures},
    }


def distances(found: dict[str, Any]) -> dict[str, list[float]]:
    """Return the distance of each backend from the ideal one, circuit by circuit."""
    ideal = found["counts"][IDEAL]
    return {
        name: [round(total_variation(counts, ideal[pub]), 4) for pub, counts in pubs.items()]
        for name, pubs in found["counts"].items()
        if name != IDEAL
    }


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", action="append", help="may be repeated")
    parser.add_argument("--shots", type=int, default=2048)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    backends = [name for name in options.backend or ["replay:grid20"] if name != IDEAL]
    found = benchmark([IDEAL, *backends], options.shots, options.seed)
    report = {"distances": distances(found), "failures": found["failures"]}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
