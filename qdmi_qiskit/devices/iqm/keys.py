"""Measurement keys: `<register>_<length>_<number>_<bit>`, as IQM's own Qiskit adapter has them.

Other tools (qiskit_iqm, iqm-qdmi, QRMI) rebuild registers from such keys, so a job of ours can be
read by them, and a job of theirs by us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit

_KEY = re.compile(r"(.*)_(\d+)_(\d+)_(\d+)")
_SUPERSEDED = re.compile(r".*_\d+_\d+_\d+_before\d+")
_LOOSE = "loose"


@dataclass(frozen=True)
class Column:
    """Where a classical bit comes from.

    Attributes:
        key: The measurement's key.
        place: Which qubit of the measurement's locus.
        bit: The classical bit.
    """

    key: str
    place: int
    bit: int


def key_of(circuit: QuantumCircuit) -> Mapping[Clbit, str]:
    """Return the key of every classical bit.

    A bit of several registers is named by the first; those of none form a register of their
    own after the others, under a name that no register has.
    """
    keys: dict[Clbit, str] = {}
    for number, register in enumerate(circuit.cregs):
        for place, bit in enumerate(register):
            keys.setdefault(bit, f"{register.name}_{len(register)}_{number}_{place}")
    loose = [bit for bit in circuit.clbits if bit not in keys]
    name, taken = _LOOSE, {register.name for register in circuit.cregs}
    while name in taken:
        name += "_"
    for place, bit in enumerate(loose):
        keys[bit] = f"{name}_{len(loose)}_{len(circuit.cregs)}_{place}"
    return keys


def superseded(key: str, number: int) -> str:
    """Return a key for a measurement whose outcome a later one into the same bit replaces."""
    return f"{key}_before{number}"


def columns_from(measurements: Iterable[tuple[str, int]]) -> tuple[tuple[Column, ...], int]:
    """Rebuild registers from keys alone; for jobs of which there is no other record.

    Args:
        measurements: Keys in the order of the program, with the number of qubits of each.

    Returns:
        Columns and the number of classical bits. Registers come in the order of their numbers,
        packed; keys in another format come after them, in the order of the program.
    """
    sizes: dict[int, int] = {}
    named: list[tuple[str, int, int]] = []
    others: list[tuple[str, int]] = []
    for key, width in measurements:
        if _SUPERSEDED.fullmatch(key):
            continue
        match = _KEY.fullmatch(key)
        if match is None or width != 1 or int(match[4]) >= int(match[2]):
            others.append((key, width))
            continue
        register, bit = int(match[3]), int(match[4])
        sizes[register] = max(sizes.get(register, 0), int(match[2]))
        named.append((key, register, bit))
    start = offsets(sizes)
    columns = [Column(key, 0, start[register] + bit) for key, register, bit in named]
    total = sum(sizes.values())
    for key, width in others:
        columns += [Column(key, place, total + place) for place in range(width)]
        total += width
    return tuple(columns), total


def offsets(sizes: Mapping[int, int]) -> dict[int, int]:
    """Return where each register begins if they are packed in the order of their numbers."""
    numbers: Sequence[int] = sorted(sizes)
    return {number: sum(sizes[k] for k in numbers if k < number) for number in numbers}
