"""What a user handed to `run`, as bytes for the journal, and back.

Circuits are QPY, which keeps registers and names and runs no code; each is written once however
often it occurs. Values are float64, every digit kept.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit, qpy

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal import pack, unpack

MOST_BITS = 100_000
"""Qubits, or classical bits, that a circuit may have: Qiskit makes an object of every one."""

_LARGEST = 1 << 31  # bytes of QPY
# Of QPY: the oldest version that begins as we know it; the first with a table of where circuits
# begin; where the first circuit, or that table, is; what a circuit has before its numbers of bits.
_OLDEST, _WITH_TABLE, _FIRST, _BEFORE_BITS = 10, 16, 20, 5


class _Lenient(json.JSONEncoder):
    """Writes what JSON does not know as its text: metadata must not keep a circuit from running."""

    def default(self, o: Any) -> str:
        return str(o)


def circuits_saved(circuits: Sequence[QuantumCircuit]) -> bytes | None:
    """Return circuits as a blob, None if QPY cannot write one of them."""
    order: dict[int, int] = {}
    unique = [c for c in circuits if order.setdefault(id(c), len(order)) == len(order) - 1]
    buffer = io.BytesIO()
    try:
        lenient = _Lenient if any(circuit.metadata for circuit in unique) else None
        qpy.dump(unique, buffer, metadata_serializer=lenient)
    except Exception:  # noqa: BLE001 - whatever the reason: the run goes on, and cannot be resumed
        return None
    index = [order[id(circuit)] for circuit in circuits]
    return pack({"index": index}, [np.frombuffer(buffer.getbuffer(), np.uint8)])


def circuits_loaded(blob: bytes | None) -> list[QuantumCircuit]:
    """Return circuits of a blob.

    Raises:
        JournalError: There is none, or it is damaged.
    """
    if blob is None:
        raise JournalError(
            "the circuits of this run could not be written as QPY, so it cannot be taken up again: "
            "ask the device for its jobs, session.job(id)"
        )
    header, arrays = unpack(blob, most=_LARGEST)
    try:
        content = arrays[0].tobytes()
        check_qpy(content)
        unique = qpy.load(io.BytesIO(content))
        return [unique[index] for index in header["index"]]
    except Exception as error:
        raise JournalError(
            f"the circuits of this run cannot be read ({type(error).__name__}: {error}): they may "
            "be of a newer Qiskit"
        ) from error


def check_qpy(content: bytes) -> None:
    """Refuse QPY that claims more bits than any circuit has, before Qiskit makes them all.

    Looks at each circuit of a file of QPY 16 or later, at the first of an older one; not at the
    circuits within circuits.

    Args:
        content: Of a file.

    Raises:
        ValueError: It claims so, or is too short.
    """
    try:
        magic, version, number = struct.unpack_from("!6sB3xQ", content)
        if magic != b"QISKIT" or version < _OLDEST:
            return  # Qiskit knows what to say of it
        begins: Iterable[int] = (_FIRST,)[:number]
        if version >= _WITH_TABLE:
            if number > len(content):
                raise ValueError(f"{number} circuits in {len(content)} bytes")
            begins = struct.unpack_from(f"!{number}Q", content, _FIRST)
        for begin in begins:
            qubits, clbits = struct.unpack_from("!II", content, begin + _BEFORE_BITS)
            if max(qubits, clbits) > MOST_BITS:
                raise ValueError(f"a circuit of {qubits} qubits and {clbits} bits")
    except (struct.error, OverflowError) as error:
        raise ValueError("it ends too early") from error


def call_saved(header: Mapping[str, Any], values: Sequence[npt.NDArray[Any]] = ()) -> bytes:
    """Return what belongs to a call beside its circuits."""
    return pack(header, [np.ascontiguousarray(array, dtype=np.float64) for array in values])


def call_loaded(blob: bytes) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return what belongs to a call beside its circuits.

    Raises:
        JournalError: The record is damaged.
    """
    return unpack(blob)
