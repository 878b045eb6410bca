"""`qdmi show`: one device, what it is and how well it does."""

from __future__ import annotations

import click

from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.parameters import Settings, as_json, options


@click.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Show every row of long tables.")
@click.option("--spec", "as_spec", is_flag=True, help="Print what noise=FILE reads: a recording.")
@click.option(
    "--facts", "as_facts", is_flag=True, help="Print what the device says in its own words: JSON."
)
@options
@as_json
@click.pass_obj
def show(
    settings: Settings,
    name: str | None,
    everything: bool,
    as_spec: bool,
    as_facts: bool,
    options: tuple[tuple[str, object], ...],
    as_json: bool,
) -> None:
    """Show the device NAME: state, calibration, abilities, qubits and operations.

    NAME is a profile, SCHEME:LOCATOR or a scheme; the default if not given. A "-" stands
    where the device does not say.
    """
    from qdmi_qiskit import spec_json
    from qdmi_qiskit.cli import describe

    resolved = settings.resolve(name, options)
    with display.working(f"opening {resolved.name}"), settings.open(resolved) as session:
        facts = session.facts()
        if as_facts:
            display.print_json(facts)
            return
        spec, state = session.spec(), session.status()
    if as_spec:
        click.echo(spec_json.dumps(spec), nl=False)
    elif as_json:
        display.print_json(describe.document(resolved, spec, state, facts))
    else:
        describe.print_device(resolved, spec, state, facts, everything=everything)
