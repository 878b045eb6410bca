"""Where the packaged recordings come from: made up, and the same every time.

    python -m qdmi_qiskit.recordings.synthetic      # writes them anew, beside this file

Figures scatter around those of today's machines by multiples of square roots of primes, which
spread evenly and need no generator of random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from qdmi_qiskit import spec_json
from qdmi_qiskit.model import (
    Calibration,
    Capabilities,
    DeviceSpec,
    Figures,
    Operation,
    Price,
    Site,
)

Pair = tuple[int, int]
Places = dict[tuple[int, ...], Figures]

_TAKEN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


class _Scatter:
    """Figures around a centre: between 1/1.6 and 1.6 times as much, four digits."""

    def __init__(self, prime: int) -> None:
        self._numbers, self._step = count(1), math.sqrt(prime)

    def __call__(self, centre: float) -> float:
        share = (next(self._numbers) * self._step) % 1
        return float(f"{centre * 1.6 ** (2 * share - 1):.4g}")


def grid20() -> DeviceSpec:
    """Four rows of five; the coupler between Q7 and Q8 is out of order."""
    columns, rows = 5, 4
    pairs = [pair for pair in _grid(range(20), columns, rows) if pair != (6, 7)]
    return _device(
        "grid20",
        [f"Q{k + 1}" for k in range(columns * rows)],
        pairs,
        native=(("r", ("theta", "phi")),),
        error=1e-3,
        pair_error=7e-3,
        durations=(32e-9, 60e-9, 1.2e-6),
        lives=(42e-6, 28e-6),
        resets=True,
    )


def star6() -> DeviceSpec:
    """Six qubits around a resonator; Q6 cannot be moved, so it meets the others only as partner."""
    names = [f"Q{k + 1}" for k in range(6)]
    move, gate = _Scatter(2), _Scatter(3)
    moves = {k: move(5e-3) for k in range(5)}
    gates = {k: gate(6e-3) for k in range(6)}
    places: Places = {}
    for a in range(6):
        for b in range(6):
            ways = [(moved, still) for moved, still in ((a, b), (b, a)) if moved in moves]
            if a != b and ways:
                # The way with the better fidelity; 2 MOVEs of 90 ns and a CZ of 110 ns.
                best = max((1 - moves[m]) ** 2 * (1 - gates[s]) for m, s in ways)
                places[a, b] = Figures(290e-9, round(best, 6))
    return _device(
        "star6",
        names,
        (),
        native=(("r", ("theta", "phi")),),
        error=6e-4,
        pair_error=0.0,
        durations=(40e-9, 290e-9, 1.5e-6),
        lives=(38e-6, 27e-6),
        places=places,
    )


def lattice107() -> DeviceSpec:
    """Nine rows of twelve labels, of which 8 is missing: site 8 is label 9."""
    columns, rows = 12, 9
    labels = [label for label in range(columns * rows) if label != 8]
    return _device(
        "lattice107",
        [str(label) for label in labels],
        _grid(labels, columns, rows),
        native=(("sx", ()), ("x", ())),
        error=8e-4,
        pair_error=9e-3,
        durations=(40e-9, 72e-9, 1e-6),
        lives=(31e-6, 22e-6),
        max_qubits=84,
        min_shots=10,
    )


RECORDINGS: Mapping[str, Callable[[], DeviceSpec]] = {
    "grid20": grid20,
    "lattice107": lattice107,
    "star6": star6,
}


def _grid(labels: Iterable[int], columns: int, rows: int) -> list[Pair]:
    """Return the edges of a grid between those of its places that are there, as indices."""
    index = {label: k for k, label in enumerate(labels)}
    edges = []
    for place in range(columns * rows):
        near = [place + columns] if place % columns == columns - 1 else [place + 1, place + columns]
        edges += [
            (index[place], index[other]) for other in near if place in index and other in index
        ]
    return edges


def _device(
    name: str,
    names: Sequence[str],
    pairs: Iterable[Pair],
    *,
    native: Iterable[tuple[str, tuple[str, ...]]],
    error: float,
    pair_error: float,
    durations: tuple[float, float, float],
    lives: tuple[float, float],
    resets: bool = False,
    max_qubits: int | None = None,
    min_shots: int = 1,
    places: Places | None = None,
) -> DeviceSpec:
    t1, t2, frequency, reads_1, reads_0, gate, pair_gate = map(_Scatter, (2, 3, 5, 7, 11, 13, 17))
    short, medium, long = durations
    sites = tuple(
        Site(
            k,
            label,
            t1=t1(lives[0]),
            t2=t2(lives[1]),
            frequency=round(4.3e9 + 1e6 * frequency(300.0)),
            prob_meas1_prep0=reads_1(9e-3),
            prob_meas0_prep1=reads_0(2.1e-2),
        )
        for k, label in enumerate(names)
    )
    if places is None:
        places = {}
        for pair in pairs:
            figures = Figures(medium, round(1 - pair_gate(pair_error), 6))
            places[pair] = places[pair[::-1]] = figures
    operations = []
    ones: Places = {(k,): Figures(short, round(1 - gate(error), 6)) for k in range(len(names))}
    operations += [Operation(gate, 1, angles, ones) for gate, angles in native]
    read: Places = {
        (site.index,): Figures(
            long,
            round(1 - ((site.prob_meas1_prep0 or 0) + (site.prob_meas0_prep1 or 0)) / 2, 6),
        )
        for site in sites
    }
    operations += [
        Operation("rz", 1, ("phi",), {place: Figures(0.0, 1.0) for place in ones}),
        Operation("cz", 2, (), places),
        Operation("measure", 1, (), read),
        Operation("delay", 1, ("duration",), {place: Figures() for place in ones}),
    ]
    if resets:
        operations.append(Operation("reset", 1, (), {place: Figures(2e-6) for place in ones}))
        operations.append(Operation("if_else", None))
    return DeviceSpec(
        name=name,
        version="synthetic 1",
        sites=sites,
        operations=tuple(operations),
        capabilities=Capabilities(
            formats=("qasm3",),
            min_shots=min_shots,
            max_shots=20_000,
            max_executables=100,
            max_qubits=max_qubits,
            ordered_shots=True,
            cancel=True,
            retrieve=True,
        ),
        calibration=Calibration(f"{name}-2026-11-20", _TAKEN),
        price=Price(per_shot=1e-3, currency="EUR"),
        taken_at=_TAKEN,
    )


def main() -> None:
    """Write the files."""
    for name, make in RECORDINGS.items():
        Path(__file__).with_name(f"{name}.json").write_text(spec_json.dumps(make()))


if __name__ == "__main__":
    main()
