"""What is drawn on."""

from __future__ import annotations

from typing import Any

from qdmi_qiskit.errors import MissingPluginError


def axes_of(ax: Any, size: tuple[float, float] = (6.5, 4.0)) -> Any:
    """Return the axes given, or those of a new figure (inches)."""
    return _pyplot().subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def stacked(axes: Any, number: int) -> Any:
    """Return the axes given, or so many of a new figure, one above the other."""
    if axes is not None:
        return axes
    return _pyplot().subplots(number, 1, sharex=True, figsize=(8, 5), layout="constrained")[1]


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
