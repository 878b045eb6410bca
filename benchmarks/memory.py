"""What large runs hold at most: peak memory of fresh processes.

    python -m benchmarks.memory [CIRCUITS]

Each line is a process of its own: the peak of its resident memory less that after importing and
opening. `payload` is what the outcome itself takes, packed.
"""

from __future__ import annotations

import os
import subprocess
import sys

CIRCUITS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
COMMON = """
import resource, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2
from qiskit_aer import AerSimulator
from qdmi_qiskit import QDMIProvider, SamplerV2
def tiny(k):
    circuit = QuantumCircuit(2)
    circuit.rx(k / 1000, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
aer = AerSimulator()
ours = SamplerV2(QDMIProvider().get_backend("aer"))
patient = SamplerV2(QDMIProvider().get_backend("aer", sample_states=False))
theirs = BackendSamplerV2(backend=aer)
for sampler in (ours, patient, theirs):
    sampler.run([tiny(1)], shots=10).result()
"""
MANY = """
circuits = [tiny(k) for k in range({circuits})]
before, clock = peak(), time.process_time()
result = {who}.run(circuits, shots=1024).result()
assert len(result) == {circuits}
print(f"{{peak() - before:.0f}} {{time.process_time() - clock:.1f}}")
"""
LONG = """
circuit = QuantumCircuit(10, 100)
circuit.h(range(0, 10, 3))
for bit in range(100):
    circuit.measure(bit % 10, bit)
before, clock = peak(), time.process_time()
result = {who}.run([circuit], shots=1_000_000).result()
assert result[0].data.c.num_shots == 1_000_000
print(f"{{peak() - before:.0f}} {{time.process_time() - clock:.1f}}")
"""


def main() -> None:
    works = (
        (f"{CIRCUITS} circuits x 1 024 shots x 2 bits", MANY, CIRCUITS * 1024 / 2**20),
        ("1e6 shots x 100 bits", LONG, 13e6 / 2**20),
    )
    for work, code, payload in works:
        print(f"{work}; payload {payload:.0f} MiB")
        for who in ("ours", "patient", "theirs"):
            source = COMMON + code.format(who=who, circuits=CIRCUITS)
            run = subprocess.run(  # noqa: S603 - our own code
                [sys.executable, "-c", source],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=900,
            )
            if run.returncode:
                print(f"  {who:8} failed: {run.stderr.strip().splitlines()[-1]}")
                continue
            mib, seconds = run.stdout.split()
            print(f"  {who:8} {mib:>6} MiB more, {seconds:>6} s of CPU", flush=True)
    print("ours: Aer; patient: the same through Aer's own shots; theirs: BackendSamplerV2(Aer)")


if __name__ == "__main__":
    main()
