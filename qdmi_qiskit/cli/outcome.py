"""Results of jobs, whoever made them, as tables, JSON or arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import numpy as np
from qiskit.primitives import BitArray
from qiskit.result import Result

from qdmi_qiskit import bits
from qdmi_qiskit.cli import display

_ROWS = 40  # of a table on a terminal


def document(job: Any, result: Any) -> dict[str, Any]:
    """Return a result as JSON."""
    head = {"id": job.job_id(), "tags": list(job.tags)}
    if isinstance(result, Result):
        return head | {
            "circuits": [
                {
                    "circuit": each.header["name"],
                    "success": each.success,
                    "status": each.status,
                    "shots": each.shots,
                    "counts": counts,
                }
                for each, counts in _experiments(result)
            ],
            "metadata": result.metadata,
        }
    return head | {
        "pubs": [
            {"data": {name: _plain(value) for name, value in pub.data.items()}}
            | {"metadata": pub.metadata}
            for pub in result
        ],
        "metadata": result.metadata,
    }


def _plain(value: Any) -> Any:
    """Return counts of bits, one table for each point; numbers nested by shape."""
    if not isinstance(value, BitArray):
        return np.asarray(value).tolist()
    tables = np.empty(value.shape, dtype=object)
    for index in np.ndindex(value.shape):
        tables[index] = _sorted(value.get_counts(index if index else None))
    return tables.tolist()


def _experiments(result: Result) -> Iterator[tuple[Any, dict[str, int]]]:
    for k, each in enumerate(result.results):
        yield each, _sorted(result.get_counts(k)) if each.success else {}


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def write_npz(path: str, result: Any) -> None:
    """Write the arrays of a result into a file."""
    arrays: dict[str, Any] = {}
    if isinstance(result, Result):
        for k, each in enumerate(result.results):
            memory = getattr(each.data, "memory", None)
            width = each.header["memory_slots"]
            if memory is None:  # sorted: their order was not asked for
                counts = {int(word, 16): number for word, number in each.data.counts.items()}
                arrays[f"{k}.shots"] = bits.from_counts(counts, width)[None]
            else:
                arrays[f"{k}.memory"] = bits.from_hex(memory, width)[None]
    else:
        for k, pub in enumerate(result):
            for name, value in pub.data.items():
                array = value.array if isinstance(value, BitArray) else np.asarray(value)
                arrays[f"{k}.{name}"] = array
    with click.open_file(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def print_result(result: Any) -> None:
    """Print tables for somebody who reads."""
    if isinstance(result, Result):
        for each, counts in _experiments(result):
            failed = "" if each.success else f": {each.status}"
            display.heading(f"{each.header['name']}, {each.shots} shots{failed}")
            _counts(counts)
        return
    for k, pub in enumerate(result):
        for name, value in pub.data.items():
            display.heading(f"pub {k}, {name}, shape {tuple(value.shape)}")
            if not isinstance(value, BitArray):
                click.echo(np.array2string(np.asarray(value), threshold=200))
                continue
            for index in np.ndindex(value.shape):
                if index:
                    click.echo(f"at {index}")
                _counts(_sorted(value.get_counts(index if index else None)))


def _counts(counts: dict[str, int]) -> None:
    rows = [[word, str(number)] for word, number in counts.items()]
    seen, hint = display.shortened(rows, _ROWS, everything=not display.is_terminal())
    display.table(["outcome", "count"], seen, right=(0, 1))
    if hint:
        click.echo(f"... {len(rows) - len(seen)} more outcomes; --json or a pipe shows all")
