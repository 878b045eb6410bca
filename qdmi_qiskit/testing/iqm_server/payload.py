"""The body of a submission: its shape and its types, which the server looks at before it answers.

Source: `PostJobsRequest` in iqm-client 36, and the rule of the OpenAPI document that a client
must not send fields that nobody knows. Arguments of instructions are not looked at here: the
station does that, when the job is accepted already.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from qdmi_qiskit.testing.iqm_server.replies import Refusal

_CHOICES = {
    "heralding_mode": ("none", "zeros"),
    "move_gate_validation": ("strict", "allow_prx", "none"),
    "move_gate_frame_tracking": ("full", "no_detuning_correction", "none"),
    "dd_mode": ("disabled", "enabled"),
}
_OLD_NAMES = {
    "move_validation_mode": "move_gate_validation",
    "move_gate_frame_tracking_mode": "move_gate_frame_tracking",
}
_FIELDS = frozenset(
    {
        "circuits",
        "calibration_set_id",
        "qubit_mapping",
        "shots",
        "max_circuit_duration_over_t2",
        "active_reset_cycles",
        "dd_strategy",
        *_CHOICES,
        *_OLD_NAMES,
    }
)
_CIRCUIT = frozenset({"name", "instructions", "metadata"})
_INSTRUCTION = frozenset({"name", "locus", "args", "implementation"})
_STRATEGY = frozenset(
    {
        "merge_contiguous_waits",
        "target_qubits",
        "skip_leading_wait",
        "skip_trailing_wait",
        "gate_sequences",
    }
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, with nothing checked but its shape."""

    name: str
    locus: tuple[str, ...]
    args: Mapping[str, Any]
    implementation: str | None


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit."""

    name: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """A submission."""

    circuits: tuple[Circuit, ...]
    shots: int
    calibration_set_id: UUID | None
    qubit_mapping: Mapping[str, str] | None
    duration_over_t2: float | None
    active_reset_cycles: int | None
    modes: Mapping[str, str]


def parse(body: bytes) -> Payload:
    """Return what a body says.

    Raises:
        Refusal: It is no submission.
    """
    try:
        content = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "invalid_input", f"the body is not JSON: {error}") from error
    content = _object(content, _FIELDS, "the body")
    circuits = _list(content.get("circuits"), "circuits")
    if not circuits:
        raise _bad("circuits is empty")
    _strategy(content.get("dd_strategy"))
    return Payload(
        tuple(_circuit(each, f"circuits[{k}]") for k, each in enumerate(circuits)),
        _shots(content.get("shots", 1)),
        _identifier(content.get("calibration_set_id")),
        _mapping(content.get("qubit_mapping")),
        _ratio(content.get("max_circuit_duration_over_t2")),
        _whole(content.get("active_reset_cycles"), "active_reset_cycles"),
        _modes(content),
    )


def _bad(message: str) -> Refusal:
    return Refusal(400, "invalid_job_payload", message)


def _object(value: Any, fields: frozenset[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{where} is {type(value).__name__}, wanted an object")
    if unknown := sorted(set(value) - fields):
        raise _bad(f"{where} has unknown fields {', '.join(unknown)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _bad(f"{where} is {type(value).__name__}, wanted a list")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _bad(f"{where} is {type(value).__name__}, wanted a string")
    return value


def _circuit(value: Any, where: str) -> Circuit:
    if isinstance(value, str):
        raise _bad(f"{where} is QIR, which this loopback server cannot execute")
    content = _object(value, _CIRCUIT, where)
    if not isinstance(content.get("metadata"), dict | None):
        raise _bad(f"{where}.metadata is neither an object nor null")
    listed = _list(content.get("instructions"), f"{where}.instructions")
    return Circuit(
        _text(content.get("name"), f"{where}.name"),
        tuple(_instruction(each, f"{where}.instructions[{k}]") for k, each in enumerate(listed)),
    )


def _instruction(value: Any, where: str) -> Instruction:
    content = _object(value, _INSTRUCTION, where)
    locus = _list(content.get("locus"), f"{where}.locus")
    args = content.get("args", {})
    if not isinstance(args, dict):
        raise _bad(f"{where}.args is {type(args).__name__}, wanted an object")
    implementation = content.get("implementation")
    if implementation is not None:
        _text(implementation, f"{where}.implementation")
    return Instruction(
        _text(content.get("name"), f"{where}.name"),
        tuple(_text(each, f"{where}.locus") for each in locus),
        args,
        implementation,
    )


def _shots(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise _bad(f"shots is {value!r}, wanted an integer of at least 1")
    return value


def _whole(value: Any, where: str) -> int | None:
    if value is not None and type(value) is not int:
        raise _bad(f"{where} is {value!r}, wanted an integer or null")
    return value


def _ratio(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
        raise _bad(f"max_circuit_duration_over_t2 is {value!r}, wanted a number or null")
    return float(value)


def _identifier(value: Any) -> UUID | None:
    try:
        return None if value is None else UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise _bad(f"calibration_set_id is {value!r}, wanted a UUID or null") from None


def _mapping(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if isinstance(value, list):
        names = frozenset({"logical_name", "physical_name"})
        pairs = [_object(each, names, "qubit_mapping") for each in value]
        value = {each.get("logical_name"): each.get("physical_name") for each in pairs}
        if len(value) != len(pairs):
            raise _bad("qubit_mapping names a logical qubit twice")
    if not isinstance(value, dict):
        raise _bad("qubit_mapping is neither a list nor null")
    found = {_text(k, "logical_name"): _text(v, "physical_name") for k, v in value.items()}
    if len(set(found.values())) != len(found):
        raise _bad("qubit_mapping maps two logical qubits to one physical qubit")
    return found


def _strategy(value: Any) -> None:
    if value is None:
        return
    content = _object(value, _STRATEGY, "dd_strategy")
    for each in _list(content.get("gate_sequences", []), "dd_strategy.gate_sequences"):
        if (
            not isinstance(each, list)
            or len(each) != 3
            or each[2] not in ("asap", "center", "alap")
        ):
            raise _bad(f"dd_strategy.gate_sequences has {each!r}, wanted [ratio, pattern, align]")


def _modes(content: Mapping[str, Any]) -> dict[str, str]:
    given = dict(content)
    for old, new in _OLD_NAMES.items():
        if old in given:
            given.setdefault(new, given[old])
            if given[old] != given[new]:
                raise _bad(f"{old} and {new} differ")
    found = {}
    for name, choices in _CHOICES.items():
        found[name] = given.get(name, choices[0])
        if found[name] not in choices:
            raise _bad(f"{name} is {found[name]!r}, wanted one of {', '.join(choices)}")
    return found
