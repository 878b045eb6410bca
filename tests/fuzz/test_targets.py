"""The targets of the fuzzer take what it begins with, and what it once found."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import TARGETS, tried

pytest.importorskip("requests")
FOUND: list[tuple[str, bytes]] = []


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_fuzzer_begins_with(name):
    for seed in TARGETS[name][1]:
        TARGETS[name][0](seed)
    chance = random.Random(name)  # noqa: S311 - it only spoils
    for seed in TARGETS[name][1]:
        for _ in range(20):
            data = bytearray(seed)
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            tried(name, bytes(data[: chance.randint(1, len(data))]))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_a_fuzzer_found(name, data):
    tried(name, data)
