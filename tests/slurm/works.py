"""Circuits and backends of these tests."""

from __future__ import annotations

import time

from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider

OPTIONS = {"partition": "quantum", "licenses": "aer:1", "device_options": {"num_qubits": 5}}


def backend(name="slurm:aer", **options):
    """Open a device in an allocation with one of two licences."""
    return QDMIProvider().get_backend(name, **{**OPTIONS, **options})


def crooked():
    """Bits 0..2 of the outcome are 1, coin, 0: in no symmetric way."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(2)
    circuit.h(1)
    circuit.measure([2, 1, 0], [0, 1, 2])
    return circuit


def long():
    """Takes Aer 7 s of a quick core for 100 000 shots, on five qubits."""
    circuit = QuantumCircuit(5, 5)
    for _ in range(60):
        circuit.h(range(5))
        circuit.measure(range(5), range(5))
    return circuit


LONG_ENOUGH = 60_000
"""Shots of `long()` that last while a test looks and acts, on a machine with other work too."""


def until(true, seconds=120.0):
    """Wait until something is true; returns whether it became so. The end is for what hangs."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_empty(cluster):
    """Wait until Slurm has no job and every licence again: a job that ended is COMPLETING first."""
    return until(lambda: cluster.jobs() == [] and set(cluster.licenses().values()) == {0})


def requeued(cluster, job):
    """Have Slurm start a batch job anew, without the two minutes that it would wait."""
    cluster.run("scontrol", "requeue", job.slurm_id)
    assert until(lambda: str(job.seen()).startswith("PENDING"))
    # A node that still clears up after the first run refuses the second.
    assert until(lambda: set(cluster.states()) == {"idle"})
    time.sleep(2)
    cluster.run("scontrol", "update", f"job={job.slurm_id}", "StartTime=now")
