"""`qdmi config show`: what a name means, and who said so."""

from __future__ import annotations

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options, said_by


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@click.argument("name", required=False)
@options
@as_json
@click.pass_obj
def show(
    settings: Settings,
    name: str | None,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Show which device NAME means and where each option was set.

    NAME is a profile, SCHEME:LOCATOR or a scheme; the default if not given. Opens nothing.
    Secrets appear as the reference that was written down.
    """
    from qdmi_qiskit.config import files, masked

    resolved = settings.resolve(name, options)
    entries = masked(resolved)
    looked_at = [(str(path), path.is_file()) for path in files(settings.config)]
    if as_json:
        document = {
            "name": resolved.name,
            "name_origin": resolved.name_origin,
            "device": resolved.label,
            "device_origin": resolved.device_origin,
            "options": {key: {"value": value, "origin": origin} for key, value, origin in entries},
            "files": [{"path": path, "found": found} for path, found in looked_at],
        }
        display.print_json(document)
        return
    pairs = [
        ("name", f"{resolved.name} ({said_by(resolved.name_origin)})"),
        ("device", resolved.label),
    ]
    if resolved.device_origin != resolved.name_origin:
        pairs[1] = ("device", f"{resolved.label} ({resolved.device_origin})")
    display.fields(pairs)
    click.echo()
    if entries:
        display.table(
            ["option", "value", "set by"],
            [[key, value, said_by(origin)] for key, value, origin in entries],
        )
    else:
        click.echo("no options are set")
    click.echo()
    display.heading("Files, the first wins")
    for path, found in looked_at:
        click.echo(f"{path}  {'read' if found else 'not there'}")
