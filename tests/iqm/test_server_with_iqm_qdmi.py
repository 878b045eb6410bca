"""The loopback server is one: the unmodified C library iqm-qdmi runs circuits on it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.loopback import backend_on, isa_for

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


BELL = """
import sys
from math import pi
from iqm.qdmi.qiskit import IQMBackend
from qiskit import QuantumCircuit

backend = IQMBackend(base_url=sys.argv[1], qc_alias="garnet", token=sys.argv[2])
bell = QuantumCircuit(backend.num_qubits, 2)
bell.r(pi / 2, pi / 2, [0, 1])
bell.cz(0, 1)
bell.r(-pi / 2, pi / 2, 1)
bell.measure([0, 1], [0, 1])
print(sum(backend.run([bell], shots=200).result().get_counts().values()))
"""


def run(server, script=SCRIPT):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("IQM_")}
    return subprocess.run(
        [sys.executable, "-c", script, server.url, server.token],
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
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


def test_opening_and_a_bell_pair_take_no_more_requests_of_ours():
    with IQMServer("garnet", noise=False, spoilt=False) as server:
        ran = run(server, BELL)
        assert (ran.returncode, ran.stdout.strip()) == (0, "200"), ran.stderr
        theirs = len(server.log.requests)
        server.log.clear()
        backend = backend_on(server)
        bell = QuantumCircuit(2)
        bell.h(0)
        bell.cx(0, 1)
        bell.measure_all()
        isa = isa_for(backend, bell)
        counts = SamplerV2(backend).run([isa], shots=200).result()[0].data.meas.get_counts()
        assert set(counts) == {"00", "11"}
        assert 0 < len(server.log.requests) <= theirs
