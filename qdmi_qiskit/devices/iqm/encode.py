"""From a Qiskit circuit in a device's own gates to IQM's operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, IfElseOp

from qdmi_qiskit.devices.iqm.angles import Form, Reader
from qdmi_qiskit.devices.iqm.architecture import Architecture
from qdmi_qiskit.devices.iqm.feedback import (
    CONTROL_FLOW,
    NotThereError,
    condition_of,
    inverse,
    play,
    pulses_of,
    turns_of,
)
from qdmi_qiskit.devices.iqm.fold import Folder, Pulse
from qdmi_qiskit.devices.iqm.keys import Column, key_of, superseded
from qdmi_qiskit.devices.iqm.program import Instruction, IQMProgram, written
from qdmi_qiskit.errors import RejectedError

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
_DROPPED = frozenset({"id"})

Router = Callable[[Sequence[Instruction], Architecture], Sequence[Instruction]]


class Encoder:
    """Writes circuits for one architecture; qubit k of a circuit is `architecture.qubits[k]`."""

    def __init__(
        self, architecture: Architecture, router: Router | None = None, most: int | None = None
    ) -> None:
        """Write for an architecture.

        Args:
            architecture: Names and loci.
            router: Puts MOVEs into circuits for star devices.
            most: Instructions that the server takes in one circuit.
        """
        self._architecture, self._router, self._most = architecture, router, most

    def __call__(self, circuit: QuantumCircuit) -> IQMProgram:
        """Encode one circuit; parameters stay open.

        Raises:
            RejectedError: It is not in the device's gates, or the device cannot do what it asks.
        """
        work = _Work(circuit, self._architecture)
        work.run()
        instructions: Sequence[Instruction] = work.instructions
        if self._router is not None:
            instructions = self._router(instructions, self._architecture)
        if self._most is not None and len(instructions) > self._most:
            raise RejectedError(
                f"circuit {circuit.name!r} has {len(instructions)} instructions, the device takes "
                f"at most {self._most}: make it shorter"
            )
        return written(
            circuit.name,
            [self._named(each) for each in instructions],
            work.columns(),
            circuit.num_clbits,
            work.reader.atoms,
            self._architecture.calibration_set,
        )

    def _named(self, each: Instruction) -> Instruction:
        gate = self._architecture.gate(each.name)
        if each.locus not in gate.named:
            return each
        return replace(each, implementation=gate.loci[each.locus])


class _Work:
    """One circuit on its way."""

    def __init__(self, circuit: QuantumCircuit, architecture: Architecture) -> None:
        self._circuit, self._architecture = circuit, architecture
        if circuit.num_qubits > len(architecture.qubits):
            self._refuse(f"has {circuit.num_qubits} qubits, of {len(architecture.qubits)} there")
        self.instructions: list[Instruction] = []
        self.reader = Reader(circuit)
        self._folder = Folder(self._pulse)
        self._keys = key_of(circuit)
        self._last: dict[Clbit, int] = {}  # where in `instructions` a bit was measured last
        self._repeats = 0
        self._feedback: set[str] = set()

    def run(self) -> None:
        """Go through the circuit once."""
        for instruction in self._circuit.data:
            qubits = [self._circuit.find_bit(qubit).index for qubit in instruction.qubits]
            self._one(instruction.operation, qubits, instruction.clbits)
        self._folder.flush_all()

    def columns(self) -> tuple[Column, ...]:
        """Return where each bit that was measured comes from."""
        return tuple(
            Column(self._keys[bit], 0, self._circuit.find_bit(bit).index) for bit in self._last
        )

    def _one(self, operation: Any, qubits: list[int], clbits: Sequence[Clbit]) -> None:
        name = operation.name
        if name == "r":
            self._folder.r(qubits[0], *(self._form(angle) for angle in operation.params))
        elif name == "rz":
            self._folder.rz(qubits[0], self._form(operation.params[0]))
        elif name == "measure":
            self._measure(qubits[0], clbits[0])
        elif isinstance(operation, IfElseOp):
            self._if(operation, qubits)
        elif name not in _DROPPED:
            self._folder.flush(qubits)
            self._other(operation, qubits)

    def _other(self, operation: Any, qubits: list[int]) -> None:
        name, locus = operation.name, self._locus(qubits)
        if name == "cz":
            # Stored one way only. A fictional CZ of a star device is not stored: MOVEs come later.
            stored = self._architecture.gate("cz").stored(*locus)
            if stored is None and locus not in self._architecture.fictional:
                self._refuse(f"has a cz on {locus}, where none is calibrated")
            self._append("cz", stored or locus)
        elif name == "barrier":
            self._append("barrier", locus)
        elif name == "delay":
            self._append("delay", locus, duration=self._duration(operation))
        elif name == "reset":
            if locus[0] not in self._architecture.resettable:
                self._refuse(f"resets {locus[0]}, where no reset is calibrated")
            self._append("reset", locus)
            self._folder.forget(qubits[0])
        elif name in CONTROL_FLOW:
            self._refuse(f"has a {name}: of control flow, the device has if_test only")
        else:
            self._refuse(f"uses {name}, which is none of the device's gates: transpile it first")

    def _measure(self, qubit: int, bit: Clbit) -> None:
        self._folder.flush([qubit])
        self._folder.forget(qubit)
        key = self._keys[bit]
        if bit in self._last:  # keys are unique; the last one counts
            self._repeats += 1
            at = self._last[bit]
            before = self.instructions[at]
            args = {**before.args, "key": superseded(key, self._repeats)}
            self.instructions[at] = replace(before, args=args)
        self._last[bit] = len(self.instructions)
        self._append("measure", self._locus([qubit]), key=key)

    def _if(self, operation: IfElseOp, qubits: list[int]) -> None:
        outer = dict(enumerate(qubits))
        try:
            bit, wanted = condition_of(operation.condition)
            blocks = [
                turns_of(block, {q: outer[k] for k, q in enumerate(block.qubits)}, self._form)
                for block in operation.blocks
            ]
        except NotThereError as error:
            self._refuse(str(error))
        if_true, if_false = blocks if len(blocks) == 2 else (*blocks, ())
        if_one, if_zero = (if_true, if_false) if wanted else (if_false, if_true)
        play(if_zero, self._folder)
        if bit in self._last:  # else it is 0
            self._folder.flush(qubits)
            pulses = pulses_of([*inverse(if_zero), *if_one])
            if any(pulses.values()):
                self._conditional(bit, pulses)

    def _conditional(self, bit: Clbit, pulses: Mapping[int, Sequence[Pulse]]) -> None:
        source, feedback = self._feedback_of(bit)
        for qubit, several in pulses.items():
            locus = self._locus([qubit])
            if locus not in self._architecture.gate("cc_prx").loci:
                self._refuse(f"acts on {locus[0]} in an if_test, where that is not calibrated")
            for angle, phase in several:
                self._append(
                    "cc_prx",
                    locus,
                    angle=angle,
                    phase=phase - self._folder.frame(qubit),
                    feedback_qubit=source,
                    feedback_key=feedback,
                )

    def _feedback_of(self, bit: Clbit) -> tuple[str, str]:
        """Return the qubit that was measured into a bit last, and the key that its pulses wait for.

        The key is as in qiskit_iqm, but unique where a bit is measured again.
        """
        at = self._last[bit]
        source = self.instructions[at]
        feedback = str(source.args.get("feedback_key") or "")
        if not feedback:
            number = sum("feedback_key" in each.args for each in self.instructions)
            key = str(source.args["key"])
            feedback = key if key not in self._feedback else f"{key}_again{number}"
            self._feedback.add(feedback)
            args = {**source.args, "feedback_key": feedback}
            self.instructions[at] = replace(source, args=args)
        return source.locus[0], feedback

    def _duration(self, operation: Any) -> Form:
        unit = operation.unit
        if unit not in _SECONDS:
            self._refuse(
                f"has a delay in {unit!r}: give it in seconds, as circuit.delay(1e-7, qubit, 's')"
            )
        form = self._form(operation.params[0]) * _SECONDS[unit]
        if form.fixed and not 0 <= form.constant < math.inf:
            self._refuse(f"has a delay of {form.constant} s")
        return form

    def _form(self, angle: Any) -> Form:
        try:
            form = self.reader.form(angle)
        except (TypeError, ValueError) as error:
            raise RejectedError(
                f"circuit {self._circuit.name!r} has an angle or duration {angle!r} that is no "
                "real number"
            ) from error
        if not math.isfinite(form.constant):
            self._refuse(f"has an angle of {form.constant}")
        return form

    def _pulse(self, qubit: int, angle: Form, phase: Form) -> None:
        self._append("prx", self._locus([qubit]), angle=angle, phase=phase)

    def _append(self, name: str, locus: tuple[str, ...], **args: Form | str) -> None:
        self.instructions.append(Instruction(name, locus, args))

    def _locus(self, qubits: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._architecture.qubits[qubit] for qubit in qubits)

    def _refuse(self, what: str) -> NoReturn:
        raise RejectedError(f"circuit {self._circuit.name!r} {what}")
