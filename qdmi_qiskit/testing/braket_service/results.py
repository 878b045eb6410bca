"""Result files in the real schema, from outcomes.

Source: amazon-braket-schemas 1.32, `braket.task_result`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.testing.braket_service.documents.parts import Device, header
from qdmi_qiskit.testing.braket_service.faults import Ending
from qdmi_qiskit.testing.braket_service.simulate import Outcome

PLACE = "braket.task_result"
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Facts:
    """What every result repeats of its task. Times are ISO 8601 in 24 characters."""

    arn: str
    shots: int
    parameters: dict[str, Any] | None
    created: str
    ended: str
    status: str


def single(device: Device, facts: Facts, action: dict[str, Any], outcome: Outcome) -> Files:
    """Return the file of a task with one program."""
    parts = {
        "braketSchemaHeader": _text(header(f"{PLACE}.gate_model_task_result")),
        **_measured(device, outcome),
        "resultTypes": _text(outcome.values),
        "taskMetadata": _text(
            {
                "braketSchemaHeader": header(f"{PLACE}.task_metadata"),
                "id": facts.arn,
                "shots": facts.shots,
                "deviceId": device.arn,
                "deviceParameters": facts.parameters,
                "createdAt": facts.created,
                "endedAt": facts.ended,
                "status": facts.status,
            }
        ),
        "additionalMetadata": _text(_metadata(device, action, outcome, facts.parameters)),
    }
    return {"results.json": _joined(parts)}


def program_set(
    device: Device,
    facts: Facts,
    programs: Sequence[dict[str, Any]],
    outcomes: Sequence[Sequence[Outcome | Ending]],
    place: tuple[str, str],
) -> Files:
    """Return the files of a program set.

    Args:
        device: The device.
        facts: Of the task.
        programs: Sources and inputs, as they were sent.
        outcomes: Per program and executable; an `Ending` for one that failed.
        place: Bucket and directory.
    """
    files: Files = {}
    failed = good = 0
    metadata = []
    for i, (program, row) in enumerate(zip(programs, outcomes, strict=True)):
        names = [f"executables/{j}.json" for j in range(len(row))]
        for j, outcome in enumerate(row):
            files[f"programs/{i}/{names[j]}"] = _executable(device, j, outcome)
        failed += sum(isinstance(each, Ending) for each in row)
        good += sum(
            len(each.rows) for each in row if not isinstance(each, Ending) and each.rows is not None
        )
        metadata.append(
            {"executables": [_failure(e) if isinstance(e, Ending) else {} for e in row]}
        )
        files[f"programs/{i}/program.json"] = _text(program)
        files[f"programs/{i}/results.json"] = _text(
            {
                "braketSchemaHeader": header(f"{PLACE}.program_result"),
                "executableResults": names,
                "source": "program.json",
                "additionalMetadata": {},
            }
        )
    files["metadata.json"] = _text(
        {
            "braketSchemaHeader": header(f"{PLACE}.program_set_task_metadata"),
            "id": facts.arn,
            "deviceId": device.arn,
            "requestedShots": facts.shots,
            "successfulShots": good,
            "programMetadata": metadata,
            "deviceParameters": facts.parameters,
            "createdAt": facts.created,
            "endedAt": facts.ended,
            "status": facts.status,
            "totalFailedExecutables": failed,
        }
    )
    files["results.json"] = _text(
        {
            "braketSchemaHeader": header(f"{PLACE}.program_set_task_result"),
            "taskMetadata": "metadata.json",
            "programResults": [f"programs/{i}/results.json" for i in range(len(programs))],
            "s3Location": list(place),
        }
    )
    return files


def rows_text(rows: npt.NDArray[np.uint8]) -> bytes:
    """Return rows of bits as JSON, compact.

    Args:
        rows: uint8 of shape `(shots, bits)`.
    """
    shots, width = rows.shape
    text = np.empty((shots, 2 * width + 2), np.uint8)
    text[:, 0] = ord("[")
    text[:, 1:-1:2] = rows + ord("0")
    text[:, 2:-1:2] = ord(",")
    text[:, -2] = ord("]")
    text[:, -1] = ord(",")
    return b"[" + text.tobytes()[:-1] + b"]"


def histogram(rows: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Return the shares of the outcomes; the first column comes first in the text."""
    found, counts = np.unique(rows, axis=0, return_counts=True)
    return {
        "".join(map(str, bits)): float(count) / len(rows)
        for bits, count in zip(found.tolist(), counts.tolist(), strict=True)
    }


def _measured(device: Device, outcome: Outcome) -> dict[str, bytes]:
    """Return the members that tell what was measured, in the device's manner."""
    if outcome.rows is None:
        return {"measuredQubits": _text(outcome.qubits)}
    if device.histograms:
        shares = {"measurementProbabilities": _text(histogram(outcome.rows))}
    else:
        shares = {"measurements": rows_text(outcome.rows)}
    return {**shares, "measuredQubits": _text(outcome.qubits)}


def _executable(device: Device, index: int, outcome: Outcome | Ending) -> bytes:
    """Return the file of one executable."""
    if isinstance(outcome, Ending):
        return _text(
            {
                "braketSchemaHeader": header(f"{PLACE}.program_set_executable_failure"),
                "inputsIndex": index,
                "failureMetadata": _failure(outcome),
            }
        )
    return _joined(
        {
            "braketSchemaHeader": _text(header(f"{PLACE}.program_set_executable_result")),
            "inputsIndex": _text(index),
            **_measured(device, outcome),
        }
    )


def _failure(ending: Ending) -> dict[str, Any]:
    """Return why an executable failed."""
    return {
        "failureReason": ending.reason,
        "retryable": ending.retryable,
        "category": ending.category,
    }


def _metadata(
    device: Device, action: dict[str, Any], outcome: Outcome, parameters: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what the vendor adds: the program that ran, or sharpened probabilities."""
    found: dict[str, Any] = {"action": action}
    compiled = {"compiledProgram": action["source"]}
    if device.provider == "IQM":
        found["iqmMetadata"] = {"braketSchemaHeader": header(f"{PLACE}.iqm_metadata"), **compiled}
    elif device.provider == "Rigetti":
        kind = header(f"{PLACE}.rigetti_metadata")
        found["rigettiMetadata"] = {"braketSchemaHeader": kind, **compiled}
    elif device.provider == "IonQ":
        found["ionqMetadata"] = {"braketSchemaHeader": header(f"{PLACE}.ionq_metadata")}
        if outcome.rows is not None and parameters and parameters.get("errorMitigation"):
            shares = histogram(outcome.rows)
            best = max(shares, key=lambda bits: shares[bits])
            found["ionqMetadata"]["sharpenedProbabilities"] = {best: 1.0}
    else:
        kind = header(f"{PLACE}.simulator_metadata")
        found["simulatorMetadata"] = {"braketSchemaHeader": kind, "executionDuration": 1}
    return found


def _text(found: Any) -> bytes:
    """Return JSON."""
    return json.dumps(found, separators=(",", ":")).encode()


def _joined(parts: dict[str, bytes]) -> bytes:
    """Return an object of members that are JSON already."""
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in parts.items()) + b"}"
