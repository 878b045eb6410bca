"""What the station makes of an accepted submission: physical operations, or a failed job.

Source: `iqm.iqm_client.validation` and `iqm.cpc.compiler.standard_stages` in iqm-client 36.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qdmi_qiskit.model import Figures
from qdmi_qiskit.testing.iqm_server.calibration import SYMMETRIC, Calibration
from qdmi_qiskit.testing.iqm_server.chips import Locus
from qdmi_qiskit.testing.iqm_server.moves import check_moves
from qdmi_qiskit.testing.iqm_server.payload import Circuit, Instruction, Payload
from qdmi_qiskit.testing.iqm_server.replies import JobError

# Operation -> (number of components or None for any, wanted arguments, optional arguments)
OPERATIONS: Mapping[str, tuple[int | None, Mapping[str, type], frozenset[str]]] = {
    "prx": (1, {"angle": float, "phase": float}, frozenset()),
    "cz": (2, {}, frozenset()),
    "move": (2, {}, frozenset()),
    "measure": (None, {"key": str, "feedback_key": str}, frozenset({"feedback_key"})),
    "cc_prx": (
        1,
        {"angle": float, "phase": float, "feedback_qubit": str, "feedback_key": str},
        frozenset(),
    ),
    "reset": (None, {}, frozenset()),
    "barrier": (None, {}, frozenset()),
    "delay": (None, {"duration": float}, frozenset()),
}
_FREE = frozenset({"barrier", "delay"})
# Gates that may act on several components at once, as if on each.
_FACTORS = {"measure": "measure", "reset": "cc_prx"}
_RESERVED = frozenset({"__HERALD", "__ONLY_PROBE", "__ADDITIONAL_SUBSCRIPTION"})
RESET_TIME = 1.5e-6
DEFAULT_RATIO = 3.0


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on physical components.

    Attributes:
        name: A key of `OPERATIONS`.
        locus: Physical names, as the client ordered them.
        args: Its arguments.
        figures: What is known about it; for several components at once the slowest.
        implementation: The one that is used.
    """

    name: str
    locus: Locus
    args: Mapping[str, Any]
    figures: Figures
    implementation: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A circuit that the station accepts."""

    name: str
    steps: tuple[Step, ...]
    duration: float

    @property
    def components(self) -> tuple[str, ...]:
        """Components in use, in order of appearance."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.locus))

    @property
    def measures(self) -> tuple[Step, ...]:
        """Measurements in program order."""
        return tuple(step for step in self.steps if step.name == "measure")


def compiled(payload: Payload, calibration: Calibration) -> list[Compiled]:
    """Return the circuits as the station executes them.

    Raises:
        JobError: One of them cannot be executed, so none is.
    """
    modes = payload.modes
    if modes["move_gate_validation"] == "none" and modes["move_gate_frame_tracking"] == "full":
        raise JobError(
            "circuit_error",
            "Full MOVE gate frame tracking requires MOVE gate validation to be turned on.",
        )
    found = []
    for index, circuit in enumerate(payload.circuits):
        try:
            found.append(_circuit(circuit, payload, calibration))
        except JobError as error:
            raise JobError(error.code, f"Circuit {index}: {error}") from error
    return found


def _circuit(circuit: Circuit, payload: Payload, calibration: Calibration) -> Compiled:
    steps = tuple(
        _step(_physical(instruction, payload.qubit_mapping), calibration)
        for instruction in circuit.instructions
    )
    _check_keys(steps)
    check_moves(
        [(step.name, step.locus) for step in steps],
        calibration.chip.resonators,
        payload.modes["move_gate_validation"],
    )
    result = Compiled(circuit.name, steps, _duration(steps))
    ratio = DEFAULT_RATIO if payload.duration_over_t2 is None else payload.duration_over_t2
    times = [calibration.sites[name].t2 or math.inf for name in result.components]
    limit = ratio * min(times, default=math.inf)
    if ratio and result.duration > limit:
        raise JobError(
            "circuit_error",
            f"{circuit.name!r} takes {result.duration:.3e} s, more than {limit:.3e} s "
            f"({ratio:g} of the worst T2)",
        )
    return result


def _physical(instruction: Instruction, mapping: Mapping[str, str] | None) -> Instruction:
    if not mapping:
        return instruction
    args = dict(instruction.args)
    names = [*instruction.locus, *([args["feedback_qubit"]] if "feedback_qubit" in args else [])]
    for name in names:
        if name not in mapping:
            raise JobError(
                "circuit_error", f"Logical qubit {name!r} does not map to a physical qubit."
            )
    if "feedback_qubit" in args:
        args["feedback_qubit"] = mapping[args["feedback_qubit"]]
    return replace(instruction, locus=tuple(mapping[name] for name in instruction.locus), args=args)


def _step(given: Instruction, calibration: Calibration) -> Step:
    if given.name not in OPERATIONS:
        raise JobError("circuit_error", f"Unknown quantum operation {given.name!r}.")
    size, wanted, optional = OPERATIONS[given.name]
    _check_arguments(given, wanted, optional)
    locus = given.locus
    if not locus or (size is not None and len(locus) != size) or len(set(locus)) != len(locus):
        raise JobError(
            "circuit_error", f"{given.name} on {locus}: wanted {size or 'some'} distinct components"
        )
    if unknown := [name for name in locus if name not in calibration.sites]:
        known = unknown[0] in calibration.chip.components
        why = "is not calibrated" if known else "does not exist on the QPU"
        raise JobError("circuit_error", f"{given.name}: Component {unknown[0]} {why}.")
    if given.name in _FREE:
        return Step(given.name, locus, given.args, Figures(given.args.get("duration", 0.0)))
    if given.name in _FACTORS:
        return _several(given, calibration)
    stored = calibration.stored(given.name, locus, given.implementation)
    if stored is None:
        raise _not_allowed(given)
    figures = calibration.figure(given.name, stored, given.implementation)
    name = given.implementation or calibration.gates[given.name].default_at(stored)
    return Step(given.name, locus, given.args, figures, name)


def _several(given: Instruction, calibration: Calibration) -> Step:
    gate = _FACTORS[given.name]
    own = given.implementation if given.name == gate else None
    for name in given.locus:
        if calibration.stored(gate, (name,), own) is None:
            raise _not_allowed(given)
    if given.name == "reset":
        return Step("reset", given.locus, given.args, Figures(RESET_TIME))
    each = [calibration.figure(gate, (name,), own) for name in given.locus]
    longest = max(figures.duration or 0.0 for figures in each)
    return Step("measure", given.locus, given.args, Figures(longest))


def _not_allowed(given: Instruction) -> JobError:
    name = given.name if given.implementation is None else f"{given.name}.{given.implementation}"
    either = " either way" if given.name in SYMMETRIC else ""
    return JobError("circuit_error", f"{given.locus} is not allowed as locus for {name!r}{either}")


def _check_arguments(
    given: Instruction, wanted: Mapping[str, type], optional: frozenset[str]
) -> None:
    if unknown := sorted(set(given.args) - set(wanted)):
        raise JobError("circuit_error", f"{given.name}: unknown argument {unknown[0]!r}")
    for name, kind in wanted.items():
        if name not in given.args:
            if name in optional:
                continue
            raise JobError("circuit_error", f"{given.name}: argument {name!r} is missing")
        value = given.args[name]
        if value is None and name in optional:
            continue
        if type(value) is not kind:
            raise JobError(
                "circuit_error",
                f"{given.name}: argument {name!r} should be {kind.__name__}, is {value!r}",
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise JobError("circuit_error", f"{given.name}: argument {name!r} is {value!r}")
    if given.args.get("duration", 0.0) < 0:
        raise JobError("circuit_error", "delay: a negative duration")


def _check_keys(steps: Sequence[Step]) -> None:
    keys: set[str] = set()
    feedback: set[tuple[str, str]] = set()
    for step in steps:
        if step.name == "measure":
            key = step.args["key"]
            if key in keys:
                raise JobError("circuit_error", f"measurement key {key!r} is not unique")
            if key in _RESERVED:
                raise JobError("circuit_error", f"measurement key {key!r} is reserved")
            keys.add(key)
            signal = step.args.get("feedback_key")
            if signal is not None:
                feedback |= {(signal, name) for name in step.locus}
        elif step.name == "cc_prx":
            source = (step.args["feedback_key"], step.args["feedback_qubit"])
            if source not in feedback:
                raise JobError(
                    "circuit_error",
                    f"cc_prx waits for feedback key {source[0]!r} of {source[1]}, which no "
                    "earlier measurement gives",
                )


def _duration(steps: Sequence[Step]) -> float:
    """Return how long a circuit takes if everything starts as soon as it can, in seconds."""
    ready: dict[str, float] = {}
    for step in steps:
        start = max((ready.get(name, 0.0) for name in step.locus), default=0.0)
        for name in step.locus:
            ready[name] = start + (step.figures.duration or 0.0)
    return max(ready.values(), default=0.0)
