"""SV1 and DM1: simulators in several regions, per minute, without labels or verbatim boxes."""

from __future__ import annotations

from qdmi_qiskit.testing.braket_service.documents.parts import (
    GATES,
    PROGRAM,
    Device,
    Document,
    header,
    program,
    results,
    service,
)

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2")
_NOISE = [
    "amplitude_damping",
    "bit_flip",
    "depolarizing",
    "generalized_amplitude_damping",
    "kraus",
    "pauli_channel",
    "phase_damping",
    "phase_flip",
    "two_qubit_dephasing",
    "two_qubit_depolarizing",
]
_MODIFIERS = [
    {"name": "ctrl", "max_qubits": None},
    {"name": "negctrl", "max_qubits": None},
    {"name": "pow", "exponent_types": ["int", "float"]},
    {"name": "inv"},
]
_RESULTS = ["state_vector", "sample", "expectation", "variance", "probability", "amplitude"]


def sv1() -> Device:
    """Return a state vector simulator of 34 qubits."""
    pragmas = ["braket_unitary_matrix", *(f"braket_result_type_{name}" for name in _RESULTS)]
    block = _action(
        pragmas, [f"braket_noise_{name}" for name in _NOISE], ["StateVector", "Amplitude"]
    )
    return _simulator("sv1", "SV1", 34, block)


def dm1() -> Device:
    """Return a density matrix simulator of 17 qubits, whose name is in lower case."""
    names = ["density_matrix", "sample", "expectation", "variance", "probability"]
    pragmas = ["braket_unitary_matrix", *(f"braket_noise_{name}" for name in _NOISE)]
    pragmas += [f"braket_result_type_{name}" for name in names]
    device = _simulator("dm1", "dm1", 17, _action(pragmas, [], ["DensityMatrix"]))
    device.density = True
    return device


def _action(pragmas: list[str], forbidden: list[str], exact: list[str]) -> Document:
    """Return the action block of a simulator."""
    operations = [*GATES, "cv", "gpi", "gpi2", "gphase", "ms", "prx", "U", "unitary"]
    kinds = results(0, 100_000)
    kinds += [{"name": name, "observables": None, "minShots": 0, "maxShots": 0} for name in exact]
    return program(
        operations,
        pragmas,
        supportedModifiers=_MODIFIERS,
        forbiddenPragmas=forbidden,
        maximumQubitArrays=None,
        forbiddenArrayOperations=[],
        supportPhysicalQubits=False,
        supportsPartialVerbatimBox=False,
        supportsUnassignedMeasurements=True,
        disabledQubitRewiringSupported=True,
        supportedResultTypes=kinds,
    )


def _simulator(key: str, name: str, qubits: int, action: Document) -> Device:
    """Return a simulator."""
    place = "braket.device_schema.simulators"
    document = {
        "braketSchemaHeader": header(f"{place}.gate_model_simulator_device_capabilities"),
        "service": service(
            (0, 100_000),
            price=0.075,
            unit="minute",
            place="us-east-1",
            windows=[("Everyday", "00:00:00", "23:59:59")],
        ),
        "action": {PROGRAM: action},
        "paradigm": {
            "braketSchemaHeader": header(f"{place}.gate_model_simulator_paradigm_properties"),
            "qubitCount": qubits,
        },
        "deviceParameters": {"title": "GateModelSimulatorDeviceParameters", "type": "object"},
    }
    arn = f"arn:aws:braket:::device/quantum-simulator/amazon/{key}"
    return Device(arn, name, "Amazon Braket", "SIMULATOR", REGIONS, document)
