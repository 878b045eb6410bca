"""IQM's JSON for whoever reaches an IQM machine by another road: QDMI's format `IQMJSON`.

An entry point of group `qdmi_qiskit.qdmi_formats`: plug-ins do not know each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit.devices.iqm.architecture import Architecture, Gate, Locus
from qdmi_qiskit.devices.iqm.encode import Encoder
from qdmi_qiskit.devices.iqm.program import METADATA, Instruction
from qdmi_qiskit.devices.iqm.star import StarRouter
from qdmi_qiskit.errors import RejectedError

_KEY = "all_bits"


class Writer:
    """Writes circuits as text for one machine.

    A library that speaks QDMI returns a string per shot, in which the measurement keys come in
    whatever order the server lists them. So all qubits are measured by one instruction, under one
    key: within it the order is that of the qubits.
    """

    def __init__(
        self, qubits: Sequence[str], places: Mapping[str, Sequence[Locus]], calibration: str
    ) -> None:
        """Write for a machine.

        Args:
            qubits: Names; qubit k of a circuit is `qubits[k]`.
            places: Loci of each of IQM's operations.
            calibration: Id of the set that they belong to.
        """
        gates = {name: Gate(dict.fromkeys(loci, "")) for name, loci in places.items()}
        moves = {name for locus in places.get("move", ()) for name in locus}
        resonators = tuple(sorted(moves - {*qubits}))
        model = _model(qubits, resonators, places, calibration) if resonators else {}
        self._architecture = Architecture(calibration, tuple(qubits), resonators, gates, model)
        self._star = StarRouter()

    def __call__(self, circuit: QuantumCircuit) -> str:
        """Return the circuit's JSON.

        Raises:
            RejectedError: It measures before its end, or is not in the machine's gates.
        """
        order: list[str] = []

        def fused(
            instructions: Sequence[Instruction], architecture: Architecture
        ) -> Sequence[Instruction]:
            if architecture.fictional:
                instructions = self._star(instructions, architecture)
            return _fused(instructions, order, circuit.name)

        program = Encoder(self._architecture, fused)(circuit)
        (text,) = program.circuits(np.empty((1, 0)), 0)
        content = json.loads(text)
        bit = {column.key: column.bit for column in program.columns}
        content["metadata"][METADATA] = {
            "num_bits": circuit.num_clbits,
            "bits": [bit[key] for key in order],
        }
        return json.dumps(content, separators=(",", ":"))

    @staticmethod
    def bits(payload: str) -> tuple[int, ...]:
        """Return the classical bit that each character of a shot is.

        Raises:
            RejectedError: The text is none of ours.
        """
        try:
            return tuple(int(bit) for bit in json.loads(payload)["metadata"][METADATA]["bits"])
        except (ValueError, KeyError, TypeError) as error:
            raise RejectedError("this is no circuit in IQM's JSON as we write it") from error


def _model(
    qubits: Sequence[str],
    resonators: Sequence[str],
    places: Mapping[str, Sequence[Locus]],
    calibration: str,
) -> dict[str, Any]:
    """Return what IQM's server would say of a star: iqm-client's pass reads it."""
    return {
        "calibration_set_id": calibration,
        "qubits": list(qubits),
        "computational_resonators": list(resonators),
        "gates": {
            name: {
                "implementations": {"any": {"loci": [list(locus) for locus in loci]}},
                "default_implementation": "any",
                "override_default_implementation": {},
            }
            for name, loci in places.items()
        },
    }


def _fused(
    instructions: Sequence[Instruction], order: list[str], name: str
) -> Sequence[Instruction]:
    """Put all measurements into one at the end, and note their keys in the order of its qubits."""
    rest, locus = list[Instruction](), list[str]()
    for each in instructions:
        if each.name == "measure":
            if each.locus[0] in locus or "feedback_key" in each.args:
                _refuse(name)
            locus.append(each.locus[0])
            order.append(str(each.args["key"]))
        elif each.name != "barrier" and set(each.locus) & set(locus):
            _refuse(name)
        else:
            rest.append(each)
    if not locus:
        return rest
    last = Instruction("measure", tuple(locus), {"key": _KEY})
    return [*rest, last]


def _refuse(name: str) -> None:
    raise RejectedError(
        f"circuit {name!r} goes on after a measurement, and by way of QDMI nobody could tell which "
        "of the outcomes is which: measure at the end, or open the machine as 'iqm:...'"
    )
