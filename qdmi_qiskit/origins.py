"""Remembers what circuits were compiled from, so that they can be compiled again.

The calibration goes into the compiled circuit's metadata, which copies, QPY and pickle keep. The
original does not: it is kept beside the compiled circuit in this process, by identity, for as long
as that lives, with copies of both. A compiled circuit that was changed afterwards, bound to values
or read from a file has no original any more.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit
from qiskit.transpiler import StagedPassManager, Target

from qdmi_qiskit.drift import compiled_for, mark


@dataclass(slots=True)
class Origin:
    """What a circuit was compiled from, and how.

    Attributes:
        original: A copy of it as it was.
        compiled: A copy of the compiled circuit as it was.
        level: Optimisation level.
        options: Further ones of the pass manager.
        compiled_again: What became of it at the latest calibration.
    """

    user: weakref.ref[QuantumCircuit]
    original: QuantumCircuit
    compiled: QuantumCircuit
    level: int
    options: Mapping[str, Any]
    compiled_again: QuantumCircuit | None = None


_ORIGINS: dict[int, Origin] = {}


def origin_of(circuit: QuantumCircuit) -> Origin | None:
    """Return what a circuit was compiled from; None if unknown, or if it was changed since."""
    found = _ORIGINS.get(id(circuit))
    if found is None or found.user() is not circuit or circuit != found.compiled:
        return None
    return found


class RememberingPassManager(StagedPassManager):  # type: ignore[misc]
    """A pass manager whose circuits know their calibration and, in this process, their original."""

    def __init__(
        self, made: StagedPassManager, calibration: str, level: int, options: Mapping[str, Any]
    ) -> None:
        """Take over the stages of a pass manager.

        Args:
            made: From Qiskit.
            calibration: Id of the one whose figures it compiles for.
            level: Optimisation level.
            options: What else it was made with.
        """
        stages = {name: getattr(made, name) for name in made.expanded_stages}
        super().__init__(
            made.stages, **{name: stage for name, stage in stages.items() if stage is not None}
        )
        self._calibration, self._level, self._options = calibration, level, dict(options)

    def run(self, circuits: Any, *args: Any, **keywords: Any) -> Any:
        """Compile as `StagedPassManager.run` does."""
        alone = isinstance(circuits, QuantumCircuit)
        given = [circuits] if alone else list(circuits)
        found = super().run(circuits if alone else given, *args, **keywords)
        for original, compiled in zip(given, [found] if alone else found, strict=True):
            mark(compiled, self._calibration)
            self._remember(original, compiled)
        return found

    def _remember(self, original: QuantumCircuit, compiled: QuantumCircuit) -> None:
        key = id(compiled)
        user = weakref.ref(compiled, lambda _: _ORIGINS.pop(key, None))
        _ORIGINS[key] = Origin(user, original.copy(), compiled.copy(), self._level, self._options)


def compiled_again(
    circuit: QuantumCircuit,
    calibration: str,
    target: Target,
    *,
    fits: Callable[[QuantumCircuit], bool],
    pass_manager: Callable[..., StagedPassManager],
) -> QuantumCircuit | None:
    """Return a circuit compiled from its original with other figures.

    What fits the device still and is expected to err less than the new one stays as it is, with
    the new calibration in its metadata.

    Args:
        circuit: As compiled before.
        calibration: Id of the one that holds now.
        target: Its figures.
        fits: Whether the device executes a circuit.
        pass_manager: Returns one by level and options.

    Returns:
        None if the original is not known.
    """
    origin = origin_of(circuit)
    if origin is None:
        return None
    known = origin.compiled_again
    if known is not None and compiled_for(known) == calibration:
        return known
    found = pass_manager(origin.level, **origin.options).run(origin.original)
    if fits(circuit) and expected_fidelity(circuit, target) > expected_fidelity(found, target):
        found = circuit.copy()
    mark(found, calibration, before=compiled_for(circuit))
    origin.compiled_again = found
    return found


def expected_fidelity(circuit: QuantumCircuit, target: Target) -> float:
    """Return the probability that no instruction of a circuit errs; unknown errors are none."""
    total = 0.0
    for instruction in circuit.data:
        name = instruction.operation.name
        where = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        places = target[name] if name in target.operation_names else {}
        figures = (places or {}).get(where)
        error = getattr(figures, "error", None) or 0.0
        if error >= 1.0:
            return 0.0
        total += math.log1p(-error)
    return math.exp(total)
