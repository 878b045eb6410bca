"""From tasks to the request that CreateQuantumTask takes, and what it will cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qdmi_qiskit.devices.braket.capability import PROGRAM, PROGRAM_SET
from qdmi_qiskit.devices.braket.figures import number
from qdmi_qiskit.devices.braket.source import Source, continued
from qdmi_qiskit.errors import ProtocolError, RejectedError
from qdmi_qiskit.model import Capabilities, Price, Task

_TOKEN_LENGTH = 64
_DEBIAS = "braket.device_schema.error_mitigation.debias.Debias"


def token(key: str) -> str:
    """Return the client token of a key: the key itself where it is short enough."""
    if 0 < len(key) <= _TOKEN_LENGTH:
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def checked(tasks: Sequence[Task], limits: Capabilities) -> tuple[list[Source], int]:
    """Return the programs of one job and its number of executables.

    Raises:
        ProtocolError: The planner broke a limit.
        RejectedError: A program is none of ours.
    """
    executables = sum(task.points for task in tasks)
    if not executables:
        raise ProtocolError("no tasks: the planner sent an empty job")
    shots = {task.shots for task in tasks}
    if len(shots) > 1:
        raise ProtocolError("Braket takes one number of shots per task; the planner sent several")
    each = shots.pop()
    most, total = limits.max_executables or executables, limits.max_total_shots
    if executables > most:
        raise ProtocolError(f"{executables} executables in one task; the device takes {most}")
    if each < limits.min_shots or each > (limits.max_shots or each):
        raise ProtocolError(
            f"{each} shots; the device takes {limits.min_shots} to {limits.max_shots}"
        )
    if executables > 1 and each * executables > (total or each * executables):
        raise ProtocolError(f"{each * executables} shots in one task; the device takes {total}")
    sources = [_source(task) for task in tasks]
    return sources, executables


def check_total(executables: int, shots: int, offered: Mapping[str, Any]) -> None:
    """Refuse a program set of fewer shots than the device's document wants in all.

    Raises:
        RejectedError: It is one.
    """
    least = number(offered.get("minimumTotalShots")) or 0
    if executables > 1 and executables * shots < least:
        raise RejectedError(
            f"{executables * shots} shots in a program set; the device takes no fewer than "
            f"{int(least)}: ask for at least {-int(-least // executables)} for each circuit, or "
            "open the device with program_sets=False"
        )


def _source(task: Task) -> Source:
    source = task.program.payload
    if not isinstance(source, Source) or not source.text:
        raise RejectedError("this is no program that was written for Braket")
    if max(source.columns, default=-1) < 0:
        raise RejectedError(
            "the program measures nothing, so there is no outcome to pay for: add "
            "circuit.measure_all()"
        )
    if task.values.shape[1:] != (len(source.parameters),):
        raise ProtocolError(
            f"values of shape {task.values.shape} for a program of {len(source.parameters)} "
            "parameters"
        )
    return source


def action_of(tasks: Sequence[Task], sources: Sequence[Source]) -> str:
    """Return the action: a program where one executable is all, else a program set."""
    if len(tasks) == 1 and tasks[0].points == 1:
        inputs = sources[0].input_values(tasks[0].values)
        return json.dumps(_program(sources[0].text, {name: row[0] for name, row in inputs.items()}))
    programs = [
        program
        for task, source in zip(tasks, sources, strict=True)
        for program in _programs(task, source)
    ]
    header = {"name": PROGRAM_SET, "version": "1"}
    return json.dumps({"braketSchemaHeader": header, "programs": programs})


def _programs(task: Task, source: Source) -> Iterator[dict[str, Any]]:
    """Yield one program with its rows of inputs, or, where it has none, one for each point."""
    if source.inputs:
        yield _program(source.text, source.input_values(task.values))
        return
    yield _program(source.text, {})
    for _ in range(task.points - 1):
        yield _program(continued(source.text), {})


def _program(text: str, inputs: dict[str, Any]) -> dict[str, Any]:
    header = {"name": PROGRAM, "version": "1"}
    program: dict[str, Any] = {"braketSchemaHeader": header, "source": text}
    return program | {"inputs": inputs} if inputs else program


def debiased(qubits: int) -> dict[str, Any]:
    """Return the device parameters that ask IonQ to mitigate errors."""
    schema = "braket.device_schema"
    return {
        "braketSchemaHeader": {"name": f"{schema}.ionq.ionq_device_parameters", "version": "1"},
        "paradigmParameters": {
            "braketSchemaHeader": {"name": f"{schema}.gate_model_parameters", "version": "1"},
            "qubitCount": qubits,
        },
        "errorMitigation": [{"type": _DEBIAS}],
    }


def cost(price: Price, shots: int) -> float:
    """Return what a task will cost, in the price's currency; a program set is one task."""
    return price.per_task + price.per_shot * shots
