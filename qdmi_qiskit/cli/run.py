"""`qdmi run`: the circuits of a file on a device."""

from __future__ import annotations

import click

from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--backend", "-b", metavar="NAME", help="Profile, SCHEME:LOCATOR or scheme.")
@click.option("--shots", "-n", type=click.IntRange(min=1), default=1024, show_default=True)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Makes compiling, and outcomes of simulators, reproducible.",
)
@click.option("--memory", is_flag=True, help="Print every shot too.")
@click.option(
    "--optimization-level",
    "-O",
    "level",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="How hard Qiskit tries to make the circuits short.",
)
@options
@as_json
@click.pass_obj
def run(
    settings: Settings,
    file: str,
    backend: str | None,
    shots: int,
    seed: int | None,
    memory: bool,
    level: int,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Compile and run the circuits in FILE (OpenQASM 2 or 3, or QPY; - reads standard input).

    Prints how often each outcome came: the bits of the last register leftmost, within a
    register bit 0 rightmost, as Qiskit does. With --json one object per circuit and line.
    """
    from qdmi_qiskit.cli import execute

    resolved = settings.resolve(backend, options)
    outcome = execute.outcomes(
        settings,
        resolved,
        execute.read(file),
        shots=shots,
        seed=seed,
        memory=memory,
        optimization_level=level,
    )
    if as_json:
        execute.print_lines(outcome)
    else:
        execute.print_tables(outcome)
