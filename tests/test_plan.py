"""The planner: whatever a device's limits are, each cell of what was asked is run exactly once."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qdmi_qiskit.errors import ConfigError, ProtocolError
from qdmi_qiskit.merge import Place, Shape, merge
from qdmi_qiskit.model import Basis, Capabilities, Program, Shots
from qdmi_qiskit.plan import Request, plan

limits = st.none() | st.integers(1, 5)
requests = st.lists(
    st.builds(
        lambda n, p, s: Request(n, np.arange(n * p, dtype=float).reshape(n, p), s, 16),
        st.integers(0, 4),
        st.integers(0, 2),
        st.integers(1, 12),
    ),
    max_size=4,
)
caps = st.builds(
    Capabilities,
    formats=st.just(("t",)),
    min_shots=st.integers(1, 3),
    max_shots=limits,
    max_executables=limits,
    max_total_shots=st.none() | st.integers(1, 20),
    sweeps=st.booleans(),
    mixed_shots=st.booleans(),
)
PROPERTY = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


CODEC = SimpleNamespace(
    encode=lambda circuit: Program("t", circuit, 16),
    bound=lambda circuit, values: [Program("t", circuit, 16) for _ in values],
    measured=lambda circuit, _basis: circuit,
)


def planned(wanted, capabilities, **options):
    return plan(wanted, capabilities, CODEC, **options)


def executed(chunks):
    """What a device would return: each byte pair says which request and which point it is."""
    results = []
    for chunk in chunks:
        out = []
        for task, place in zip(chunk.tasks, chunk.places, strict=True):
            block = np.zeros((task.points, task.shots, 2), np.uint8)
            block[..., 0] = place.request + 1
            block[..., 1] = np.arange(*place.points)[:, None]
            out.append(Shots(block, 16))
        results.append(out)
    return results


def merged(wanted, chunks, results):
    return merge([r.shape for r in wanted], [chunk.places for chunk in chunks], results)


def test_words_used_here_are_the_planners():
    assert Request(0, np.zeros((2, 0)), 3, 9).shape == Shape(2, 3, 9)


@PROPERTY
@given(requests, caps, st.integers(0, 99))
def test_every_cell_is_covered_exactly_once_within_every_limit(wanted, capabilities, seed):
    try:
        chunks = planned(wanted, capabilities, seeds=itertools.count(seed))
    except ConfigError:
        assume(False)
    seen = [np.zeros((len(r.values), r.shots), int) for r in wanted]
    seeds = []
    for chunk in chunks:
        executables = sum(task.points for task in chunk.tasks)
        most, total = capabilities.max_executables, capabilities.max_total_shots
        assert most is None or executables <= most
        assert capabilities.mixed_shots or len({task.shots for task in chunk.tasks}) == 1
        assert total is None or sum(task.points * task.shots for task in chunk.tasks) <= total
        for task, place in zip(chunk.tasks, chunk.places, strict=True):
            assert capabilities.max_shots is None or task.shots <= capabilities.max_shots
            assert task.shots >= capabilities.min_shots
            assert capabilities.sweeps or task.values.shape == (1, 0)
            if capabilities.sweeps:
                table = wanted[place.request].values[slice(*place.points)]
                np.testing.assert_array_equal(task.values, table)
            seen[place.request][slice(*place.points), slice(*place.shots)] += 1
            seeds.append(task.seed)
    assert all((cells == 1).all() for cells in seen)
    assert len(set(seeds)) == len(seeds)
    for index, shots in enumerate(merged(wanted, chunks, executed(chunks))):
        assert shots.bits.shape[:2] == (len(wanted[index].values), wanted[index].shots)
        assert (shots.bits[..., 0] == index + 1).all()
        assert (shots.bits[..., 1] == np.arange(len(shots.bits))[:, None]).all()
        assert shots.valid is None


@PROPERTY
@given(requests, caps, st.randoms(use_true_random=False))
def test_results_may_come_in_any_order(wanted, capabilities, random):
    try:
        chunks = list(planned(wanted, capabilities))
    except ConfigError:
        assume(False)
    straight = merged(wanted, chunks, executed(chunks))
    random.shuffle(chunks)
    for one, other in zip(straight, merged(wanted, chunks, executed(chunks)), strict=True):
        np.testing.assert_array_equal(one.bits, other.bits)


@PROPERTY
@given(requests, caps, st.data())
def test_valid_shots_of_all_parts_come_first(wanted, capabilities, data):
    try:
        chunks = planned(wanted, capabilities)
    except ConfigError:
        assume(False)
    results, kept = [], [np.zeros(len(r.values), int) for r in wanted]
    for chunk, full in zip(chunks, executed(chunks), strict=True):
        row = []
        for place, shots in zip(chunk.places, full, strict=True):
            points, number = shots.bits.shape[:2]
            valid = np.array(
                data.draw(st.lists(st.integers(0, number), min_size=points, max_size=points))
            )
            bits = shots.bits.copy()
            bits[np.arange(number)[None] >= valid[:, None]] = 0
            kept[place.request][slice(*place.points)] += valid
            row.append(Shots(bits, 16, valid.astype(np.int64)))
        results.append(row)
    for index, shots in enumerate(merged(wanted, chunks, results)):
        if not len(wanted[index].values):
            continue
        np.testing.assert_array_equal(shots.valid, kept[index])
        first = np.arange(shots.bits.shape[1])[None] < kept[index][:, None]
        assert (shots.bits[first][:, 0] == index + 1).all()
        assert not shots.bits[~first].any()


def test_a_device_that_sweeps_gets_the_program_once():
    encoded = []
    wanted = [Request("c", np.arange(6.0).reshape(3, 2), 5, 16)]
    codec = SimpleNamespace(
        encode=lambda circuit: encoded.append(circuit) or Program("t", circuit, 16),
        bound=lambda *_: pytest.fail("bound for a device that sweeps"),
        measured=lambda *_: pytest.fail("no basis was asked for"),
    )
    sweeps = Capabilities(formats=("t",), max_executables=None, sweeps=True)
    chunks = plan(wanted, sweeps, codec)
    assert encoded == ["c"]
    ((task,),) = (chunk.tasks for chunk in chunks)
    assert task.points == 3


@pytest.mark.parametrize("bases", [False, True])
def test_a_basis_goes_into_the_circuit_unless_the_device_takes_it(bases):
    basis = Basis(np.array([2]), np.array([True]), np.array([False]))
    codec = SimpleNamespace(
        encode=lambda circuit: Program("t", circuit, 3),
        bound=lambda circuit, values: [Program("t", circuit, 3) for _ in values],
        measured=lambda circuit, wanted: f"{circuit} along {wanted.qubits}",
    )
    capabilities = Capabilities(formats=("t",), bases=bases, sweeps=bases)
    request = Request("c", np.empty((1, 0)), 5, 4, basis=basis)
    ((task,),) = (chunk.tasks for chunk in plan([request], capabilities, codec))
    assert task.program.payload == ("c" if bases else "c along [2]")
    assert task.basis is (basis if bases else None)
    assert task.num_bits == (4 if bases else 3)


def test_shots_are_cut_as_even_as_can_be():
    capabilities = Capabilities(formats=("t",), min_shots=2, max_shots=10)
    chunks = planned([Request("c", np.empty((1, 0)), 11, 16)], capabilities)
    assert [chunk.tasks[0].shots for chunk in chunks] == [5, 6]


@pytest.mark.parametrize(
    ("shots", "capabilities", "words"),
    [
        (1, {"min_shots": 2}, "no fewer than 2 per circuit: ask for at least 2"),
        (7, {"min_shots": 5, "max_shots": 6}, "takes 5 to 6 per circuit.*ask for 10"),
    ],
)
def test_shots_that_no_parts_add_up_to_are_refused(shots, capabilities, words):
    with pytest.raises(ConfigError, match=words):
        planned(
            [Request("c", np.empty((1, 0)), shots, 16)],
            Capabilities(formats=("t",), **capabilities),
        )


def test_what_writes_no_bits_is_never_sent():
    wanted = [Request("c", np.empty((1, 0)), 4, 9, writes=False)]
    chunks = planned(wanted, Capabilities(formats=("t",)))
    assert chunks == ()
    (shots,) = merged(wanted, chunks, [])
    assert shots.bits.shape == (1, 4, 2)
    assert not shots.bits.any()


@pytest.mark.parametrize(
    "shots",
    [
        Shots(np.zeros((1, 3, 1), np.uint8), 4),
        Shots(np.zeros((2, 4, 1), np.uint8), 4),
        Shots(np.zeros((1, 4, 2), np.uint8), 4),
        Shots(np.zeros((1, 4, 1), np.int64), 4),
        Shots(np.zeros((1, 4, 1), np.uint8), 4, np.array([5])),
        Shots(np.zeros((1, 4, 1), np.uint8), 4, np.array([-1])),
        Shots(np.zeros((1, 4, 1), np.uint8), 4, np.array([1, 1])),
    ],
)
def test_an_outcome_of_another_shape_is_the_plug_ins_fault(shots):
    with pytest.raises(ProtocolError, match="report it to the author"):
        merge([Shape(1, 4, 4)], [[Place(0, (0, 1), (0, 4))]], [[shots]])
