"""What mitigated primitives have in common: a primitive inside, stages, and what they remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qdmi_qiskit.checks import checked_seed
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.mitigation.registry import composed
from qdmi_qiskit.mitigation.stage import Context, Stage

DEFAULT = ("zne", "twirl", "readout")
"""What is composed where nothing is said."""

Stages = Sequence[Any] | str | None


class Around:
    """A primitive, and stages around it."""

    def __init__(
        self,
        inner: Any,
        mitigation: Stages = DEFAULT,
        *,
        seed: int | None = None,
        target: Any = None,
    ) -> None:
        """Put stages around a primitive.

        Args:
            inner: Ours, IBM's, anyone's.
            mitigation: Names or stages, outermost first; `DEFAULT` if not given.
            seed: For random choices.
            target: Of the device, where the primitive shows no backend.

        Raises:
            ConfigError: A stage is unknown, or the order is wrong.
        """
        if getattr(inner, "mitigation", ()):
            raise ConfigError(
                f"the backend's profile asks for mitigation={inner.mitigation!r} already: leave it "
                "out there, or use the estimator as it is"
            )
        self._inner, self.stages = inner, composed(mitigation)
        self._rng = np.random.default_rng(checked_seed(seed))
        self._target, self._kept = target, {}  # type: ignore[var-annotated]

    @property
    def backend(self) -> Any:
        """The backend of the inner primitive; None where it shows none."""
        found = getattr(self._inner, "backend", None)
        return found() if callable(found) else found

    def _context(self, run: Any = None) -> Context:
        backend = self.backend
        target = getattr(backend, "target", None) if self._target is None else self._target
        calibration = getattr(getattr(backend, "calibration", None), "id", None)
        return Context(target, calibration, self._rng, run, self._kept, _joint(self._inner))

    def _of_pubs(self, number: int, mitigation: Sequence[Stages] | None) -> list[tuple[Stage, ...]]:
        if mitigation is None:
            return [self.stages] * number
        if isinstance(mitigation, str) or len(mitigation) != number:
            raise ConfigError(f"mitigation: wanted a list of stages for each of {number} pubs")
        return [composed(each) for each in mitigation]


def _joint(primitive: Any) -> bool:
    """Return whether it, or what is inside it, measures terms on other qubits than their own."""
    inside = [getattr(primitive, "_inner", None)]
    inside += [member.over for member in getattr(primitive, "members", ())]
    options = getattr(primitive, "options", None)
    return getattr(options, "grouping", None) == "commuting" or any(
        _joint(each) for each in inside if each is not None
    )
