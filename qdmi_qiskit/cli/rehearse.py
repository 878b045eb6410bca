"""`qdmi rehearse`: any command, against a service on loopback instead of a vendor's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings

_NOT_FOUND, _NOT_RUNNABLE, _BY_SIGNAL = 127, 126, 128  # as a shell says it
_LIFETIME = 7 * 86_400.0  # seconds; the service ends with the command


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--list", "listed", is_flag=True, help="List what can be rehearsed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of all outcomes.")
@click.argument("name", required=False)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def rehearse(
    ctx: click.Context, listed: bool, seed: int, name: str | None, command: tuple[str, ...]
) -> None:
    """Run COMMAND where the device NAME is a simulated one that speaks the real wire.

    As in: qdmi rehearse iqm:garnet -- python my_experiment.py

    NAME is a profile or SCHEME:LOCATOR of Braket or IQM, and becomes the default device of the
    command. Every client of that vendor in COMMAND finds the service, by environment variables;
    nothing leaves this machine, nothing is paid, and no account is needed. The exit code is the
    command's. With slurm: before NAME the command takes the device inside an allocation, of a Slurm
    whose nodes are this machine.
    """
    settings: Settings = ctx.obj
    if listed:
        for each in _names():
            click.echo(each)
        return
    if name is None or not command:
        raise click.UsageError(
            "say what to run: qdmi rehearse braket:garnet -- COMMAND; --list shows the devices"
        )
    resolved = settings.resolve(name)
    in_slurm = resolved.scheme == "slurm"
    if in_slurm:
        resolved = settings.resolve(resolved.locator)
    _check_known(resolved.label)
    _check_installed(resolved.scheme)
    with contextlib.ExitStack() as ends:
        with display.working(f"starting a service with {resolved.label}"):
            service = (
                _braket(resolved.locator, seed, _of_scheme(settings, "braket"))
                if resolved.scheme == "braket"
                else _iqm(resolved.locator, seed, _of_scheme(settings, "iqm"))
            )
            environment = ends.enter_context(service)
            if in_slurm:
                environment |= _for_nodes(environment, _of_scheme(settings, "slurm"))
        code = _run(command, environment | {"QDMI_BACKEND": name})
    ctx.exit(code)


def _names() -> list[str]:
    from qdmi_qiskit.testing.braket_service import documents
    from qdmi_qiskit.testing.iqm_server.chips import NAMES

    found = [each.name.lower().replace(" ", "-") for each in documents.devices().values()]
    return [*(f"braket:{each}" for each in found), *(f"iqm:{each}" for each in NAMES)]


def _check_known(label: str) -> None:
    from qdmi_qiskit.errors import ConfigError, did_you_mean

    if label not in (names := _names()):
        raise ConfigError(
            f"{label!r} cannot be rehearsed; 'qdmi rehearse --list' shows what can"
            f"{did_you_mean(label, names)}"
        )


def _check_installed(scheme: str) -> None:
    from qdmi_qiskit.cli.plugins import plugins
    from qdmi_qiskit.errors import MissingPluginError

    for plugin in plugins():
        if plugin.scheme == scheme and plugin.missing:
            raise MissingPluginError(
                f"to rehearse {scheme} needs {', '.join(plugin.missing)}: {plugin.install}"
            )


@contextmanager
def _braket(locator: str, seed: int, profiles: Iterable[str]) -> Iterator[dict[str, str]]:
    from qdmi_qiskit.testing.braket_service.rehearse import found
    from qdmi_qiskit.testing.braket_service.service import BraketService

    with BraketService(seed=seed, lifetime=_LIFETIME) as service:
        environment = service.environment(found(service.devices, locator).regions[0])
        for profile in profiles:
            for key in ("ENDPOINT", "S3_ENDPOINT"):
                environment[_variable(profile, key)] = service.url
        yield environment


@contextmanager
def _iqm(
    locator: str, seed: int, profiles: Mapping[str, Collection[str]]
) -> Iterator[dict[str, str]]:
    from qdmi_qiskit.testing.iqm_server import rehearse

    with rehearse(locator, seed=seed, lifetime=_LIFETIME) as leads, TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens.json")
        tokens.write_text(json.dumps({"access_token": leads["IQM_TOKEN"]}))
        token = Path(folder, "token")  # a worker of Slurm is told where secrets lie, never which
        token.touch(0o600)
        token.write_text(leads["IQM_TOKEN"])
        environment = {**os.environ, **leads}
        environment.pop("IQM_TOKENS_FILE", None)
        for profile, options in profiles.items():  # one that names a server would lead there
            environment[_variable(profile, "URL")] = leads["IQM_SERVER_URL"]
            if "tokens_file" in options:
                environment[_variable(profile, "TOKENS_FILE")] = str(tokens)
            else:
                environment[_variable(profile, "TOKEN")] = f"file:{token}"
        yield environment


def _for_nodes(environment: Mapping[str, str], profiles: Iterable[str]) -> dict[str, str]:
    """Return what has workers of Slurm given the variables that lead Braket's clients."""
    ours = json.dumps([name for name in environment if name.startswith("AWS_")])
    return {_variable(profile, "VARIABLES"): ours for profile in profiles}


def _variable(profile: str, key: str) -> str:
    """Return the variable that wins over what a profile says."""
    return f"QDMI_{re.sub(r'[^A-Z0-9]', '_', profile.upper())}_{key}"


def _of_scheme(settings: Settings, scheme: str) -> dict[str, Collection[str]]:
    """Return the scheme, and the profiles of its devices with the names of what they say."""
    from qdmi_qiskit.config import profiles
    from qdmi_qiskit.errors import ConfigError

    found: dict[str, Collection[str]] = {scheme: ()}
    for name in profiles(settings.config):
        with contextlib.suppress(ConfigError):  # a profile that is broken leads nowhere
            if (resolved := settings.resolve(name)).scheme == scheme:
                found[name] = resolved.settings.keys()
    return found


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code, as a shell would say it.

    Ctrl-C is the command's own business: a terminal sends it there as well. What asks this
    process to end, ends the command.
    """
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - that is the purpose
    except OSError as error:
        click.echo(f"Error: {command[0]!r} cannot be run: {error.strerror}", err=True)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        while True:
            try:
                code = child.wait()
                break
            except KeyboardInterrupt:
                if not sys.stdin.isatty():
                    child.send_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)
    return _BY_SIGNAL - code if code < 0 else code
