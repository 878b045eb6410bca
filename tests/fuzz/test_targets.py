"""The targets of the fuzzer take what it begins with, and what it once found."""

from __future__ import annotations

import io
import random

import pytest
from qiskit import QuantumCircuit, qpy

from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.saved import MOST_BITS, check_qpy

pytest.importorskip("boto3")
pytest.importorskip("iqm.station_control")

from tests.fuzz.targets import TARGETS, tried

# Bits without end, of which Qiskit makes an object each.
HUGE = b"QISKIT\x12\x02\x06\x02" + (1).to_bytes(8, "big") + b"pq" + (28).to_bytes(8, "big")
HUGE += b"\x00\x04f\x00\x08\x00\x00\x00\x02\x26\x00\x00\x02" + bytes(24) + b"seed" + bytes(99)
VERSIONS = range(qpy.common.QPY_COMPATIBILITY_VERSION, qpy.common.QPY_VERSION + 1)
FOUND = [("program", HUGE), ("circuits", HUGE)]


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_fuzzer_begins_with(name):
    for seed in TARGETS[name][1]:
        TARGETS[name][0](seed)
    chance = random.Random(name)  # noqa: S311 - it only spoils
    for seed in TARGETS[name][1]:
        for _ in range(0 if seed.startswith(b"QISKIT") else 20):  # circuits within: Qiskit's
            data = bytearray(seed)
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            tried(name, bytes(data[: chance.randint(1, len(data))]))


@pytest.mark.parametrize(("name", "data"), FOUND, ids=range(len(FOUND)))
def test_what_a_fuzzer_found(name, data):
    with pytest.raises(QdmiError):
        TARGETS[name][0](data)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_bits_of_what_qiskit_writes_are_found(version):
    for large in ((0, MOST_BITS + 1), (MOST_BITS + 1, 0), (MOST_BITS, 5), (5, MOST_BITS)):
        buffer = io.BytesIO()
        circuits = [QuantumCircuit(*large, name="a"), QuantumCircuit(2, 3, name="longer")]
        qpy.dump(circuits, buffer, version=version)
        if max(large) <= MOST_BITS:
            check_qpy(buffer.getvalue())
            continue
        with pytest.raises(ValueError, match=str(MOST_BITS + 1)):
            check_qpy(buffer.getvalue())
