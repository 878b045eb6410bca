"""Documents with something wrong in them, for fuzzing."""

from __future__ import annotations

import copy
import json
import math
import random
import tracemalloc
from contextlib import contextmanager

from hypothesis import strategies as st

DEEP = 3000


def _deep():
    nest = leaf = []
    for _ in range(200):
        leaf.append([])
        leaf = leaf[0]
    return nest


VALUES = (
    *(None, True, False, 0, 1, -1, 2, 10**9, 2**63, 10**400, 0.5, -0.0, 1e308, math.nan, math.inf),
    *("", "0", "-1", "nan", "QB1", "../../etc/passwd", "\0", "\ud800", "é" * 50, "x" * 5000),
    *([], {}, [[]], [None], [[], [1]], [[2]], [["a"]], {"": None}, {"x": {"y": []}}, _deep()),
    *([0] * 400, {str(k): k for k in range(100)}, "2026-13-45T99:99:99Z", "arn:aws:x"),
)
ODD = st.sampled_from(VALUES)
ANY = st.recursive(
    ODD | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(document, before=()):
    """Yield the path of everything in a document, itself included."""
    yield before
    if isinstance(document, dict):
        for key, value in list(document.items())[:12]:
            yield from places(value, (*before, key))
    elif isinstance(document, list):
        for index, value in enumerate(document[:3]):
            yield from places(value, (*before, index))


def replaced(document, path, value):
    """Return a copy with another value in one place; `...`: without it."""
    if not path:
        return {} if value is ... else value
    found = copy.deepcopy(document)
    owner = found
    for step in path[:-1]:
        owner = owner[step]
    if value is ...:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return found


def spoilt(document):
    """Draw a document with one or two things replaced or left out."""
    return st.integers(0, 2**32).map(lambda seed: spoil(document, random.Random(seed)))  # noqa: S311


def spoil(document, chance):
    """Return a document with one or two things replaced or left out."""
    found = document
    for _ in range(chance.randint(1, 2)):
        by_depth = {}
        for path in places(found):
            by_depth.setdefault(len(path), []).append(path)
        # Every depth alike: there is far more below than above, and it matters less.
        path = chance.choice(by_depth[chance.choice(list(by_depth))])
        found = replaced(found, path, chance.choice([..., *VALUES]))
    return found


@contextmanager
def little_memory(most=64 << 20):
    """See that no more than so many bytes are taken at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def as_json(value):
    """Return a value as bytes of JSON, of which some parsers choke."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
