"""What is about to be sent where, to be looked at, priced and edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.dispatch.apportion import apportion
from qdmi_qiskit.dispatch.members import Member
from qdmi_qiskit.dispatch.policies import Job, Policy
from qdmi_qiskit.dispatch.table import Table
from qdmi_qiskit.errors import ConfigError, did_you_mean

Asked = npt.NDArray[Any]


@dataclass
class Plan:
    """Pubs, members, and what each member is asked for. Nothing is sent by making one.

    Attributes:
        members: Who takes part.
        pubs: The pubs as they came.
        compiled: Each pub for each member, shape `(pubs, members)`.
        policy: Splits again what fails.
        asked: Shape `(pubs, members)`, yours to edit. Samplers: int64, shots, 0 for none.
            Estimators: float64, precision, NaN for none.
    """

    members: tuple[Member, ...]
    pubs: list[Any]
    compiled: list[list[Any]]
    policy: Policy
    asked: Asked = field(init=False)

    def __post_init__(self) -> None:
        rows = range(len(self.pubs))
        everyone = range(len(self.members))
        shares = self.policy.shares([self._job(k, everyone) for k in rows], self.members)
        self.asked = np.array([self._row(k, shares[k], self._whole(k), everyone) for k in rows])

    @property
    def samples(self) -> bool:
        """Whether these are shots, not precisions."""
        return isinstance(self.pubs[0], SamplerPub)

    def is_asked(self, pub: int, member: int) -> bool:
        """Return whether a member gets anything of a pub."""
        amount = self.asked[pub, member]
        return bool(amount > 0) if self.samples else not np.isnan(amount)

    def set(self, pub: int, **amounts: float) -> None:
        """Set what members are asked for of a pub, by name where that is an identifier.

        Raises:
            ConfigError: There is no such member, or the amount is none.
        """
        names = [member.name for member in self.members]
        for name, amount in amounts.items():
            if name not in names:
                raise ConfigError(f"no member {name!r}{did_you_mean(name, names)}")
            if self.samples and (amount < 0 or int(amount) != amount):
                raise ConfigError(f"{name}={amount!r}: wanted a whole number of shots")
            self.asked[pub, names.index(name)] = amount

    def again(self, pub: int, amount: float, allowed: Sequence[int]) -> Asked:
        """Return a row for what is missing of a pub, over the members that are allowed.

        Args:
            pub: Which.
            amount: Shots, or the precision that the missing part had.
            allowed: Indices of members.

        Raises:
            ConfigError: They cannot take it.
        """
        members = [self.members[k] for k in allowed]
        shares = self.policy.shares([self._job(pub, allowed)], members)[0]
        return self._row(pub, shares, amount, allowed)

    def _whole(self, pub: int) -> float:
        return float(self.pubs[pub].shots if self.samples else self.pubs[pub].precision)

    def _row(self, pub: int, shares: Any, amount: float, allowed: Sequence[int]) -> Asked:
        row = (
            np.zeros(len(self.members), np.int64)
            if self.samples
            else np.full(len(self.members), np.nan)
        )
        shares = np.asarray(shares, dtype=np.float64)
        where = list(allowed)
        if self.policy.copies:
            row[[k for k, share in zip(where, shares, strict=True) if share > 0]] = amount
        elif self.samples:
            row[where] = apportion(int(amount), shares, [self.members[k].range for k in where])
        else:
            if not (shares > 0).any():
                raise ConfigError("every weight is 0: give at least one member a weight")
            with np.errstate(divide="ignore"):
                precision = amount / np.sqrt(shares / shares.sum())
            row[where] = np.where(shares > 0, precision, np.nan)
        return row

    def _job(self, pub: int, allowed: Sequence[int]) -> Job:
        points = self.pubs[pub].parameter_values.size
        whole = self._whole(pub)
        size = whole if self.samples else 1 / max(whole, 1e-6) ** 2
        prices = tuple(self.price_of(pub, k, whole) for k in allowed)
        return Job(
            pubs=tuple(self.compiled[pub][k] for k in allowed),
            size=points * size,
            price=prices,
            where=tuple(allowed),
            of=len(self.members),
        )

    def price_of(self, pub: int, member: int, amount: float) -> float | None:
        """Return what a member charges for so much of a pub at most; None: it does not say.

        Each executable counts as a job of its own where the device takes no more than one at
        once. Shots of an estimate depend on the state: (sum of |coefficients| / precision)**2 per
        value is what independent terms need at worst.
        """
        price = self.members[member].charges
        if price is None:
            return None
        if price.per_shot == 0 and price.per_task == 0:
            return 0.0
        task, spec = self.pubs[pub], self.members[member].spec
        executables, shots = task.parameter_values.size, amount
        if not self.samples:
            if amount == 0:
                return None
            values = [each for _, each in np.ndenumerate(task.observables.__array__())]
            executables *= max(sum(len(each) for each in values), 1)
            norm = sum(sum(abs(c) for c in each.values()) ** 2 for each in values)
            shots = np.ceil(norm / amount**2)
        at_once = None if spec is None else spec.capabilities.max_executables
        tasks = 1 if spec is not None and at_once is None else -(-executables // (at_once or 1))
        points = task.parameter_values.size
        return float(price.per_task * tasks + price.per_shot * shots * points)

    def costs(self, asked: Asked | None = None) -> dict[str, float]:
        """Return what is charged, by currency; members that do not say count nothing."""
        asked = self.asked if asked is None else asked
        found: dict[str, float] = {}
        for (pub, member), amount in np.ndenumerate(asked):
            charges = self.members[member].charges
            if charges is None or not (amount > 0):
                continue
            price = self.price_of(pub, member, float(amount)) or 0.0
            if price:
                found[charges.currency] = found.get(charges.currency, 0.0) + price
        return found

    def table(self) -> Table:
        """Return one row per pub and member that is asked for something."""
        word = "shots" if self.samples else "precision"
        rows = []
        for pub, member in np.ndindex(self.asked.shape):
            if not self.is_asked(pub, member):
                continue
            amount = self.asked[pub, member].item()
            charges = self.members[member].charges
            rows.append(
                {
                    "pub": pub,
                    "circuit": self.pubs[pub].circuit.name,
                    "member": self.members[member].name,
                    word: amount,
                    "two_qubit_gates": self.compiled[pub][member].circuit.num_nonlocal_gates(),
                    "price": self.price_of(pub, member, float(amount)),
                    "currency": None if charges is None else charges.currency,
                }
            )
        return Table(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return who is asked for what, as JSON can say it."""
        amounts = [
            {
                member.name: self.asked[pub, k].item()
                for k, member in enumerate(self.members)
                if self.is_asked(pub, k)
            }
            for pub in range(len(self.pubs))
        ]
        return {"unit": "shots" if self.samples else "precision", "asked": amounts}

    def update(self, document: Mapping[str, Any]) -> None:
        """Take over what `to_dict` gave, edited or not.

        Raises:
            ConfigError: It is about other pubs or members, or in the other unit.
        """
        unit = "shots" if self.samples else "precision"
        rows = document.get("asked", ())
        if document.get("unit") != unit or len(rows) != len(self.pubs):
            raise ConfigError(f"wanted {len(self.pubs)} pubs in {unit}, as plan.to_dict() says it")
        self.asked[:] = 0 if self.samples else np.nan
        for pub, row in enumerate(rows):
            self.set(pub, **row)

    def check(self) -> None:
        """Pass if it can be sent.

        Raises:
            ConfigError: A pub goes nowhere, an amount is outside of a range, or it costs too much.
        """
        for pub in range(len(self.pubs)):
            if not any(self.is_asked(pub, k) for k in range(len(self.members))):
                raise ConfigError(f"pub {pub} goes to no member")
        for (pub, k), amount in np.ndenumerate(self.asked):
            least, most = self.members[k].range
            if self.samples and amount and not least <= amount <= (most or amount):
                raise ConfigError(
                    f"pub {pub}: {amount} shots at {self.members[k].name}, which takes "
                    f"{least} to {'any' if most is None else most}"
                )
        self.policy.check(self.costs())
