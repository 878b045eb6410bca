"""What `CreateQuantumTask` accepts: shots, limits, programs, parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdmi_qiskit.testing.braket_service.dialect import read
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.documents.parts import PROGRAM_SET
from qdmi_qiskit.testing.braket_service.errors import invalid
from qdmi_qiskit.testing.braket_service.rules import Rules

_LENGTHS = {
    "clientToken": (1, 64),
    "deviceArn": (1, 256),
    "deviceParameters": (1, 48_000),
    "outputS3Bucket": (3, 63),
    "outputS3KeyPrefix": (1, 1024),
    "action": (1, 4_000_000),
}
_REQUIRED = (
    "clientToken", "deviceArn", "shots", "outputS3Bucket", "outputS3KeyPrefix", "action",
)  # fmt: skip
_FAMILIES = {"IonQ": "ionq", "Rigetti": "rigetti", "IQM": "iqm"}
Inputs = dict[str, float]


@dataclass(frozen=True, slots=True)
class Work:
    """What an accepted task executes.

    Attributes:
        programs: As they were sent.
        rows: Inputs of each executable, per program.
        shots: Per executable.
    """

    programs: list[dict[str, Any]]
    rows: list[list[Inputs]]
    shots: int
    program_set: bool

    @property
    def executables(self) -> int:
        return sum(len(rows) for rows in self.rows)


def shape(request: Mapping[str, Any]) -> None:
    """Check that members are there and of the right type and length.

    Raises:
        ServiceError: `ValidationException`.
    """
    for name in _REQUIRED:
        if request.get(name) is None:
            raise invalid(f"{name} is required")
    for name, (least, most) in _LENGTHS.items():
        text = request.get(name)
        if text is not None and not (isinstance(text, str) and least <= len(text) <= most):
            raise invalid(f"{name} must be text of {least} to {most} characters")
    if not isinstance(request["shots"], int) or request["shots"] < 0:
        raise invalid("shots must be an integer, 0 or more")
    tags = request.get("tags") or {}
    if len(tags) > 50 or any(len(k) > 128 or len(v) > 256 for k, v in tags.items()):
        raise invalid("at most 50 tags; keys of at most 128, values of at most 256 characters")
    associations = request.get("associations") or []
    if len(associations) > 1:
        raise invalid("at most one association")
    for each in associations:
        if each.get("type") != "RESERVATION_TIME_WINDOW_ARN" or ":reservation/" not in each["arn"]:
            raise invalid("an association must be the ARN of a reservation")
    if (request.get("experimentalCapabilities") or {}).get("enabled", "NONE") not in _ENABLED:
        raise invalid("experimentalCapabilities.enabled must be ALL or NONE")


_ENABLED = ("ALL", "NONE")


def work(request: Mapping[str, Any], device: Device) -> Work:
    """Check a request against a device and return what it asks for.

    Raises:
        ServiceError: `ValidationException`, with the reason.
    """
    action = _json(request["action"], "action")
    name = (action.get("braketSchemaHeader") or {}).get("name")
    known = device.document["action"]
    if name not in known:
        raise invalid(f"action {name} is not supported by {device.name}; it has {', '.join(known)}")
    version = str(action["braketSchemaHeader"].get("version"))
    if version not in known[name]["version"]:
        raise invalid(f"version {version} of {name} is not supported")
    found = _program_set(action, request) if name == PROGRAM_SET else _single(action, request)
    if found.program_set:
        _limits(found, request["shots"], known[PROGRAM_SET])
    _shots(found.shots, request, device)
    _parameters(request, device)
    _programs(found, request, device)
    return found


def _single(action: dict[str, Any], request: Mapping[str, Any]) -> Work:
    """Return one program."""
    if not isinstance(action.get("source"), str):
        raise invalid("the program has no source")
    inputs = action.get("inputs") or {}
    if any(not isinstance(each, int | float) for each in inputs.values()):
        raise invalid("inputs of a single program must be numbers")
    return Work([action], [[inputs]], request["shots"], program_set=False)


def _program_set(action: dict[str, Any], request: Mapping[str, Any]) -> Work:
    """Return a program set."""
    programs = action.get("programs") or []
    if not programs:
        raise invalid("a program set needs programs")
    rows = []
    for i, program in enumerate(programs):
        inputs = program.get("inputs") or {}
        if any(not isinstance(column, list) for column in inputs.values()):
            raise _set_failure(i, None, "inputs of a program set must be lists")
        if len({len(column) for column in inputs.values()}) > 1:
            raise _set_failure(i, None, "inputs of a program must have the same length")
        table = list(zip(*inputs.values(), strict=True)) if inputs else [()]
        rows.append([dict(zip(inputs, row, strict=True)) for row in table])
    count = sum(map(len, rows))
    if not count:
        raise invalid("a program set needs executables")
    if request["shots"] % count:
        raise invalid(f"{request['shots']} shots cannot be divided among {count} executables")
    return Work(programs, rows, request["shots"] // count, program_set=True)


def _limits(found: Work, shots: int, limits: Mapping[str, Any]) -> None:
    """Check the limits of a program set."""
    if found.executables > limits["maximumExecutables"]:
        raise invalid(
            f"{found.executables} executables; at most {limits['maximumExecutables']} are allowed"
        )
    if shots > limits["maximumTotalShots"]:
        raise invalid(f"{shots} shots in total; at most {limits['maximumTotalShots']} are allowed")
    least = limits.get("minimumTotalShots") or 1
    if shots < least:
        raise invalid(f"{shots} shots in total; at least {least} are needed")


def _shots(shots: int, request: Mapping[str, Any], device: Device) -> None:
    """Check the shots of one executable."""
    block = device.document["service"]
    least, most = block["shotsRange"]
    if request.get("associations") and block.get("reservationShotsRange"):
        least, most = block["reservationShotsRange"]
    if not least <= shots <= most:
        raise invalid(f"{shots} shots per executable; {device.name} takes {least} to {most}")


def _parameters(request: Mapping[str, Any], device: Device) -> None:
    """Check device parameters: their schema, rewiring, error mitigation."""
    if request.get("deviceParameters") is None:
        return
    found = _json(request["deviceParameters"], "deviceParameters")
    family = _FAMILIES.get(device.provider)
    # The SDK sends the parameters of a simulator to devices that it has no class for.
    schemas = {"braket.device_schema.simulators.gate_model_simulator_device_parameters"}
    if family is not None:
        schemas.add(f"braket.device_schema.{family}.{family}_device_parameters")
    name = (found.get("braketSchemaHeader") or {}).get("name")
    if name is not None and name not in schemas:
        raise invalid(f"device parameters {name} are not those of {device.name}")
    paradigm = found.get("paradigmParameters") or {}
    rewiring = paradigm.get("disableQubitRewiring")
    if rewiring and device.qpu and not device.action["disabledQubitRewiringSupported"]:
        raise invalid("disableQubitRewiring is not supported by the device: use a verbatim box")
    schemes = device.document.get("provider", {}).get("errorMitigation", {})
    for each in found.get("errorMitigation") or ():
        if each.get("type") not in schemes:
            raise invalid(f"error mitigation {each.get('type')} is not supported by {device.name}")
        if request["shots"] < schemes[each["type"]]["minimumShots"]:
            least = schemes[each["type"]]["minimumShots"]
            raise invalid(f"error mitigation needs at least {least} shots")


def _programs(found: Work, request: Mapping[str, Any], device: Device) -> None:
    """Read every program; the first error of a single one, all errors of a set."""
    rules = Rules.of(device)
    experimental = (request.get("experimentalCapabilities") or {}).get("enabled") == "ALL"
    failures: list[dict[str, Any]] = []
    for i, (program, rows) in enumerate(zip(found.programs, found.rows, strict=True)):
        reading = read(program["source"], rules, experimental)
        if reading.errors:
            failures.append({"programIndex": i, "errors": reading.errors})
            continue
        if errors := _result_types(reading.results, found.shots, device):
            failures.append({"programIndex": i, "errors": errors})
        for j, row in enumerate(rows):
            if errors := reading.with_inputs(row):
                failures.append({"programIndex": i, "inputsIndex": j, "errors": errors})
    if not failures:
        return
    if found.program_set:
        raise invalid(
            "validation of the program set failed",
            reason="ProgramSetValidationFailed",
            programSetValidationFailures=failures,
        )
    raise invalid("; ".join(failures[0]["errors"]))


def _result_types(asked: list[str], shots: int, device: Device) -> list[str]:
    """Return what is wrong with result types: each has its range of shots."""
    if not shots and not asked:
        return ["a task without shots needs result types"]
    ranges = {
        each["name"].lower(): (each["minShots"], each["maxShots"])
        for each in device.action["supportedResultTypes"]
    }
    wrong = []
    for name in asked:
        least, most = ranges.get(name.replace("_", ""), (0, shots))
        if not least <= shots <= most:
            wrong.append(f"the result type {name} takes {least} to {most} shots, not {shots}")
    return wrong


def _set_failure(program: int, row: int | None, words: str) -> Exception:
    """Return the error for one part of a program set."""
    failure: dict[str, Any] = {"programIndex": program, "errors": [words]}
    if row is not None:
        failure["inputsIndex"] = row
    return invalid(
        words, reason="ProgramSetValidationFailed", programSetValidationFailures=[failure]
    )


def _json(text: str, what: str) -> dict[str, Any]:
    """Return an object from text."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise invalid(f"{what} is no JSON") from error
    if not isinstance(found, dict):
        raise invalid(f"{what} must be an object")
    return found
