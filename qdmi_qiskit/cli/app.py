"""The group of commands: global options, exit codes and what an error looks like."""

from __future__ import annotations

import logging
import traceback
import warnings
from typing import Any, TextIO

import click

from qdmi_qiskit import __version__, errors
from qdmi_qiskit.cli.calibration import calibration
from qdmi_qiskit.cli.check import check
from qdmi_qiskit.cli.config import config
from qdmi_qiskit.cli.devices import devices
from qdmi_qiskit.cli.diff import diff
from qdmi_qiskit.cli.experiment import experiment
from qdmi_qiskit.cli.journal import COMMANDS
from qdmi_qiskit.cli.parameters import Settings
from qdmi_qiskit.cli.record import record
from qdmi_qiskit.cli.rehearse import rehearse
from qdmi_qiskit.cli.run import run
from qdmi_qiskit.cli.show import show
from qdmi_qiskit.cli.slurm import slurm
from qdmi_qiskit.cli.submit import submit
from qdmi_qiskit.cli.trace import trace
from qdmi_qiskit.cli.version import version

FAILED, USAGE, UNREACHABLE, MISSING, INTERRUPTED = 1, 2, 3, 4, 130

_CODES = (
    (errors.MissingPluginError, MISSING),
    (errors.UnavailableError, UNREACHABLE),
    (errors.SubmitUnknownError, UNREACHABLE),
    (errors.ConfigError, USAGE),
    (errors.RejectedError, USAGE),
    (errors.UnsupportedError, USAGE),
    (errors.QdmiError, FAILED),
    (TimeoutError, UNREACHABLE),
)


def code_of(error: BaseException) -> int:
    """Return the exit code that stands for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def paragraph(error: BaseException) -> str:
    """Return an error as one paragraph without escape codes."""
    text = " ".join(click.unstyle(str(error)).split())
    if isinstance(error, errors.QdmiError | TimeoutError):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text} (not foreseen; qdmi --debug shows where: report it)"


class Commands(click.Group):
    """Turns every error of a command into one paragraph and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        debug = bool(ctx.params.get("debug"))
        try:
            with warnings.catch_warnings():
                if not debug:
                    warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except Exception as error:
            if debug:
                click.echo(traceback.format_exc(), err=True, nl=False)
            click.echo(f"Error: {paragraph(error)}", err=True)
            raise click.exceptions.Exit(code_of(error)) from error


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {message}", err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Exit codes:
  0    all is well
  1    a job or a check failed
  2    the command line, the configuration or a circuit is wrong
  3    a device cannot be reached, or may or may not have taken the job
  4    a package is missing; the message says what to install
  130  interrupted""",
)
@click.option(
    "--config",
    "file",
    type=click.Path(),
    metavar="FILE",
    help="Configuration to read before all others.",
)
@click.option("--debug", is_flag=True, help="Log what happens and show where errors come from.")
@click.version_option(__version__, prog_name="qdmi")
@click.pass_context
def cli(ctx: click.Context, file: str | None, debug: bool) -> None:
    """Quantum devices by name: SCHEME:LOCATOR, or a profile of the configuration."""
    ctx.obj = Settings(file)
    _log(ctx, logging.DEBUG if debug else logging.WARNING)


def _log(ctx: click.Context, level: int) -> None:
    """Send our log to stderr until the command ends, and nobody else's."""
    log, root = logging.getLogger("qdmi_qiskit"), logging.getLogger()
    ours, others = logging.StreamHandler(), logging.NullHandler()
    ours.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    before = log.level
    log.setLevel(level)
    log.addHandler(ours)
    root.addHandler(others)

    @ctx.call_on_close
    def restore() -> None:
        log.setLevel(before)
        log.removeHandler(ours)
        root.removeHandler(others)


for command in (
    calibration,
    check,
    config,
    devices,
    experiment,
    diff,
    record,
    rehearse,
    run,
    show,
    slurm,
    submit,
    trace,
    version,
    *COMMANDS,
):
    cli.add_command(command)
