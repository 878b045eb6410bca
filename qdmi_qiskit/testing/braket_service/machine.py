"""One task on the machine: every executable, and how the task ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from qdmi_qiskit.testing.braket_service.checks import Work
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.faults import Ending
from qdmi_qiskit.testing.braket_service.results import Facts, Files, program_set, single
from qdmi_qiskit.testing.braket_service.simulate import Outcome, execute


@dataclass(frozen=True, slots=True)
class End:
    """How a task ends, and what it leaves."""

    state: str
    reason: str | None = None
    files: Files = field(default_factory=dict)
    good_shots: int = 0


def run(
    device: Device,
    facts: Facts,
    work: Work,
    request: dict[str, Any],
    ending: Ending | None,
    place: tuple[str, str],
    seed: tuple[Any, ...],
) -> End:
    """Execute a task.

    Args:
        device: Where.
        facts: What results repeat.
        work: What.
        request: As it was sent.
        ending: How the task is to end, if not well.
        place: Bucket and directory of the results.
        seed: What makes this execution differ from others.
    """
    if ending is not None and ending.executables is None:
        return End(ending.status, ending.reason)
    if request.get("deviceParameters"):
        facts = replace(facts, parameters=json.loads(request["deviceParameters"]))
    outcomes: list[list[Outcome | Ending]] = []
    number = 0
    for program, rows in zip(work.programs, work.rows, strict=True):
        outcomes.append([])
        for row in rows:
            if ending is not None and number in (ending.executables or ()):
                outcomes[-1].append(ending)
            else:
                outcomes[-1].append(_one(device, program["source"], row, work.shots, seed, number))
            number += 1
    failed = [each for row in outcomes for each in row if isinstance(each, Ending)]
    if not work.program_set:
        outcome = outcomes[0][0]
        if isinstance(outcome, Ending):
            return End("FAILED", outcome.reason)
        files = single(device, facts, work.programs[0], outcome)
        return End("COMPLETED", None, files, work.shots)
    status = ending.status if ending is not None else "COMPLETED"
    if len(failed) == number:
        status = "FAILED"
    facts = replace(facts, status=status)
    files = program_set(device, facts, work.programs, outcomes, place)
    reason = failed[0].reason if status != "COMPLETED" and failed else None
    return End(status, reason, files, work.shots * (number - len(failed)))


def _one(
    device: Device,
    source: str,
    row: dict[str, float],
    shots: int,
    seed: tuple[Any, ...],
    number: int,
) -> Outcome | Ending:
    """Execute one executable; what the simulator refuses is a failure of the device."""
    try:
        return execute(source, row, shots, density=device.density, seed=(*seed, number))
    except Exception as error:  # noqa: BLE001 - whatever a simulator says about foreign text
        return Ending("FAILED", f"{type(error).__name__}: {error}", category="COMPILATION")
