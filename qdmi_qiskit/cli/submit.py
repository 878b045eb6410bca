"""`qdmi submit`: circuits as a job that outlives this command."""

from __future__ import annotations

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--backend", "-b", metavar="NAME", help="Such as slurm:aer, or a profile of one.")
@click.option("--shots", "-n", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="As of qdmi run.")
@click.option("--array", type=click.IntRange(1, 1000), help="Share out over so many array tasks.")
@click.option("--tag", "tags", multiple=True, help="A word to find the job by; may be repeated.")
@click.option(
    "--optimization-level", "-O", "level", type=click.IntRange(0, 3), default=1, show_default=True
)
@options
@as_json
@click.pass_obj
def submit(
    settings: Settings,
    file: str,
    backend: str | None,
    shots: int,
    seed: int | None,
    array: int | None,
    tags: tuple[str, ...],
    level: int,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Compile the circuits in FILE, submit them and return; print the job's id.

    The outcome comes from `qdmi result ID`, from any shell on another day; a job that Slurm
    requeues goes on where it was.
    """
    from qdmi_qiskit.cli import execute
    from qdmi_qiskit.provider import QDMIProvider

    chosen = dict(options) | ({} if array is None else {"array": array})
    circuits = execute.read(file)
    with display.working("compiling"):
        opened = QDMIProvider(config=settings.config).get_backend(backend, **chosen)
    with opened.session:
        isa = execute.compiled(circuits, opened, level, seed)
        job = opened.run(isa, shots=shots, seed=seed, tags=tags, detach=True)
    if as_json:
        document = {"job_id": job.job_id(), "device_job_ids": list(job.device_job_ids)}
        display.print_json(document, indent=None)
    else:
        click.echo(job.job_id())
