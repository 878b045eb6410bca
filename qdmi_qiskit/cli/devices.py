"""`qdmi devices`: which schemes and profiles there are."""

from __future__ import annotations

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.option("--scheme", metavar="SCHEME", help="Ask this plug-in which devices it can open.")
@options
@as_json
@click.pass_obj
def devices(
    settings: Settings, scheme: str | None, options: tuple[tuple[str, object], ...], as_json: bool
) -> None:
    """List schemes and configured profiles.

    Imports no plug-in. With --scheme, imports that one and asks it for the devices that it can
    open, which may need the network and the account's options.
    """
    if scheme is not None:
        _names(settings, scheme, options, as_json)
        return
    if options:
        raise click.UsageError("--option goes with --scheme")
    _overview(settings, as_json)


def _names(
    settings: Settings, scheme: str, options: tuple[tuple[str, object], ...], as_json: bool
) -> None:
    from qdmi_qiskit.registry import driver

    given = settings.resolve(f"{scheme}:", options)
    with display.working(f"asking {scheme}"):
        locators = driver(given.scheme).names(**given.options)
    names = [f"{given.scheme}:{locator}" if locator else given.scheme for locator in locators]
    if as_json:
        display.print_json({"scheme": given.scheme, "names": names})
        return
    for name in names:
        click.echo(name)


def _overview(settings: Settings, as_json: bool) -> None:
    from qdmi_qiskit.cli.plugins import plugins
    from qdmi_qiskit.config import profiles

    schemes = [
        {
            "scheme": plugin.scheme,
            "installed": not plugin.missing,
            "distribution": plugin.distribution,
            "missing": list(plugin.missing),
            "install": plugin.install if plugin.missing else None,
        }
        for plugin in plugins()
    ]
    configured = [_profile(settings, name) for name in profiles(settings.config)]
    default = settings.resolve(None)
    if as_json:
        document = {
            "default": default.name,
            "default_origin": default.name_origin,
            "schemes": schemes,
            "profiles": configured,
        }
        display.print_json(document)
        return
    display.heading("Schemes")
    display.table(
        ["scheme", "installed", "from"],
        [
            [
                str(row["scheme"]),
                "yes" if row["installed"] else f"no: {row['install']}",
                str(row["distribution"]),
            ]
            for row in schemes
        ],
    )
    click.echo()
    display.heading("Profiles")
    if configured:
        display.table(
            ["profile", "device", "from"],
            [[row["profile"], row["device"] or row["error"], row["origin"]] for row in configured],
        )
    else:
        click.echo("none; qdmi config show lists the files that may hold some")
    click.echo()
    click.echo(f"Default: {default.name} ({default.name_origin})")


def _profile(settings: Settings, name: str) -> dict[str, str]:
    from qdmi_qiskit.errors import ConfigError

    try:
        resolved = settings.resolve(name)
    except ConfigError as error:
        return {"profile": name, "device": "", "origin": "", "error": str(error)}
    return {
        "profile": name,
        "device": resolved.label,
        "origin": resolved.device_origin,
        "error": "",
    }
