"""A device shaped like IonQ Forte: all to all, native gates in upper case, histograms.

Standardized properties v3: figures of the device, none of single qubits; durations in several
units. Native angles are radians. A verbatim box has to hold the whole program.
"""

from __future__ import annotations

from qdmi_qiskit.testing.braket_service.documents.parts import (
    PROGRAM,
    Device,
    Document,
    header,
    paradigm,
    program,
    results,
    service,
)

LABELS = tuple(range(36))
OPERATIONS = [
    "x",
    "y",
    "z",
    "h",
    "s",
    "si",
    "t",
    "ti",
    "v",
    "vi",
    "rx",
    "ry",
    "rz",
    "cnot",
    "swap",
    "xx",
    "yy",
    "zz",
]
DEBIAS = "braket.device_schema.error_mitigation.debias.Debias"
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_RESULTS = ("sample", "expectation", "variance", "probability")


def forte() -> Device:
    """Return a trap of 36 qubits."""
    pragmas = ["verbatim", *(f"braket_result_type_{name}" for name in _RESULTS)]
    document = {
        "braketSchemaHeader": header("braket.device_schema.ionq.ionq_device_capabilities"),
        "service": service(
            (100, 5_000),
            price=0.08,
            unit="shot",
            place="Maryland, USA",
            windows=[(day, "13:00:00", "23:00:00") for day in _WEEK],
        ),
        "action": {
            PROGRAM: program(
                OPERATIONS,
                pragmas,
                supportsPartialVerbatimBox=False,
                supportsUnassignedMeasurements=True,
                supportedResultTypes=results(100, 5_000),
            ),
        },
        "paradigm": paradigm(LABELS, ("GPI", "GPI2", "ZZ"), None),
        "provider": {
            "braketSchemaHeader": header("braket.device_schema.ionq.ionq_provider_properties"),
            "fidelity": {
                "1Q": {"mean": 0.9998},
                "2Q": {"mean": 0.9931},
                "spam": {"mean": 0.9942},
            },
            "timing": {
                "T1": 188.0,
                "T2": 0.95,
                "1Q": 0.000063,
                "2Q": 0.00065,
                "readout": 0.00025,
                "reset": 0.00015,
            },
            "errorMitigation": {DEBIAS: {"minimumShots": 2500}},
        },
        "standardized": _standardized(),
        "deviceParameters": {"title": "IonqDeviceParameters", "type": "object"},
    }
    arn = "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-Enterprise-1"
    device = Device(arn, "Forte Enterprise 1", "IonQ", "QPU", ("us-east-1",), document)
    device.histograms = True
    return device


def _standardized() -> Document:
    """Return version 3 of the standardized properties."""
    one = {"name": "RANDOMIZED_BENCHMARKING", "description": None}
    return {
        "braketSchemaHeader": header(
            "braket.device_schema.standardized_gate_model_qpu_device_properties", 3
        ),
        "T1": {"value": 188.0, "standardError": None, "unit": "s"},
        "T2": {"value": 950.0, "standardError": None, "unit": "ms"},
        "readoutFidelity": [{"fidelity": 0.9942, "unit": "fraction"}],
        "readoutDuration": {"value": 250.0, "standardError": None, "unit": "us"},
        "singleQubitGateDuration": {"value": 63_000.0, "standardError": None, "unit": "ns"},
        "singleQubitFidelity": [{"fidelityType": one, "fidelity": 0.9998, "unit": "fraction"}],
        "twoQubitGateFidelity": [{"fidelityType": one, "fidelity": 0.9931, "unit": "fraction"}],
        "twoQubitGateDuration": {"value": 650.0, "standardError": None, "unit": "us"},
        "activeResetDuration": {"value": 150.0, "standardError": None, "unit": "us"},
        "updatedAt": "2026-01-05T06:00:00Z",
    }
