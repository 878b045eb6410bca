"""Devices that lose or confuse points, tasks and shots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qdmi_qiskit.model import (
    Capabilities,
    Shots,
    Task,
)
from qdmi_qiskit.testing.broken.wrong import (
    Wrong,
    fails,
    mapped,
)
from qdmi_qiskit.testing.heralding import HeraldingSession


@fails("sweep_points_in_order")
class Rolled(Wrong):
    """Points are rolled by one."""

    bend_shots = mapped(lambda bits: np.roll(bits, 1, axis=0))


@fails("sweep_columns_by_name")
class NaturalColumns(Wrong):
    """Columns are sorted as people count, p2 before p10."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [_resorted(task, lambda name: (len(name), name)) for task in tasks]


@fails("sweep_columns_of_vectors")
class AlphabeticColumns(Wrong):
    """Columns are sorted by name, v[10] before v[2]."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [_resorted(task, str) for task in tasks]


def _resorted(task: Task, key: Callable[[str], Any]) -> Task:
    names = task.program.parameters
    order = sorted(range(len(names)), key=lambda k: key(names[k]))
    return replace(task, values=np.ascontiguousarray(task.values[:, order]))


@fails("tasks_come_back_in_order")
class Swapped(Wrong):
    """Outcomes of a job come in the reverse order."""

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        return outcome[::-1]


@fails("shots_are_as_many_as_asked")
class Cut(Wrong):
    """Shots beyond a limit that is not declared are cut."""

    bend_shots = mapped(lambda bits: bits[:, :100])


@fails("shots_are_as_many_as_asked")
class CutBeyond(Wrong):
    """Shots beyond the declared limit are cut, not refused."""

    def bend_claims(self, claims: Capabilities) -> Capabilities:
        return replace(claims, max_shots=100)

    bend_shots = mapped(lambda bits: bits[:, :100])


@fails("executables_are_as_many_as_asked")
class Dropped(Wrong):
    """Tasks beyond the tenth are dropped."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return tasks[:10]


@fails("mixed_shots_as_declared")
class MixesSilently(Wrong):
    """Mixed shots work but are not declared."""

    def __init__(self) -> None:
        super().__init__(HeraldingSession())

    def bend_claims(self, declared: Capabilities) -> Capabilities:
        return replace(declared, mixed_shots=False)
