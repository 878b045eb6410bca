"""Qiskit's preset pass managers without the plug-ins of other installed packages.

Qiskit loads every transpiler plug-in that is installed when it makes its first pass manager. A
package that registers thirty of them (iqm-client does) turns 0.4 s into 15 s, whether or not
anybody names one. Ours are made of Qiskit's own stages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import SimpleNamespace
from typing import Any

import stevedore
from qiskit.transpiler import StagedPassManager, Target, generate_preset_pass_manager
from qiskit.transpiler.passes.synthesis import plugin as synthesis
from qiskit.transpiler.preset_passmanagers import plugin as stages

_LOCK = Lock()


class _OwnPlugins(stevedore.ExtensionManager):  # type: ignore[type-arg]
    """Qiskit's entry points alone."""

    def list_entry_points(self) -> list[Any]:
        return [point for point in super().list_entry_points() if _is_qiskits(point)]


def _is_qiskits(point: Any) -> bool:
    module: str = point.value
    return module.partition(":")[0].partition(".")[0] == "qiskit"


@contextmanager
def own_plugins() -> Iterator[None]:
    """Within, Qiskit finds its own plug-ins only."""
    narrow = SimpleNamespace(ExtensionManager=_OwnPlugins)
    with _LOCK:
        before = stages.stevedore, synthesis.stevedore
        stages.stevedore = synthesis.stevedore = narrow
        try:
            yield
        finally:
            stages.stevedore, synthesis.stevedore = before


def pass_manager(target: Target, level: int, **options: Any) -> StagedPassManager:
    """Return the preset pass manager of a level, 0 to 3, for a target.

    Args:
        target: What the circuits are for.
        level: Optimisation level.
        options: Further ones of `generate_preset_pass_manager`, such as `seed_transpiler`.
    """
    with own_plugins():
        return generate_preset_pass_manager(optimization_level=level, target=target, **options)
