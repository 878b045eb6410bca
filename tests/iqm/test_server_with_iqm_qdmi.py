"""The loopback server is one: the unmodified C library iqm-qdmi runs circuits on it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from qdmi_qiskit.testing.iqm_server import IQMServer

pytestmark = pytest.mark.skipif(
    find_spec("iqm") is None or find_spec("iqm.qdmi") is None, reason="needs iqm-qdmi"
)

# In the machine's own gates: transpile() would import every plug-in of iqm-client, for 17 seconds.
SCRIPT = """
import json, sys
from math import pi
from iqm.qdmi.qiskit import IQMBackend
from qiskit import QuantumCircuit

backend = IQMBackend(base_url=sys.argv[1], qc_alias="garnet", token=sys.argv[2])
circuits = []
for ones in ((0,), (1, 4), ()):
    circuit = QuantumCircuit(backend.num_qubits, 3)
    for qubit in ones:
        circuit.r(pi, 0, qubit)
    circuit.measure([0, 1, 4], range(3))
    circuits.append(circuit)
bell = QuantumCircuit(backend.num_qubits, 2)
bell.r(pi / 2, pi / 2, [0, 1])
bell.cz(0, 1)
bell.r(-pi / 2, pi / 2, 1)
bell.measure([0, 1], [0, 1])
print(json.dumps(backend.run([*circuits, bell], shots=200).result().get_counts()))
"""


def run(server):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("IQM_")}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, server.url, server.token],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_c_library_runs_circuits():
    # Its counts are in Qiskit's order only where keys are listed last bit first.
    with IQMServer("garnet", noise=False, spoilt=False, key_order="reversed") as server:
        ran = run(server)
        assert ran.returncode == 0, ran.stderr
        *single, bell = json.loads(ran.stdout)
        assert single == [{"001": 200}, {"110": 200}, {"000": 200}]
        assert set(bell) == {"00", "11"}
        assert sum(bell.values()) == 200
        assert server.jobs_created == server.posts == 1
