"""What a quantum computer can do under one calibration set: a pure reading of IQM's JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qdmi_qiskit.errors import ProtocolError

Locus = tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """One operation.

    Attributes:
        loci: Where it is calibrated, as the server writes it, each with the implementation that
            is used there.
        named: Those of `loci` where the server would take another implementation, one that is
            not calibrated there, unless a circuit names the right one.
    """

    loci: Mapping[Locus, str] = field(default_factory=dict)
    named: frozenset[Locus] = frozenset()

    def stored(self, *locus: str) -> Locus | None:
        """Return the locus of a symmetric operation in the order in which the server has it."""
        if locus in self.loci:
            return locus
        back = locus[::-1]
        return back if back in self.loci else None


@dataclass(frozen=True)
class Detour:
    """A CZ between two qubits by way of a resonator: MOVE in, CZ, MOVE out.

    Attributes:
        gate: Locus of the CZ, qubit and resonator.
        move: Locus of both MOVEs, the other qubit and the resonator.
    """

    gate: Locus
    move: Locus


@dataclass(frozen=True)
class Architecture:
    """A dynamic quantum architecture, with qubits in Qiskit's numbers.

    Attributes:
        calibration_set: Id of the set that it belongs to.
        qubits: Names; site k is `qubits[k]`. Only those that have `prx` and `measure`.
        resonators: Names of the computational resonators.
        gates: By IQM's names. Loci with a qubit that is not in `qubits` are left out.
        raw: What the server said.
    """

    calibration_set: str
    qubits: tuple[str, ...]
    resonators: tuple[str, ...]
    gates: Mapping[str, Gate]
    raw: Mapping[str, Any] = field(repr=False)

    def gate(self, name: str) -> Gate:
        """Return an operation; one without loci if there is none of that name."""
        return self.gates.get(name, Gate())

    @property
    def resettable(self) -> tuple[str, ...]:
        """Qubits that can be reset: by `reset` or the conditional gate that it is made of."""
        names = {locus[0] for name in ("reset", "cc_prx") for locus in self.gate(name).loci}
        return tuple(name for name in self.qubits if name in names)

    @cached_property
    def fictional(self) -> frozenset[Locus]:
        """Ordered pairs of qubits that have a CZ by way of a resonator."""
        return frozenset(pair for pair, _ in self.detours())

    def detours(self) -> Iterator[tuple[Locus, Detour]]:
        """Yield every fictional CZ of a star device with a way to make it; ordered pairs."""
        moves: dict[str, list[tuple[str, Locus]]] = {}
        for locus in self.gate("move").loci:
            qubit, resonator = self._qubit_first(locus)
            moves.setdefault(resonator, []).append((qubit, locus))
        for locus in self.gate("cz").loci:
            first, resonator = self._qubit_first(locus)
            for second, move in moves.get(resonator, ()):
                if second != first:
                    detour = Detour(locus, move)
                    yield (first, second), detour
                    yield (second, first), detour

    def _qubit_first(self, locus: Locus) -> tuple[str, str]:
        first, second = locus
        return (second, first) if first in self.resonators else (first, second)


def architecture_from(raw: Mapping[str, Any]) -> Architecture:
    """Read a dynamic quantum architecture.

    Raises:
        ProtocolError: It is none.
    """
    try:
        gates = {str(name): _gate(info) for name, info in raw["gates"].items()}
        listed = [str(name) for name in raw["qubits"]]
        resonators = tuple(str(name) for name in raw.get("computational_resonators") or ())
        calibration_set = str(raw["calibration_set_id"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProtocolError(
            f"the server's dynamic quantum architecture cannot be read ({error!r}): report it"
        ) from error
    usable = [
        name
        for name in listed
        if all((name,) in gates.get(gate, Gate()).loci for gate in ("prx", "measure"))
    ]
    there = {*usable, *resonators}
    return Architecture(
        calibration_set,
        tuple(usable),
        resonators,
        {
            name: Gate(
                {locus: how for locus, how in gate.loci.items() if there.issuperset(locus)},
                gate.named,
            )
            for name, gate in gates.items()
        },
        raw,
    )


def _gate(info: Mapping[str, Any]) -> Gate:
    default = info.get("default_implementation")
    overrides = {
        tuple(part.strip() for part in re.split(r",", locus)): str(name)
        for locus, name in (info.get("override_default_implementation") or {}).items()
    }
    loci: dict[Locus, str] = {}
    implementations: Mapping[str, Any] = info["implementations"]
    names = sorted(implementations, key=lambda name: name != default)  # the default first
    for name in names:
        for each in implementations[name]["loci"]:
            locus = tuple(str(component) for component in each)
            how = overrides.get(locus) or overrides.get(locus[::-1]) or str(name)
            loci.setdefault(locus, how)
    named = {
        locus
        for locus, how in loci.items()
        if how != default and locus not in overrides and locus[::-1] not in overrides
    }
    return Gate(loci, frozenset(named))
