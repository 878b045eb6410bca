"""Run a program in OpenQASM on a QDMI library without importing Qiskit.

    python examples/device_layer.py [NAME]

NAME is a device as in `qdmi run --backend`; `native:mqt.ddsim.default` (`pip install mqt-core`)
if not given. The program is sent as it stands: it has to be in a format and in gates that the
device lists (`qdmi show NAME`), and nothing transpiles, splits, journals or mitigates it.
"""

from __future__ import annotations

import sys

from qdmi_qiskit.bits import count
from qdmi_qiskit.model import Program, Task
from qdmi_qiskit.registry import open_device

SHOTS = 1000
BELL = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
h q[0];
cx q[0], q[1];
c[0] = measure q[0];
c[1] = measure q[1];
"""


def main() -> None:
    """Run Bell and print how often each outcome came."""
    name = sys.argv[1] if len(sys.argv) > 1 else "native:mqt.ddsim.default"
    with open_device(name) as session:
        # The key names this attempt, where a device can tell a repeated submission by it.
        job = session.submit([Task(Program("qasm3", BELL, num_bits=2), SHOTS)], key="bell")
        job.wait(timeout=60)
        (shots,) = job.result()
    # Packed bits, shape (points, shots, bytes); bit k of a value is c[k].
    for value, number in count(shots.bits[0]).items():
        print(f"{value:02b} {number}")


if __name__ == "__main__":
    main()
