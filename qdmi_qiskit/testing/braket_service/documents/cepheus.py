"""A device shaped like Rigetti Cepheus: 107 of 108 labels, rx at quarter turns only.

Standardized properties v1; no word in the document about the angles of rx, as in the real one.
"""

from __future__ import annotations

from math import pi

from qdmi_qiskit.testing.braket_service.documents.parts import (
    GATES,
    PROGRAM,
    PROGRAM_SET,
    Device,
    Document,
    figure,
    header,
    paradigm,
    program,
    program_set,
    results,
    service,
)

GAP = 8
LABELS = tuple(label for label in range(108) if label != GAP)
COLUMNS = 12
QUARTERS = (0.0, pi / 2, -pi / 2, pi, -pi)


def cepheus() -> Device:
    """Return a square lattice of nine by twelve with a gap."""
    edges = _edges()
    names = ("sample", "expectation", "variance", "probability")
    pragmas = ["verbatim", *(f"braket_result_type_{name}" for name in names)]
    document = {
        "braketSchemaHeader": header("braket.device_schema.rigetti.rigetti_device_capabilities", 2),
        "service": service(
            (10, 50_000),
            price=0.000425,
            unit="shot",
            place="California, USA",
            windows=[
                ("Everyday", "00:00:00", "10:00:00"),
                ("Everyday", "12:00:00", "20:00:00"),
                ("Everyday", "22:00:00", "02:00:00"),
            ],
            poll=200,
        ),
        "action": {
            PROGRAM: program(
                [*GATES, "prx", "barrier"], pragmas, supportedResultTypes=results(10, 50_000)
            ),
            PROGRAM_SET: program_set(),
        },
        "paradigm": paradigm(LABELS, ("rx", "rz", "cz", "barrier"), edges),
        "provider": {
            "braketSchemaHeader": header(
                "braket.device_schema.rigetti.rigetti_provider_properties", 2
            ),
            "specs": {},
        },
        "standardized": {
            "braketSchemaHeader": header(
                "braket.device_schema.standardized_gate_model_qpu_device_properties"
            ),
            "oneQubitProperties": {str(label): _one(label) for label in LABELS},
            "twoQubitProperties": {f"{a}-{b}": _two(a, b) for a, b in edges},
        },
        "deviceParameters": {"title": "RigettiDeviceParameters", "type": "object"},
    }
    arn = "arn:aws:braket:us-west-1::device/qpu/rigetti/Cepheus-1-108Q"
    device = Device(arn, "Cepheus-1-108Q", "Rigetti", "QPU", ("us-west-1",), document)
    device.angles["rx"] = QUARTERS
    return device


def _edges() -> list[tuple[int, int]]:
    """Return the pairs of neighbours."""
    right = [(k, k + 1) for k in range(108) if (k + 1) % COLUMNS]
    down = [(k, k + COLUMNS) for k in range(108 - COLUMNS)]
    return [pair for pair in right + down if GAP not in pair]


def _one(label: int) -> Document:
    """Return the figures of one qubit."""
    kinds = {
        "RANDOMIZED_BENCHMARKING": figure(0.9975, 2e-4, label),
        "SIMULTANEOUS_RANDOMIZED_BENCHMARKING": figure(0.9965, 2e-4, label),
        "READOUT": figure(0.945, 3e-3, label),
    }
    return {
        "T1": {"value": figure(25e-6, 1e-6, label), "standardError": 1e-6, "unit": "S"},
        "T2": {"value": figure(14e-6, 1e-6, label), "standardError": None, "unit": "S"},
        "oneQubitFidelity": [
            {"fidelityType": {"name": name}, "fidelity": value, "standardError": 1e-4}
            for name, value in kinds.items()
        ],
    }


def _two(a: int, b: int) -> Document:
    """Return the figures of one pair."""
    return {
        "twoQubitGateFidelity": [
            {
                "gateName": "CZ",
                "fidelity": figure(0.982, 1e-3, a + b),
                "standardError": 2e-3,
                "fidelityType": {"name": "INTERLEAVED_RANDOMIZED_BENCHMARKING"},
            }
        ]
    }
