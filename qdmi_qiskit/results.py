"""From packed shots to Qiskit's `Result`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData, MeasLevel

from qdmi_qiskit import bits
from qdmi_qiskit.drift import drifted
from qdmi_qiskit.model import DeviceSpec, Shots


def result_from(
    circuits: Sequence[QuantumCircuit],
    outcomes: Sequence[Shots],
    *,
    spec: DeviceSpec,
    job_id: str,
    memory: bool,
    seed: int | None,
    device_jobs: Sequence[dict[str, Any]] = (),
) -> Result:
    """Build the `Result` of circuits without free parameters, one experiment each.

    Registers are laid out, and `get_counts` and `get_memory` formatted, as by Aer for the same
    circuit: all classical bits in one word, the last register leftmost.
    """
    experiments = [
        _experiment(circuit, shots, spec, memory)
        for circuit, shots in zip(circuits, outcomes, strict=True)
    ]
    found = drifted(circuits, spec, device_jobs)
    drift = {"drift": found} if found else {}
    return Result(
        backend_name=spec.name,
        backend_version=spec.version,
        job_id=job_id,
        success=all(experiment.success for experiment in experiments),
        results=experiments,
        status="COMPLETED",
        date=spec.taken_at,
        metadata={"seed": seed, "device_jobs": list(device_jobs), **drift},
    )


def _experiment(
    circuit: QuantumCircuit, shots: Shots, spec: DeviceSpec, memory: bool
) -> ExperimentResult:
    packed = shots.bits[0] if shots.valid is None else shots.bits[0, : int(shots.valid[0])]
    data: dict[str, Any] = {"counts": {hex(k): n for k, n in bits.count(packed).items()}}
    if memory:
        data["memory"] = [hex(word) for word in bits.to_ints(packed)]
    lost = len(packed) == 0 < shots.bits.shape[1]  # such an experiment has no counts to read
    reason = shots.failures.get(0)
    status = "the device returned no valid shot" if lost else "DONE"
    return ExperimentResult(
        shots=len(packed),
        success=not lost and reason is None,
        data=ExperimentResultData(**data),
        meas_level=MeasLevel.CLASSIFIED,
        status=status if reason is None else reason,
        header=header(circuit),
        requested_shots=shots.bits.shape[1],
        ordered_shots=spec.capabilities.ordered_shots,
    )


def header(circuit: QuantumCircuit) -> dict[str, Any]:
    """Return what formats the bits of a circuit: Aer's header, field by field."""
    return {
        "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
        "global_phase": float(circuit.global_phase),
        "memory_slots": circuit.num_clbits,
        "n_qubits": circuit.num_qubits,
        "name": circuit.name,
        "qreg_sizes": [[register.name, register.size] for register in circuit.qregs],
        "metadata": circuit.metadata,
    }
