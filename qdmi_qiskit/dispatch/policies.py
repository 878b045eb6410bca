"""Who gets how much of a pub: the policies, and what they weigh by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.dispatch.members import Member
from qdmi_qiskit.errors import ConfigError, did_you_mean

Shares = npt.NDArray[np.float64]
Weights = str | Mapping[str, float] | Sequence[float] | Callable[[Any, Sequence[Member]], Any]
"""A name of `WEIGHTS`, a number per member, or a function `(pub, members) -> numbers`."""


@dataclass(frozen=True)
class Job:
    """One pub as a policy sees it.

    Attributes:
        pubs: The pub for each member, compiled where the group compiles; its circuit is ISA.
        size: Shots x points for samplers, points / precision**2 for estimators.
        price: What the whole pub would cost at each member, in its currency; None: not said.
        where: Which of all members these are: all at first, later those that still work.
        of: How many members there are in all.
    """

    pubs: tuple[Any, ...]
    size: float
    price: tuple[float | None, ...]
    where: tuple[int, ...]
    of: int


class Policy(ABC):
    """Splits pubs over members. Subclass it for one of your own.

    Attributes:
        copies: Whether a share of 1 for several members means the whole pub for each of them.
        race: Whether the first good outcome ends the others.
        moves: Whether members that were left out may take what others failed to do.
    """

    copies: ClassVar[bool] = False
    race: ClassVar[bool] = False
    moves: ClassVar[bool] = True

    @abstractmethod
    def shares(self, jobs: Sequence[Job], members: Sequence[Member]) -> Shares:
        """Return shares of at least 0, shape `(pubs, members)`; rows are taken to sum 1."""

    def check(self, costs: Mapping[str, float]) -> None:  # noqa: B027
        """Raise `ConfigError` if a plan of such costs (currency -> amount) must not be sent."""


@dataclass(frozen=True)
class SplitShots(Policy):
    """Every pub over all members: shots by weight, precision so that the whole meets its own.

    Attributes:
        weights: How much each gets: `"even"`, `"capacity"`, `"queue"` (1 / (1 + waiting)),
            `"price"` (1 / price of the pub), `"fidelity"` (that no gate errs), numbers, or a
            function.
    """

    weights: Weights = "even"

    def shares(self, jobs: Sequence[Job], members: Sequence[Member]) -> Shares:
        return np.array([weights_of(self.weights, job, members) for job in jobs])


@dataclass(frozen=True)
class SplitPubs(Policy):
    """Every pub whole at one member: the longest first, each where it would end soonest.

    Attributes:
        weights: How fast each member is, as in `SplitShots`.
    """

    weights: Weights = "even"

    def shares(self, jobs: Sequence[Job], members: Sequence[Member]) -> Shares:
        table, load = np.zeros((len(jobs), len(members))), np.zeros(len(members))
        for k in sorted(range(len(jobs)), key=lambda k: -jobs[k].size):
            speed = np.asarray(weights_of(self.weights, jobs[k], members), dtype=np.float64)
            if not (speed > 0).any():
                raise ConfigError("every weight is 0: give at least one member a weight")
            with np.errstate(divide="ignore"):
                ends = load + jobs[k].size / speed
            first = int(np.argmin(ends))
            table[k, first], load[first] = 1.0, ends[first]
        return table


@dataclass(frozen=True)
class Replicate(Policy):
    """Every pub whole at every member, to compare them; nothing is moved when one fails."""

    copies = True
    moves = False

    def shares(self, jobs: Sequence[Job], members: Sequence[Member]) -> Shares:
        return np.ones((len(jobs), len(members)))


@dataclass(frozen=True)
class Race(Replicate):
    """All pubs at every member; the first outcome that is good wins, the others are canceled.

    Attributes:
        good: Whether a `PrimitiveResult` is good; any is, if not given.
    """

    good: Callable[[Any], bool] | None = None
    race = True


@dataclass(frozen=True)
class Cheapest(Policy):
    """Every pub whole at the member that charges least for it; ties go to the earlier one.

    Attributes:
        budget: Most that a plan, and what is sent again later, may cost, in `currency`.
        currency: ISO 4217 code. Members that charge in another are left out.
    """

    budget: float | None = None
    currency: str = "USD"

    def shares(self, jobs: Sequence[Job], members: Sequence[Member]) -> Shares:
        table = np.zeros((len(jobs), len(members)))
        for k, job in enumerate(jobs):
            known = [
                (price, index)
                for index, (price, member) in enumerate(zip(job.price, members, strict=True))
                if price is not None and (price == 0 or _currency(member) == self.currency)
            ]
            if not known:
                raise ConfigError(
                    f"no member says its price in {self.currency}: declare Member(over, "
                    "price=Price(per_task=..., per_shot=...))"
                )
            table[k, min(known)[1]] = 1.0
        return table

    def check(self, costs: Mapping[str, float]) -> None:
        cost = costs.get(self.currency, 0.0)
        if self.budget is not None and cost > self.budget * (1 + 1e-12):
            raise ConfigError(
                f"this would cost {cost:.2f} {self.currency} and the budget is {self.budget:.2f}: "
                "ask for fewer shots, raise the budget, or add a cheaper member. Nothing was sent"
            )


def _currency(member: Member) -> str:
    return "" if member.charges is None else member.charges.currency


def weights_of(weights: Weights, job: Job, members: Sequence[Member]) -> list[float]:
    """Return one weight per member for a pub.

    Raises:
        ConfigError: There is no such rule, or a member lacks the figure that it needs.
    """
    if isinstance(weights, str):
        if weights not in WEIGHTS:
            raise ConfigError(f"weights={weights!r}{did_you_mean(weights, WEIGHTS)}")
        return WEIGHTS[weights](job, members)
    if isinstance(weights, Mapping):
        names = [member.name for member in members]
        unknown = [name for name in weights if name not in names]
        if unknown and len(names) == job.of:
            raise ConfigError(f"no member {unknown[0]!r}{did_you_mean(unknown[0], names)}")
        return [float(weights.get(name, 0.0)) for name in names]
    found = [float(w) for w in (weights(job, members) if callable(weights) else weights)]
    if len(found) == job.of != len(members):
        found = [found[k] for k in job.where]
    if len(found) != len(members):
        raise ConfigError(f"{len(found)} weights for {len(members)} members: give one for each")
    return found


def _said(figures: Sequence[float | None], members: Sequence[Member], what: str) -> list[float]:
    for figure, member in zip(figures, members, strict=True):
        if figure is None:
            raise ConfigError(
                f"member {member.name!r} does not say its {what}: declare Member(over, {what}=...)"
            )
    return [float(figure) for figure in figures if figure is not None]


def _even(job: Job, members: Sequence[Member]) -> list[float]:
    return [1.0] * len(members)


def _capacity(job: Job, members: Sequence[Member]) -> list[float]:
    return _said([member.capacity for member in members], members, "capacity")


def _queue(job: Job, members: Sequence[Member]) -> list[float]:
    waiting = _said([member.waiting() for member in members], members, "queue")
    return [1 / (1 + number) for number in waiting]


def _price(job: Job, members: Sequence[Member]) -> list[float]:
    """Inversely to the price; where something is free, the free members take it all."""
    prices = _said(job.price, members, "price")
    if min(prices) == 0:
        return [float(price == 0) for price in prices]
    if len({_currency(member) for member in members}) > 1:
        raise ConfigError("the members charge in different currencies: give weights as numbers")
    return [1 / price for price in prices]


def _fidelity(job: Job, members: Sequence[Member]) -> list[float]:
    figures = [
        member.fidelity_of(pub.circuit) for member, pub in zip(members, job.pubs, strict=True)
    ]
    return _said(figures, members, "fidelity")


WEIGHTS: dict[str, Callable[[Job, Sequence[Member]], list[float]]] = {
    "even": _even,
    "capacity": _capacity,
    "queue": _queue,
    "price": _price,
    "fidelity": _fidelity,
}
