"""Pictures of results: the way of a VQE, configurations, errors against the size of a space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qdmi_qiskit.plot.canvas import axes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHEMICAL_ACCURACY = 1.6  # mHa


def convergence(
    steps: Sequence[Any],
    *,
    exact: float | None = None,
    reference: float | None = None,
    ax: Any = None,
) -> Any:
    """Draw the energies of a VQE with their standard errors.

    Args:
        steps: `Outcome.steps`: each has `number`, `energy` and `error` (hartree).
        exact: Energy to which distances are drawn, in mHa; None: energies in hartree.
        reference: Another energy to show as a line, such as Hartree-Fock.
        ax: Where to draw.
    """
    ax = axes_of(ax)
    factor, zero = (1.0, 0.0) if exact is None else (1000.0, exact)
    numbers = [step.number for step in steps]
    values = [factor * (step.energy - zero) for step in steps]
    ax.errorbar(numbers, values, [factor * step.error for step in steps], fmt="o-", capsize=3)
    if exact is not None:
        ax.axhspan(-CHEMICAL_ACCURACY, CHEMICAL_ACCURACY, alpha=0.3, label="1.6 mHa of exact")
    if reference is not None:
        ax.axhline(factor * (reference - zero), color="0.5", linestyle="--", label="Hartree-Fock")
    if exact is not None or reference is not None:
        ax.legend()
    ax.set_xlabel("energy asked for by the optimiser")
    ax.set_ylabel("energy (Ha)" if exact is None else "energy - exact (mHa)")
    return ax


def configurations(
    determinants: NDArray[np.int64],
    num_qubits: int,
    *,
    valid: Callable[[NDArray[np.int64]], NDArray[np.bool_]] | None = None,
    top: int = 12,
    ax: Any = None,
) -> Any:
    """Draw the most frequent configurations, those outside the sector in another colour.

    Args:
        determinants: One per shot.
        num_qubits: Width of their bit strings, which read beta before alpha.
        valid: Tells which are in the sector; None: all are.
        top: How many.
        ax: Where to draw.
    """
    ax = axes_of(ax)
    ranked = sorted(Counter(determinants.tolist()).items(), key=lambda item: (-item[1], item[0]))
    ranked = ranked[:top]
    inside = [valid is None or bool(valid(np.array([each]))[0]) for each, _ in ranked]
    half = num_qubits // 2
    strings = [f"{each:0{num_qubits}b}" for each, _ in ranked]
    ax.bar(
        [f"{string[:half]}|{string[half:]}" for string in strings],
        [count / len(determinants) for _, count in ranked],
        color=["C0" if each else "C3" for each in inside],
    )
    ax.tick_params(axis="x", rotation=70, labelsize=8)
    ax.set_ylabel("share of shots")
    ax.set_title("configurations, beta|alpha" + ("" if all(inside) else "; red: wrong electrons"))
    return ax


def error_against_size(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, ax: Any = None
) -> Any:
    """Draw energy errors against the dimension of the subspace, both logarithmic.

    Args:
        curves: Label -> dimensions and errors (mHa).
        ax: Where to draw.
    """
    ax = axes_of(ax)
    for label, (sizes, errors) in curves.items():
        ax.loglog(sizes, np.maximum(errors, 1e-4), "o-", label=label)
    ax.axhline(CHEMICAL_ACCURACY, color="0.5", linestyle="--", label="1.6 mHa")
    ax.set_xlabel("dimension of the subspace")
    ax.set_ylabel("energy - exact (mHa)")
    ax.legend()
    return ax
