"""Options that both primitives understand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from qdmi_qiskit.checks import checked_seed, checked_shots
from qdmi_qiskit.errors import ConfigError, did_you_mean

T = TypeVar("T", bound="PrimitiveOptions")
Allocation = Literal["variance", "coefficients", "uniform"]
Grouping = Literal["qubit_wise", "commuting"]
_GROUPINGS: tuple[str, ...] = get_args(Grouping)
_ALLOCATIONS: tuple[str, ...] = get_args(Allocation)


@dataclass
class PrimitiveOptions:
    """What is common to sampler and estimator.

    Attributes:
        seed: Makes a sequence of calls reproducible on simulators. Calls, pubs and points
            each get a seed of their own, derived from it.
        seed_simulator: The same, under the name that Qiskit's own primitives use.
    """

    seed: int | None = None
    seed_simulator: int | None = None

    def chosen_seed(self) -> int | None:
        """Return the seed under either name."""
        return checked_seed(self.seed_simulator if self.seed is None else self.seed)


@dataclass
class SamplerOptions(PrimitiveOptions):
    """Options of `SamplerV2`.

    Attributes:
        default_shots: Shots of a pub that names none.
    """

    default_shots: int = 1024

    def __post_init__(self) -> None:
        checked_shots(self.default_shots)
        self.chosen_seed()


@dataclass
class EstimatorOptions(PrimitiveOptions):
    """Options of `EstimatorV2`.

    Attributes:
        default_precision: Standard error of a pub that names none; 0.015625 = 1/64.
        shot_allocation: `"variance"`: a pilot of few shots decides how many each group of terms
            needs, and at each point where shots cost, if that saves more than the pilot takes;
            the rest is a second job. `"coefficients"`: one job, with shots enough for any state.
            `"uniform"`: the same, with the same shots for every group; never fewer.
        grouping: `"qubit_wise"`: groups that one product basis measures; no gates but one-qubit
            rotations, so it is the default. `"commuting"`: groups that commute as a whole; fewer
            shots, at the price of a Clifford circuit with two-qubit gates before the measurement,
            which costs accuracy on a noisy device.
        abelian_grouping: Measure qubit-wise commuting terms together; else each on its own.
    """

    default_precision: float = 0.015625
    shot_allocation: Allocation = "variance"
    grouping: Grouping = "qubit_wise"
    abelian_grouping: bool = True

    def __post_init__(self) -> None:
        for name, known in (("shot_allocation", _ALLOCATIONS), ("grouping", _GROUPINGS)):
            value = getattr(self, name)
            if value not in known:
                raise ConfigError(f"{name}={value!r}{did_you_mean(str(value), known)}")
        self.chosen_seed()


def options_from(kind: type[T], options: dict[str, Any] | None, keywords: dict[str, Any]) -> T:
    """Return options from a dictionary, or keywords, or both.

    Raises:
        ConfigError: A name is unknown, given twice, or its value is wrong.
    """
    known = {field.name for field in fields(kind)}
    given = dict(options or {})
    for name, value in keywords.items():
        if name in given:
            raise ConfigError(f"option {name!r} is given both in options= and as a keyword")
        given[name] = value
    for name in given:
        if name not in known:
            raise ConfigError(f"no option {name!r}{did_you_mean(name, known)}")
    return kind(**given)
