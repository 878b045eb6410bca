"""A device in words and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import click

from qdmi_qiskit import spec_json
from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.units import UNKNOWN, age, hertz, percent, seconds, spread
from qdmi_qiskit.config import Resolved
from qdmi_qiskit.model import Capabilities, DeviceSpec, DeviceState, Operation, Site

_ROWS = 24  # of a table before it is shortened
_ABILITIES = (
    ("sweeps", "run parameter sweeps as one program"),
    ("mixed_shots", "take different shots within a job"),
    ("ordered_shots", "keep the order of shots"),
    ("cancel", "cancel jobs"),
    ("retrieve", "find jobs again by id"),
    ("submit_key", "take a repeated submission only once"),
    ("detached", "go on without the process"),
    ("seeds", "reproduce outcomes from a seed"),
    ("expectations", "compute exact expectation values"),
)


def document(
    resolved: Resolved, spec: DeviceSpec, state: DeviceState, facts: Mapping[str, object]
) -> dict[str, object]:
    """Return all that is known as a JSON document; `spec` is what `replay:` opens."""
    return {
        "name": resolved.name,
        "device": resolved.label,
        "num_qubits": spec.num_qubits,
        "state": {**asdict(state), "status": state.status.value},
        "spec": json.loads(spec_json.dumps(spec)),
        "facts": dict(facts),
    }


def print_device(
    resolved: Resolved,
    spec: DeviceSpec,
    state: DeviceState,
    facts: Mapping[str, object],
    *,
    everything: bool,
) -> None:
    """Print all that is known; long tables shortened unless `everything`."""
    display.fields(_summary(resolved, spec, state))
    click.echo()
    display.heading("Abilities")
    for line in abilities(spec.capabilities):
        click.echo(line)
    click.echo()
    display.heading("Qubits")
    if everything or any(_says_something(site) for site in spec.sites):
        columns = ["index", "name", "T1", "T2", "frequency", "reads 1 for 0", "reads 0 for 1"]
        _table(columns, [_site(site) for site in spec.sites], (0, 2, 3, 4, 5, 6), everything)
    else:
        click.echo(f"{spec.num_qubits}; the device says nothing about single ones")
    click.echo()
    display.heading("Operations (best / median / worst)")
    columns = ["name", "qubits", "parameters", "places", "fidelity", "duration"]
    _table(columns, [_operation(each) for each in spec.operations], (), everything)
    if facts:
        click.echo()
        display.heading("In the device's own words (all of them: --facts)")
        display.fields([(key, _short(value)) for key, value in facts.items()])


def _short(value: object) -> str:
    if not isinstance(value, list | dict):
        return str(value)
    if all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return _plural(len(value), "entry")


def _table(columns: list[str], rows: list[list[str]], right: tuple[int, ...], all_: bool) -> None:
    seen, hint = display.shortened(rows, _ROWS, all_)
    display.table(columns, seen, right=right)
    if hint:
        click.echo(hint)


def _summary(resolved: Resolved, spec: DeviceSpec, state: DeviceState) -> list[tuple[str, str]]:
    kind = "simulator" if spec.simulator else "hardware"
    pairs = [
        ("name", resolved.name),
        ("device", resolved.label),
        ("version", f"{spec.name} {spec.version}".strip()),
        ("kind", f"{kind}, {spec.num_qubits} qubits"),
        ("state", _state(state)),
        ("calibration", _calibration(spec)),
        ("price", _price(spec)),
    ]
    if spec.dt is not None:
        pairs.append(("time step", seconds(spec.dt)))
    return pairs


def _state(state: DeviceState) -> str:
    words = [state.status.value]
    if state.queue_length is not None:
        words.append(f"{state.queue_length} jobs ahead")
    if state.next_window:
        words.append(f"next window in {seconds(state.next_window)}")
    if state.message:
        words.append(state.message)
    return ", ".join(words)


def _calibration(spec: DeviceSpec) -> str:
    if spec.calibration is None:
        return UNKNOWN
    time = spec.calibration.time
    if time is None:
        return spec.calibration.id
    return f"{spec.calibration.id}, {time.isoformat(sep=' ', timespec='minutes')} ({age(time)})"


def _price(spec: DeviceSpec) -> str:
    price = spec.price
    if price is None:
        return UNKNOWN
    return f"{price.per_task:g} {price.currency} a task + {price.per_shot:g} a shot"


def abilities(capabilities: Capabilities) -> list[str]:
    """Return in words what a device takes, can do and cannot do."""
    if not capabilities.formats:
        return ["takes   no programs: this device can be looked at, and runs nothing"]
    most = (
        "any number of" if capabilities.max_shots is None else f"at most {capabilities.max_shots}"
    )
    shots = f"{most} shots a program"
    if capabilities.min_shots > 1:
        shots += f", at least {capabilities.min_shots}"
    programs = capabilities.max_executables
    jobs = "any number of programs" if programs is None else _plural(programs, "program")
    lines = [f"takes   programs as {' or '.join(capabilities.formats)}; {shots}; {jobs} a job"]
    limits = (
        (capabilities.max_total_shots, "shots a job in all"),
        (capabilities.max_jobs, "jobs at once"),
        (capabilities.max_qubits, "qubits a program"),
    )
    lines += [f"takes   at most {number} {what}" for number, what in limits if number is not None]
    for does, word in ((True, "can    "), (False, "cannot ")):
        lines += [
            f"{word} {words}" for name, words in _ABILITIES if getattr(capabilities, name) is does
        ]
    return lines


def _plural(number: int, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else many}"


def _says_something(site: Site) -> bool:
    return replace(site, index=0) != Site(0)


def _site(site: Site) -> list[str]:
    return [
        str(site.index),
        site.name or UNKNOWN,
        seconds(site.t1),
        seconds(site.t2),
        hertz(site.frequency),
        percent(site.prob_meas1_prep0),
        percent(site.prob_meas0_prep1),
    ]


def _operation(operation: Operation) -> list[str]:
    figures = [] if operation.sites is None else list(operation.sites.values())
    fidelity = spread([each.fidelity for each in figures], high_is_good=True)
    duration = spread([each.duration for each in figures], high_is_good=False)
    return [
        operation.name,
        "any" if operation.num_sites is None else str(operation.num_sites),
        ", ".join(operation.parameters) or UNKNOWN,
        "all" if operation.sites is None else str(len(operation.sites)),
        UNKNOWN if fidelity is None else " / ".join(percent(each) for each in fidelity),
        UNKNOWN if duration is None else " / ".join(seconds(each) for each in duration),
    ]
