"""How far a job is, live on a terminal; in a pipe a line whenever something changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from qdmi_qiskit.job import Progress


@contextmanager
def shown(job_id: str) -> Iterator[Callable[[Progress], None]]:
    """Yield what to call with the progress of a job."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn(job_id[:12]),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Bar(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("")

            def draw(progress: Progress) -> None:
                bar.update(
                    task,
                    total=progress.device_jobs or None,
                    completed=progress.final,
                    description=_words(progress),
                )

            yield draw
        return
    last = ""

    def tell(progress: Progress) -> None:
        nonlocal last
        text = f"{progress.final}/{progress.device_jobs} {_words(progress)}"
        if text != last:
            click.echo(text, err=True)
            last = text

    yield tell


def _words(progress: Progress) -> str:
    place = progress.queue_position
    return progress.status.value + ("" if place is None else f", place {place} in the queue")
