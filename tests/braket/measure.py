# ruff: noqa: T201
"""Measure what the tests do not: `python -m tests.braket.measure`. Ratios of CPU time, one run.

Not collected by pytest. Every peer is measured in the same process, in turn with ours.
"""

import json
import os
import statistics
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable

import numpy as np

os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
warnings.simplefilter("ignore")


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 7) -> str:
    """Return ours / theirs as median [least..most], after one round that does not count."""
    pairs = []
    for _ in range(rounds + 1):
        spent = []
        for call in (ours, theirs):
            start = time.process_time()
            call()
            spent.append(time.process_time() - start)
        pairs.append(spent)
    ratios = sorted(a / b for a, b in pairs[1:])
    a, b = (1e3 * statistics.median(column) for column in zip(*pairs[1:], strict=True))
    return (
        f"{statistics.median(ratios):.4f} [{ratios[0]:.4f}..{ratios[-1]:.4f}]  {a:.2f} / {b:.2f} ms"
    )


def parsing() -> None:
    from braket.tasks import GateModelQuantumTaskResult

    from qdmi_qiskit.devices.braket.outcome import packed, read

    rows = np.random.default_rng(1).integers(0, 2, (100_000, 20)).tolist()
    text = json.dumps(
        {
            "braketSchemaHeader": {
                "name": "braket.task_result.gate_model_task_result", "version": "1",
            },
            "measurements": rows,
            "measuredQubits": list(range(20)),
            "resultTypes": [],
            "taskMetadata": {"id": "t", "shots": 100_000, "deviceId": "d"},
            "additionalMetadata": {
                "action": {
                    "braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"},
                    "source": "OPENQASM 3.0;",
                }
            },
        }
    )  # fmt: skip
    body = text.encode()
    print("bytes to packed bits, 100 000 x 20, ours / SDK:", ratio(
        lambda: packed(read(body)[1], range(20)),
        lambda: GateModelQuantumTaskResult.from_string(text), 3,
    ))  # fmt: skip


def local() -> None:
    from braket.circuits import Circuit
    from braket.devices import LocalSimulator
    from qiskit import QuantumCircuit

    from qdmi_qiskit.backend import QDMIBackend
    from qdmi_qiskit.devices.braket import driver

    ours, theirs = QuantumCircuit(8, 8), Circuit()
    angles = np.random.default_rng(2).uniform(-3, 3, (4, 8)).tolist()
    for layer in angles:
        for qubit, angle in enumerate(layer):
            ours.rx(angle, qubit)
            theirs.rx(qubit, angle)
        for qubit in range(7):
            ours.cx(qubit, qubit + 1)
            theirs.cnot(qubit, qubit + 1)
    ours.measure(range(8), range(8))
    theirs.measure(range(8))
    backend = QDMIBackend(driver.open("local"))
    simulator = LocalSimulator()
    print("braket:local, 8 qubits, 1000 shots, ours / SDK:", ratio(
        lambda: backend.run(ours, shots=1000).result().get_counts(),
        lambda: simulator.run(theirs, shots=1000).result().measurement_counts, 15,
    ))  # fmt: skip


def submission() -> None:
    import boto3
    from qiskit import QuantumCircuit

    from qdmi_qiskit.backend import QDMIBackend
    from qdmi_qiskit.devices.braket import driver
    from qdmi_qiskit.testing.braket_service import BraketService

    port = os.environ["MEASURE_PORT"]
    del BraketService
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    client = boto3.client("braket")
    backend = QDMIBackend(driver.open("sv1", s3="s3://amazon-braket-lab/tasks"))
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    source = backend.session.encoders["openqasm3.braket"](bell).text
    action = {
        "braketSchemaHeader": {"name": "braket.ir.openqasm.program", "version": "1"},
        "source": source,
    }
    arn = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"

    def bare() -> None:
        client.create_quantum_task(
            clientToken=uuid.uuid4().hex, deviceArn=arn, shots=10, action=json.dumps(action),
            outputS3Bucket="amazon-braket-lab", outputS3KeyPrefix="tasks",
        )  # fmt: skip

    backend.session._transport._paced.wait = lambda: None  # the rate is not what is measured
    print("submitting a Bell circuit, ours / bare boto3:", ratio(
        lambda: [backend.run(bell, shots=10) for _ in range(20)],
        lambda: [bare() for _ in range(20)], 9,
    ))  # fmt: skip


def many() -> None:
    from qiskit import QuantumCircuit

    from qdmi_qiskit.backend import QDMIBackend
    from qdmi_qiskit.devices.braket import driver

    backend = QDMIBackend(driver.open("sv1", s3="s3://amazon-braket-lab/tasks"))
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    start = time.perf_counter()
    job = backend.run([circuit] * 100, shots=10)
    returned = time.perf_counter() - start
    assert all(each == {"1": 10} for each in job.result(120).get_counts())
    whole = time.perf_counter() - start
    print(f"100 tasks at 100 ms latency and the documented rate: run() {returned:.2f} s, "
          f"all {whole:.2f} s; the rate alone takes 3.00 s: {whole / 3:.2f}")  # fmt: skip


def main() -> None:
    import subprocess
    import sys

    code = (
        "import sys, time\n"
        "from qdmi_qiskit.testing.braket_service import BraketService\n"
        "fast = sys.argv[1] == 'fast'\n"
        "with BraketService(step=0.0, rates=not fast, latency=0.0 if fast else 0.1,"
        " buckets={'amazon-braket-lab': 'us-east-1'}) as service:\n"
        "    print(service.port, flush=True)\n"
        "    time.sleep(300)\n"
    )
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "LOOPBACKONLY00000000", "AWS_SECRET_ACCESS_KEY": "loopback-only",
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
    parsing()
    local()
    for kind, measure in (("fast", submission), ("slow", many)):
        server = subprocess.Popen([sys.executable, "-c", code, kind], stdout=subprocess.PIPE)
        try:
            os.environ["MEASURE_PORT"] = port = server.stdout.readline().decode().strip()
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
            measure()
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
