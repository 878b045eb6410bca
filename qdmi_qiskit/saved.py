"""What a user handed to `run`, as bytes for the journal, and back.

Circuits are QPY, which keeps registers and names and runs no code; each is written once however
often it occurs. Values are float64, every digit kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit, qpy

from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal import pack, unpack

_LARGEST = 1 << 31  # bytes of QPY


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
        unique = qpy.load(io.BytesIO(arrays[0].tobytes()))
        return [unique[index] for index in header["index"]]
    except Exception as error:
        raise JournalError(
            f"the circuits of this run cannot be read ({type(error).__name__}: {error}): they may "
            "be of a newer Qiskit"
        ) from error


def call_saved(header: Mapping[str, Any], values: Sequence[npt.NDArray[Any]] = ()) -> bytes:
    """Return what belongs to a call beside its circuits."""
    return pack(header, [np.ascontiguousarray(array, dtype=np.float64) for array in values])


def call_loaded(blob: bytes) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return what belongs to a call beside its circuits.

    Raises:
        JournalError: The record is damaged.
    """
    return unpack(blob)
