"""What `qdmi run` does once it is called: compile, run, print."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import click
from qiskit import QuantumCircuit
from qiskit.transpiler import TranspilerError

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.cli import display
from qdmi_qiskit.cli.circuits import read
from qdmi_qiskit.cli.parameters import Settings
from qdmi_qiskit.config import Resolved
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.job import QDMIJob
from qdmi_qiskit.journal import recorder_for

__all__ = ["Outcome", "outcomes", "print_lines", "print_tables", "read"]

_ROWS = 40  # of a table on a terminal


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one circuit.

    Attributes:
        circuit: Its name.
        backend: The name that was asked for.
        device: What it means.
        shots: How many were asked for.
        valid_shots: How many the device kept.
        seed: What was given.
        job_id: Our id of the run.
        device_job_ids: The vendor's.
        registers: Name and size of each classical register; the last is leftmost.
        counts: How often each outcome came, most often first.
        memory: Each shot in order, if asked for.
    """

    circuit: str
    backend: str
    device: str
    shots: int
    valid_shots: int
    seed: int | None
    job_id: str
    device_job_ids: tuple[str, ...]
    registers: tuple[tuple[str, int], ...]
    counts: dict[str, int]
    memory: list[str] | None = None


def outcomes(
    settings: Settings,
    resolved: Resolved,
    circuits: Sequence[QuantumCircuit],
    *,
    shots: int,
    seed: int | None,
    memory: bool,
    optimization_level: int,
) -> list[Outcome]:
    """Compile circuits, run them as one job and wait.

    Raises:
        RejectedError: A circuit does not fit the device.
        JobFailedError: The device ended the job without a result.
        UnavailableError: The device cannot be reached.
    """
    with display.working(f"opening {resolved.name}"):
        session = settings.open(resolved)
    with session:
        with display.working("compiling"):
            recorder = recorder_for(resolved, resolved.settings, None)
            backend = QDMIBackend(session, name=resolved.name, recorder=recorder)
            isa = compiled(circuits, backend, optimization_level, seed)
        with _waiting(backend, resolved.label):
            job = backend.run(isa, shots=shots, seed=seed, memory=memory)
            result = _result(job, backend)
        return [
            Outcome(
                circuit=circuit.name,
                backend=resolved.name,
                device=resolved.label,
                shots=shots,
                valid_shots=result.results[k].shots,
                seed=seed,
                job_id=job.job_id(),
                device_job_ids=job.device_job_ids,
                registers=tuple((register.name, register.size) for register in circuit.cregs),
                counts=_sorted(result.get_counts(k)),
                memory=list(result.get_memory(k)) if memory else None,
            )
            for k, circuit in enumerate(circuits)
        ]


def compiled(
    circuits: Sequence[QuantumCircuit], backend: QDMIBackend, level: int, seed: int | None
) -> list[QuantumCircuit]:
    seed_transpiler = None if seed is None else seed % 2**32
    manager = backend.pass_manager(level, seed_transpiler=seed_transpiler)
    compiled = []
    for circuit in circuits:
        try:
            compiled.append(manager.run(circuit))
        except TranspilerError as error:
            raise RejectedError(
                f"circuit {circuit.name!r} cannot be compiled for {backend.name}: {error.message}"
            ) from error
    return compiled


@contextmanager
def _waiting(backend: QDMIBackend, label: str) -> Iterator[None]:
    """Show that a job runs, and let Ctrl-C through while it does.

    A simulator may hold Python's lock until it is done, and no handler of ours would run, no
    spinner turn: where nothing is lost that costs, Ctrl-C ends the process outright.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    free = backend.spec.simulator and backend.spec.price is None
    if not free:
        with display.working(f"running on {label}"):
            yield
        return
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _result(job: QDMIJob, backend: QDMIBackend) -> Any:
    try:
        return job.result()
    except KeyboardInterrupt:
        ids = ", ".join(job.device_job_ids) or job.job_id()
        back = f"; come back with: qdmi wait {job.job_id()[:12]}" if job.is_journaled else ""
        click.echo(f"the job goes on at {backend.name} as {ids}{back}", err=True)
        raise


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def print_lines(found: Sequence[Outcome]) -> None:
    """Print one JSON object per circuit, each on a line of its own."""
    for outcome in found:
        document = asdict(outcome)
        if outcome.memory is None:
            del document["memory"]
        display.print_json(document, indent=None)


def print_tables(found: Sequence[Outcome]) -> None:
    """Print a table per circuit."""
    for k, outcome in enumerate(found):
        if k:
            click.echo()
        _print_table(outcome)


def _print_table(outcome: Outcome) -> None:
    kept = "" if outcome.valid_shots == outcome.shots else f", {outcome.valid_shots} of them valid"
    display.heading(f"{outcome.circuit} on {outcome.device}: {outcome.shots} shots{kept}")
    title = " ".join(name for name, _ in reversed(outcome.registers)) or "outcome"
    total = max(sum(outcome.counts.values()), 1)
    most = max(outcome.counts.values(), default=1)
    seen = display.is_terminal()
    rows = [
        [bits, str(number), f"{100 * number / total:.2f} %"]
        + ([display.bar(number / most)] if seen else [])
        for bits, number in outcome.counts.items()
    ]
    rows_seen, _ = display.shortened(rows, _ROWS, everything=not seen)
    columns = [title, "count", "share"] + ([""] if seen else [])
    display.table(columns, rows_seen, right=(0, 1, 2))
    if len(rows_seen) < len(rows):
        click.echo(f"... {len(rows) - len(rows_seen)} more outcomes; --json or a pipe shows all")
    if outcome.memory is not None:
        click.echo()
        display.heading("Shots in order")
        for word in outcome.memory:
            click.echo(word)
    click.echo(f"job {outcome.job_id}")
