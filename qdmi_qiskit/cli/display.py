"""Tables and progress: Rich on a terminal, plain columns in a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click


def is_terminal() -> bool:
    """Return whether somebody is looking at the output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _is_styled() -> bool:
    return is_terminal() and not os.environ.get("NO_COLOR")


def heading(text: str) -> None:
    """Print the title of what follows."""
    click.echo(click.style(text, bold=True) if _is_styled() else text)


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Print a document; what JSON does not know as its text."""
    click.echo(json.dumps(document, indent=indent, ensure_ascii=False, default=str))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
) -> None:
    """Print rows under columns.

    Args:
        columns: The titles.
        rows: As many cells each.
        right: Which columns are aligned to the right.
    """
    if is_terminal():
        _rich_table(columns, rows, right)
        return
    lines = [columns, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _rich_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(header_style="bold" if _is_styled() else "")
    for k, title in enumerate(columns):
        drawn.add_column(Text(title), justify="right" if k in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    Console().print(drawn)


def shortened(
    rows: Sequence[Sequence[str]], limit: int, everything: bool
) -> tuple[Sequence[Sequence[str]], str]:
    """Return the rows to print and a hint about the others, empty if there are none."""
    if everything or len(rows) <= limit:
        return rows, ""
    return rows[:limit], f"... {len(rows) - limit} more; --all shows them"


def bar(fraction: float, width: int = 30) -> str:
    """Return a bar of at most `width` characters.

    >>> bar(0.5, 4)
    '██'
    """
    return "█" * round(fraction * width)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on a terminal that something is going on; print nothing anywhere else."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(text)):
        yield


def fields(pairs: Sequence[tuple[str, Any]]) -> None:
    """Print names and values, aligned."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name.ljust(width)}  {value}")
