"""`qdmi diff`: what a calibration changed."""

from __future__ import annotations

import math
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import as_json
from qdmi_qiskit.cli.units import UNKNOWN, percent, seconds

if TYPE_CHECKING:
    from qdmi_qiskit.model import DeviceSpec
    from qdmi_qiskit.recordings.changes import Change

_ROWS = 24


@click.command(
    epilog="""\b
Exit codes:
  0  the recordings were compared
  1  they differ, and --exit-code was given
  2  one of them is no recording; the message names the field"""
)
@click.argument("before")
@click.argument("after")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Show N changes; 24 if not JSON."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 if anything changed.")
@as_json
def diff(before: str, after: str, limit: int | None, exit_code: bool, as_json: bool) -> None:
    """Compare the recordings BEFORE and AFTER, worst first.

    Each is a file of "qdmi record", a packaged recording such as grid20, or - for standard
    input. Lost qubits, operations and couplings come first, then errors, T1, T2, readout and
    durations by how many times worse they became, what is gained last.
    """
    from qdmi_qiskit.recordings.changes import changes

    if before == after == "-":
        raise click.UsageError("only one of the two can be standard input")
    old, new = _read(before), _read(after)
    found = changes(old, new)
    if as_json:
        display.print_json(_document(old, new, found, limit))
    else:
        _print(old, new, found, limit or _ROWS)
    if exit_code and found:
        raise click.exceptions.Exit(1)


def _read(name: str) -> DeviceSpec:
    from qdmi_qiskit import recordings, spec_json

    if name == "-":
        return recordings.checked(spec_json.loads(sys.stdin.read()))
    return recordings.load(name)


def _document(
    old: DeviceSpec, new: DeviceSpec, found: list[Change], limit: int | None
) -> dict[str, object]:
    return {
        "before": _about(old),
        "after": _about(new),
        "counts": _counts(found),
        "changes": [
            {
                "kind": each.kind,
                "what": each.what,
                "qubits": list(each.where),
                "before": each.before,
                "after": each.after,
                "relative": each.relative,
                # JSON has no infinity: from no error to some is a factor of null.
                "factor": None if each.factor is None or math.isinf(each.factor) else each.factor,
            }
            for each in found[:limit]
        ],
    }


def _about(spec: DeviceSpec) -> dict[str, object]:
    calibration = spec.calibration
    time = None if calibration is None else calibration.time
    return {
        "name": spec.name,
        "num_qubits": spec.num_qubits,
        "calibration": None if calibration is None else calibration.id,
        "calibrated_at": None if time is None else time.isoformat(),
        "taken_at": spec.taken_at.isoformat(),
    }


def _counts(found: list[Change]) -> dict[str, int]:
    from qdmi_qiskit.recordings.changes import KINDS

    counter = Counter(each.kind for each in found)
    return {kind: counter[kind] for kind in KINDS}


def _print(old: DeviceSpec, new: DeviceSpec, found: list[Change], limit: int) -> None:
    counts = ", ".join(f"{number} {kind}" for kind, number in _counts(found).items() if number)
    display.fields(
        [("before", _line(old)), ("after", _line(new)), ("changes", counts or "none")],
    )
    if not found:
        return
    click.echo()
    display.heading("Worst first")
    rows = [_row(each) for each in found[:limit]]
    display.table(["", "what", "qubits", "before", "after", "change"], rows, right=(3, 4, 5))
    if len(found) > limit:
        click.echo(f"... {len(found) - limit} more; --limit {len(found)} shows them")


def _line(spec: DeviceSpec) -> str:
    about = f"{spec.name}, {spec.num_qubits} qubits"
    if spec.calibration is None:
        return f"{about}, taken at {spec.taken_at.isoformat(sep=' ', timespec='minutes')}"
    time = spec.calibration.time
    when = "" if time is None else f", {time.isoformat(sep=' ', timespec='minutes')}"
    return f"{about}, calibration {spec.calibration.id}{when}"


def _row(change: Change) -> list[str]:
    unit = seconds if change.what in ("T1", "T2") or change.what.endswith("duration") else percent
    relative = change.relative
    return [
        change.kind,
        change.what,
        " ".join(change.where) or UNKNOWN,
        unit(change.before),
        unit(change.after),
        UNKNOWN if relative is None else f"{100 * relative:+.3g} %",
    ]
