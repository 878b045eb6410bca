"""Two ways to do the same work, timed in alternation in one process.

A ratio is ours over theirs of CPU time (all threads of the process), paired round by round; its
spread is the quartiles of the rounds. Every contestant's outcome is checked in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Race:
    """One row of the table.

    Attributes:
        work: What is done.
        against: By whom else.
        ours: Does it our way; returns an outcome.
        theirs: Does it their way.
        check: Raises if an outcome is wrong; called once on each side.
        limit: The ratio that the project promises, or None for information.
        rounds: Timed rounds; one more, untimed, goes before.
        calls: Calls per round, for work that is too short to time alone.
        shortcut: Whether ours wins by simulating once, which holds for noiseless simulators only.
    """

    work: str
    against: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    check: Callable[[Any], None]
    limit: float | None = None
    rounds: int = 5
    calls: int = 1
    shortcut: bool = False


@dataclass
class Outcome:
    """What a race showed; seconds are CPU per call, medians."""

    work: str
    against: str
    limit: float | None
    ratio: float
    quartiles: tuple[float, float]
    wall_ratio: float
    ours: float
    theirs: float
    shortcut: bool
    wrong: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        """Whether the ratio is within what the project promises."""
        return self.limit is None or self.ratio <= self.limit

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def run(race: Race) -> Outcome:
    """Run a race."""
    wrong = []
    for name, call in (("ours", race.ours), ("theirs", race.theirs)):
        try:
            race.check(call())
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    cpu: dict[str, list[float]] = {"ours": [], "theirs": []}
    wall: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(race.rounds):
        pair = [("ours", race.ours), ("theirs", race.theirs)]
        for name, call in pair if number % 2 else reversed(pair):
            start, clock = time.process_time(), time.perf_counter()
            for _ in range(race.calls):
                call()
            cpu[name].append((time.process_time() - start) / race.calls)
            wall[name].append((time.perf_counter() - clock) / race.calls)
    ratios = sorted(a / b for a, b in zip(cpu["ours"], cpu["theirs"], strict=True))
    walls = [a / b for a, b in zip(wall["ours"], wall["theirs"], strict=True)]
    quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return Outcome(
        race.work,
        race.against,
        race.limit,
        statistics.median(ratios),
        (quartiles[0], quartiles[2]),
        statistics.median(walls),
        statistics.median(cpu["ours"]),
        statistics.median(cpu["theirs"]),
        race.shortcut,
        wrong,
    )
