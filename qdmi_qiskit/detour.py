"""What a CZ by way of a resonator costs: MOVE, CZ, MOVE. Source: arXiv:2503.10903."""

from __future__ import annotations

from qdmi_qiskit.model import Figures


def cost(cz: Figures, move: Figures) -> Figures:
    """Return the figures of the sequence; what one of its gates does not state stays unknown.

    Args:
        cz: Of the CZ between a qubit and the resonator.
        move: Of the MOVE, which is made there and back.
    """
    fidelity = duration = None
    if cz.fidelity is not None and move.fidelity is not None:
        fidelity = move.fidelity**2 * cz.fidelity
    if cz.duration is not None and move.duration is not None:
        duration = 2 * move.duration + cz.duration
    return Figures(duration, fidelity)


def is_better(new: Figures, old: Figures) -> bool:
    """Return whether a detour is to be preferred to another one between the same qubits."""
    return new.fidelity is not None and (old.fidelity is None or new.fidelity > old.fidelity)
