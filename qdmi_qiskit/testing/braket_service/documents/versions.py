"""The other versions of standardized properties, made from version 1."""

from __future__ import annotations

from copy import deepcopy

from qdmi_qiskit.testing.braket_service.documents.parts import Device, header

_SCHEMA = "braket.device_schema.standardized_gate_model_qpu_device_properties"


def second(device: Device, *, directed: bool = False) -> Device:
    """Return a device whose standardized properties are version 2: units `s` and `fraction`.

    Args:
        device: One with version 1.
        directed: Figures of pairs say which qubit is the control.
    """
    changed = deepcopy(device)
    block = changed.document["standardized"]
    block["braketSchemaHeader"] = header(_SCHEMA, 2)
    for qubit in block["oneQubitProperties"].values():
        qubit["T1"]["unit"] = qubit["T2"]["unit"] = "s"
        for each in qubit["oneQubitFidelity"]:
            each["unit"] = "fraction"
    for key, pair in block["twoQubitProperties"].items():
        control, target = (int(label) for label in key.split("-"))
        for each in pair["twoQubitGateFidelity"]:
            each["unit"] = "fraction"
            each["direction"] = {"control": control, "target": target} if directed else None
    return changed


def future(device: Device) -> Device:
    """Return a device whose document has versions and members that nobody knows yet."""
    changed = deepcopy(device)
    for block in (changed.document, changed.document["service"], changed.document["paradigm"]):
        block["braketSchemaHeader"]["version"] = "99"
        block["aMemberOfTheFuture"] = {"value": [1, 2, 3]}
    if "standardized" in changed.document:
        changed.document["standardized"]["braketSchemaHeader"]["version"] = "99"
    return changed
