"""Stages by name: ours, and those of entry points; composed in one order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.mitigation.decoupling import DD
from qdmi_qiskit.mitigation.folding import ZNE
from qdmi_qiskit.mitigation.readout import Readout
from qdmi_qiskit.mitigation.selection import PostSelect
from qdmi_qiskit.mitigation.stage import Stage
from qdmi_qiskit.mitigation.twirl import Twirl

GROUP = "qdmi_qiskit.mitigation"
_OURS: dict[str, Any] = {kind.name: kind for kind in (ZNE, PostSelect, Twirl, Readout, DD)}


@cache
def _theirs() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    """Return the names of all stages."""
    return sorted({*_OURS, *_theirs()})


def stage_from(given: Any) -> Stage:
    """Return a stage: itself, or by name with its defaults.

    Raises:
        ConfigError: There is no such stage.
    """
    if isinstance(given, Stage):
        return given
    if isinstance(given, type) and issubclass(given, Stage):
        return given()
    if not isinstance(given, str):
        raise ConfigError(f"{given!r} is no stage of mitigation: wanted a name or a Stage")
    if given in _OURS:
        made: Stage = _OURS[given]()
        return made
    if given not in _theirs():
        raise ConfigError(f"no stage of mitigation {given!r}{did_you_mean(given, names())}")
    made = _theirs()[given].load()()
    if not isinstance(made, Stage):
        raise ConfigError(f"entry point {given!r} of {GROUP} is no Stage: report it to its author")
    return made


def composed(given: Sequence[Any] | str | None) -> tuple[Stage, ...]:
    """Return stages in their order, outermost first: zne, postselect, twirl, readout, dd.

    Raises:
        ConfigError: One is unknown or twice there, or they stand in another order.
    """
    if given is None:
        return ()
    stages = tuple(stage_from(each) for each in ([given] if isinstance(given, str) else given))
    told = [stage.name for stage in stages]
    if len(set(told)) < len(told):
        raise ConfigError(f"mitigation {told}: each stage once")
    right = sorted(stages, key=lambda stage: stage.rank)
    if list(stages) != right:
        raise ConfigError(
            f"mitigation {told} is in the wrong order: wanted {[stage.name for stage in right]}, "
            "from the outermost to what happens last to a circuit"
        )
    return stages
