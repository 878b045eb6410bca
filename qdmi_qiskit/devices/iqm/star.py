"""MOVEs for star devices, by iqm-client's own pass.

Qubits of a star touch only a resonator. `transpile` sees fictional CZs between qubits; on the
way to the wire each becomes a CZ between a qubit and the resonator, into which the other qubit's
state was moved. The pass does not look at angles, so a circuit with open parameters is routed
once. It is imported only when such a circuit is encoded: it brings seconds of imports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qdmi_qiskit.devices.iqm.architecture import Architecture
from qdmi_qiskit.devices.iqm.program import Instruction
from qdmi_qiskit.errors import RejectedError

_MARKED = {"prx": "angle", "cc_prx": "angle", "delay": "duration"}


class StarRouter:
    """Inserts MOVEs; keeps the last architecture as iqm-client's model."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    def __call__(
        self, instructions: Sequence[Instruction], architecture: Architecture
    ) -> Sequence[Instruction]:
        """Return the instructions for the real device, every state back in its qubit.

        Raises:
            RejectedError: There is no way to make one of the gates.
        """
        from exa.common.errors.iqm_error import CircuitTranspilationError
        from iqm.iqm_client.transpile import transpile_insert_moves
        from iqm.pulse import Circuit

        circuit = Circuit(name="circuit", instructions=tuple(_marked(instructions)))
        try:
            routed = transpile_insert_moves(circuit, self._model(architecture))
        except (CircuitTranspilationError, ValueError) as error:
            raise RejectedError(f"iqm-client finds no way to insert MOVEs: {error}") from error
        return [_original(each, instructions) for each in routed.instructions]

    def _model(self, architecture: Architecture) -> Any:
        from iqm.station_control.interface.models import DynamicQuantumArchitecture

        key = architecture.calibration_set
        if key not in self._models:
            model = DynamicQuantumArchitecture.model_validate(architecture.raw)
            self._models = {key: model}
        return self._models[key]


def _marked(instructions: Sequence[Instruction]) -> Iterator[Any]:
    """Yield iqm-client's operations, the first number of each being its place in the list."""
    from iqm.pulse import CircuitOperation

    for place, each in enumerate(instructions):
        args: dict[str, Any] = {
            key: value if isinstance(value, str) else 0.0 for key, value in each.args.items()
        }
        if each.name in _MARKED:
            args[_MARKED[each.name]] = float(place)
        yield CircuitOperation(name=each.name, locus=each.locus, args=args)


def _original(operation: Any, instructions: Sequence[Instruction]) -> Instruction:
    if operation.name in _MARKED:
        return instructions[int(operation.args[_MARKED[operation.name]])]
    args: Mapping[str, Any] = operation.args or {}
    return Instruction(operation.name, tuple(operation.locus), dict(args))
