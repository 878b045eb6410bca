"""Who takes part: primitives of any make, with what is known of what is behind them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.forecast import is_free
from qdmi_qiskit.model import DeviceStatus, Price
from qdmi_qiskit.primitives import EstimatorV2, SamplerV2
from qdmi_qiskit.provider import QDMIProvider


@dataclass(frozen=True, kw_only=True)
class Member:
    """One primitive of a group, or a backend that becomes one.

    Figures that are not given are taken from the backend, where it has them; `None` means that
    nobody says.

    Attributes:
        over: A V2 primitive (ours, IBM's, anyone's), a `BackendV2`, or a name for
            `QDMIProvider().get_backend`.
        name: In plans and results; of the backend if not given.
        options: For a name, what `get_backend` takes; with `seed`, `default_shots` and other
            options of the primitive under `primitive`.
        capacity: Work per time, in any unit that is the same for all members.
        min_shots: Fewest shots that it takes of one pub.
        max_shots: Most shots that you let it have of one pub. What a device takes at once is the
            planner's business and needs no limit here.
        price: What it charges.
        queue: Jobs that wait; asked of the backend if not given.
        fidelity: Probability that a circuit runs without an error; from the figures of the
            backend's Target, circuit by circuit, if not given.
    """

    over: Any
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    capacity: float | None = None
    min_shots: int | None = None
    max_shots: int | None = None
    price: Price | None = None
    queue: int | None = None
    fidelity: float | None = None

    @property
    def backend(self) -> Any:
        """The backend behind the primitive, or None where it shows none."""
        found = getattr(self.over, "backend", None)
        return found() if callable(found) else found

    @property
    def spec(self) -> Any:
        """The snapshot of our own backends; None for others."""
        return getattr(self.backend, "spec", None)

    @property
    def range(self) -> tuple[int, int | None]:
        """Fewest and most shots of one pub."""
        declared = None if self.spec is None else self.spec.capabilities.min_shots
        return max(self.min_shots or declared or 1, 1), self.max_shots

    @property
    def charges(self) -> Price | None:
        """The price: as declared, else as the backend says; simulators of this process are free."""
        if self.price is not None or self.spec is None:
            return self.price
        found: Price | None = self.spec.price
        return Price() if is_free(self.spec) else found

    def waiting(self) -> int | None:
        """Return how many jobs wait; an idle device has none. May ask the network."""
        if self.queue is not None:
            return self.queue
        ask = getattr(self.backend, "device_status", None)
        if ask is not None:
            state = ask()
            idle = state.status is DeviceStatus.IDLE
            return 0 if idle and state.queue_length is None else state.queue_length
        status = getattr(self.backend, "status", None)  # IBM's word for it
        return getattr(status(), "pending_jobs", None) if callable(status) else None

    def fidelity_of(self, circuit: QuantumCircuit) -> float | None:
        """Return the probability that no instruction of an ISA circuit errs; None if unknown."""
        target = getattr(self.backend, "target", None)
        if self.fidelity is not None or target is None:
            return self.fidelity
        index = {qubit: k for k, qubit in enumerate(circuit.qubits)}
        log, known = 0.0, False
        for instruction in circuit.data:
            places = tuple(index[qubit] for qubit in instruction.qubits)
            table = target.get(instruction.name, None)
            figures = None if table is None else table.get(places)
            error = getattr(figures, "error", None)
            if error is not None:
                known = True
                log += math.log(max(1.0 - error, 1e-12))
        return math.exp(log) if known else None


def members_of(
    given: Iterable[Any], kind: str, *, seed: int | None, provider: QDMIProvider | None = None
) -> tuple[Member, ...]:
    """Return the members of a group, opened, each with a name of its own.

    Args:
        given: Members, primitives, backends or names.
        kind: `"sampler"` or `"estimator"`.
        seed: From which the primitives made here get a seed each; not those that came made.
        provider: Opens names.

    Raises:
        ConfigError: There is none, one is of the wrong kind, or two have the same given name.
    """
    members = [each if isinstance(each, Member) else Member(over=each) for each in given]
    if not members:
        raise ConfigError("no members: give at least one primitive or backend name")
    streams = np.random.SeedSequence(seed).generate_state(len(members), np.uint32)
    opened = [
        _opened(member, kind, None if seed is None else int(stream), provider)
        for member, stream in zip(members, streams, strict=True)
    ]
    said = [member.name for member in members if member.name]
    if twice := [name for name, times in Counter(said).items() if times > 1]:
        raise ConfigError(f"two members are called {twice[0]!r}: give each a name of its own")
    names: list[str] = []
    for member in opened:
        name, number = member.name, 2
        while name in names:
            name, number = f"{member.name}#{number}", number + 1
        names.append(name)
    return tuple(replace(m, name=name) for m, name in zip(opened, names, strict=True))


def _opened(member: Member, kind: str, seed: int | None, provider: QDMIProvider | None) -> Member:
    over, base = member.over, {"sampler": BaseSamplerV2, "estimator": BaseEstimatorV2}[kind]
    options = dict(member.options)
    ours = dict(options.pop("primitive", {}))
    if isinstance(over, str):
        name, over = over, (provider or QDMIProvider()).get_backend(over, **options)
    elif options:
        raise ConfigError("options go with a backend name; this member came opened")
    else:
        name = getattr(over, "name", "") or type(over).__name__
    if not isinstance(over, BaseSamplerV2 | BaseEstimatorV2):
        make = SamplerV2 if kind == "sampler" else EstimatorV2
        over = make(over, options={"seed": seed, **ours})
    elif ours:
        raise ConfigError("options of a primitive go with a backend; this one came made")
    if not isinstance(over, base):
        raise ConfigError(f"{name} is no {base.__name__}: this is a group of {kind}s")
    found = replace(member, over=over, options={})
    inner = getattr(found.backend, "name", None)
    return replace(found, name=member.name or (inner if isinstance(inner, str) else name))
