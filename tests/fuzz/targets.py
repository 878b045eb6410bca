"""Readers of what comes from elsewhere, each as a function of bytes: our error, or an outcome."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter

from qdmi_qiskit import config, pace, spec_json
from qdmi_qiskit.answers import understood
from qdmi_qiskit.cli import circuits as programs
from qdmi_qiskit.devices.braket import results
from qdmi_qiskit.devices.iqm import outcome, refusals
from qdmi_qiskit.devices.iqm.keys import Column
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.journal import Inputs, JobRow, Journal, owner, pack
from qdmi_qiskit.journal.packing import pack_shots, unpack_shots
from qdmi_qiskit.journal.rows import ChunkRow, Step
from qdmi_qiskit.model import JobStatus, Shots
from qdmi_qiskit.recordings import __file__ as recordings
from qdmi_qiskit.saved import circuits_loaded, circuits_saved

_READINGS = (outcome.Reading((Column("a", 0, 1), Column("b", 0, 0)), 2, 1, 3),)
_LAYOUT = [results.Part((0, 1, 2), 2)]


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="qdmi-fuzz-"))


def _file(content: bytes, name: str) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    return path


def configuration(data: bytes) -> None:
    """Of profiles, TOML."""
    path = _file(data, "config.toml")
    for name in (None, "lab", "sim"):
        config.masked(config.resolve(name, {}, config=path, environ={}))


def recording(data: bytes) -> None:
    """Of a device, JSON; what is read is written and read again."""
    spec = spec_json.loads(data.decode("utf-8", "replace"))
    assert spec_json.loads(spec_json.dumps(spec)) == spec


def blob(data: bytes) -> None:
    """Of the journal, as it is, and with a digest and a size that fit."""
    for body in (data, len(data).to_bytes(8, "little") + zlib.compress(data)):
        whole = b"QJ1" + blake2b(body, digest_size=16).digest() + body
        with suppress(QdmiError):
            unpack_shots(whole, most=1 << 20)


@cache
def _journal() -> bytes:
    path = _folder() / "template.sqlite"
    journal = Journal(path)
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    created = datetime(2026, 11, 21, tzinfo=UTC)
    row = JobRow("id", "sampler", "aer", "aer", JobStatus.DONE, created, (), 0, 0, 0)
    inputs = Inputs({"name": "aer"}, "{}", pack({"seed": 1}), circuits_saved([circuit]))
    chunk = ChunkRow("id-0", Step.PLANNED, b"12345678")
    number = journal.begin(row, inputs, owner.lease(), 0, [chunk])
    shots = Shots(np.arange(9, dtype=np.uint8).reshape(1, 9, 1), 8)
    chunk.step, chunk.facts = Step.DONE, {"price": 1.0}
    journal.note(number, 0, 0, chunk, result=pack_shots([shots]))
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path.read_bytes()


def journal(data: bytes) -> None:
    """A file of which some bytes are others: pairs of a place (3 bytes) and a value."""
    content = bytearray(_journal())
    for begin in range(0, len(data) - 3, 4):
        place = int.from_bytes(data[begin : begin + 3], "little") % len(content)
        content[place] = data[begin + 3]
    for old in _folder().glob("fuzzed.sqlite*"):
        old.unlink()
    opened = Journal(_file(bytes(content), "fuzzed.sqlite"))
    try:
        for row in opened.rows():
            with suppress(QdmiError):
                circuits_loaded(opened.inputs(row.number).circuits)
            for chunk in opened.chunks(row.number, 0):
                assert isinstance(chunk.step, Step)
                with suppress(QdmiError):
                    unpack_shots(opened.result(row.number, 0, 0), most=1 << 20)
        opened.prune(most_bytes=1)
    finally:
        opened.close()


def circuits(data: bytes) -> None:
    """Of the journal: QPY within a blob that is sound."""
    circuits_loaded(pack({"index": [0]}, [np.frombuffer(data, np.uint8)]))


def program(data: bytes) -> None:
    """A file of OpenQASM 2, OpenQASM 3 or QPY."""
    programs.read(str(_file(data, "program")))


def iqm_outcome(data: bytes) -> None:
    """What an IQM server says was measured, read by what was asked for and by its own payload."""
    with understood("it"):
        tables = json.loads(data)
        with suppress(QdmiError):
            (shots,) = outcome.read(tables, _READINGS)
            assert shots.bits.shape == (1, 3, 1)
            assert (shots.bits <= 3).all()
        if isinstance(tables, dict):
            measured = tables.get("measurements")
            outcome.read(measured, outcome.readings_from(tables.get("payload"), measured))


def iqm_refusal(data: bytes) -> None:
    """A refusal of an IQM server: a status, and a body."""
    status = 300 + int.from_bytes(data[:1], "little") * 2
    assert refusals.refusal(status, data[1:].decode("utf-8", "replace")).error.args


def braket_result(data: bytes) -> None:
    """Objects of a task in S3: one alone, and as parts of a program set."""
    top = b'{"programResults": ["p/results.json"], "taskMetadata": {}}'
    part = b'{"executableResults": ["e0.json"], "source": {"source": "OPENQASM 3.0;"}}'
    with suppress(QdmiError):
        (shots,) = results.fetch(lambda _: data, [results.Part((0, 1, 2))], 2, None).shots
        assert shots.bits.shape[:2] == (1, 2)
    for place in ("p/results.json", "p/e0.json"):
        files = {"results.json": top, "p/results.json": part, "p/e0.json": b"{}", place: data}
        for layout in (_LAYOUT, None):
            with suppress(QdmiError), understood("it"):
                results.fetch(files.__getitem__, layout, 4, 2)


def retry_after(data: bytes) -> None:
    """A header."""
    seconds = pace.retry_after(data.decode("latin-1"))
    assert seconds is None or seconds >= 0


def _qpy() -> bytes:
    circuit = QuantumCircuit(2, 2, name="seed", metadata={"a": [1, None]})
    circuit.rx(Parameter("t") * 2, 0)
    circuit.cx(0, 1)
    with circuit.if_test((circuit.clbits[0], True)):
        circuit.x(1)
    circuit.measure([0, 1], [1, 0])
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


_TOML = b"""default = "sim"
journal = { path = "~/runs.sqlite", max_size = "2G" }
[backends.sim]
device = "aer"
num_qubits = 3
[backends.lab]
device = "iqm:garnet"
token = "env:TOKEN"
auth = { password = "env:WORD", a = [1, 2.5, true, 2026-01-01] }
"""
_QASM3 = b"""OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
rz(pi / 2) q[0];
if (c[0]) { x q[2]; }
c[0] = measure q[0];
"""
_QASM2 = b'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nx q[0];\nmeasure q -> c;\n'
_TABLES = b'[{"a": [[1], [0], [1]], "b": [[0], [0], [1]]}]'
_PAYLOAD = (
    b'{"shots": 3, "circuits": [{"name": "c", "instructions": [{"name": "measure", "locus": '
    b'["QB1"], "args": {"key": "a"}}], "metadata": {}}]}'
)
_TASK = b"""{"measurements": [[1, 0, 0], [1, 1, 0]], "measuredQubits": [0, 1, 2],
"measurementProbabilities": null, "taskMetadata": {"id": "x", "shots": 2},
"additionalMetadata": {"action": {"source": "OPENQASM 3.0;"}}}"""
_EXECUTABLE = (
    b'{"inputsIndex": 0, "measurements": [[1, 0, 0], [1, 1, 0]], "measuredQubits": [0, 1, 2]}'
)
_PROGRAM = b'{"executableResults": ["e0.json", {"inputsIndex": 1, "failureMetadata": {}}]}'

TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "blob": (blob, (pack_shots([Shots(np.ones((1, 3, 1), np.uint8), 2)])[19:],)),
    "braket_result": (braket_result, (_TASK, _EXECUTABLE, _PROGRAM)),
    "circuits": (circuits, (_qpy(),)),
    "configuration": (configuration, (_TOML,)),
    "iqm_outcome": (
        iqm_outcome,
        (_TABLES, b'{"measurements": %b, "payload": %b}' % (_TABLES, _PAYLOAD)),
    ),
    "iqm_refusal": (iqm_refusal, (b'd{"message": "no", "error_code": "x", "request_id": "r"}',)),
    "journal": (journal, (b"\0\0\0S\1\0\0Q", b"\x10\x20\x00\xff" * 4)),
    "program": (program, (_QASM3, _QASM2, _qpy())),
    "recording": (recording, ((Path(recordings).parent / "star6.json").read_bytes(),)),
    "retry_after": (retry_after, (b"3", b"Sat, 21 Nov 2026 12:00:10 GMT")),
}
"""By name: what is tried, and what it begins with."""


def tried(name: str, data: bytes) -> None:
    """Try a target; anything but our errors gets out."""
    with suppress(QdmiError):
        TARGETS[name][0](data)
