"""Checks of jobs of several tasks, and of the limits on them."""

from __future__ import annotations

from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import Shots, Task
from qdmi_qiskit.testing.circuits import flip, flips
from qdmi_qiskit.testing.harness import Harness, assert_layout

_MANY = 20  # tasks of a job where the device takes any number


def check_tasks_come_back_in_order(harness: Harness) -> None:
    """Entry k of the result belongs to task k, in one job and through the planner."""
    circuits = [
        (flip(0), 1),
        (flips([1], [(0, 0), (1, 8)], 9), 256),
        (flip(1), 2),
        (flips([0], [(0, 0)], 1), 1),
    ]
    outcome = harness.sample([(circuit, None) for circuit, _ in circuits])
    for shots, (circuit, want) in zip(outcome, circuits, strict=True):
        assert shots.num_bits == circuit.num_clbits, "an outcome has another circuit's bits"
        harness.compare(shots, want, "every job has its own result")
    batch = circuits[: _room(harness, len(circuits))]
    for shots, (circuit, want) in zip(
        harness.run(*(harness.task(circuit) for circuit, _ in batch)), batch, strict=True
    ):
        assert shots.num_bits == circuit.num_clbits, (
            "outcomes of one job are swapped: result() returns one entry per task, in their order"
        )
        harness.compare(shots, want, "result() returns one entry per task, in their order")


def _room(harness: Harness, most: int) -> int:
    """How many ordinary tasks fit into one job, at most `most`."""
    caps = harness.capabilities
    limits = [most]
    if caps.max_executables is not None:
        limits.append(caps.max_executables)
    if caps.max_total_shots is not None:
        limits.append(max(caps.max_total_shots // harness.usable_shots, 1))
    return min(limits)


def check_shots_are_as_many_as_asked(harness: Harness) -> None:
    """At the limits and one inside them; beyond them the device refuses, it does not cut."""
    caps = harness.capabilities
    most = caps.max_shots
    if caps.max_total_shots is not None:
        most = min(most or caps.max_total_shots, caps.max_total_shots)
    inside = {caps.min_shots, caps.min_shots + 1, 2 * harness.usable_shots}
    if most is not None and most <= harness.most_shots:
        inside |= {most, most - 1}
    fits = [n for n in sorted(inside) if n >= caps.min_shots and (most is None or n <= most)]
    for number in fits:
        (shots,) = harness.run(harness.task(flip(0), shots=number))
        assert shots.bits.shape[1] == number, (
            f"asked for {number} shots, got {shots.bits.shape[1]}: declare the limit as "
            "Capabilities(max_shots=...) and the planner will split"
        )
        assert_layout(shots, 1, number)
        if number >= harness.usable_shots:  # in fewer, noise could spoil a larger share
            harness.compare(shots, 1, f"the outcome of {number} shots is wrong")
    if most is not None and most < harness.most_shots:
        _not_bent(harness, [harness.task(flip(0), shots=most + 1)])
    if caps.min_shots > 1:
        _not_bent(harness, [harness.task(flip(0), shots=caps.min_shots - 1)])


def check_executables_are_as_many_as_asked(harness: Harness) -> None:
    """At the limit and one inside it; beyond it the device refuses, it does not cut."""
    limit, shots = harness.capabilities.max_executables, harness.usable_shots
    most = _room(harness, _MANY)
    for number in sorted({most, max(most - 1, 1)}):
        tasks = [harness.task(flip(k % 2), shots=shots) for k in range(number)]
        for k, outcome in enumerate(harness.run(*tasks)):
            harness.compare(outcome, 1 << k % 2, f"task {k} of {number} in one job")
    if limit is not None and limit < _MANY:
        _not_bent(harness, [harness.task(flip(k % 2), shots=shots) for k in range(limit + 1)])


def check_mixed_shots_as_declared(harness: Harness) -> None:
    """Tasks of one job differ in shots where that is declared, and are refused elsewhere."""
    caps, few = harness.capabilities, harness.capabilities.min_shots
    many = max(harness.usable_shots, few + 1)
    if caps.max_shots is not None and many > caps.max_shots:
        return  # there is one number of shots
    tasks = [harness.task(flip(0), shots=few), harness.task(flip(1), shots=many)]
    if caps.max_total_shots is not None and few + many > caps.max_total_shots:
        return  # no two different tasks fit into one job
    if _room(harness, 2) < 2:
        assert not caps.mixed_shots, "mixed_shots is declared for jobs of one task"
        return
    if caps.mixed_shots:
        for shots, task, want in zip(harness.run(*tasks), tasks, (1, 2), strict=True):
            assert_layout(shots, 1, task.shots)
            if task.shots == many:
                harness.compare(shots, want, "tasks of different shots are mixed up")
        return
    assert not _not_bent(harness, tasks), (
        "tasks of different shots work but are not declared: set Capabilities(mixed_shots=True)"
    )


def _not_bent(harness: Harness, tasks: list[Task]) -> tuple[Shots, ...]:
    """Submit what is beyond a limit: nothing comes back, or all that was asked for."""
    try:
        outcome = harness.outcome(harness.submit(*tasks))
    except QdmiError:
        return ()
    asked = [task.shots for task in tasks]
    got = [shots.bits.shape[1] for shots in outcome]
    assert got == asked, (
        f"a job beyond the declared limits (shots {asked}) was cut to {got} without a word: "
        "raise ProtocolError"
    )
    return outcome
