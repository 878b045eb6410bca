"""Aer noise from the figures of a recorded device."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qiskit.circuit import Instruction
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)

from qdmi_qiskit.model import DeviceSpec, Figures, Site

NO_GATES = frozenset({"measure", "delay", "barrier"})


def noise_from(spec: DeviceSpec) -> NoiseModel:
    """Build the noise that a device's figures describe, all of it.

    Each gate gets thermal relaxation over its duration, then depolarising noise such that
    the whole has the recorded average gate fidelity: what relaxation explains is not charged
    twice. (Source: Aer's device noise model, `qiskit_aer.noise.device.models`.) A reset with a
    fidelity leaves 1 that often; a measurement gets the recorded probabilities of wrong
    readout, or, where only a fidelity is known, one minus it both ways. What the device does
    not say makes no noise.

    Delays relax in `RecordedDevice`, which sees their durations. Built for `RecordedDevice` too is
    a model without `dampings`, for what a circuit contains; this one is for other uses.
    """
    model = NoiseModel(basis_gates=sorted({op.name for op in spec.operations if op.sites != {}}))
    for operation in spec.operations:
        for sites, figures in (operation.sites or {}).items():
            places = [spec.sites[site] for site in sites]
            if operation.name == "measure":
                readout = readout_error(places[0], figures)
                if readout is not None:
                    model.add_readout_error(readout, list(sites))
            else:
                error = operation_error(operation.name, figures, places)
                if error is not None:
                    model.add_quantum_error(error, operation.name, list(sites))
    return model


def operation_error(
    name: str, figures: Figures, sites: Sequence[Site], *, damping: bool = True
) -> QuantumError | None:
    """Return what goes wrong after an operation other than a measurement, None if nothing.

    Args:
        name: The operation.
        figures: Of it on these sites.
        sites: In the operation's order.
        damping: Whether `dampings` are part of it; False if the circuit has them.
    """
    if name in NO_GATES:
        return None
    if name == "reset":
        wrong = 0.0 if figures.fidelity is None else 1 - figures.fidelity
        return pauli_error([("X", wrong), ("I", 1 - wrong)]) if wrong else None
    error = gate_error(figures, sites, damping=damping)
    return None if error is None or error.ideal() else error


def gate_error(
    figures: Figures, sites: Sequence[Site], *, damping: bool = True
) -> QuantumError | None:
    """Return the error channel of one gate on `sites`, or None if nothing is known.

    Its average gate fidelity is the recorded one. Where relaxation over the whole duration would
    be worse than that, the gate was measured to be better than T1 and T2 are, so it relaxes
    for as long as its fidelity allows.
    """
    duration, p = _budget(figures, sites)
    error: QuantumError | None = None
    for t1, t2 in zip(*relaxation_times(sites), strict=True):
        relaxes = duration and (damping or not _damps(t1, t2))
        single = thermal_relaxation_error(t1, t2, duration) if relaxes else _identity()
        error = single if error is None else error.expand(single)  # sites[0] is the lowest qubit
    if error is not None and error.ideal():
        error = None
    if p == 0:
        return error
    depolarising = depolarizing_error(p, len(sites))
    return depolarising if error is None else error.compose(depolarising)


def dampings(
    name: str, figures: Figures, sites: Sequence[Site]
) -> tuple[tuple[int, Instruction], ...]:
    """Return the part of a gate's error that goes into the circuit: positions and channels.

    Where T2 > T1, relaxation is no mixture of resets and phase flips. A noise model with
    such a channel makes Aer diagonalise all its errors, which fails for some that depolarise
    ("Kraus is empty", seen in 0.18). In any order, the whole has the same fidelity.
    """
    if name in NO_GATES or name == "reset":
        return ()
    duration, _ = _budget(figures, sites)
    found = []
    for place, site in enumerate(sites):
        (t1,), (t2,) = relaxation_times([site])
        if duration and _damps(t1, t2):
            found.append((place, relaxation(duration, site)))
    return tuple((place, channel) for place, channel in found if channel is not None)


def relaxation(duration: float, site: Site) -> Instruction | None:
    """Return what waiting for `duration` seconds does to a site, None if nothing is known."""
    if not duration or (site.t1 is None and site.t2 is None):
        return None
    (t1,), (t2,) = relaxation_times([site])
    error = thermal_relaxation_error(t1, t2, duration)
    if _damps(t1, t2):
        return Kraus(SuperOp(error)).to_instruction()
    return error.to_instruction()


def readout_error(site: Site, figures: Figures) -> ReadoutError | None:
    """Return how a measurement errs, None if it does not or nobody says."""
    wrong_one, wrong_zero = site.prob_meas1_prep0, site.prob_meas0_prep1
    symmetric = None if figures.fidelity is None else 1 - figures.fidelity
    wrong_one = symmetric if wrong_one is None else wrong_one
    wrong_zero = symmetric if wrong_zero is None else wrong_zero
    if not wrong_one and not wrong_zero:
        return None
    p10, p01 = wrong_one or 0.0, wrong_zero or 0.0
    return ReadoutError([[1 - p10, p10], [p01, 1 - p01]])


def relaxation_times(sites: Sequence[Site]) -> tuple[list[float], list[float]]:
    """Return T1 and T2 of each site in seconds, infinite where the device does not say.

    No T2 exceeds 2 T1, which no channel could obey.
    """
    t1s = [math.inf if site.t1 is None else site.t1 for site in sites]
    t2s = [math.inf if site.t2 is None else site.t2 for site in sites]
    return t1s, [min(t2, 2 * t1) for t1, t2 in zip(t1s, t2s, strict=True)]


def _damps(t1: float, t2: float) -> bool:
    """Whether relaxation has to be written as Kraus operators."""
    return t2 > t1


def _identity() -> QuantumError:
    return pauli_error([("I", 1.0)])


def _budget(figures: Figures, sites: Sequence[Site]) -> tuple[float, float]:
    """Return for how long (s) the sites of a gate relax, and how much depolarises after that."""
    known = any(site.t1 is not None or site.t2 is not None for site in sites)
    duration = (figures.duration or 0.0) if known else 0.0
    wanted = figures.fidelity
    if wanted is None:
        return duration, 0.0
    fidelity = _relaxed_fidelity(duration, sites)
    if fidelity < wanted:
        return _time_for(wanted, duration, sites), 0.0
    dim: int = 2 ** len(sites)
    # F_avg of depolarising (1 - p) + p I/d with a channel of process fidelity f_p is linear in p:
    # F = F_0 - p (F_0 - 1/d).  Source: Nielsen, quant-ph/0205035.
    slope = fidelity - 1 / dim
    p = 0.0 if slope <= 0 else (fidelity - wanted) / slope
    return duration, min(max(p, 0.0), dim**2 / (dim**2 - 1))


def _relaxed_fidelity(duration: float, sites: Sequence[Site]) -> float:
    """Return the average gate fidelity of relaxation alone.

    A site's Pauli transfer matrix has the diagonal 1, e^(-t/T2), e^(-t/T2), e^(-t/T1); the
    process fidelity of several is the product of a quarter of each sum.
    """
    process = 1.0
    for t1, t2 in zip(*relaxation_times(sites), strict=True):
        process *= (1 + 2 * math.exp(-duration / t2) + math.exp(-duration / t1)) / 4
    dim = float(2 ** len(sites))
    return (dim * process + 1) / (dim + 1)


def _time_for(fidelity: float, longest: float, sites: Sequence[Site]) -> float:
    """Return for how long the sites may relax until they have a fidelity: by bisection."""
    shortest = 0.0
    for _ in range(100):
        middle = (shortest + longest) / 2
        if _relaxed_fidelity(middle, sites) > fidelity:
            shortest = middle
        else:
            longest = middle
    return shortest
