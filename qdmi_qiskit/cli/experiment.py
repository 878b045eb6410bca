"""`qdmi experiment`: circuits on several backends, as a file says; goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qdmi_qiskit.cli.parameters import Settings, as_json


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--plan", "only_plan", is_flag=True, help="Show who would get what; send nothing.")
@click.option("--partial", is_flag=True, help="Merge what there is though some of it failed.")
@click.option(
    "--resend",
    is_flag=True,
    help="Send again what an earlier attempt may have sent; it may be paid twice.",
)
@as_json
@click.pass_obj
def experiment(
    settings: Settings, file: str, only_plan: bool, partial: bool, resend: bool, as_json: bool
) -> None:
    """Run the experiment that the TOML file FILE describes.

    Results go to the folder that it names: plan.json, shards/, table.json and result.json. Called
    again, it sends only what is missing.
    """
    from qdmi_qiskit.cli import display
    from qdmi_qiskit.cli.circuits import read
    from qdmi_qiskit.dispatch.experiment import Attempt
    from qdmi_qiskit.provider import QDMIProvider

    with display.working("opening backends and compiling"):
        attempt = Attempt(Path(file), read, QDMIProvider(config=settings.config))
    if only_plan:
        document = {**attempt.plan.to_dict(), "costs": attempt.plan.costs()}
        _show(attempt.plan.table().to_dict(), document, as_json)
        return
    job, folder = attempt.start(resend=resend)
    for shard in job.as_completed():
        if not as_json:
            member = attempt.plan.members[shard.member].name
            click.echo(f"pub {shard.pub} on {member}: {shard.state.value}", err=True)
    folder.write("table.json", job.table().to_dict())
    outcome = attempt.outcome(job, partial=partial)
    folder.write("result.json", outcome)
    _show(job.table().to_dict(), outcome, as_json)


def _show(rows: list[dict[str, Any]], document: Any, as_json: bool) -> None:
    from qdmi_qiskit.cli import display

    if as_json:
        display.print_json(document)
        return
    hidden = {"job_id", "device_jobs"}
    columns = [name for name in rows[0] if name not in hidden]
    display.table(
        columns,
        [["-" if row[name] is None else str(row[name]) for name in columns] for row in rows],
    )
    click.echo("")
    display.print_json(document)
