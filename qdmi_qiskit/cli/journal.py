"""`qdmi jobs`, `status`, `result`, `cancel`, `resume`, `wait`, `prune`: jobs of the journal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json

_identity = click.argument("job_id", metavar="ID")


def _provider(settings: Settings) -> Any:
    from qdmi_qiskit.provider import QDMIProvider

    return QDMIProvider(config=settings.config)


def _moment(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """Return the time that `2026-11-20`, `2026-11-20T08:00` or `3d` (`12h`) means."""
    if text is None:
        return None
    units = {"d": "days", "h": "hours", "m": "minutes"}
    try:
        if text[-1:] in units:
            return datetime.now().astimezone() - timedelta(**{units[text[-1]]: float(text[:-1])})
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        wanted = "a date such as 2026-11-20, or an age such as 3d, 12h or 30m"
        raise click.BadParameter(f"{text!r}: wanted {wanted}", ctx, param) from None


def _bytes(ctx: click.Context, param: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    from qdmi_qiskit.errors import ConfigError
    from qdmi_qiskit.journal.place import size_of

    try:
        return size_of(text)
    except ConfigError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command()
@click.option("--backend", "-b", metavar="NAME", help="Only jobs of this name or SCHEME:LOCATOR.")
@click.option("--state", metavar="STATE", help="Only jobs last seen in this state, such as done.")
@click.option("--tag", metavar="TAG", help="Only jobs with this tag.")
@click.option("--since", callback=_moment, metavar="TIME", help="2026-11-20, or an age: 3d, 12h.")
@click.option("--limit", "-n", type=click.IntRange(min=1), default=20, show_default=True)
@as_json
@click.pass_obj
def jobs(
    settings: Settings,
    backend: str | None,
    state: str | None,
    tag: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs of the journal, the latest first. No device is asked."""
    found = _provider(settings).jobs(
        backend=backend, state=state, tag=tag, since=since, limit=limit
    )
    if as_json:
        display.print_json([_document(row) for row in found])
        return
    if not found:
        click.echo(f"no such jobs{_looked_in(settings)}")
        return
    rows = [
        [
            row.id[:12],
            row.created.astimezone().strftime("%Y-%m-%d %H:%M"),
            row.backend,
            row.kind,
            row.state.value,
            f"{row.done}/{row.chunks}",
            " ".join(row.tags),
        ]
        for row in found
    ]
    columns = ["job", "begun", "backend", "kind", "state", "results", "tags"]
    display.table(columns, rows, right=(5,))


def _looked_in(settings: Settings) -> str:
    """Return which journal was read: one that is off or not there explains an empty list."""
    from qdmi_qiskit import config
    from qdmi_qiskit.journal import place

    setting = config.journal(settings.config)
    path = place(None if setting is None else setting.value)
    if path is None:
        return ": the journal is off ($QDMI_JOURNAL, or journal in the configuration)"
    return f" in {path}" if path.exists() else f": there is no journal {path} yet"


def _document(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "created": row.created.isoformat(),
        "backend": row.backend,
        "device": row.device,
        "kind": row.kind,
        "state": row.state.value,
        "device_jobs": row.chunks,
        "sent": row.sent,
        "results": row.done,
        "tags": list(row.tags),
        "reason": row.reason,
    }


@click.command()
@_identity
@as_json
@click.pass_obj
def status(settings: Settings, job_id: str, as_json: bool) -> None:
    """Ask how far the job ID is; any beginning of an id will do that no other has."""
    job = _provider(settings).job(job_id)
    with display.working("asking"):
        progress = job.progress()
        device_jobs = job.device_jobs
    pairs = [
        ("job", job.job_id()),
        ("state", progress.status.value),
        ("device jobs", f"{progress.final} of {progress.device_jobs} ended, {progress.sent} sent"),
        ("tags", " ".join(job.tags) or "none"),
    ]
    if progress.queue_position is not None:
        pairs.append(("queue position", str(progress.queue_position)))
    if as_json:
        display.print_json(
            {
                "id": job.job_id(),
                "state": progress.status.value,
                "device_jobs": device_jobs,
                "planned": progress.device_jobs,
                "sent": progress.sent,
                "ended": progress.final,
                "queue_position": progress.queue_position,
                "tags": list(job.tags),
            }
        )
        return
    display.fields(pairs)
    for each in device_jobs:
        click.echo(f"  {each['id']}")


@click.command()
@_identity
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--npz", type=click.Path(dir_okay=False), help="Write arrays into this file.")
@click.option("--partial", is_flag=True, help="What there is, though some of it failed.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait at most.")
@click.pass_obj
def result(
    settings: Settings,
    job_id: str,
    as_json: bool,
    npz: str | None,
    partial: bool,
    timeout: float | None,
) -> None:
    """Print the result of the job ID; waits until it is there.

    Counts read as Qiskit writes them. An .npz has for each circuit or pub k the arrays `k.NAME`: of
    a register packed bits (uint8, shape points x shots x bytes, big-endian), of an estimate `evs`
    and `stds`.
    """
    from qdmi_qiskit.cli import outcome

    job = _provider(settings).job(job_id)
    with display.working("waiting"):
        found = job.result(timeout, partial=partial)
    if npz is not None:
        try:
            outcome.write_npz(npz, found)
        except OSError as error:  # a file of the user's choice: say which, as click does
            raise click.FileError(npz, error.strerror or str(error)) from None
        click.echo(npz)
    elif as_json:
        display.print_json(outcome.document(job, found), indent=None)
    else:
        outcome.print_result(found)


@click.command()
@_identity
@click.pass_obj
def cancel(settings: Settings, job_id: str) -> None:
    """Ask the device to stop the job ID."""
    job = _provider(settings).job(job_id)
    with display.working("canceling"):
        stopped = job.cancel()
    click.echo("canceled" if stopped else f"the job is {job.qdmi_status().value}")


@click.command()
@_identity
@click.option("--failed", is_flag=True, help="Send again what failed or was canceled; costs again.")
@click.option(
    "--found",
    multiple=True,
    metavar="KEY=JOB",
    help="A submission of unknown outcome, and the vendor's job that you found for it.",
)
@click.option("--absent", multiple=True, metavar="KEY", help="One of which there is no job.")
@click.pass_obj
def resume(
    settings: Settings, job_id: str, failed: bool, found: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    """Go on with the job ID: send what was not sent, and nothing twice."""
    pairs = {}
    for text in found:
        key, equals, vendor_id = text.partition("=")
        if not equals or not vendor_id:
            raise click.BadParameter(f"--found {text!r}: wanted KEY=JOB")
        pairs[key] = vendor_id
    job = _provider(settings).job(job_id)
    with display.working("sending"):
        job = job.resubmit() if failed else job.resume(found=pairs, absent=absent)
    _show(job)


@click.command()
@_identity
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait at most.")
@click.pass_obj
def wait(settings: Settings, job_id: str, timeout: float | None) -> None:
    """Wait for the job ID and show how far it is. Ctrl-C leaves it running."""
    _show(_provider(settings).job(job_id), timeout)


def _show(job: Any, timeout: float | None = None) -> None:
    """Show the progress of a job until it has ended."""
    from qdmi_qiskit.cli.progress import shown
    from qdmi_qiskit.model import JobStatus

    try:
        with shown(job.job_id()) as update:
            job.wait(timeout, callback=update)
    except KeyboardInterrupt:
        click.echo(f"the job goes on; come back with: qdmi wait {job.job_id()[:12]}", err=True)
        raise
    status = job.qdmi_status()
    if status is JobStatus.DONE:
        job.result()  # into the journal: a local device forgets it
    click.echo(f"job {job.job_id()} is {status.value}")
    if status is JobStatus.CREATED:
        click.echo(f"nobody is sending it; go on with: qdmi resume {job.job_id()[:12]}", err=True)
    if status is not JobStatus.DONE:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--older", callback=_moment, metavar="TIME", help="Begun before: 2026-11-20, or 90d.")
@click.option("--size", callback=_bytes, metavar="SIZE", help="Until the journal takes no more.")
@click.option("--everything", is_flag=True, help="Also jobs that have not ended; alone: all jobs.")
@click.option("--yes", is_flag=True, help="Do not ask before all jobs are forgotten.")
@click.pass_obj
def prune(
    settings: Settings, older: datetime | None, size: int | None, everything: bool, yes: bool
) -> None:
    """Forget jobs that ended, and their results, the oldest first."""
    if older is None and size is None:
        if not everything:
            raise click.UsageError("say which: --older 90d, --size 1G, or both")
        if not yes:
            click.confirm("forget every job, and what was paid for and not fetched?", abort=True)
    gone = _provider(settings).prune(before=older, most_bytes=size, everything=everything)
    click.echo(f"{gone} jobs forgotten")


COMMANDS = (cancel, jobs, prune, result, resume, status, wait)
