"""What changed between two recordings of a device, worst first: a pure function."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from qdmi_qiskit.model import DeviceSpec, Figures, Site

Where = tuple[str, ...]
Table = dict[tuple[str, Where], tuple[float | None, bool]]

Kind = Literal["lost", "worse", "unknown", "known", "better", "gained"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Worst first."""

_SAME = 1e-9  # relative: what 1 - fidelity loses to rounding


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: `lost` and `gained` things, figures that are `worse` or `better`, and figures that
            the device now says (`known`) or no longer says (`unknown`).
        what: `qubit`, an operation, or a figure such as `cz error`, `T1`, `reads 1 for 0`.
        where: Names of the qubits; indices where there are no names.
        before: SI units; an error is one minus the fidelity.
        after: The same.
        factor: How many times as bad as before: above 1 is worse, `inf` from no error to some.
    """

    kind: Kind
    what: str
    where: Where
    before: float | None = None
    after: float | None = None
    factor: float | None = None

    @property
    def relative(self) -> float | None:
        """The change of the figure itself as a fraction of what it was, where it had one."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return self.after / self.before - 1


def changes(before: DeviceSpec, after: DeviceSpec) -> list[Change]:
    """Return the differences between two recordings, worst first.

    What is lost comes first, then figures by how many times worse they are, then those that are
    not comparable, then the better ones, the best last, and what is gained. Qubits are matched
    by name where all have one, else by index. A lost qubit stands for all that it had; a figure
    that holds for both directions of a pair, or for several operations alike, is told once.
    """
    old, new = _labels(before), _labels(after)
    if not (_named(before) and _named(after)):
        old, new = ([str(k) for k in range(len(labels))] for labels in (old, new))
    found = [Change("lost", "qubit", (label,)) for label in old if label not in set(new)]
    found += [Change("gained", "qubit", (label,)) for label in new if label not in set(old)]
    both = set(old) & set(new)
    found += _operations(before, after)
    found += _places(_loci(before, old), _loci(after, new), both)
    found += _figures(_table(before, old), _table(after, new), both)
    return sorted(found, key=_place)


def _place(change: Change) -> tuple[int, float, str, Where]:
    """Return what a list is sorted by: what concerns most qubits comes first among the lost."""
    factor = len(change.where) if change.factor is None else -change.factor
    return KINDS.index(change.kind), factor, change.what, change.where


def _labels(spec: DeviceSpec) -> list[str]:
    return [site.name for site in spec.sites]


def _named(spec: DeviceSpec) -> bool:
    labels = _labels(spec)
    return all(labels) and len(set(labels)) == len(labels)


def _operations(before: DeviceSpec, after: DeviceSpec) -> Iterator[Change]:
    names = [[operation.name for operation in spec.operations] for spec in (before, after)]
    for name in names[0]:
        if name not in names[1]:
            yield Change("lost", name, ())
    for name in names[1]:
        if name not in names[0]:
            yield Change("gained", name, ())


def _loci(spec: DeviceSpec, labels: list[str]) -> Mapping[str, set[Where]]:
    """Return where each operation can be used, one direction of a pair where both can."""
    return {
        operation.name: {
            _one_way(tuple(labels[site] for site in place), operation.sites, place)
            for place in operation.sites
        }
        for operation in spec.operations
        if operation.sites is not None
    }


def _one_way(
    where: Where, sites: Mapping[tuple[int, ...], Figures], place: tuple[int, ...]
) -> Where:
    back = place[::-1]
    return min(where, where[::-1]) if len(place) == 2 and back in sites else where


def _places(
    old: Mapping[str, set[Where]], new: Mapping[str, set[Where]], both: set[str]
) -> Iterator[Change]:
    lost: dict[Where, list[str]] = {}
    gained: dict[Where, list[str]] = {}
    for name in old.keys() & new.keys():
        for found, places in ((lost, old[name] - new[name]), (gained, new[name] - old[name])):
            for where in places:
                if both.issuperset(where):
                    found.setdefault(where, []).append(name)
    for where, names in lost.items():
        yield Change("lost", ", ".join(sorted(names)), where)
    for where, names in gained.items():
        yield Change("gained", ", ".join(sorted(names)), where)


def _table(spec: DeviceSpec, labels: list[str]) -> Table:
    """Return every figure with whether high is good."""
    found: Table = {}
    for site, label in zip(spec.sites, labels, strict=True):
        for what, value, good in _site_figures(site):
            found[what, (label,)] = value, good
    for operation in spec.operations:
        sites = operation.sites or {}
        for place, figures in sites.items():
            where = tuple(labels[site] for site in place)
            if sites.get(place[::-1]) == figures:
                where = _one_way(where, sites, place)
            error = None if figures.fidelity is None else 1 - figures.fidelity
            found[f"{operation.name} error", where] = error, False
            found[f"{operation.name} duration", where] = figures.duration, False
    return found


def _site_figures(site: Site) -> Iterator[tuple[str, float | None, bool]]:
    yield "T1", site.t1, True
    yield "T2", site.t2, True
    yield "reads 1 for 0", site.prob_meas1_prep0, False
    yield "reads 0 for 1", site.prob_meas0_prep1, False


def _figures(old: Table, new: Table, both: set[str]) -> Iterator[Change]:
    alike: dict[tuple[str, Where, float | None, float | None, bool], list[str]] = {}
    for key, (before, high_is_good) in old.items():
        if key not in new or not both.issuperset(key[1]):
            continue
        after, (what, where) = new[key][0], key
        if before == after or _close(before, after):
            continue
        name, _, figure = what.rpartition(" ")
        if figure in ("error", "duration"):
            alike.setdefault((figure, where, before, after, high_is_good), []).append(name)
        else:
            yield _change(what, where, before, after, high_is_good)
    for (figure, where, before, after, high_is_good), names in alike.items():
        yield _change(f"{', '.join(names)} {figure}", where, before, after, high_is_good)


def _close(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return False
    return math.isclose(before, after, rel_tol=_SAME, abs_tol=1e-15)


def _change(
    what: str, where: Where, before: float | None, after: float | None, high_is_good: bool
) -> Change:
    if before is None or after is None:
        return Change("unknown" if after is None else "known", what, where, before, after)
    good, bad = (after, before) if high_is_good else (before, after)
    factor = math.inf if good == 0 else bad / good
    return Change("worse" if factor > 1 else "better", what, where, before, after, factor)
