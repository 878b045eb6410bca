"""Shots split over members, and put together again."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from qiskit.primitives import StatevectorSampler

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.dispatch import (
    Cheapest,
    DispatchSampler,
    Member,
    Race,
    Replicate,
    SplitPubs,
    SplitShots,
    State,
    engine,
    total_variation,
)
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    MissingPluginError,
    SubmitUnknownError,
    UnavailableError,
)
from qdmi_qiskit.model import DeviceState, DeviceStatus, Price
from tests.dispatch.circuits import flipped, two_registers
from tests.dispatch.faulty import faulty


def counts(result):
    return result.join_data().get_counts()


def test_shots_add_up_and_registers_stay_joint():
    group = DispatchSampler(["aer", "aer", StatevectorSampler(seed=3)], seed=1)
    result = group.run([two_registers(), (flipped(1), None, 10)], shots=1001).result()
    assert sum(counts(result[0]).values()) == result[0].metadata["shots"] == 1001
    assert set(counts(result[0])) == {"010", "111"}
    assert [row["shots"] for row in result[0].metadata["shards"]] == [334, 334, 333]
    assert counts(result[1]) == {"010": 10}
    seen = [group.run([two_registers()], shots=64).result()[0] for _ in range(2)]
    assert seen[0].data.a.get_bitstrings() != seen[1].data.a.get_bitstrings()


def test_members_of_one_kind_do_not_share_a_seed():
    group = DispatchSampler(["aer", "aer"], seed=5)
    assert [member.name for member in group.members] == ["aer", "aer#2"]
    job = group.run([two_registers()], shots=128)
    job.result()
    first, second = (job.by_member()[name][0].data.a for name in ("aer", "aer#2"))
    assert (first.array != second.array).any()
    again = DispatchSampler(["aer", "aer"], seed=5).run([two_registers()], shots=128)
    assert (again.by_member()["aer"] if again.result() else {})[0].data.a == first


def test_three_makes_of_primitives_and_a_sweep():
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(2, 2)
    circuit.rx(Parameter("b"), 0)
    circuit.rx(Parameter("a"), 1)
    circuit.measure([0, 1], [0, 1])
    values = {("a", "b"): [[0.0, 3.141592653589793], [3.141592653589793, 0.0]]}
    group = DispatchSampler(["aer", "replay:grid20", StatevectorSampler()], optimization_level=1)
    result = group.run([(circuit, values)], shots=300).result()[0]
    assert result.data.shape == (2,)
    for point, word in enumerate(("01", "10")):
        seen = result.data.c.get_counts(point)
        assert sum(seen.values()) == 300
        assert seen[word] > 250


@pytest.mark.parametrize(
    ("weights", "members", "wanted"),
    [
        ("even", [{}, {}], [50, 50]),
        ("capacity", [{"capacity": 1}, {"capacity": 4}], [20, 80]),
        ("queue", [{"queue": 0}, {"queue": 3}], [80, 20]),
        ("price", [{"price": Price(0, 0.1)}, {"price": Price(0, 0.3)}], [75, 25]),
        ("price", [{"price": Price()}, {"price": Price(0, 0.3)}], [100, 0]),
        ("fidelity", [{"fidelity": 0.9}, {"fidelity": 0.6}], [60, 40]),
        ({"one": 3, "two": 1}, [{}, {}], [75, 25]),
        ([1, 3], [{}, {}], [25, 75]),
        (lambda pub, members: [pub.size, 300], [{}, {}], [25, 75]),
        ("even", [{"max_shots": 20}, {}], [20, 80]),
        ("capacity", [{"capacity": 1, "min_shots": 40}, {"capacity": 9}], [0, 100]),
    ],
)
def test_weights(weights, members, wanted):
    sampler = StatevectorSampler()
    some = [
        Member(over=sampler, name=name, **figures)
        for name, figures in zip(("one", "two"), members, strict=True)
    ]
    group = DispatchSampler(some, SplitShots(weights))
    assert group.plan([flipped(0)], shots=100).asked.tolist() == [wanted]


def test_figures_come_from_the_backend():
    busy = faulty("busy", price=Price(0.3, 0.001))
    busy.session.status = lambda: DeviceState(status=DeviceStatus.BUSY, queue_length=4)
    group = DispatchSampler([busy, "aer"], SplitShots("queue"))
    assert group.plan([flipped(0)], shots=600).asked.tolist() == [[100, 500]]
    plan = DispatchSampler([busy, "aer"]).plan([flipped(0)], shots=600)
    assert plan.costs() == {"USD": pytest.approx(0.6)}
    replay = QDMIProvider().get_backend("replay:grid20")
    group = DispatchSampler([replay, Member(over=busy, fidelity=1.0)], optimization_level=1)
    short, long = two_registers(), two_registers()
    for _ in range(9):
        long.cx(0, 1)
    figures = [
        group.members[0].fidelity_of(group.plan([c]).compiled[0][0].circuit) for c in (short, long)
    ]
    assert 0.5 < figures[1] < figures[0] < 1


def test_a_lacking_figure_is_named():
    for weights in ("capacity", "queue", "price", "fidelity"):
        group = DispatchSampler([StatevectorSampler(), StatevectorSampler()], SplitShots(weights))
        with pytest.raises(ConfigError, match=f"StatevectorSampler' does not say its {weights}"):
            group.plan([flipped(0)])
    with pytest.raises(ConfigError, match="did you mean 'fidelity'"):
        DispatchSampler(["aer"], SplitShots("fidelty")).plan([flipped(0)])


def test_a_plan_is_looked_at_priced_edited_and_then_sent():
    dear = faulty("dear", price=Price(0.3, 0.01))
    group = DispatchSampler([dear, "aer"])
    plan = group.plan([flipped(0), flipped(2)], shots=100)
    assert plan.costs() == {"USD": pytest.approx(2 * (0.3 + 0.5))}
    assert [row["price"] for row in plan.table().rows] == [pytest.approx(0.8), 0.0] * 2
    plan.set(0, dear=10)
    document = json.loads(json.dumps(plan.to_dict()))
    assert document["asked"][0] == {"dear": 10, "aer": 50}
    document["asked"][1] = {"aer": 7}
    plan.update(document)
    assert dear.session.sent == []
    result = group.send(plan).result()
    assert [sum(counts(pub).values()) for pub in result] == [60, 7]
    assert dear.session.sent == [10]
    for wrong in ({"dea": 1}, {"dear": -1}, {"dear": 1.5}):
        with pytest.raises(ConfigError):
            plan.set(0, **wrong)
    plan.asked[:] = 0
    with pytest.raises(ConfigError, match="goes to no member"):
        group.send(plan)


def test_pubs_are_packed_longest_first():
    members = [
        Member(over=StatevectorSampler(), name=n, capacity=c) for n, c in (("a", 1), ("b", 3))
    ]
    group = DispatchSampler(members, SplitPubs("capacity"))
    pubs = [(flipped(0), None, shots) for shots in (100, 600, 300, 90)]
    plan = group.plan(pubs)
    assert plan.asked.tolist() == [[0, 100], [0, 600], [300, 0], [0, 90]]
    assert [counts(pub) for pub in group.send(plan).result()] == [
        {"001": shots} for shots in (100, 600, 300, 90)
    ]


def test_the_cheapest_within_a_budget():
    cheap, dear = (faulty(n, price=Price(0, p)) for n, p in (("cheap", 0.01), ("dear", 0.02)))
    group = DispatchSampler([dear, cheap], Cheapest(budget=1.2))
    job = group.run([flipped(1)], shots=100)
    assert counts(job.result()[0]) == {"010": 100}
    assert (dear.session.sent, cheap.session.sent) == ([], [100])
    with pytest.raises(ConfigError, match=r"would cost 2.00 USD and the budget is 1.20"):
        group.run([flipped(1)], shots=200)
    # What failed has cost something: the dearer one is within the budget no more.
    cheap.session.failing.add(1)
    with pytest.raises(JobFailedError, match="fridge"):
        group.run([flipped(1)], shots=100).result()
    assert dear.session.sent == []


def test_a_member_killed_midway_costs_no_finished_result():
    # Each pub is a device job of its own here; the second job of `weak` fails.
    weak, strong = faulty("weak", failing={1}), faulty("strong")
    group = DispatchSampler([weak, strong], SplitPubs([2, 1]))
    pubs = [(flipped(bit), None, 40) for bit in range(3)]
    job = group.run([*pubs, (flipped(0), None, 100)])
    result = job.result()
    assert [counts(pub) for pub in result] == [
        {"001": 40},
        {"010": 40},
        {"100": 40},
        {"001": 100},
    ]
    rows = job.table().rows
    assert [(row["pub"], row["member"]) for row in rows if row["state"] == "failed"]
    moved = [row for row in rows if row["turn"] == 1]
    assert [row["member"] for row in moved] == ["strong"] * len(moved)
    assert len(moved) == 1  # the other pubs of `weak` came, though their run failed
    assert sum(weak.session.sent) + sum(strong.session.sent) == 220 + moved[0]["shots"]


def test_all_shots_of_a_dead_member_go_to_the_survivors():
    dead = faulty("dead", refuse={0: UnavailableError("no route")})
    group = DispatchSampler([dead, "aer", StatevectorSampler(seed=1)], SplitShots([2, 1, 1]))
    job = group.run([two_registers(), flipped(0)], shots=1001)
    result = job.result()
    assert [sum(counts(pub).values()) for pub in result] == [1001, 1001]
    assert set(counts(result[0])) == {"010", "111"}
    failed = [shard for shard in job.shards if shard.state is State.FAILED]
    assert {type(shard.error) for shard in failed} == {UnavailableError}
    assert all(shard.moved for shard in failed)


def test_what_is_unknown_is_never_sent_again():
    lost = faulty("lost", refuse={0: SubmitUnknownError("the line broke")})
    other = faulty("other")
    group = DispatchSampler([lost, other])
    job = group.run([flipped(0)], shots=100)
    with pytest.raises(JobFailedError, match=r"lost unknown \(SubmitUnknownError"):
        job.result()
    assert counts(job.result(partial=True)[0]) == {"001": 50}
    assert (lost.session.sent, other.session.sent) == ([], [50])
    lost.session.refuse = {1: SubmitUnknownError("again")}
    job = DispatchSampler([lost, other], move_unknown=True).run([flipped(0)], shots=100)
    assert counts(job.result()[0]) == {"001": 100}


def test_out_of_reach_after_sending_is_unknown_too():
    away, other = faulty("away"), faulty("other")
    away.session.out_of_reach = UnavailableError("no route")
    job = DispatchSampler([away, other]).run([flipped(0)], shots=100)
    job.wait(300)
    assert [shard.state for shard in job.shards] == [State.UNKNOWN, State.DONE]


def test_what_was_never_queued_moves_and_what_may_have_been_does_not():
    """Three jobs behind one member's call; the third is refused, or its fate is unknown."""
    pubs = [(flipped(bit), None, 40) for bit in range(3)]
    for refusal, failing, state in (
        (UnavailableError("no route"), (), State.FAILED),
        (SubmitUnknownError("the line broke"), (), State.UNKNOWN),
        (SubmitUnknownError("the line broke"), (1,), State.UNKNOWN),
    ):
        weak, strong = faulty("weak", refuse={2: refusal}, failing=failing), faulty("strong")
        job = DispatchSampler([weak, strong], SplitPubs([1, 1e-9])).run(pubs)
        job.wait(300)
        lost = [shard for shard in job.shards if shard.state is state]
        assert len(lost) == 1 + len(failing)
        assert strong.session.sent == ([40] if state is State.FAILED else [])
        assert sum(shard.state is State.DONE for shard in job.shards if not shard.member) == (
            2 - len(failing)
        )


def test_a_group_in_a_group_says_what_is_unknown():
    lost = faulty("lost", refuse={0: SubmitUnknownError("the line broke")})
    inner, other = DispatchSampler([lost]), faulty("other")
    job = DispatchSampler([inner, other]).run([flipped(0)], shots=100)
    job.wait(300)
    assert [shard.state for shard in job.shards] == [State.UNKNOWN, State.DONE]
    assert other.session.sent == [50]


def test_without_moving_parts_are_there_and_typed():
    weak = faulty("weak", failing={0})
    job = DispatchSampler([weak, "aer"], move=False).run([flipped(0)], shots=100)
    with pytest.raises(JobFailedError, match=r"weak failed \(JobFailedError: .*fridge"):
        job.result()
    assert sum(counts(job.result(partial=True)[0]).values()) == 50
    assert job.status().name == "ERROR"
    document = json.loads(json.dumps(job.to_dict()))
    assert [row["state"] for row in document["shards"]] == ["failed", "done"]


def test_a_deadline_gives_up_what_hangs(monkeypatch):
    """The clock stands until the other member is done, however busy the machine is."""
    jobs = []

    def now():
        return 9.0 if any(s.state is State.DONE for job in jobs for s in job.shards) else 0.0

    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=now))
    slow = faulty("slow", open_gate=False)
    job = DispatchSampler([slow, "aer"], deadline=1).run([flipped(0)], shots=100)
    jobs.append(job)
    with pytest.raises(JobFailedError, match="slow timeout"):
        job.result(300)
    assert sum(counts(job.result(partial=True)[0]).values()) == 50
    assert {shard.state for shard in job.shards} == {State.TIMEOUT, State.DONE}


def test_a_race_ends_with_the_first_good_outcome():
    slow, fast = faulty("slow", open_gate=False), faulty("fast", open_gate=False)
    job = DispatchSampler([slow, fast], Race()).run([flipped(2)], shots=50)
    while any(shard.state is State.PENDING for shard in job.shards):
        pass
    fast.session.gate.set()
    assert counts(job.result(300)[0]) == {"100": 50}
    assert job.winner == "fast"
    assert [shard.state for shard in job.shards] == [State.CANCELED, State.DONE]
    wrong = DispatchSampler(["aer", "aer"], Race(good=lambda result: False))
    with pytest.raises(JobFailedError, match="not good"):
        wrong.run([flipped(2)], shots=50).result(300)


def test_cancel_stops_all():
    slow = [faulty(name, open_gate=False) for name in ("one", "two")]
    job = DispatchSampler(slow).run([flipped(2)], shots=50)
    while any(shard.state is State.PENDING for shard in job.shards):
        pass
    assert job.cancel()
    assert {shard.state for shard in job.shards} == {State.CANCELED}
    with pytest.raises(JobFailedError):
        job.result(300)


def test_replicas_are_compared_by_a_function_of_the_user():
    def distances(results):
        ideal = results["aer"][0].join_data().get_counts()
        return {
            name: total_variation(pubs[0].join_data().get_counts(), ideal)
            for name, pubs in results.items()
        }

    group = DispatchSampler(
        ["aer", "replay:grid20"], Replicate(), optimization_level=1, merge=distances, seed=2
    )
    found = group.run([two_registers()], shots=2000).result()
    assert found["aer"] == 0
    assert 0.01 < found["replay:grid20"] < 0.25


def test_progress_and_completion_are_seen():
    seen = []
    group = DispatchSampler(["aer", "aer"], progress=lambda job: seen.append(job.states()))
    job = group.run([flipped(0), flipped(1)], shots=100)
    assert {id(shard) for shard in job.as_completed(30)} == {id(shard) for shard in job.shards}
    job.result()
    assert seen[-1] == {State.DONE: 4}
    assert QDMIProvider().job(job.job_id()) is job


def test_the_table_goes_to_pandas_or_says_what_to_install():
    job = DispatchSampler(["aer"]).run([flipped(0)], shots=10)
    job.result()
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(MissingPluginError, match="pip install pandas"):
            job.to_pandas()
    else:
        assert job.to_pandas()["obtained_shots"].tolist() == [10]


def test_wrong_groups_are_refused():
    with pytest.raises(ConfigError, match="no members"):
        DispatchSampler([])
    with pytest.raises(ConfigError, match="group of samplers"):
        DispatchSampler([EstimatorV2(QDMIProvider().get_backend("aer"))])
    with pytest.raises(ConfigError, match="called 'a'"):
        DispatchSampler([Member(over="aer", name="a"), Member(over="aer", name="a")])
    group, other = DispatchSampler(["aer"]), DispatchSampler(["aer"])
    with pytest.raises(ConfigError, match="another group"):
        group.send(other.plan([flipped(0)]))
    with pytest.raises(ConfigError, match="empty list"):
        group.run([])


def test_groups_may_stand_in_groups():
    inner = DispatchSampler(["aer", "aer"])
    outer = DispatchSampler([inner, SamplerV2(QDMIProvider().get_backend("aer"))])
    assert counts(outer.run([flipped(1)], shots=101).result()[0]) == {"010": 101}


@pytest.mark.parametrize(("detached", "price"), [(False, Price()), (True, None)])
def test_a_simulator_elsewhere_that_states_no_price_is_not_free(detached, price):
    """Amazon's simulators charge by the minute, and their documents do not say it."""
    backend = QDMIProvider().get_backend("aer", num_qubits=2)
    caps = replace(backend.spec.capabilities, detached=detached)
    backend._spec = replace(backend.spec, capabilities=caps)
    assert Member(over=SamplerV2(backend)).charges == price
