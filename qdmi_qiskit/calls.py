"""One call of `backend.run`: what it may say, what it sends, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from qdmi_qiskit.checks import checked_seed, checked_shots
from qdmi_qiskit.errors import ConfigError, JournalError, RejectedError, did_you_mean
from qdmi_qiskit.isa import IsaChecker, writes_bits
from qdmi_qiskit.job import QDMIJob
from qdmi_qiskit.journal import Ledger
from qdmi_qiskit.plan import Request
from qdmi_qiskit.results import result_from
from qdmi_qiskit.run import Run, seeds, start
from qdmi_qiskit.saved import call_loaded, circuits_loaded

if TYPE_CHECKING:
    from qiskit.result import Result

    from qdmi_qiskit.device import Session
    from qdmi_qiskit.model import DeviceSpec, Shots

OPTIONS = ("shots", "seed", "memory")
# What mthree and qiskit-experiments say to every backend, and what is so here anyway.
_ANYWAY = {"rep_delay": None, "meas_level": 2}


def options_from(defaults: Options, extra: dict[str, Any], **given: Any) -> dict[str, Any]:
    """Return the value of each of `OPTIONS`.

    Args:
        defaults: The backend's.
        extra: What else the call said; `seed_simulator` means `seed`.
        given: The call's own, None where it said nothing.

    Raises:
        ConfigError: A name is unknown, or a value is wrong.
    """
    if "seed_simulator" in extra:
        synonym = extra.pop("seed_simulator")
        given["seed"] = synonym if given["seed"] is None else given["seed"]
    for name, value in extra.items():
        if name in _ANYWAY and value == _ANYWAY[name]:
            continue
        raise ConfigError(
            f"backend.run() has no option {name!r}{did_you_mean(name, OPTIONS)} (what "
            "belongs to the device goes into get_backend(name, ...) or its profile)"
        )
    chosen = {
        name: getattr(defaults, name) if value is None else value for name, value in given.items()
    }
    chosen["shots"] = checked_shots(chosen["shots"])
    chosen["seed"] = checked_seed(chosen["seed"])
    return chosen


def circuits_from(given: Any) -> list[QuantumCircuit]:
    """Return the circuits of a call, be they one or several.

    Raises:
        ConfigError: There is none, or something else is among them.
    """
    circuits = [given] if isinstance(given, QuantumCircuit) else list(given)
    if not circuits:
        raise ConfigError("backend.run() got an empty list: give it at least one circuit")
    for circuit in circuits:
        if not isinstance(circuit, QuantumCircuit):
            raise ConfigError(
                f"backend.run() got a {type(circuit).__name__}, wanted a QuantumCircuit or a list "
                "of them"
            )
    return circuits


def check(circuit: QuantumCircuit, isa: IsaChecker) -> None:
    """Refuse what the device could not run.

    Raises:
        RejectedError: The circuit is not ISA, has free parameters or measures nothing.
    """
    if circuit.num_parameters:
        names = ", ".join(parameter.name for parameter in circuit.parameters)
        raise RejectedError(
            f"circuit {circuit.name!r} has unbound parameters: {names}. Bind them with "
            "circuit.assign_parameters(values), or give the values to SamplerV2(backend)"
            ".run([(circuit, values)])"
        )
    isa.check(circuit)
    if not writes_bits(circuit):
        raise RejectedError(
            f"circuit {circuit.name!r} measures nothing, so its result would be empty: add "
            "circuit.measure_all() before transpiling"
        )


def begun(
    session: Session,
    spec: DeviceSpec,
    circuits: Sequence[QuantumCircuit],
    chosen: Mapping[str, Any],
    ledger: Ledger | None,
) -> tuple[Run, Callable[..., Result]]:
    """Send the circuits; return the run, and what makes Qiskit's result of its outcome."""
    shots, seed, memory = (chosen[name] for name in OPTIONS)
    run = start(
        session,
        spec,
        [Request(c, np.empty((1, 0)), shots, c.num_clbits) for c in circuits],
        seeds=None if seed is None else seeds(seed),
        stage=None if ledger is None else ledger.stage(0, last=True),
    )
    return run, partial(_result, run, circuits=circuits, memory=memory, seed=seed)


def restored(ledger: Ledger, opened: Callable[[Ledger], BackendV2]) -> QDMIJob:
    """Return the job of a run in the journal.

    Args:
        ledger: Its page.
        opened: Returns its backend, for a page that is to be looked at or gone on with.

    Raises:
        JournalError: The record is damaged.
    """
    chosen, _ = call_loaded(ledger.inputs.call)
    circuits = circuits_loaded(ledger.inputs.circuits)
    if set(chosen) != set(OPTIONS):
        raise JournalError(f"the record of run {ledger.id} is damaged: its options are {chosen}")

    def begin(page: Ledger | None) -> tuple[Run, Callable[..., Result]]:
        assert page is not None  # noqa: S101 - it is where the run comes from
        backend: Any = opened(page)
        return begun(backend.session, backend.spec, circuits, chosen, page)

    return QDMIJob(opened(ledger), begin, ledger)


def _result(
    run: Run,
    outcomes: Sequence[Shots],
    *,
    circuits: Sequence[QuantumCircuit],
    memory: bool,
    seed: int | None,
) -> Result:
    return result_from(
        circuits,
        outcomes,
        spec=run.spec,
        job_id=run.key,
        memory=memory,
        seed=seed,
        device_jobs=run.device_jobs,
    )
