"""From a device snapshot to a Qiskit Target: a pure function."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from qiskit.circuit import Instruction, Parameter
from qiskit.circuit.controlflow import get_control_flow_name_mapping
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from qdmi_qiskit.model import DeviceSpec, Figures, Operation


def target_from(spec: DeviceSpec, gates: Mapping[str, Any] | None = None) -> Target:
    """Build the Target of a device.

    Args:
        spec: The snapshot. Error is one minus fidelity, durations and T1/T2 are seconds.
        gates: Instructions, or variadic classes, for names outside Qiskit's standard library.

    Returns:
        A Target over `len(spec.sites)` qubits. Operations that neither Qiskit nor `gates`
        knows are left out: nobody could put one into a circuit.
    """
    target = Target(
        description=spec.name,
        num_qubits=len(spec.sites),
        dt=spec.dt,
        qubit_properties=[
            QubitProperties(t1=site.t1, t2=site.t2, frequency=site.frequency) for site in spec.sites
        ],
    )
    known = {
        **get_standard_gate_name_mapping(),
        **get_control_flow_name_mapping(),
        **(gates or {}),
    }
    for operation in spec.operations:
        gate = known.get(operation.name)
        if gate is None:
            continue
        if inspect.isclass(gate):  # variadic: any number of qubits, so no table of sites
            target.add_instruction(gate, name=operation.name)
        else:
            target.add_instruction(
                _with_fresh_parameters(gate, operation),
                _properties(operation),
                name=operation.name,
                **_angle_bounds(operation),
            )
    return target


def _with_fresh_parameters(gate: Instruction, operation: Operation) -> Instruction:
    fresh = gate.to_mutable()
    names = operation.parameters
    if len(names) != len(gate.params):
        names = tuple(f"p{k}" for k in range(len(gate.params)))
    fresh.params = [Parameter(name) for name in names]
    return fresh


def _angle_bounds(operation: Operation) -> dict[str, Any]:
    return {} if operation.bounds is None else {"angle_bounds": list(operation.bounds)}


def _properties(
    operation: Operation,
) -> dict[tuple[int, ...], InstructionProperties | None] | None:
    if operation.sites is None:
        return None
    return {qargs: _property(figures) for qargs, figures in operation.sites.items()}


def _property(figures: Figures) -> InstructionProperties | None:
    if figures.fidelity is None and figures.duration is None:
        return None
    error = None if figures.fidelity is None else 1 - figures.fidelity
    return InstructionProperties(duration=figures.duration, error=error)
