"""Checks of the outcome: every bit where the circuit put it, on circuits without symmetry."""

from __future__ import annotations

import numpy as np

from qdmi_qiskit.errors import JobFailedError, RejectedError, UnsupportedError
from qdmi_qiskit.model import Shots
from qdmi_qiskit.testing.circuits import flip, flips
from qdmi_qiskit.testing.harness import Harness, assert_layout, words

_ORDER = "classical bit 0 is the lowest bit of the last byte; record which column is which bit"


def _width(harness: Harness, most: int = 3) -> int:
    return min(most, harness.spec.num_qubits)


def check_layout_of_bits(harness: Harness) -> None:
    """uint8, shape (points, shots, bytes)."""
    (shots,) = harness.run(harness.task(flip(0)))
    assert isinstance(shots, Shots), f"result() holds a {type(shots).__name__}: wanted Shots"
    assert shots.num_bits == 2, f"num_bits is {shots.num_bits} for 2 classical bits"
    assert_layout(shots, 1, harness.usable_shots)


def check_bit_order(harness: Harness) -> None:
    """X on one qubit sets one bit."""
    width = _width(harness)
    for one in range(width):
        harness.expect(flip(one, width), 1 << one, _ORDER)


def check_permuted_measures(harness: Harness) -> None:
    """Bits follow the measurements, not the qubits."""
    width = _width(harness)
    for one in range(width):
        turned = [(qubit, (qubit + 1) % width) for qubit in range(width)]
        want = 1 << (one + 1) % width
        harness.expect(flips([one], turned, width), want, f"{_ORDER}, not which qubit")
        harness.expect(flips([one], turned[::-1], width), want, "order of measuring is no matter")


def check_partial_register(harness: Harness) -> None:
    """One qubit of two is measured, into the first bit or the last."""
    harness.expect(flips([1], [(1, 0)], 1), 1, "measure the qubit that the circuit measures")
    harness.expect(flips([0], [(1, 0)], 1), 0, "measure the qubit that the circuit measures")
    harness.expect(flips([0], [(0, 2)], 3), 4, _ORDER)


def check_unmeasured_bits_are_zero(harness: Harness) -> None:
    """A bit that nothing is measured into reads 0, whatever its qubit holds."""
    harness.expect(flips([0, 1], [(0, 1)], 3), 2, "leave bits 0 that nothing is measured into")


def check_register_across_a_byte(harness: Harness) -> None:
    """Nine bits take two bytes, the most significant first."""
    for one, want in ((0, 0b1_0000_0000), (1, 0b0_0000_0001)):
        harness.expect(flips([one], [(0, 8), (1, 0)], 9), want, f"two bytes: {_ORDER}")
    for one, want in ((0, 0b0_1000_0000), (1, 0b1_0000_0000)):
        harness.expect(flips([one], [(0, 7), (1, 8)], 9), want, f"two bytes: {_ORDER}")


def check_spare_bits_are_zero(harness: Harness) -> None:
    """The high bits of the first byte that belong to no classical bit stay 0."""
    for width in (2, 9):
        (shots,) = harness.run(harness.task(flips([0, 1], [(0, 0), (1, width - 1)], width)))
        assert_layout(shots, 1, harness.usable_shots)
        used = (1 << (width % 8)) - 1
        assert not (shots.bits[..., 0] & ~np.uint8(used)).any(), (
            f"of {width} bits the first byte holds {width % 8}, yet others are set: clear them, "
            "they break every count of outcomes"
        )


def check_same_qubit_into_two_bits(harness: Harness) -> None:
    """A qubit measured twice sets both bits; a device may refuse such a circuit, not bend it."""
    twice = flips([0], [(0, 0), (0, 2)], 3)
    between = flips([0], [(0, 1)], 2)
    between.x(0)
    between.measure(0, 0)
    for circuit, want in ((twice, 5), (between, 2)):
        try:
            task = harness.task(circuit)
            (shots,) = harness.run(task)
        except (RejectedError, UnsupportedError, JobFailedError):
            continue
        harness.compare(shots, want, "raise RejectedError if the device measures a qubit once only")


def check_valid_shots(harness: Harness) -> None:
    """`Shots.valid` counts the shots that came first; the rows after them are zero."""
    (shots,) = harness.run(harness.task(flips([0, 1], [(0, 0), (1, 1)], 2)))
    if shots.valid is None:
        zeros = sum(word == 0 for word in words(shots))
        assert zeros <= harness.tolerance * harness.usable_shots, (
            f"{zeros} shots of a circuit that gives 11 read 00: if the device discarded them, "
            "say so in Shots.valid"
        )
        return
    number = shots.bits.shape[1]
    assert shots.valid.shape == (1,), f"valid has shape {shots.valid.shape}: wanted one per point"
    assert np.issubdtype(shots.valid.dtype, np.integer), f"valid is {shots.valid.dtype}: int64?"
    valid = int(shots.valid[0])
    assert 0 <= valid <= number, f"valid says {valid} of {number} shots"
    assert not shots.bits[0, valid:].any(), (
        f"valid says {valid} shots, yet rows after them hold outcomes: put valid shots first, "
        "count them all, and zero the rest"
    )
    harness.compare(shots, 3, "valid counts shots that were discarded")
