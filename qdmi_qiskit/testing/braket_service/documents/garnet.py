"""A device shaped like IQM Garnet: labels 1 to 20, program sets, feed-forward on request.

Standardized properties v1, with seconds written `"S"`, figures of several kinds per pair, and
labels of the graph in no order.
"""

from __future__ import annotations

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

LABELS = (1, 2, 4, 5, 3, 8, 6, 7, 9, 12, 10, 11, 13, 14, 17, 15, 16, 18, 19, 20)
NATIVE = ("cz", "prx", "cc_prx", "measure_ff", "barrier")


def garnet() -> Device:
    """Return a square lattice of 20 qubits."""
    edges = _edges()
    operations = [*GATES, "prx", "cc_prx", "measure_ff", "barrier"]
    pragmas = ["verbatim", *(f"braket_result_type_{name}" for name in _RESULTS)]
    document = {
        "braketSchemaHeader": header("braket.device_schema.iqm.iqm_device_capabilities"),
        "service": service(
            (1, 20_000),
            price=0.00145,
            unit="shot",
            place="Helsinki, Finland",
            windows=[
                ("Weekdays", "00:00:00", "06:00:00"),
                ("Weekdays", "08:00:00", "15:00:00"),
                ("Weekdays", "17:30:00", "23:59:59"),
            ],
        ),
        "action": {
            PROGRAM: program(operations, pragmas, supportedResultTypes=results(1, 20_000)),
            PROGRAM_SET: program_set(),
        },
        "paradigm": paradigm(LABELS, NATIVE, edges),
        "provider": {
            "braketSchemaHeader": header("braket.device_schema.iqm.iqm_provider_properties"),
            "properties": {
                "one_qubit": {
                    str(label): {"T2_echo": figure(18e-6, 0.4e-6, label)} for label in LABELS
                },
            },
        },
        "standardized": {
            "braketSchemaHeader": header(
                "braket.device_schema.standardized_gate_model_qpu_device_properties"
            ),
            "oneQubitProperties": {str(label): _one(label) for label in LABELS},
            "twoQubitProperties": {f"{a}-{b}": _two(a, b) for a, b in edges},
        },
        "deviceParameters": {"title": "IqmDeviceParameters", "type": "object"},
    }
    arn = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
    return Device(arn, "Garnet", "IQM", "QPU", ("eu-north-1",), document)


_RESULTS = ["sample", "expectation", "variance", "probability"]


def _edges() -> list[tuple[int, int]]:
    """Return the 30 pairs: five by four, without one corner's edge."""
    right = [(k, k + 1) for k in range(1, 21) if k % 5]
    down = [(k, k + 5) for k in range(1, 16)]
    return [pair for pair in right + down if pair != (15, 20)]


def _one(label: int) -> Document:
    """Return the figures of one qubit."""
    kinds = {
        "SIMULTANEOUS_RANDOMIZED_BENCHMARKING": figure(0.9985, 1e-4, label),
        "READOUT": figure(0.972, 1e-3, label),
        "READOUT_ERROR_0_TO_1": figure(0.028, -1e-3, label),
        "READOUT_ERROR_1_TO_0": figure(0.029, -1e-3, label),
    }
    return {
        "T1": {"value": figure(35e-6, 1e-6, label), "standardError": None, "unit": "S"},
        "T2": {"value": figure(8e-6, 0.3e-6, label), "standardError": None, "unit": "S"},
        "oneQubitFidelity": [
            {"fidelityType": {"name": name, "description": None}, "fidelity": value}
            for name, value in kinds.items()
        ],
    }


def _two(a: int, b: int) -> Document:
    """Return the figures of one pair: a gate, and a Clifford that is no gate."""
    value = figure(0.985, 1e-3, a + b)
    kind = {"name": "INTERLEAVED_RANDOMIZED_BENCHMARKING"}
    other = {"name": "SIMULTANEOUS_RANDOMIZED_BENCHMARKING"}
    return {
        "twoQubitGateFidelity": [
            {"gateName": "Two_Qubit_Clifford", "fidelity": value - 0.02, "fidelityType": other},
            {"gateName": "CZ", "fidelity": value, "fidelityType": kind, "direction": None},
        ]
    }
