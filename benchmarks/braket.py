"""Braket: results, the local simulator and submission against the SDK and bare boto3.

    python -m benchmarks.braket [WORD ...]

A service on loopback, in a process of its own, stands for AWS. The last line is wall time: a
hundred tasks at 100 ms latency, at the documented rate of CreateQuantumTask.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from functools import partial
from importlib import import_module

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):  # neither answers nor runs of the user's
    os.environ[name] = tempfile.mkdtemp()

import boto3
import numpy as np
from qiskit import QuantumCircuit
from rich.console import Console

from benchmarks.race import Race, run
from qdmi_qiskit import bits
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.devices.braket.outcome import packed, read
from qdmi_qiskit.provider import QDMIProvider
from qdmi_qiskit.testing.braket_service.rehearse import separate

RATE_ALONE = (100 - 40) / 20  # seconds that 20/s with a burst of 40 takes for 100 tasks
MOST = 2.5  # times that
SV1 = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


def parsing() -> Iterator[Race]:
    """From the bytes of a result to packed bits."""
    tasks = import_module("braket.tasks")
    rows = np.random.default_rng(1).integers(0, 2, (100_000, 20), np.uint8)
    program = {"name": "braket.ir.openqasm.program", "version": "1"}
    text = json.dumps(
        {
            "braketSchemaHeader": {
                "name": "braket.task_result.gate_model_task_result",
                "version": "1",
            },
            "measurements": rows.tolist(),
            "measuredQubits": list(range(20)),
            "resultTypes": [],
            "taskMetadata": {"id": "t", "shots": 100_000, "deviceId": "d"},
            "additionalMetadata": {
                "action": {"braketSchemaHeader": program, "source": "OPENQASM 3.0;"}
            },
        }
    )
    body = text.encode()

    words = rows.astype(np.int64) @ (1 << np.arange(20))

    def check(outcome: object) -> None:
        if isinstance(outcome, np.ndarray):
            assert bits.to_ints(outcome) == words.tolist()
        else:
            assert (outcome.measurements == rows).all()

    yield Race(
        "bytes to bits, 100 000 x 20",
        "GateModelQuantumTaskResult.from_string",
        lambda: packed(read(body)[1], range(20)),
        lambda: tasks.GateModelQuantumTaskResult.from_string(text),
        check,
        limit=1 / 30,
    )


def local() -> Iterator[Race]:
    """The simulator of the SDK, by our road and by its own."""
    circuits, devices = import_module("braket.circuits"), import_module("braket.devices")
    ours, theirs = QuantumCircuit(8, 8), circuits.Circuit()
    for layer in np.random.default_rng(2).uniform(-3, 3, (4, 8)).tolist():
        for qubit, angle in enumerate(layer):
            ours.rx(angle, qubit)
            theirs.rx(qubit, angle)
        for qubit in range(7):
            ours.cx(qubit, qubit + 1)
            theirs.cnot(qubit, qubit + 1)
    ours.measure(range(8), range(8))
    theirs.measure(range(8))
    backend, simulator = QDMIBackend(driver.open("local")), devices.LocalSimulator()
    exact = _ones(ours)

    def check(counts: dict[str, int]) -> None:
        # Ours has bit 0 on the right, theirs on the left: told apart by the asymmetric circuit.
        assert sum(counts.values()) == 1000
        shares = np.array(
            [sum(n for word, n in counts.items() if word[k] == "1") for k in range(8)]
        )
        sigma = 6 * np.sqrt(1000 * exact * (1 - exact)) + 1
        assert any((abs(shares - 1000 * each) < sigma).all() for each in (exact, exact[::-1]))

    yield Race(
        "braket:local, 8 qubits, 1000 shots",
        "LocalSimulator().run(circuit)",
        lambda: backend.run(ours, shots=1000).result().get_counts(),
        lambda: simulator.run(theirs, shots=1000).result().measurement_counts,
        check,
        limit=0.3,
        rounds=15,
    )


def _ones(circuit: QuantumCircuit) -> np.ndarray:
    """Return the exact probability of 1 for each qubit."""
    from qiskit.quantum_info import Statevector

    state = Statevector(circuit.remove_final_measurements(inplace=False))
    return np.array([state.probabilities([qubit])[1] for qubit in range(circuit.num_qubits)])


def submission() -> Iterator[Race]:
    """`backend.run` of a Bell circuit, and the call that it cannot do without."""
    client = boto3.client("braket")
    backend = QDMIBackend(driver.open("sv1", s3="s3://amazon-braket-lab/tasks"))
    # The documented rate is not what is measured here.
    backend.session._transport._paced.wait = lambda: None  # noqa: SLF001
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    header = {"name": "braket.ir.openqasm.program", "version": "1"}
    source = backend.session.encoders["openqasm3.braket"](bell).text
    action = {"braketSchemaHeader": header, "source": source}

    def bare() -> str:
        return client.create_quantum_task(
            clientToken=uuid.uuid4().hex,
            deviceArn=SV1,
            shots=10,
            action=json.dumps(action),
            outputS3Bucket="amazon-braket-lab",
            outputS3KeyPrefix="tasks",
        )["quantumTaskArn"]

    def check(outcome: object) -> None:
        if not isinstance(outcome, str):
            assert set(outcome.result().get_counts()) <= {"00", "11"}

    kept = QDMIProvider().get_backend("braket:sv1", s3="s3://amazon-braket-lab/tasks")
    kept.session._transport._paced.wait = lambda: None  # noqa: SLF001
    for work, device, limit in (
        ("submitting a Bell circuit", backend, 1.2),
        ("the same, kept in the journal", kept, None),  # two commits to the disk; no promise
    ):
        yield Race(
            work,
            "boto3 create_quantum_task",
            partial(device.run, bell, shots=10),
            bare,
            check,
            limit=limit,
            rounds=21,
            calls=20,
        )


def many(console: Console) -> None:
    """A hundred tasks, slow answers, the documented rate enforced."""
    with separate("--step", "0", "--latency", "0.1", "--rates") as found:
        os.environ.update(found)
        _bucket()
        backend = QDMIBackend(driver.open("sv1", s3="s3://amazon-braket-lab/tasks"))
        circuit = QuantumCircuit(2, 2)
        circuit.x(0)
        circuit.measure([0, 1], [0, 1])
        backend.run(circuit, shots=10).result(60)  # the service loads its simulator
        time.sleep(0.1)  # and has the whole burst again
        start = time.perf_counter()
        job = backend.run([circuit] * 100, shots=10)
        returned = time.perf_counter() - start
        right = all(each == {"01": 10} for each in job.result(120).get_counts())
        ratio = (time.perf_counter() - start) / RATE_ALONE
    missed = "" if ratio <= MOST else f"  MISSED {MOST}"
    console.print(
        f"100 tasks at 100 ms latency: run() {returned:.2f} s; whole, over what the rate alone "
        f"takes: {ratio:.2f} (limit {MOST}){missed}{'' if right else '  WRONG'}"
    )


def _bucket() -> None:
    boto3.client("s3").create_bucket(Bucket="amazon-braket-lab")


def main(words: list[str]) -> None:
    console = Console(width=150)
    warnings.simplefilter("ignore")
    with separate("--step", "0") as found:
        os.environ.update(found)
        _bucket()
        for group in (parsing, local, submission):
            if words and not any(word in group.__name__ for word in words):
                continue
            for race in group():
                got = run(race)
                missed = "" if got.met else f"  MISSED {race.limit:.3g}"
                console.print(
                    f"{got.work}, ours / {got.against}: {got.ratio:.4f} "
                    f"[{got.quartiles[0]:.4f}-{got.quartiles[1]:.4f}], ours "
                    f"{1e3 * got.ours:.2f} ms{missed} {' '.join(got.wrong)}"
                )
    if not words or any(word in "many" for word in words):
        many(console)


if __name__ == "__main__":
    main(sys.argv[1:])
