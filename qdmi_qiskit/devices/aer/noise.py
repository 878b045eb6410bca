"""Aer noise from the figures of a recorded device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qiskit.quantum_info import average_gate_fidelity
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    depolarizing_error,
    thermal_relaxation_error,
)

from qdmi_qiskit.model import DeviceSpec, Figures, Site

_NOT_GATES = frozenset({"measure", "reset", "delay", "barrier"})


def noise_from(spec: DeviceSpec) -> NoiseModel:
    """Build the noise that a device's figures describe.

    Each gate gets thermal relaxation over its duration, then depolarising noise such that
    the whole has the recorded average gate fidelity: what relaxation explains is not charged
    twice. (Source: Aer's device noise model, `qiskit_aer.noise.device.models`.) A reset gets
    relaxation of its state only where it has a fidelity; a measurement gets the recorded
    probabilities of wrong readout, or, where only a fidelity is known, one minus it both ways.

    Delays relax in `AerSession`, which sees their durations.
    """
    model = NoiseModel(basis_gates=sorted({op.name for op in spec.operations if op.sites != {}}))
    for operation in spec.operations:
        for sites, figures in (operation.sites or {}).items():
            if operation.name == "measure":
                readout = _readout(spec.sites[sites[0]], figures)
                if readout is not None:
                    model.add_readout_error(readout, list(sites))
            elif operation.name not in _NOT_GATES:
                error = gate_error(figures, [spec.sites[site] for site in sites])
                if error is not None and not error.ideal():
                    model.add_quantum_error(error, operation.name, list(sites))
    return model


def gate_error(figures: Figures, sites: list[Site]) -> QuantumError | None:
    """Return the error channel of one gate on `sites`, or None if nothing is known.

    Where relaxation alone is worse than the recorded fidelity, relaxation is all there is.
    """
    relaxation = _relaxation(figures.duration, sites)
    if figures.fidelity is None:
        return relaxation
    dim = 2 ** len(sites)
    fidelity = 1.0 if relaxation is None else float(average_gate_fidelity(relaxation))
    # F_avg of depolarising (1 - p) + p I/d after a channel of process fidelity f_p is linear in p:
    # F = F_0 - p (F_0 - 1/d).  Source: Nielsen, quant-ph/0205035.
    slope = fidelity - 1 / dim
    p = 0.0 if slope <= 0 else (fidelity - figures.fidelity) / slope
    most = dim**2 / (dim**2 - 1)
    p = float(np.clip(p, 0.0, most))
    if p == 0:
        return relaxation
    depolarising = depolarizing_error(p, len(sites))
    return depolarising if relaxation is None else relaxation.compose(depolarising)


def _relaxation(duration: float | None, sites: list[Site]) -> QuantumError | None:
    if not duration or all(site.t1 is None and site.t2 is None for site in sites):
        return None
    error: QuantumError | None = None
    for t1, t2 in zip(*relaxation_times(sites), strict=True):
        single = thermal_relaxation_error(t1, t2, duration)
        error = single if error is None else error.expand(single)  # sites[0] is the lowest qubit
    return error


def _readout(site: Site, figures: Figures) -> ReadoutError | None:
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
    t1s = [np.inf if site.t1 is None else site.t1 for site in sites]
    t2s = [np.inf if site.t2 is None else site.t2 for site in sites]
    return t1s, [min(t2, 2 * t1) for t1, t2 in zip(t1s, t2s, strict=True)]
