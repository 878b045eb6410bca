"""A device that errs the same way every time: what twirling and decoupling are for."""

from __future__ import annotations

from dataclasses import replace

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from tests.mitigation.devices import Counting


class Coherent(Counting):
    """Another session, on which each CZ turns too far and a waiting qubit drifts.

    Attributes:
        zz: Angle of RZZ after each CZ, rad.
        drift: Angle of RZ per second of waiting, rad/s.
    """

    def __init__(self, inner, *, zz=0.0, drift=0.0):
        super().__init__(inner)
        self.zz, self.drift = zz, drift

    def submit(self, tasks, *, key):
        return super().submit([self._wrong(task) for task in tasks], key=key)

    def _wrong(self, task):
        circuit = task.program.payload
        whole = circuit.copy_empty_like()
        for instruction in circuit.data:
            whole.append(instruction)
            if instruction.name == "cz" and self.zz:
                whole.rzz(self.zz, *instruction.qubits)
            elif instruction.name == "delay" and self.drift:
                operation = instruction.operation
                assert operation.unit == "s"
                whole.rz(self.drift * operation.duration, *instruction.qubits)
        return replace(task, program=replace(task.program, payload=whole))


def grid20(**wrong) -> QDMIBackend:
    """The recorded grid of 20 qubits, which errs coherently too."""
    return QDMIBackend(Coherent(QDMIProvider().get_backend("replay:grid20").session, **wrong))
