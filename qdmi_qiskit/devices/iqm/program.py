"""A circuit in IQM's JSON, with gaps for the values of its parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qdmi_qiskit.devices.iqm.angles import Atoms, Form, Slots, wrapped
from qdmi_qiskit.devices.iqm.keys import Column
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.model import Values

METADATA = "qdmi_qiskit"
"""Under which a circuit of ours says what its classical bits are."""


@dataclass(frozen=True)
class Instruction:
    """One operation of IQM's.

    Attributes:
        name: Such as `"prx"`.
        locus: Names of qubits and resonators.
        args: Text as it is; forms are numbers to be filled in.
        implementation: Named only where the server would take another.
    """

    name: str
    locus: tuple[str, ...]
    args: Mapping[str, Form | str] = field(default_factory=dict)
    implementation: str | None = None


@dataclass(frozen=True)
class IQMProgram:
    """What `iqm:` devices take as a program's payload: encoded once, bound by numpy.

    Attributes:
        template: The circuit's JSON for `%`: first the number of the task, then the slots.
        slots: What fills the gaps.
        columns: Where each classical bit comes from.
        size: How many instructions there are.
        calibration_set: For which the circuit was encoded, and with which it has to run.
    """

    template: str = ""
    slots: Slots = field(default_factory=Slots)
    columns: tuple[Column, ...] = ()
    size: int = 0
    calibration_set: str = ""

    def circuits(self, values: Values, task: int) -> Iterator[str]:
        """Yield the JSON of one circuit for each row of values.

        Raises:
            RejectedError: A value makes an angle or a duration that is no number.
        """
        if not self.slots.forms:
            circuit = self.template % (task,)
            for _ in range(len(values)):
                yield circuit
            return
        table = self.slots.evaluate(values)
        lengths = table[:, ~np.array(self.slots.angular, bool)]
        if not np.isfinite(table).all() or (lengths < 0).any():
            raise RejectedError(
                "the values of parameters make an angle that is no finite number, or a delay "
                "below zero: check them"
            )
        for row in table.tolist():
            yield self.template % (task, *row)


def written(
    name: str,
    instructions: Sequence[Instruction],
    columns: Sequence[Column],
    num_bits: int,
    atoms: Atoms,
    calibration_set: str,
) -> IQMProgram:
    """Write a circuit as JSON with gaps."""
    forms: list[Form] = []
    angular: list[bool] = []

    def number(kind: str, form: Form) -> str:
        angle = kind != "duration"
        if form.fixed:
            return repr(wrapped(form.constant) if angle else form.constant)
        forms.append(form)
        angular.append(angle)
        return "%r"

    def instruction(each: Instruction) -> str:
        args = ",".join(
            f'"{key}":{_text(value) if isinstance(value, str) else number(key, value)}'
            for key, value in each.args.items()
        )
        how = each.implementation
        tail = "" if how is None else f',"implementation":{_text(how)}'
        return f'{{"name":"{each.name}","locus":{_text(each.locus)},"args":{{{args}}}{tail}}}'

    body = ",".join(instruction(each) for each in instructions)
    record = _text({"num_bits": num_bits, "bits": {c.key: c.bit for c in columns}})
    head = f'"name":{_text(name)},"metadata":{{"{METADATA}":{record[:-1]},"task":%d}}}}'
    template = f'{{{head},"instructions":[{body}]}}'
    slots = Slots(tuple(forms), tuple(angular), atoms)
    return IQMProgram(template, slots, tuple(columns), len(instructions), calibration_set)


def _text(value: Any) -> str:
    """Return JSON, with `%` doubled: it will be a format."""
    return json.dumps(value, separators=(",", ":")).replace("%", "%%")
