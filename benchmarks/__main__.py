"""`python -m benchmarks [WORD ...]`: run the races whose names contain a word; print the table."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)

from rich.console import Console
from rich.table import Table

from benchmarks import works
from benchmarks.race import Outcome, run


def main(words: list[str]) -> None:
    console = Console(width=150)
    table = Table(
        "work", "against", "ours/theirs CPU", "quartiles", "wall", "at most", "ours s", ""
    )
    outcomes: list[Outcome] = []
    for group in (
        works.sampler_races,
        works.framework_races,
        works.format_races,
        works.estimator_races,
    ):
        for race in group():
            title = f"{race.work} {race.against}"
            if words and not any(word in title for word in words):
                continue
            found = run(race)
            outcomes.append(found)
            met = found.limit is None or found.ratio <= found.limit
            missed = "" if met else f"  MISSED {found.limit}"
            console.print(f"{title}: {found.ratio:.3f}{missed} {' '.join(found.wrong)}")
            table.add_row(
                race.work,
                race.against,
                f"{found.ratio:.3f}",
                f"{found.quartiles[0]:.3f}-{found.quartiles[1]:.3f}",
                f"{found.wall_ratio:.3f}",
                "" if found.limit is None else f"{found.limit:g}{'' if met else ' MISSED'}",
                f"{found.ours:.4g}",
                " ".join([*(["noiseless only"] if found.shortcut else []), *found.wrong]),
            )
    if not words or any(word in "layer" for word in words):
        full, bare = works.layer_cost()
        console.print(
            f"device layer on a null device: {full - bare:.1f} us of CPU per job (limit 10)"
        )
    console.print(table)
    if out := os.environ.get("BENCHMARKS_JSON"):
        Path(out).write_text(
            json.dumps([o.to_dict() for o in outcomes], indent=1), encoding="utf-8"
        )


main(sys.argv[1:])
