"""The mitigation that a profile asks for, put around an estimator that does not know of it."""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Any

from qdmi_qiskit.errors import ConfigError

_HOME = "qdmi_qiskit.mitigation"  # a floor above: named, as plug-ins are, and imported when needed


def around(estimator: Any, stages: Any, seed: int | None) -> Any:
    """Return an estimator with stages of mitigation around a copy of a plain one.

    Raises:
        ConfigError: A stage is unknown, or they are in the wrong order.
    """
    if not isinstance(stages, str | list | tuple):
        raise ConfigError(
            f'mitigation={stages!r}: wanted names of stages, such as ["twirl", "readout"]'
        )
    plain = copy.copy(estimator)
    plain.mitigation = ()
    return import_module(_HOME).MitigatedEstimator(plain, stages, seed=seed)
