"""`qdmi trace`: what happened to a run, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json
from qdmi_qiskit.cli.units import UNKNOWN, seconds

if TYPE_CHECKING:
    from qdmi_qiskit.journal import Timeline


@click.command()
@click.argument("job_id", metavar="ID")
@as_json
@click.pass_obj
def trace(settings: Settings, job_id: str, as_json: bool) -> None:
    """Print the timeline of the job ID from the journal. No device is asked.

    The time in the queue and the time of execution are the vendor's figures, summed over device
    jobs; a vendor's clock may differ from this machine's.
    """
    from qdmi_qiskit.provider import QDMIProvider

    found = QDMIProvider(config=settings.config).timeline(job_id)
    if as_json:
        display.print_json(_document(found))
        return
    begun = found.row.created
    display.fields(
        [
            ("job", found.row.id),
            ("backend", f"{found.row.backend} ({found.row.device})"),
            ("state", found.row.state.value),
            ("queue", seconds(found.queue)),
            ("execution", seconds(found.execute)),
            ("traceparent", found.traceparent or UNKNOWN),
        ]
    )
    click.echo()
    rows = [
        [
            f"{(event.time - begun).total_seconds():+.3f} s",
            event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            event.what,
            event.source,
            event.job or UNKNOWN,
        ]
        for event in found.events
    ]
    display.table(["after", "time", "what", "clock", "device job"], rows, right=(0,))


def _document(found: Timeline) -> dict[str, object]:
    return {
        "id": found.row.id,
        "backend": found.row.backend,
        "device": found.row.device,
        "state": found.row.state.value,
        "queue_seconds": found.queue,
        "execute_seconds": found.execute,
        "traceparent": found.traceparent,
        "events": [
            {
                "time": event.time.isoformat(),
                "what": event.what,
                "source": event.source,
                "job": event.job,
            }
            for event in found.events
        ],
    }
