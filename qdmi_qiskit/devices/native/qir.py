"""QIR's base profile, for libraries that take no format we write ourselves.

mqt-core's compiler makes it (4.1 or newer: extra `qir`), from OpenQASM 3 as `MeasuredWriter` writes
it and without optimising: the base profile measures at its end, each qubit into a result of its
own. A comment at the end notes which bits those are.
"""

from __future__ import annotations

from qiskit import QuantumCircuit

from qdmi_qiskit.devices.native.formats import NEEDED_FOR_QIR
from qdmi_qiskit.devices.native.measured import MeasuredWriter
from qdmi_qiskit.errors import MissingPluginError, RejectedError


class QirWriter(MeasuredWriter):
    """Writes circuits that measure at their end, for devices without a coupling map."""

    unplaced = (
        "QDMI does not say which site a qubit of a QIR program is, so none is sent to a machine "
        "on which that matters"
    )

    def __call__(self, circuit: QuantumCircuit) -> str:
        text = super().__call__(circuit)
        try:
            from mqt.core.mlir import QCProgram, QIRProfile
        except ImportError as error:
            raise MissingPluginError(
                f"QIR is written by {NEEDED_FOR_QIR} ({error}): pip install 'qdmi-qiskit[qir]'"
            ) from error
        try:
            made = QCProgram.from_openqasm_str(text).to_qir(QIRProfile.BASE)
            written: str = made.llvm_ir
        except (RuntimeError, ValueError) as error:
            raise RejectedError(
                f"circuit {circuit.name!r} cannot be written in QIR's base profile: {error}"
            ) from error
        note = text.splitlines()[-1].removeprefix("//")
        return f"{written.rstrip()}\n;{note}\n"
