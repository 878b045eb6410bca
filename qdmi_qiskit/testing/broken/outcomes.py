"""Devices whose bits are wrong."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdmi_qiskit.model import (
    Program,
    Shots,
    Task,
)
from qdmi_qiskit.testing.broken.wrong import (
    Wrong,
    fails,
    mapped,
    reversed_bits,
)
from qdmi_qiskit.testing.heralding import HeraldingSession


@fails("bit_order")
class Reversed(Wrong):
    """Bit 0 is the most significant."""

    def bend_shots(self, shots: Shots) -> Shots:
        return reversed_bits(shots)


@fails("permuted_measures")
class ByQubit(Wrong):
    """Bits follow the qubits, not the measurements."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [replace(task, program=_by_qubit(task.program)) for task in tasks]


def _by_qubit(program: Program) -> Program:
    circuit = program.payload
    plain = circuit.copy_empty_like()
    measures = [each for each in circuit.data if each.operation.name == "measure"]
    bits = sorted(circuit.find_bit(each.clbits[0]).index for each in measures)
    qubits = sorted(circuit.find_bit(each.qubits[0]).index for each in measures)
    for each in circuit.data:
        if each.operation.name != "measure":
            plain.append(each)
    if len(set(qubits)) < len(measures):
        return program
    plain.measure(qubits, bits)
    return replace(program, payload=plain)


@fails("partial_register")
class FirstQubits(Wrong):
    """The first qubits are measured, whichever the circuit measures."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [replace(task, program=_first_qubits(task.program)) for task in tasks]


def _first_qubits(program: Program) -> Program:
    circuit = program.payload
    plain = circuit.copy_empty_like()
    qubits = itertools.cycle(circuit.qubits)
    for each in circuit.data:
        measure = each.operation.name == "measure"
        plain.append(each.replace(qubits=(next(qubits),)) if measure else each)
    return replace(program, payload=plain)


@fails("unmeasured_bits_are_zero")
class Floating(Wrong):
    """Bits that nothing is measured into read 1."""

    def bend_shots(self, shots: Shots) -> Shots:
        written = np.bitwise_or.reduce(shots.bits, axis=(0, 1))
        used = np.array([(1 << shots.num_bits) - 1 >> 8 * k & 255 for k in range(len(written))])
        return replace(shots, bits=shots.bits | (used[::-1].astype(np.uint8) & ~written))


@fails("register_across_a_byte")
class LittleEndian(Wrong):
    """The least significant byte comes first."""

    bend_shots = mapped(lambda bits: bits[..., ::-1])


@fails("spare_bits_are_zero")
class SpareBits(Wrong):
    """Spare bits are set."""

    def bend_shots(self, shots: Shots) -> Shots:
        bits = shots.bits.copy()
        bits[..., 0] |= (255 << (shots.num_bits % 8 or 8)) & 255
        return replace(shots, bits=bits)


@fails("same_qubit_into_two_bits")
class MeasuresOnce(Wrong):
    """A second measurement of a qubit is dropped."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [replace(task, program=_once(task.program)) for task in tasks]


def _once(program: Program) -> Program:
    plain = program.payload.copy_empty_like()
    seen = set()
    for each in program.payload.data:
        if each.operation.name == "measure":
            if each.qubits in seen:
                continue
            seen.add(each.qubits)
        plain.append(each)
    return replace(program, payload=plain)


@fails("layout_of_bits")
class Unpacked(Wrong):
    """Bits are not packed."""

    def bend_shots(self, shots: Shots) -> Shots:
        columns = np.unpackbits(shots.bits[..., ::-1], axis=-1, bitorder="little")
        return replace(shots, bits=columns[..., : shots.num_bits])


@fails("layout_of_bits")
class Wide(Wrong):
    """Bits are int64."""

    bend_shots = mapped(lambda bits: bits.astype(np.int64))


@fails("valid_shots")
class ValidTooMany(Wrong):
    """Discarded shots count as valid."""

    def __init__(self) -> None:
        super().__init__(HeraldingSession())

    def bend_shots(self, shots: Shots) -> Shots:
        return replace(shots, valid=np.full_like(shots.valid, shots.bits.shape[1]))


@fails("valid_shots")
class ValidTooFew(Wrong):
    """Valid shots count as discarded."""

    def __init__(self) -> None:
        super().__init__(HeraldingSession())

    def bend_shots(self, shots: Shots) -> Shots:
        assert shots.valid is not None
        return replace(shots, valid=shots.valid - 1)


@fails("valid_shots")
class ValidNotSaid(Wrong):
    """Discarded shots read as zeros."""

    def __init__(self) -> None:
        super().__init__(HeraldingSession())

    def bend_shots(self, shots: Shots) -> Shots:
        return replace(shots, valid=None)
