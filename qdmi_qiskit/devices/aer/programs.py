"""What Aer is given, checked before Aer sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, ControlFlowOp

from qdmi_qiskit.errors import ProtocolError, RejectedError
from qdmi_qiskit.model import Task, Values


def bindings(circuit: QuantumCircuit, values: Values) -> dict[Any, list[float]]:
    """Return one column of values per parameter, in the order of `circuit.parameters`."""
    if not circuit.num_parameters:
        return {}
    return dict(zip(circuit.parameters, values.T.tolist(), strict=True))


def settled(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit such that Aer can truncate it.

    Aer (seen in 0.18) drops the target of a jump if nothing measures the qubits of a conditional
    block afterwards, and then cannot load the circuit. Those qubits are measured at the end into
    scratch bits above the circuit's own, which changes no other outcome.
    """
    if not circuit.has_control_flow_op():
        return circuit
    pending: dict[Any, None] = {}
    for instruction in circuit.data:
        if isinstance(instruction.operation, ControlFlowOp):
            pending |= dict.fromkeys(instruction.qubits)
        elif instruction.name == "measure":
            pending.pop(instruction.qubits[0], None)
    if not pending:
        return circuit
    whole: QuantumCircuit = circuit.copy()
    scratch = [Clbit() for _ in pending]
    whole.add_bits(scratch)
    whole.measure(list(pending), scratch)
    return whole


def check_tasks(tasks: Sequence[Task], *, clifford: bool) -> None:
    """Pass if Aer will take the tasks; some that break the contract would end the process.

    Args:
        tasks: Of one job.
        clifford: Whether the method is Aer's `stabilizer`, whose `rz` takes multiples of pi/2.

    Raises:
        ProtocolError: The planner broke the contract.
        RejectedError: A program is none that Aer runs.
    """
    if not tasks:
        raise ProtocolError("no tasks: the planner sent an empty job")
    for task in tasks:
        circuit = task.program.payload
        if not isinstance(circuit, QuantumCircuit):
            raise RejectedError(f"Aer takes a QuantumCircuit, not a {type(circuit).__name__}")
        want = (task.points, circuit.num_parameters)
        if task.points == 0 or task.values.shape != want:
            raise ProtocolError(
                f"values of shape {task.values.shape} for circuit {circuit.name!r}: wanted at "
                f"least one row and {circuit.num_parameters} columns"
            )
        names = circuit.count_ops()
        if "store" in names and "measure" not in names:
            raise RejectedError(
                f"circuit {circuit.name!r} stores into classical bits but measures nothing, and "
                "Aer returns no bits of such a circuit: measure at least one qubit"
            )
        if clifford and "rz" in names:
            _check_clifford(circuit)


def _check_clifford(circuit: QuantumCircuit) -> None:
    for instruction in circuit.data:
        if instruction.name != "rz":
            continue
        (angle,) = instruction.params
        if isinstance(angle, int | float):
            turns = angle / (np.pi / 2)
            if abs(turns - round(turns)) > 1e-8:
                raise RejectedError(
                    f"circuit {circuit.name!r} has rz({angle:g}), which is no Clifford gate: the "
                    "method 'stabilizer' takes multiples of pi/2; open 'aer' instead"
                )
