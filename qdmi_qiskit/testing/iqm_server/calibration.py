"""Calibration sets: what works on a chip today, and how well.

The figures are drawn around the chip's medians, so that a recalibration changes all of them. What
a set says and what the simulator does agree: where an observation is spoilt, there is no noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

import numpy as np

from qdmi_qiskit.model import Figures, Site
from qdmi_qiskit.testing.iqm_server.chips import Chip, Locus

# Gates of a qubit, or of a pair, whose order does not matter.
SYMMETRIC = frozenset({"cz"})
RESONATOR_T1 = 5.4e-6
RESONATOR_T2 = 10.8e-6


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of the dynamic architecture.

    Attributes:
        implementations: The loci of each.
        default: The implementation used where none is asked for.
        overrides: Loci that have another default.
    """

    implementations: Mapping[str, tuple[Locus, ...]]
    default: str
    overrides: Mapping[Locus, str]

    def loci(self, implementation: str | None = None) -> frozenset[Locus]:
        """Return where the gate can be used, by any implementation or by one."""
        chosen: Iterable[tuple[Locus, ...]] = (
            self.implementations.values()
            if implementation is None
            else (self.implementations.get(implementation, ()),)
        )
        return frozenset(locus for loci in chosen for locus in loci)

    def default_at(self, locus: Locus) -> str:
        """Return the implementation that a locus gets if none is asked for."""
        return self.overrides.get(locus, self.default)


@dataclass(frozen=True, slots=True)
class Calibration:
    """One calibration set.

    Attributes:
        id: What clients pin.
        number: 1 for the first of its chip.
        created: When.
        chip: What it calibrates.
        gates: The gates that work.
        figures: Fidelity and duration by gate, implementation and locus.
        sites: T1, T2, frequency and readout errors by component.
        has_metrics: False for a set whose quality nobody measured.
        spoilt: Whether some of its observations are useless.
    """

    id: UUID
    number: int
    created: datetime
    chip: Chip
    gates: Mapping[str, Gate]
    figures: Mapping[tuple[str, str, Locus], Figures]
    sites: Mapping[str, Site]
    has_metrics: bool = True
    spoilt: bool = False

    def components(self, names: tuple[str, ...]) -> list[str]:
        """Return those of `names` that some gate can use."""
        used = {name for gate in self.gates.values() for locus in gate.loci() for name in locus}
        return [name for name in names if name in used]

    def stored(self, gate: str, locus: Locus, implementation: str | None = None) -> Locus | None:
        """Return a locus as the set has it, or None if the gate does not work there."""
        known = self.gates.get(gate)
        if known is None:
            return None
        loci = known.loci(implementation)
        turned = locus[::-1] if gate in SYMMETRIC else locus
        return locus if locus in loci else turned if turned in loci else None

    def figure(self, gate: str, locus: Locus, implementation: str | None = None) -> Figures:
        """Return the figures of a gate on a locus as stored."""
        name = implementation or self.gates[gate].default_at(locus)
        return self.figures.get((gate, name, locus), Figures())


def calibrate(
    chip: Chip, number: int, seed: int, *, has_metrics: bool = True, spoilt: bool = True
) -> Calibration:
    """Return the calibration set of a number, the same at each call.

    Args:
        chip: What is calibrated.
        number: 1 for the first.
        seed: Of the figures.
        has_metrics: False leaves the quality unmeasured.
        spoilt: Whether some observations are useless; on a star none ever is.
    """
    source = np.random.default_rng([crc32(chip.alias.encode()), number, seed])
    live = tuple(name for name in chip.qubits if name not in chip.dead)
    gates = _gates(chip, live)
    sites = {name: _site(chip, name, source) for name in live}
    sites |= {name: Site(0, name, t1=RESONATOR_T1, t2=RESONATOR_T2) for name in chip.resonators}
    figures = {
        (gate, implementation, locus): _figures(chip, gate, locus, sites, source)
        for gate, known in gates.items()
        for implementation, loci in known.implementations.items()
        for locus in loci
    }
    spoilt = spoilt and not chip.resonators
    if spoilt:
        _spoil(sites, figures)
    return Calibration(
        uuid5(NAMESPACE_URL, f"loopback:{chip.alias}:{number}:{seed}"),
        number,
        datetime.now(UTC),
        chip,
        gates,
        figures,
        sites,
        has_metrics,
        spoilt,
    )


def _gates(chip: Chip, live: tuple[str, ...]) -> dict[str, Gate]:
    single = tuple((name,) for name in live)
    pairs = tuple(pair for pair in chip.couplers if chip.dead.isdisjoint(pair))
    gates = {
        "prx": Gate({"drag_gaussian": single[:1], "drag_crf_sx": single}, "drag_crf_sx", {}),
        "measure": Gate({"constant": single}, "constant", {}),
        "measure_fidelity": Gate({"constant": single}, "constant", {}),
        "reset_wait": Gate({"reset_wait": single}, "reset_wait", {}),
        "prx_12": Gate({"modulated_drag_crf": single[:2]}, "modulated_drag_crf", {}),
    }
    if chip.resonators:
        movable = tuple(pair for pair in pairs if pair[0] not in chip.immovable)
        gates["cz"] = Gate({"crf_crf": pairs}, "crf_crf", {})
        gates["move"] = Gate({"tgss_crf": movable}, "tgss_crf", {})
    else:
        # One pair works both ways and prefers the other one; one works only the other way.
        both, other = ("QB1", "QB4"), ("QB17", "QB12")
        gates["cz"] = Gate(
            {"crf": tuple(pair for pair in pairs if pair != other), "tgss": (both, other)},
            "crf",
            {both: "tgss", other: "tgss"},
        )
    if chip.mute is not None:
        answering = tuple((name,) for name in live if name not in chip.mute)
        gates["cc_prx"] = Gate({"prx_composite": answering}, "prx_composite", {})
    return gates


def _site(chip: Chip, name: str, source: np.random.Generator) -> Site:
    t1, t2, wrong_one, wrong_zero = source.uniform(0.75, 1.3, 4)
    return Site(
        0,
        name,
        t1=chip.t1 * t1,
        t2=chip.t2 * t2,
        frequency=float(np.round(source.uniform(4.3e9, 5.1e9))),
        prob_meas1_prep0=chip.readout_error * wrong_one * 0.8,
        prob_meas0_prep1=chip.readout_error * wrong_zero * 1.2,
    )


def _figures(
    chip: Chip, gate: str, locus: Locus, sites: Mapping[str, Site], source: np.random.Generator
) -> Figures:
    factor = source.uniform(0.7, 1.4)
    if gate == "prx":
        return Figures(chip.prx_time, 1 - chip.prx_error * factor)
    if gate == "cz":
        return Figures(chip.cz_time, 1 - chip.cz_error * factor)
    if gate == "move":
        return Figures(chip.move_time, 1 - chip.move_error * factor)
    if gate in ("measure", "measure_fidelity"):
        site = sites[locus[0]]
        wrong = (site.prob_meas1_prep0 or 0) + (site.prob_meas0_prep1 or 0)
        return Figures(chip.measure_time, 1 - wrong / 2)
    if gate == "cc_prx":
        return Figures(chip.prx_time + 0.5e-6)
    return Figures()


def _spoil(sites: dict[str, Site], figures: dict[tuple[str, str, Locus], Figures]) -> None:
    """Forget what useless observations fail to say."""
    wrong = 1 - (figures["measure", "constant", ("QB9",)].fidelity or 0)
    sites["QB5"] = replace(sites["QB5"], t1=None)
    sites["QB9"] = replace(sites["QB9"], prob_meas1_prep0=wrong, prob_meas0_prep1=wrong)
    for key in (("prx", "drag_crf_sx", ("QB7",)), ("cz", "crf", ("QB13", "QB14"))):
        figures[key] = replace(figures[key], fidelity=None)
