"""`qdmi check`: the conformance suite on one device."""

from __future__ import annotations

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.argument("name")
@click.option("--shots", "-n", type=click.IntRange(min=1), help="Shots of each check.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    help="Share of wrong outcomes that noise may cause.",
)
@options
@as_json
@click.pass_context
def check(
    ctx: click.Context,
    name: str,
    shots: int | None,
    tolerance: float | None,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Check that the device NAME keeps the contract of a plug-in.

    Submits small jobs; on a device that costs money, so does this. The exit code is 1 if any
    check failed.
    """
    from qdmi_qiskit.testing import Harness, check_device

    settings: Settings = ctx.obj
    resolved = settings.resolve(name, options)
    settings.open(resolved).close()  # a device that cannot be opened is no failed check
    given = {"shots": shots, "tolerance": tolerance}
    harness = Harness(
        open=lambda: settings.open(resolved),
        **{key: value for key, value in given.items() if value is not None},
    )
    with display.working(f"checking {resolved.label}"):
        found = [(each.name, each.outcome, each.message) for each in check_device(harness)]
    failed = sum(outcome == "failed" for _, outcome, _ in found)
    if as_json:
        keys = ("name", "outcome", "message")
        checks = [dict(zip(keys, each, strict=True)) for each in found]
        display.print_json({"device": resolved.label, "failed": failed, "checks": checks})
    else:
        for check_name, outcome, message in found:
            why = f"  {' '.join(message.split())}" if message else ""
            click.echo(f"{outcome:<7} {check_name}{why}")
        click.echo(f"{len(found)} checks of {resolved.label}, {failed} failed")
    if failed:
        ctx.exit(1)
