"""What several commands take: `--option KEY=VALUE`, `--json`, and the global settings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qdmi_qiskit.config import Resolved
    from qdmi_qiskit.device import Session


@dataclass(frozen=True)
class Settings:
    """What was said before the command.

    Attributes:
        config: The configuration file to read before all others.
    """

    config: str | None = None

    def resolve(self, name: str | None, options: Iterable[tuple[str, object]] = ()) -> Resolved:
        """Return which device a name means.

        Raises:
            ConfigError: A file, profile, variable or option is wrong.
        """
        from qdmi_qiskit.config import resolve

        return resolve(name, dict(options), config=self.config)

    @staticmethod
    def open(resolved: Resolved) -> Session:
        """Open a device; the caller closes it.

        Raises:
            ConfigError: The name or an option is wrong.
            MissingPluginError: A package is missing.
            UnavailableError: The device cannot be reached now.
        """
        from qdmi_qiskit.registry import open_session

        return open_session(resolved)


def value_from(text: str) -> object:
    """Return a TOML scalar or array, else the text itself.

    >>> value_from("3"), value_from("true"), value_from("GPU"), value_from("[0, 1]")
    (3, True, 'GPU', [0, 1])
    """
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = document["value"]
    return text if len(document) > 1 or isinstance(value, dict) else value


def _pairs(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, object], ...]:
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            # What came may hold a secret: do not repeat it.
            raise click.BadParameter("wanted KEY=VALUE, such as method=statevector", ctx, param)
        pairs.append((key, value_from(value)))
    return tuple(pairs)


options = click.option(
    "--option",
    "-o",
    "options",
    callback=_pairs,
    multiple=True,
    metavar="KEY=VALUE",
    help="Option of the device, as in its profile; may be repeated.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def said_by(origin: str) -> str:
    """Return where something was set, in the words of somebody at a shell."""
    return "command line" if origin == "keyword" else origin
