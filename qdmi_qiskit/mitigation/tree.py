"""Items and what stages make of them: down to what is sent, and up again with the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage


@dataclass
class Node:
    """An item, and what its first stage made of it."""

    item: Item
    stages: tuple[Stage, ...]
    children: list[Node]

    def leaves(self) -> list[Node]:
        """Return what is sent for it."""
        if not self.stages:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


def expand(nodes: Sequence[Node], context: Context) -> tuple[int, int]:
    """Prepare level by level, so that a stage calibrates once for all items that come to it.

    Returns:
        Shots and circuits that calibrations took.
    """
    shots = circuits = 0
    level = [node for node in nodes if node.stages]
    while level:
        rank = min(node.stages[0].rank for node in level)
        now = [node for node in level if node.stages[0].rank == rank]
        later = [node for node in level if node.stages[0].rank != rank]
        different: list[Stage] = []
        for node in now:  # not a set: stages may hold dictionaries
            if node.stages[0] not in different:
                different.append(node.stages[0])
        for stage in different:
            some = [node.item for node in now if node.stages[0] == stage]
            cost = stage.calibrate(some, context)
            shots, circuits = shots + cost[0], circuits + cost[1]
        for node in now:
            made = node.stages[0].prepare(node.item, context)
            node.children = [Node(item, node.stages[1:], []) for item in made]
            later += [child for child in node.children if child.stages]
        level = later
    return shots, circuits


def finished(node: Node, answers: Iterator[Outcome], context: Context) -> Outcome:
    """Return the values of a node from those of its leaves, which come in their order."""
    if not node.stages:
        return next(answers)
    outcomes = [finished(child, answers, context) for child in node.children]
    return node.stages[0].finish(node.item, outcomes, context)
