"""A property of many sites, asked in one room that is made once."""

from __future__ import annotations

import ctypes
import struct

import pytest

from qdmi_qiskit import registry
from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.devices.native.queries import answers
from qdmi_qiskit.errors import ConfigError, ProtocolError


def library(values, *, size=8, past=0):
    """A query that answers by handle: bytes are written, a number is the status of a refusal."""

    def ask(handle, room, buffer, needed):
        said = values[handle]
        if isinstance(said, int):
            return said
        ctypes.memmove(buffer, said + b"!" * past, len(said) + past)
        ctypes.cast(needed, ctypes.POINTER(ctypes.c_size_t))[0] = size
        return 0

    return ask


def uints(*numbers):
    return {k: struct.pack("=Q", number) for k, number in enumerate(numbers)}


def test_values_come_in_the_order_asked():
    assert answers(library(uints(7, 5, 9)), [2, 0, 1], "uint", "it") == [9, 7, 5]
    assert answers(library({1: b"\1", 0: b"\0"}, size=1), [1, 0], "flag", "it") == [True, False]


def test_it_ends_before_the_first_that_is_not_simply_given():
    said = uints(7, 5, 9) | {1: -5}
    assert answers(library(said), [0, 1, 2], "uint", "it") == [7]
    assert answers(library(uints(7), size=4), [0], "uint", "it") == []


def test_what_a_library_does_not_write_is_not_the_site_before():
    said = uints(7, 5) | {1: b""}
    assert answers(library(said), [0, 1], "uint", "it") == [7, 0]


def test_writing_past_the_end_is_noticed():
    with pytest.raises(ProtocolError, match="wrote more than the 8 bytes"):
        answers(library(uints(7, 5), past=3), [0, 1], "uint", "it")


def test_an_id_that_nobody_knows_is_looked_for_again():
    known = registry.installed("qdmi_qiskit.devices")
    read = registry._scan()
    with pytest.raises(ConfigError, match="no QDMI device"):
        driver.open("nobody.has-this")
    assert registry._scan() is not read
    assert registry.installed("qdmi_qiskit.devices") == known
