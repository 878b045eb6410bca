"""Pictures of devices and results, with matplotlib (extra `plot`), loaded when one is drawn.

Every function draws on `ax`, or on a new figure, and returns the axes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qdmi_qiskit.errors import MissingPluginError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit.transpiler import CouplingMap, Target

CHEMICAL_ACCURACY = 1.6  # mHa


def device_map(backend: Any, *, qubits: Iterable[int] = (), ax: Any = None) -> Any:
    """Draw the coupling map: lines by two-qubit error, qubits by readout error.

    What the device does not say is grey. A device without a coupling map, where every pair
    interacts, is drawn as a circle without lines.

    Args:
        backend: Any backend with a `target`.
        qubits: Those to mark, such as `isa.layout.final_index_layout()`.
        ax: Where to draw.
    """
    pyplot = _pyplot()
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    target = backend.target
    pairs, readout = _pair_errors(target), _readout_errors(target)
    coupling = target.build_coupling_map()
    number = min(target.num_qubits, 40) if coupling is None else target.num_qubits
    places = positions(coupling, number)
    if ax is None:
        ax = pyplot.subplots(figsize=(6.5, 5.0), layout="constrained")[1]
    for values, colours, label in (
        (pairs, "viridis_r", "two-qubit error"),
        (readout, "magma_r", "readout error"),
    ):
        known = [value for value in values.values() if value]
        norm = LogNorm(min(known) * 0.999, max(known) * 1.001) if known else None
        scale = ScalarMappable(norm, colours)
        if known:
            ax.figure.colorbar(scale, ax=ax, label=label, shrink=0.8)
        for key, value in values.items():
            colour = scale.to_rgba(value) if value else "0.75"
            if isinstance(key, tuple):
                ax.plot(*places[list(key)].T, color=colour, linewidth=3, zorder=1)
            elif key < number:
                ax.scatter(*places[key], s=220, color=colour, edgecolors="0.3", zorder=2)
    marked = [q for q in qubits if q < number]
    ax.scatter(*places[marked].T, s=330, facecolors="none", edgecolors="red", zorder=3)
    for qubit, place in enumerate(places):
        ax.annotate(str(qubit), place, ha="center", va="center", fontsize=7, color="0.5", zorder=4)
    calibration = getattr(backend, "calibration", None)
    when = getattr(calibration, "time", None)
    ax.set_title(f"{backend.name}" + (f", calibrated {when:%Y-%m-%d %H:%M}" if when else ""))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


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
    ax = _axes(ax)
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
    ax = _axes(ax)
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
    ax = _axes(ax)
    for label, (sizes, errors) in curves.items():
        ax.loglog(sizes, np.maximum(errors, 1e-4), "o-", label=label)
    ax.axhline(CHEMICAL_ACCURACY, color="0.5", linestyle="--", label="1.6 mHa")
    ax.set_xlabel("dimension of the subspace")
    ax.set_ylabel("energy - exact (mHa)")
    ax.legend()
    return ax


def positions(coupling: CouplingMap | None, number: int) -> NDArray[np.float64]:
    """Return places of qubits, shape (number, 2): distances as on the map, as far as they fit.

    Stress is majorised (SMACOF) from the principal axes of the map, turned upright; the same map
    gives the same picture.
    """
    angles = 2 * np.pi * np.arange(number) / max(number, 1)
    circle = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    if coupling is None or number < 3 or not coupling.is_connected():
        return circle
    far = np.minimum(coupling.distance_matrix, coupling.distance_matrix.T)
    if far.max() == 1:
        return circle
    centre = np.eye(number) - 1 / number
    values, vectors = np.linalg.eigh(-0.5 * centre @ far**2 @ centre)
    places = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0)) + 0.05 * circle
    weights = 1 / np.maximum(far, 1) ** 2 * (1 - np.eye(number))
    solve = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    for _ in range(200):
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        pull = -weights * far / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0)
        pull -= np.diag(pull.sum(axis=1))
        places = solve @ pull @ places
    edges = np.array([places[b] - places[a] for a, b in coupling.get_edges()])
    turn = np.exp(-1j * np.angle(((edges[:, 0] + 1j * edges[:, 1]) ** 4).sum()) / 4)
    flat = (places[:, 0] + 1j * places[:, 1]) * turn
    return np.stack([flat.real, flat.imag], axis=1)


def _pair_errors(target: Target) -> dict[tuple[int, ...], float | None]:
    """Return the least error of any two-qubit gate on each pair; None: not said."""
    found: dict[tuple[int, ...], float | None] = {}
    for name in target.operation_names:
        for pair, properties in (target[name] or {}).items():
            if pair is not None and len(pair) == 2:
                key = tuple(sorted(pair))
                errors = [found.get(key), getattr(properties, "error", None)]
                found[key] = min((each for each in errors if each is not None), default=None)
    return found


def _readout_errors(target: Target) -> dict[int, float | None]:
    table = target["measure"] if "measure" in target.operation_names else {}
    return {
        qubit: getattr((table or {}).get((qubit,)), "error", None)
        for qubit in range(target.num_qubits)
    }


def _axes(ax: Any) -> Any:
    return _pyplot().subplots(figsize=(6.5, 4.0), layout="constrained")[1] if ax is None else ax


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as missing:
        if (missing.name or "").partition(".")[0] != "matplotlib":
            raise
        raise MissingPluginError(
            "matplotlib is not installed: run pip install 'qdmi-qiskit[plot]'", name="matplotlib"
        ) from missing
    return pyplot
