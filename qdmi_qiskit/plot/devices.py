"""Pictures of devices: the map by error, the queue, and calibrations over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from qdmi_qiskit.plot.canvas import axes_of, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit.transpiler import CouplingMap, Target

    from qdmi_qiskit.forecast import Queue
    from qdmi_qiskit.model import DeviceSpec

_DAY = timedelta(days=1)
_GREY = (0.75, 0.75, 0.75)


def device_map(
    backend: Any, *, qubits: Iterable[int] = (), queue: Queue | None = None, ax: Any = None
) -> Any:
    """Draw the coupling map: lines by two-qubit error, qubits by readout error.

    What the device does not say is grey. A device without a coupling map, where every pair
    interacts, is drawn as a circle without lines.

    Args:
        backend: Any backend with a `target`.
        qubits: Those to mark, such as `isa.layout.final_index_layout()`.
        queue: What to say about waiting, such as `backend.queue()`.
        ax: Where to draw.
    """
    ax = axes_of(ax, (6.5, 5.0))
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    target = backend.target
    pairs, readout = _pair_errors(target), _readout_errors(target)
    coupling = target.build_coupling_map()
    number = min(target.num_qubits, 40) if coupling is None else target.num_qubits
    places = positions(coupling, number)
    fills: dict[int, tuple[float, ...]] = {}
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
            colour = scale.to_rgba(value) if value else _GREY
            if isinstance(key, tuple):
                ax.plot(*places[list(key)].T, color=colour, linewidth=3, zorder=1)
            elif key < number:
                ax.scatter(*places[key], s=220, color=colour, edgecolors="0.3", zorder=2)
                fills[key] = colour
    marked = [q for q in qubits if q < number]
    ax.scatter(*places[marked].T, s=330, facecolors="none", edgecolors="red", zorder=3)
    for qubit, place in enumerate(places):
        ink = "white" if sum(fills.get(qubit, _GREY)[:3]) < 1.5 else "black"
        ax.annotate(str(qubit), place, ha="center", va="center", fontsize=7, color=ink, zorder=4)
    calibration = getattr(backend, "calibration", None)
    when = getattr(calibration, "time", None)
    title = f"{backend.name}" + (f", calibrated {when:%Y-%m-%d %H:%M}" if when else "")
    if coupling is None:
        shown = f"; {number} of {target.num_qubits} qubits" if number < target.num_qubits else ""
        title += f": every pair interacts{shown}"
    ax.set_title("\n".join(filter(None, [title, "" if queue is None else _waiting(queue)])))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _waiting(queue: Queue) -> str:
    """Return what is known of a queue; empty if nothing is."""
    told = [] if queue.length is None else [f"jobs waiting: {queue.length}"]
    if queue.length != 0 and queue.expected_start is not None:
        told.append(f"a job sent now starts at {queue.expected_start:%Y-%m-%d %H:%M} UTC")
    return ", ".join(told)


def calibration_history(snapshots: Sequence[DeviceSpec], *, axes: Any = None) -> Any:
    """Draw medians over time: errors of two-qubit gates and readout above, T1 and T2 below.

    Args:
        snapshots: Of one device, such as `provider.calibrations(name)`, in any order.
        axes: A pair to draw on.
    """
    axes = stacked(axes, 2)
    rows = [(_when(spec), medians(spec)) for spec in sorted(snapshots, key=_when)]
    for ax, keys, factor, label in (
        (axes[0], ("two-qubit error", "readout error"), 100.0, "median error (%)"),
        (axes[1], ("T1", "T2"), 1e6, "median (\N{GREEK SMALL LETTER MU}s)"),
    ):
        for key in keys:
            known = [(time, factor * value) for time, row in rows if (value := row[key])]
            if known:
                ax.plot(*zip(*known, strict=True), marker="o", label=key)
        ax.grid(visible=True, alpha=0.3)
        ax.set_ylabel(label)
        if ax.lines:
            ax.legend()
        else:
            ax.text(0.5, 0.5, "no figures", transform=ax.transAxes, ha="center", color="0.5")
    if len({time for time, _ in rows}) == 1:  # else the axis would span years
        axes[0].set_xlim(rows[0][0] - _DAY, rows[0][0] + _DAY)
    axes[0].figure.autofmt_xdate()
    return axes


def medians(spec: DeviceSpec) -> dict[str, float | None]:
    """Return the medians of what a snapshot knows: errors as fractions, times in seconds."""
    pairs, reads = [], []
    for operation in spec.operations:
        for where, figures in (operation.sites or {}).items():
            if figures.fidelity is None:
                continue
            if operation.name == "measure":
                reads.append(1 - figures.fidelity)
            elif len(where) == 2:
                pairs.append(1 - figures.fidelity)
    return {
        "two-qubit error": _median(pairs),
        "readout error": _median(reads),
        "T1": _median([site.t1 for site in spec.sites]),
        "T2": _median([site.t2 for site in spec.sites]),
    }


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _when(spec: DeviceSpec) -> datetime:
    stamp = spec.calibration
    return spec.taken_at if stamp is None or stamp.time is None else stamp.time


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
