"""`qdmi calibration`: which calibration a device has, and those it had."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options
from qdmi_qiskit.cli.units import UNKNOWN, age, percent, seconds

if TYPE_CHECKING:
    from pathlib import Path

    from qdmi_qiskit.model import DeviceSpec

_ERRORS = ("two-qubit error", "readout error")


@click.command(
    epilog="""\b
Snapshots are kept where runs are: of a device whose jobs outlive the process, or with
journal = true in its profile. Each time that such a device is opened or refreshed, the
first snapshot of a calibration goes into the journal."""
)
@click.argument("name", required=False)
@click.option("--history", is_flag=True, help="List the calibrations that the journal keeps.")
@click.option(
    "--plot",
    is_flag=False,
    flag_value="calibration.png",
    metavar="[FILE]",
    help="With --history: draw the medians over time; calibration.png if no file is named.",
)
@options
@as_json
@click.pass_obj
def calibration(
    settings: Settings,
    name: str | None,
    history: bool,
    plot: str | None,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Show the calibration of the device NAME: id, time, age, and medians of its figures.

    NAME is a profile, SCHEME:LOCATOR or a scheme; the default if not given. With --history no
    device is asked.
    """
    if plot is not None and not history:
        raise click.UsageError("--plot draws a history: add --history")
    found = _kept(settings, name) if history else [_now(settings, name, options)]
    rows = [_about(spec) for spec in found]
    for row, before, after in zip(rows[1:], found, found[1:], strict=False):
        row["changes"] = _counts(before, after)
    if plot is not None:
        from pathlib import Path

        _draw(found, Path(plot))
        click.echo(f"drawn into {plot}", err=True)
    if as_json:
        display.print_json(rows if history else rows[0])
    elif history:
        _print(rows)
    else:
        display.fields([(key, _shown(key, value)) for key, value in rows[0].items()])


def _now(
    settings: Settings, name: str | None, options: tuple[tuple[str, object], ...]
) -> DeviceSpec:
    from qdmi_qiskit.journal import recorder_for

    resolved = settings.resolve(name, options)
    with display.working(f"opening {resolved.name}"), settings.open(resolved) as session:
        spec = session.spec()
    recorder_for(resolved, dict(options), None).keep(spec)
    return spec


def _kept(settings: Settings, name: str | None) -> list[DeviceSpec]:
    from qdmi_qiskit.provider import QDMIProvider

    resolved = settings.resolve(name)
    return QDMIProvider(config=settings.config).calibrations(resolved.name)


def _about(spec: DeviceSpec) -> dict[str, Any]:
    """Return what is told of a snapshot; medians are of what is known."""
    from qdmi_qiskit.plot.devices import medians

    stamp = spec.calibration
    return {
        "calibration": None if stamp is None else stamp.id,
        "time": None if stamp is None or stamp.time is None else stamp.time.isoformat(),
        "taken_at": spec.taken_at.isoformat(),
        "qubits": spec.num_qubits,
        **medians(spec),
    }


def _counts(before: DeviceSpec, after: DeviceSpec) -> dict[str, int]:
    from qdmi_qiskit.recordings.changes import changes

    return dict(Counter(each.kind for each in changes(before, after)))


def _shown(key: str, value: Any) -> str:
    if value is None:
        return UNKNOWN
    if key in ("time", "taken_at"):
        time = datetime.fromisoformat(value)
        return f"{time.isoformat(sep=' ', timespec='minutes')} ({age(time)})"
    if key.endswith("error"):
        return percent(value)
    return seconds(value) if key in ("T1", "T2") else str(value)


def _print(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("the journal keeps no calibration of this device; see --help")
        return
    columns = ["calibration", "time", "qubits", *_ERRORS, "T1", "T2", "changes"]
    shown = []
    for row in rows:
        when = row["time"] or row["taken_at"]
        told = ", ".join(f"{number} {kind}" for kind, number in row.get("changes", {}).items())
        shown.append(
            [
                str(row["calibration"]),
                datetime.fromisoformat(when).isoformat(sep=" ", timespec="minutes"),
                *(_shown(key, row[key]) for key in columns[2:-1]),
                told or UNKNOWN,
            ]
        )
    display.table(columns, shown, right=(2, 3, 4, 5, 6))


def _draw(snapshots: list[DeviceSpec], file: Path) -> None:
    from qdmi_qiskit.errors import ConfigError, MissingPluginError
    from qdmi_qiskit.plot import calibration_history

    if not snapshots:
        raise ConfigError("the journal keeps no calibration of this device: nothing to draw")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPluginError(
            "matplotlib is not installed: run pip install 'qdmi-qiskit[plot]'"
        ) from error
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    calibration_history(snapshots, axes=figure.subplots(2, 1, sharex=True))
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be written: {error}") from error
