"""The outcomes of races as a picture: ratios on a logarithmic scale, with their quartiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.race import Outcome


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the picture; needs matplotlib (`pip install 'qdmi-qiskit[plot]'`)."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    height = 1.2 + 0.5 * len(outcomes)
    figure, axes = plt.subplots(figsize=(11, height), layout="constrained")
    for row, outcome in enumerate(outcomes):
        low, high = outcome.quartiles
        color = "tab:gray" if outcome.wrong else "tab:blue" if outcome.met else "tab:red"
        axes.barh(row, outcome.ratio, color=color, height=0.6)
        axes.plot([low, high], [row, row], color="black", linewidth=2)
        if outcome.limit is not None:
            axes.plot([outcome.limit] * 2, [row - 0.4, row + 0.4], color="tab:orange", linewidth=3)
    names = [f"{o.work}\nagainst {o.against}{' (wrong)' if o.wrong else ''}" for o in outcomes]
    axes.set_yticks(range(len(outcomes)), names, fontsize=7)
    axes.set_ylim(len(outcomes) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.axvline(1, color="gray", linewidth=0.8)
    axes.set_xlabel(
        "CPU time, ours / theirs; black: quartiles; orange: limit; red: missed; gray: wrong"
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)
