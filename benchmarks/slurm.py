"""`python -m benchmarks.slurm`: what a Slurm allocation costs, on a real Slurm on this machine.

* 20 circuits through one session of `slurm:aer`, its start included, against one `srun` each;
* one estimator call in a session against the same call in this process.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.testing.slurm_cluster import Cluster

CIRCUITS, CALLS, SHOTS = 20, 30, 1024
MOST_SHARE, MOST_MS = 0.25, 20.0

EACH = """
import sys
from qiskit import qasm3
from qdmi_qiskit import QDMIProvider
backend = QDMIProvider().get_backend("aer")
circuit = backend.pass_manager().run(qasm3.loads_experimental(sys.argv[1]))
print(backend.run(circuit, shots=1024, seed=1).result().get_counts())
"""


def circuits() -> list[QuantumCircuit]:
    """Ten qubits each, all different, so that nothing is simulated once for several."""
    found = []
    for k in range(CIRCUITS):
        circuit = QuantumCircuit(10, 10)
        for layer in range(4):
            for qubit in range(10):
                circuit.ry(0.1 + 0.01 * k + 0.2 * layer + 0.05 * qubit, qubit)
            for qubit in range(9):
                circuit.cx(qubit, qubit + 1)
        circuit.measure(range(10), range(10))
        found.append(circuit)
    return found


def one_session() -> tuple[float, list[dict[str, int]]]:
    began = time.perf_counter()
    backend = QDMIProvider().get_backend("slurm:aer", partition="quantum", licenses="aer:1")
    isa = backend.pass_manager().run(circuits())
    counts = [backend.run(each, shots=SHOTS, seed=1).result().get_counts() for each in isa]
    backend.session.close()
    return time.perf_counter() - began, counts


def one_srun_each(cluster: Cluster) -> tuple[float, list[dict[str, int]]]:
    from qiskit import qasm3

    began = time.perf_counter()
    counts = []
    for circuit in circuits():
        ran = cluster.run(
            "srun", "-p", "quantum", "-L", "aer:1", "-t", "5",
            sys.executable, "-c", EACH, qasm3.dumps(circuit),
        )  # fmt: skip
        counts.append(json.loads(ran.stdout.replace("'", '"')))
    return time.perf_counter() - began, counts


def calls(estimator: EstimatorV2, circuit: QuantumCircuit, **options: float) -> tuple[float, float]:
    """Return the median of milliseconds of a call of a VQE loop, and the last value."""
    operator = [["ZZIIII", "XXIIII", "IYYIII", "IIZIZI", "IIIXXZ"]]
    start = np.linspace(0.1, 2.3, circuit.num_parameters)
    took = []
    for k in range(CALLS):
        began = time.perf_counter()
        found = estimator.run([(circuit, operator, start + 0.01 * k)], **options).result()
        took.append(time.perf_counter() - began)
    return 1e3 * statistics.median(took), float(found[0].data.evs.sum())


def main() -> None:
    with Cluster() as cluster:
        os.environ["SLURM_CONF"] = str(cluster.conf)
        together, ours = one_session()
        apart, theirs = one_srun_each(cluster)
        assert ours == theirs, "one of the two is wrong"
        share = together / apart
        print(f"{CIRCUITS} circuits: one session {together:.2f} s, one srun each {apart:.2f} s")
        print(f"share {share:.3f} (at most {MOST_SHARE})")
        outcome = {"session_s": together, "srun_each_s": apart, "share": share}
        here = QDMIProvider().get_backend("aer")
        there = QDMIProvider().get_backend("slurm:aer", partition="quantum")
        circuit = here.pass_manager().run(efficient_su2(6, reps=3))
        for title, options in (("exact", {"precision": 0}), ("0.02", {"precision": 0.02})):
            alone, value = calls(EstimatorV2(here, seed=3), circuit, **options)
            remote, same = calls(EstimatorV2(there, seed=3), circuit, **options)
            assert value == same, "one of the two is wrong"
            print(
                f"estimator, precision {title}: {alone:.1f} ms here, {remote:.1f} ms in the "
                f"allocation: {remote - alone:+.1f} ms (at most {MOST_MS:g})"
            )
            outcome[f"estimator_{title}_ms"] = remote - alone
        there.session.close()
    if out := os.environ.get("BENCHMARKS_JSON"):
        Path(out).write_text(json.dumps(outcome, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
