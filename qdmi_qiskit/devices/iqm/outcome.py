"""From IQM's measurements to packed shots: by key, never by position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdmi_qiskit.bits import from_bools, num_bytes
from qdmi_qiskit.devices.iqm.keys import Column, columns_from
from qdmi_qiskit.devices.iqm.program import METADATA
from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.model import Shots

_MOST_SHOTS = 10**7  # no machine takes as many; who believes more could run out of memory


@dataclass(frozen=True)
class Lost:
    """Stands where the outcome of a circuit would be, whose job has none.

    Attributes:
        reason: The server's words.
    """

    reason: str


@dataclass(frozen=True)
class Reading:
    """How to read the outcome of one task.

    Attributes:
        columns: Where each classical bit comes from.
        num_bits: Classical bits of one shot.
        points: Circuits that the task became.
        shots: Asked for at each point; None if nobody remembers.
    """

    columns: tuple[Column, ...]
    num_bits: int
    points: int
    shots: int | None


def read(outcome: Any, readings: Sequence[Reading]) -> tuple[Shots, ...]:
    """Turn measurements into one entry per task.

    Args:
        outcome: A list with a table for each circuit: key -> rows of one number per qubit; or
            `Lost`.
        readings: How to read them, in order.

    Raises:
        ProtocolError: They are not what was asked for.
    """
    wanted = sum(reading.points for reading in readings)
    if not isinstance(outcome, list) or len(outcome) != wanted:
        got = len(outcome) if isinstance(outcome, list) else type(outcome).__name__
        raise ProtocolError(f"the server returned outcomes of {got} circuits, wanted {wanted}")
    tables = iter(outcome)
    return tuple(_task([next(tables) for _ in range(each.points)], each) for each in readings)


def _task(tables: Sequence[Any], reading: Reading) -> Shots:
    failures = {k: table.reason for k, table in enumerate(tables) if isinstance(table, Lost)}
    none = np.zeros((0, num_bytes(reading.num_bits)), np.uint8)
    packed = [none if k in failures else _packed(table, reading) for k, table in enumerate(tables)]
    counts = [len(rows) for rows in packed]
    asked = max(counts, default=0) if reading.shots is None else reading.shots
    if max(counts, default=0) > asked:
        raise ProtocolError(f"asked for {asked} shots, the server returned {max(counts)}")
    if min(counts, default=asked) == asked and not failures:
        return Shots(np.stack(packed), reading.num_bits)
    bits = np.zeros((len(packed), asked, num_bytes(reading.num_bits)), np.uint8)
    for row, rows in zip(bits, packed, strict=True):  # heralding discarded some
        row[: len(rows)] = rows
    return Shots(bits, reading.num_bits, np.array(counts, np.int64), failures)


def _packed(table: Any, reading: Reading) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if not isinstance(table, Mapping):
        raise ProtocolError(f"the server returned a {type(table).__name__} for a circuit's outcome")
    keys = dict.fromkeys(column.key for column in reading.columns)
    lacking = [key for key in keys if key not in table]
    if lacking:
        raise ProtocolError(f"the server returned nothing for measurements {lacking}")
    found = {key: _rows(table[key], key) for key in keys}
    counts = {len(rows) for rows in found.values()}
    if len(counts) > 1:
        raise ProtocolError(f"measurements of one circuit differ in shots: {sorted(counts)}")
    samples = np.zeros((counts.pop() if counts else 0, reading.num_bits), np.uint8)
    for column in reading.columns:
        rows = found[column.key]
        if rows.shape[1] <= column.place:
            raise ProtocolError(f"measurement {column.key!r} has {rows.shape[1]} qubits")
        samples[:, column.bit] = rows[:, column.place]
    return from_bools(samples)


def _rows(rows: Any, key: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    try:
        table = np.array(rows)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"measurement {key!r} is no table of numbers") from error
    if table.size == 0:
        return np.zeros((0, table.shape[1] if table.ndim == 2 else 1 << 16), np.uint8)
    if table.dtype.kind not in "iubf":  # text would be read as numbers
        raise ProtocolError(f"measurement {key!r} is no table of numbers")
    halves = table.dtype.kind == "f" and not np.isin(table, (0, 1)).all()
    if halves or table.ndim != 2 or table.min() < 0 or table.max() > 1:
        raise ProtocolError(
            f"measurement {key!r} has shape {table.shape} and values {table.min()} to "
            f"{table.max()}: wanted one row of zeros and ones per shot"
        )
    return table.astype(np.uint8)


def readings_from(payload: Any, outcome: Any) -> tuple[Reading, ...]:
    """Find out how to read a job that this process did not submit.

    Args:
        payload: What was submitted, where the server still has it.
        outcome: The measurements, as for `read`.

    Returns:
        By our own record in each circuit's metadata; else by the keys of its measurements.
    """
    circuits = payload.get("circuits") if isinstance(payload, Mapping) else None
    said = payload.get("shots") if isinstance(payload, Mapping) else None
    shots = said if type(said) is int and 0 < said <= _MOST_SHOTS else None
    if not isinstance(circuits, list) or len(circuits) != len(outcome):
        circuits = [None] * len(outcome)
    readings: list[Reading] = []
    before: Any = None
    for circuit, table in zip(circuits, outcome, strict=True):
        record = _record(circuit)
        if record is not None and readings and record == before:
            last = readings[-1]
            readings[-1] = Reading(last.columns, last.num_bits, last.points + 1, last.shots)
        elif record is not None:
            columns = tuple(Column(key, 0, bit) for key, bit in record["bits"].items())
            readings.append(Reading(columns, record["num_bits"], 1, shots))
        else:
            rows = {} if isinstance(table, Lost) else table
            columns, width = columns_from(_measurements(circuit, rows))
            readings.append(Reading(columns, width, 1, shots))
        before = record
    return tuple(readings)


def _record(circuit: Any) -> dict[str, Any] | None:
    metadata = circuit.get("metadata") if isinstance(circuit, Mapping) else None
    record = metadata.get(METADATA) if isinstance(metadata, Mapping) else None
    if not isinstance(record, dict):
        return None
    size, bits = record.get("num_bits"), record.get("bits")
    if not isinstance(size, int) or not isinstance(bits, dict):
        return None
    places = bits.values()
    return record if all(isinstance(k, int) and 0 <= k < size for k in places) else None


def _measurements(circuit: Any, table: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return keys with the number of qubits of each, in the order of the program if it is there."""
    widths = {key: len(rows[0]) if rows else 1 for key, rows in table.items()}
    instructions = circuit.get("instructions") if isinstance(circuit, Mapping) else None
    order = [
        (each.get("args") or {}).get("key")
        for each in instructions or ()
        if isinstance(each, Mapping) and each.get("name") == "measure"
    ]
    keys = [key for key in order if key in widths] or list(widths)
    return [(key, widths[key]) for key in keys]
