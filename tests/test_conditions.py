"""Conditions on one bit, against Aer: does the block run for a bit of 0, and of 1?"""

from __future__ import annotations

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit_aer import AerSimulator

from qdmi_qiskit.conditions import deciding_bit

ONE_BIT = {
    "bit": lambda pair, _: (pair[1], 1),
    "bit is 0": lambda pair, _: (pair[1], 0),
    "bit is False": lambda pair, _: (pair[1], False),
    "register": lambda _, single: (single, 1),
    "register is 0": lambda _, single: (single, 0),
    "lifted": lambda pair, _: expr.lift(pair[1]),
    "not": lambda pair, _: expr.logic_not(pair[1]),
    "not not": lambda pair, _: expr.logic_not(expr.logic_not(pair[1])),
    "bit flipped": lambda pair, _: expr.bit_not(pair[1]),
    "equal": lambda pair, _: expr.equal(pair[1], True),
    "equal to 0": lambda pair, _: expr.equal(False, pair[1]),
    "unequal": lambda pair, _: expr.not_equal(pair[1], True),
    "not unequal to 0": lambda pair, _: expr.logic_not(expr.not_equal(pair[1], False)),
    "register equal": lambda _, single: expr.equal(single, 1),
    "register unequal": lambda _, single: expr.not_equal(single, 1),
    "register, wider": lambda _, single: expr.equal(expr.cast(single, types.Uint(8)), 1),
}
# Aer 0.18 knows no index, and is wrong about a register: its `not` is 1 for both values.
BY_HAND = {
    "index": (lambda pair, _: expr.index(pair, 1), True),
    "index, not": (lambda pair, _: expr.logic_not(expr.index(pair, 1)), False),
    "not of a register": (lambda _, single: expr.logic_not(single), False),
}
OTHERS = {
    "two bits": lambda pair, _: (pair, 1),
    "both": lambda pair, _: expr.bit_and(pair[0], pair[1]),
    "either": lambda pair, _: expr.logic_or(pair[0], pair[1]),
    "two registers": lambda pair, single: expr.equal(pair[0], single[0]),
    "greater": lambda pair, _: expr.greater(pair, 1),
    "another value": lambda pair, _: expr.equal(pair, 3),
    "true": lambda *_: expr.lift(True),
    "flipped register": lambda pair, _: expr.equal(expr.bit_not(pair), 1),
}


def registers():
    return ClassicalRegister(2, "pair"), ClassicalRegister(1, "single")


def runs(make, value):
    """Return whether Aer runs the block where both the second bit and the single one are so."""
    pair, single = registers()
    qubits, out = QuantumRegister(2), ClassicalRegister(1, "out")
    circuit = QuantumCircuit(qubits, pair, single, out)
    if value:
        circuit.x(0)
    circuit.measure(0, pair[1])
    circuit.measure(0, single[0])
    with circuit.if_test(make(pair, single)):
        circuit.x(1)
    circuit.measure(1, out)
    (word,) = AerSimulator().run(circuit, shots=3).result().get_counts()
    return word[0] == "1"


@pytest.mark.parametrize("name", ONE_BIT)
def test_the_bit_and_its_value(name):
    pair, single = registers()
    bit, wanted = deciding_bit(ONE_BIT[name](pair, single))
    assert bit in (pair[1], single[0])
    assert [runs(ONE_BIT[name], value) for value in (0, 1)] == [not wanted, wanted]


@pytest.mark.parametrize("name", BY_HAND)
def test_what_aer_cannot_tell(name):
    pair, single = registers()
    make, wanted = BY_HAND[name]
    bit, found = deciding_bit(make(pair, single))
    assert (bit in (pair[1], single[0]), found) == (True, wanted)


@pytest.mark.parametrize("name", OTHERS)
def test_more_than_a_bit_is_none(name):
    assert deciding_bit(OTHERS[name](*registers())) is None
