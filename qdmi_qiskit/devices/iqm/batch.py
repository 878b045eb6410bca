"""From tasks to the circuits of a submission: pure, and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qdmi_qiskit.devices.iqm.outcome import Reading
from qdmi_qiskit.devices.iqm.program import IQMProgram
from qdmi_qiskit.errors import ProtocolError, RejectedError
from qdmi_qiskit.model import DeviceSpec, Task


@dataclass(frozen=True)
class Batch:
    """What is sent.

    Attributes:
        circuits: JSON, in the order of tasks and their points.
        shots: Of every circuit.
        calibration_set: For which they were encoded.
        readings: How to read the outcome of each task.
    """

    circuits: tuple[str, ...]
    shots: int
    calibration_set: str
    readings: tuple[Reading, ...]


def batch_of(tasks: Sequence[Task], spec: DeviceSpec) -> Batch:
    """Bind the parameters of tasks, and see that they fit a job.

    Raises:
        ProtocolError: They break the device's limits, which the planner should know.
        RejectedError: Something else than the device's own programs, or of two calibration sets.
    """
    programs = _checked(tasks, spec)
    sets = {program.calibration_set for program in programs}
    if len(sets) > 1:
        raise RejectedError(
            "the device was refreshed while circuits were being prepared, so they belong to "
            "different calibration sets: run them again"
        )
    pairs = list(zip(tasks, programs, strict=True))
    return Batch(
        tuple(
            circuit
            for number, (task, program) in enumerate(pairs)
            for circuit in program.circuits(task.values, number)
        ),
        tasks[0].shots,
        sets.pop(),
        readings_of(tasks),
    )


def readings_of(tasks: Sequence[Task]) -> tuple[Reading, ...]:
    """Return how the outcome of each task is read."""
    return tuple(
        Reading(task.program.payload.columns, task.program.num_bits, task.points, task.shots)
        for task in tasks
    )


def _checked(tasks: Sequence[Task], spec: DeviceSpec) -> list[IQMProgram]:
    if not tasks:
        raise ProtocolError("no tasks: the planner sent an empty job")
    shots = {task.shots for task in tasks}
    if len(shots) > 1:
        raise ProtocolError("IQM takes one number of shots per job; the planner sent several")
    number, caps = sum(task.points for task in tasks), spec.capabilities
    for what, got, most in (
        ("circuits", number, caps.max_executables),
        ("shots", max(shots), caps.max_shots),
        ("circuits x shots", number * max(shots), caps.max_total_shots),
    ):
        if most is not None and got > most:
            raise ProtocolError(f"{spec.name} takes at most {most} {what} per job, got {got}")
    programs = []
    for task in tasks:
        program = task.program.payload
        if not isinstance(program, IQMProgram):
            kind = type(program).__name__
            raise RejectedError(f"IQM takes programs of its own encoder, not a {kind}")
        if not program.columns:
            raise RejectedError("a program without measurements: nothing would come back")
        width = len(program.slots.atoms.parameters)
        if task.values.shape != (task.points, width):
            raise ProtocolError(f"values of shape {task.values.shape} for {width} parameters")
        programs.append(program)
    return programs
