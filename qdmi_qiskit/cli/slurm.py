"""`qdmi slurm`: what a site's Slurm needs for quantum devices, and whether it has it."""

from __future__ import annotations

from dataclasses import asdict

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options

_PARTS = ("slurm.conf", "plugstack.conf", "job_submit.lua", "task_prolog", "quotas")


@click.group()
def slurm() -> None:
    """Set up and examine Slurm for quantum devices."""


@slurm.command()
@click.argument("ini", type=click.Path(exists=True, dir_okay=False))
@click.option("--part", type=click.Choice(_PARTS), help="Print this one alone, ready for a file.")
def render(ini: str, part: str | None) -> None:
    """Print what follows from a site's INI file for slurm.conf, plugstack.conf and the like.

    Changes nothing. spank/README.md describes the file.
    """
    from qdmi_qiskit.devices.slurm.render import PARTS
    from qdmi_qiskit.devices.slurm.site import read

    site = read(ini)
    for k, name in enumerate(_PARTS if part is None else (part,)):
        if part is None:
            click.echo("\n" * (k > 0), nl=False)
            display.heading(f"### {name}")
        click.echo(PARTS[name](site), nl=False)


@slurm.command()
@click.argument("name", default="slurm:aer")
@click.option("--ini", type=click.Path(exists=True, dir_okay=False), help="The site's file.")
@options
@as_json
@click.pass_context
def doctor(
    ctx: click.Context,
    name: str,
    ini: str | None,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Prove that NAME (slurm:aer if not given) can be used here, or say what is wrong.

    Takes an allocation, and runs a small circuit in it if the device is a simulator. The exit
    code is 1 if anything is wrong.
    """
    from qdmi_qiskit.devices.slurm import site
    from qdmi_qiskit.devices.slurm.doctor import examine
    from qdmi_qiskit.devices.slurm.options import SlurmOptions
    from qdmi_qiskit.errors import ConfigError
    from qdmi_qiskit.options import parse

    settings: Settings = ctx.obj
    resolved = settings.resolve(name, options)
    if resolved.scheme != "slurm":
        raise ConfigError(f"{resolved.label} is no device in an allocation; wanted 'slurm:NAME'")
    chosen = parse(SlurmOptions, resolved.options, device="slurm")
    found = []
    for finding in examine(resolved.locator, chosen, None if ini is None else site.read(ini)):
        found.append(finding)
        if not as_json:
            click.echo(f"{'ok' if finding.ok else 'WRONG':<6} {finding.what}: {finding.said}")
    if as_json:
        display.print_json([asdict(finding) for finding in found])
    if not all(finding.ok for finding in found):
        ctx.exit(1)
