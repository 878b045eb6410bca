"""Fetch the results of a task from S3 and put them where they belong."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from qdmi_qiskit.answers import parsed, understood
from qdmi_qiskit.bits import num_bytes
from qdmi_qiskit.devices.braket.faults import anonymous
from qdmi_qiskit.devices.braket.figures import number, table
from qdmi_qiskit.devices.braket.outcome import packed, read, sampled
from qdmi_qiskit.devices.braket.source import read_note
from qdmi_qiskit.errors import ConfigError, ProtocolError
from qdmi_qiskit.model import Bits, Shots

_READERS = 16
_RESULTS = "results.json"
# No device takes as many. Who believes more could be made to take any amount of memory.
_MOST_SHOTS, _MOST_POINTS = 10**7, 10**5


@dataclass(frozen=True, slots=True)
class Part:
    """Where the outcome of one task of a job is found.

    Attributes:
        columns: For each classical bit its column, see `outcome.packed`.
        points: How many points it has.
        repeated: Its points are programs of their own, not rows of inputs of one.
    """

    columns: tuple[int, ...]
    points: int = 1
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a task left behind.

    Attributes:
        shots: One entry per task of the job; of an executable that failed no shot is valid.
        synthetic: Some shots were made from probabilities: their order means nothing.
        told: What the vendor added, for `Job.metadata`.
    """

    shots: tuple[Shots, ...]
    synthetic: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Executable:
    rows: Any = None
    synthetic: bool = False
    failure: str = ""  # where there are no rows


def fetch(
    get: Callable[[str], bytes],
    layout: Sequence[Part] | None,
    shots: int,
    executables: int | None,
    missing: str | None = None,
) -> Found:
    """Read what a task left behind.

    Args:
        get: Reads an object by its path below the task's folder.
        layout: The tasks of the job; None: read them from the programs beside the results.
        shots: Of the whole task.
        executables: How many it had, where that is known.
        missing: Why executables of a program set may have left nothing; None: it completed.

    Raises:
        ProtocolError: Results and programs do not fit together.
    """
    with understood("the result"):
        return _fetched(get, layout, shots, executables, missing)


def _fetched(
    get: Callable[[str], bytes],
    layout: Sequence[Part] | None,
    shots: int,
    executables: int | None,
    missing: str | None,
) -> Found:
    top, rows = read(get(_RESULTS))
    if not 0 <= shots <= _MOST_SHOTS:
        raise ProtocolError(f"the task is said to have had {shots} shots: report it")
    if "programResults" not in top:
        synthetic = rows is None
        if rows is None:
            rows = sampled(table(top.get("measurementProbabilities")), shots)
        if layout is None:
            source = table(table(top.get("additionalMetadata")).get("action")).get("source")
            layout = [Part(_columns(source, rows.shape[1])[0])]
        found = _assembled(layout, [[_Executable(rows, synthetic)]], shots, "")
        return replace(found, told=_told(table(top.get("additionalMetadata"))))
    with ThreadPoolExecutor(_READERS, "qdmi-results") as pool:
        programs = list(pool.map(lambda each: _program(get, each), top["programResults"]))
        wanted = [(folder, each) for folder, p in programs for each in p["executableResults"]]
        per_point = shots // max(executables or len(wanted), 1)
        bodies = list(pool.map(lambda each: _body(get, *each, whole=missing is None), wanted))
        sources = (
            [None] * len(programs)
            if layout is not None
            else list(pool.map(lambda each: _source(get, *each), programs))
        )
    parts = iter([None if body is None else _executable(body, per_point) for body in bodies])
    outcomes = [
        dict(part for _ in program["executableResults"] if (part := next(parts)) is not None)
        for _, program in programs
    ]
    if layout is None:
        layout = _read_layout(sources, outcomes)
    return _assembled(layout, list(_grouped(layout, outcomes)), per_point, missing or "no result")


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a run beside its outcome.

    Source: amazon-braket-schemas 1.32, `simulator_metadata` (milliseconds), `ionq_metadata`.
    """
    milliseconds = number(table(metadata.get("simulatorMetadata")).get("executionDuration"))
    sharpened = table(table(metadata.get("ionqMetadata")).get("sharpenedProbabilities"))
    return {
        **({} if milliseconds is None else {"runtime": milliseconds / 1000}),
        **({"sharpenedProbabilities": dict(sharpened)} if sharpened else {}),
    }


def _program(get: Callable[[str], bytes], entry: Any) -> tuple[str, Mapping[str, Any]]:
    """Return a program's folder and its result, which lists executables."""
    if isinstance(entry, str):
        folder = posixpath.dirname(entry)
        document = table(parsed(get(entry), "a program's result"))
    else:
        folder, document = "", table(entry)
    if not isinstance(document.get("executableResults"), list):
        raise ProtocolError("a program of the set has no list of executables: report it")
    return folder, document


def _body(get: Callable[[str], bytes], folder: str, entry: Any, *, whole: bool) -> bytes | None:
    """Return an executable's result; None for one that is announced, and was not run any more."""
    if not isinstance(entry, str):
        return json.dumps(entry).encode()
    try:
        return get(posixpath.join(folder, entry))
    except ConfigError:
        if whole:
            raise
        return None


def _source(get: Callable[[str], bytes], folder: str, program: Mapping[str, Any]) -> str | None:
    source: Any = program.get("source")
    if isinstance(source, str) and not source.lstrip().startswith("OPENQASM"):
        source = parsed(get(posixpath.join(folder, source)), "a program")
    if isinstance(source, dict):
        source = source.get("source")
    return source if isinstance(source, str) else None


def _executable(body: bytes, shots: int) -> tuple[int, _Executable]:
    document, rows = read(body)
    index = int(document.get("inputsIndex") or 0)
    if not 0 <= index < _MOST_POINTS:
        raise ProtocolError(f"an executable says that it is number {index}: report it")
    if rows is not None:
        return index, _Executable(rows)
    if document.get("measurementProbabilities"):
        return index, _Executable(sampled(document["measurementProbabilities"], shots), True)
    told = table(document.get("failureMetadata"))
    reason = anonymous(told.get("failureReason") or "no reason given")
    return index, _Executable(failure=f"{reason} (retryable)" if told.get("retryable") else reason)


def _columns(source: Any, width: int) -> tuple[tuple[int, ...], bool]:
    """Return a program's columns; one that is not ours has a bit for each."""
    noted = read_note(source) if isinstance(source, str) else None
    return (tuple(range(width)), False) if noted is None else noted


def _read_layout(
    sources: Iterable[str | None], outcomes: Sequence[Mapping[int, _Executable]]
) -> list[Part]:
    layout: list[Part] = []
    for source, found in zip(sources, outcomes, strict=True):
        width = max(
            (each.rows.shape[1] for each in found.values() if each.rows is not None), default=0
        )
        columns, more = _columns(source, width)
        if more and layout:
            before = layout[-1].points
            layout[-1] = Part(columns, before + 1, repeated=True)
        else:
            layout.append(Part(columns, max(found, default=0) + 1))
    return layout


def _grouped(
    layout: Sequence[Part], outcomes: Iterable[Mapping[int, _Executable]]
) -> Iterator[list[_Executable | None]]:
    """Deal the outcomes of programs out to tasks."""
    rest = iter(outcomes)
    for part in layout:
        if part.repeated:
            yield [next(rest, {}).get(0) for _ in range(part.points)]
        else:
            found = next(rest, {})
            yield [found.get(point) for point in range(part.points)]


def _assembled(
    layout: Sequence[Part],
    outcomes: Sequence[Sequence[_Executable | None]],
    shots: int,
    missing: str,
) -> Found:
    made, synthetic = list[Shots](), False
    for part, found in zip(layout, outcomes, strict=True):
        columns, failures = part.columns, dict[int, str]()
        bits: Bits = np.zeros((part.points, shots, num_bytes(len(columns))), np.uint8)
        valid = np.zeros(part.points, np.int64)
        for point, one in enumerate(found):
            each = one or _Executable(failure=missing)
            if each.rows is None:
                failures[point] = each.failure
                continue
            came = len(each.rows)
            if came > shots:
                raise ProtocolError(f"{came} shots came for {shots} asked: report it")
            bits[point, :came] = packed(each.rows, columns)
            valid[point] = came
            synthetic = synthetic or each.synthetic
        whole = (valid == shots).all()
        made.append(Shots(bits, len(columns), None if whole else valid, failures))
    return Found(tuple(made), synthetic)
