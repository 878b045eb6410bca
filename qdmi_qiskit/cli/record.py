"""`qdmi record`: a device as a file that `replay:` opens."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, options


@click.command()
@click.argument("name", required=False)
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write there, all or nothing, instead of to standard output.",
)
@options
@click.pass_obj
def record(
    settings: Settings,
    name: str | None,
    file: Path | None,
    options: tuple[tuple[str, object], ...],
) -> None:
    """Record the device NAME: its qubits, operations, figures and calibration, as JSON.

    "qdmi record iqm:garnet > garnet.json" makes a file that opens as the device
    "replay:garnet.json", without a network. It holds what "qdmi show" shows, and no secret.
    """
    from qdmi_qiskit import recordings, spec_json
    from qdmi_qiskit.errors import ConfigError

    resolved = settings.resolve(name, options)
    with display.working(f"opening {resolved.name}"), settings.open(resolved) as session:
        spec = session.spec()
    text = spec_json.dumps(spec)
    try:
        recordings.checked(spec)
    except ConfigError as error:
        click.echo(f"Warning: recorded as it is, but cannot be replayed: {error}", err=True)
    if file is None:
        click.echo(text, nl=False)
        return
    _write(file, text)
    calibration = "" if spec.calibration is None else f", calibration {spec.calibration.id}"
    click.echo(f"{file}: {spec.name}, {spec.num_qubits} qubits{calibration}", err=True)


def _write(file: Path, text: str) -> None:
    """Replace the file at once, so that nobody ever reads half of it."""
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise click.FileError(str(file), error.strerror or str(error)) from error
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise click.FileError(str(file), error.strerror or str(error)) from error
