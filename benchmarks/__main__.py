"""`python -m benchmarks [WORD ...]`: run the races whose names contain a word; print the table."""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)

from rich.console import Console
from rich.table import Table

from benchmarks import peers, works
from benchmarks.race import Outcome, Race, run

GROUPS = (
    works.sampler_races,
    works.framework_races,
    works.format_races,
    works.target_races,
    works.estimator_races,
    peers.peer_races,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", help="run races whose names contain one of these")
    parser.add_argument("--json", type=Path, help="write the outcomes there")
    parser.add_argument("--plot", type=Path, help="draw them there, as PNG, PDF or SVG")
    parser.add_argument("--rounds", type=int, help="at most; fewer are faster and scatter more")
    parser.add_argument("--profile", action="store_true", help="of rows that miss their ratio")
    chosen = parser.parse_args()
    console = Console(width=150)
    outcomes: list[Outcome] = []
    for group in GROUPS:
        for race in group():
            title = f"{race.work} {race.against}"
            if chosen.words and not any(word in title for word in chosen.words):
                continue
            if chosen.rounds:
                race.rounds = min(race.rounds, chosen.rounds)
            found = run(race)
            outcomes.append(found)
            write(outcomes, chosen.json)  # at once: a run of all takes long, and may be cut off
            missed = "" if found.met else f"  MISSED {found.limit}"
            console.print(f"{title}: {found.ratio:.3f}{missed} {' '.join(found.wrong)}")
            if chosen.profile and not found.met:
                profiled(race)
    if not chosen.words or any(word in "layer" for word in chosen.words):
        outcomes.append(layer())
        write(outcomes, chosen.json)
        console.print(f"{outcomes[-1].work}: {outcomes[-1].ratio:.1f} (limit 10)")
    console.print(table_of(outcomes))
    if chosen.plot:
        from benchmarks.chart import draw

        draw(outcomes, chosen.plot)


def write(outcomes: list[Outcome], path: Path | None) -> None:
    if path is not None:
        text = json.dumps([outcome.to_dict() for outcome in outcomes], indent=1)
        path.write_text(text, encoding="utf-8")


def layer() -> Outcome:
    """The one row that is no ratio: three medians of CPU, the device's own taken off."""
    costs = sorted(full - bare for full, bare in (works.layer_cost() for _ in range(3)))
    return Outcome(
        "device layer on a null device, microseconds of CPU per job",
        "absolute",
        10.0,
        costs[1],
        (costs[0], costs[2]),
        costs[1],
        costs[1] / 1e6,
        0.0,
        shortcut=False,
    )


def table_of(outcomes: list[Outcome]) -> Table:
    table = Table(
        "work", "against", "ours/theirs CPU", "quartiles", "wall", "at most", "ours s", ""
    )
    for found in outcomes:
        limit = "" if found.limit is None else f"{found.limit:g}{'' if found.met else ' MISSED'}"
        table.add_row(
            found.work,
            found.against,
            f"{found.ratio:.3f}",
            f"{found.quartiles[0]:.3f}-{found.quartiles[1]:.3f}",
            f"{found.wall_ratio:.3f}",
            limit,
            f"{found.ours:.4g}",
            " ".join([*(["noiseless only"] if found.shortcut else []), *found.wrong]),
        )
    return table


def profiled(race: Race) -> None:
    """Print where ours spends its time, this thread's part of it."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(max(race.calls, 3)):
        race.ours()
    profile.disable()
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(15)


main()
