"""`qdmi check`: the conformance suite on one device."""

from __future__ import annotations

from dataclasses import asdict

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.argument("name")
@click.option("--shots", "-n", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of wrong outcomes that noise may cause.",
)
@options
@as_json
@click.pass_context
def check(
    ctx: click.Context,
    name: str,
    shots: int,
    tolerance: float,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Check that the device NAME keeps the contract of a plug-in.

    Submits small jobs; on a device that costs money, so does this. The exit code is 1 if any
    check failed.
    """
    from qdmi_qiskit.config import Secret
    from qdmi_qiskit.testing import CHECKS, Harness, outcome

    settings: Settings = ctx.obj
    resolved = settings.resolve(name, options)
    harness = Harness(
        open=lambda: settings.open(resolved),
        secrets=[
            value.reveal() for value in resolved.options.values() if isinstance(value, Secret)
        ],
        shots=shots,
        tolerance=tolerance,
    )
    found = []
    with harness.session:  # a device that cannot be opened is no failed check
        for name_of_check in CHECKS:
            with display.working(f"checking {resolved.label}: {name_of_check}"):
                each = outcome(harness, name_of_check)
            found.append(asdict(each))
            if not as_json:
                why = f"  {' '.join(each.message.split())}" if each.message else ""
                click.echo(f"{each.outcome:<7} {each.name}{why}")
    failed = sum(each["outcome"] == "failed" for each in found)
    if as_json:
        display.print_json({"device": resolved.label, "failed": failed, "checks": found})
    else:
        click.echo(f"{len(found)} checks of {resolved.label}, {failed} failed")
    if failed:
        ctx.exit(1)
