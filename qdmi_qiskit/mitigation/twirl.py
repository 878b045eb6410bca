"""Pauli twirling: two-qubit gates between random Paulis that cancel, so that errors turn random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from qiskit import QuantumCircuit
from qiskit.circuit import pauli_twirl_2q_gates

from qdmi_qiskit.errors import ConfigError, UnsupportedError
from qdmi_qiskit.mitigation.folding import filled, singles_of
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage, averaged, same_layout

TWIRLED = frozenset({"cx", "cz", "ecr", "iswap"})
_FREE = frozenset({"barrier", "delay", "measure", "reset"})
_REMEMBERED = 32  # circuits


@dataclass(frozen=True)
class Twirl(Stage):
    """Runs a circuit as several with the same unitary, and averages.

    The circuits of a circuit are made once; parameters are bound to them later, call after call.

    Attributes:
        randomizations: How many.
    """

    name: ClassVar[str] = "twirl"
    rank: ClassVar[int] = 30
    randomizations: int = 16

    def __post_init__(self) -> None:
        if self.randomizations < 1:
            raise ConfigError(f"twirl: randomizations={self.randomizations}: wanted at least 1")

    def check(self, item: Item, context: Context) -> None:
        check_twirled(item.circuit)

    def copies(self, circuit: QuantumCircuit, context: Context) -> list[QuantumCircuit]:
        check_twirled(circuit)
        return twirls(circuit, self.randomizations, context)

    def prepare(self, item: Item, context: Context) -> list[Item]:
        number = self.randomizations
        made = twirls(item.circuit, number, context)
        if item.unfolded is not None and item.factor > 1:
            made = _as_folded(made, item, context)
        return [
            item.but(circuit=circuit, precision=item.precision * number**0.5, draw=(k, number))
            for k, circuit in enumerate(made)
        ]

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        return averaged(outcomes, {"twirl": {"randomizations": len(outcomes)}})


def _as_folded(
    made: Sequence[QuantumCircuit], item: Item, context: Context
) -> list[QuantumCircuit]:
    """Return twirled circuits with as many gates of one qubit as the factor wants.

    Twirling merges neighbours, and with them what folding put there; and it adds Paulis that have
    no neighbour to merge with.
    """
    table: dict[Any, Any] = context.kept.setdefault("filled", {})
    key = id(made[0]), item.factor
    if key not in table:
        if len(table) >= _REMEMBERED:
            table.clear()
        plain = twirls(item.unfolded, len(made), context)
        wanted = item.factor * sum(map(singles_of, plain)) / len(plain)
        table[key] = [filled(each, wanted, context.target) for each in made], made
    found: list[QuantumCircuit] = table[key][0]
    return found


def check_twirled(circuit: QuantumCircuit) -> None:
    """Pass if every gate of several qubits can be twirled.

    Raises:
        UnsupportedError: One cannot.
    """
    for instruction in circuit.data:
        if len(instruction.qubits) > 1 and instruction.name not in TWIRLED | _FREE:
            raise UnsupportedError(
                f"twirl: circuit {circuit.name!r} has {instruction.name}, which no Pauli twirl is "
                f"known for here; known: {', '.join(sorted(TWIRLED))}. Leave twirl out"
            )


def twirls(circuit: QuantumCircuit, number: int, context: Context) -> list[QuantumCircuit]:
    """Return random circuits with the unitary of a circuit, ISA like it; the same every time."""
    table: dict[Any, Any] = context.kept.setdefault("twirls", {})
    key = id(circuit), number
    if key not in table:
        if len(table) >= _REMEMBERED:
            table.clear()
        seed = int(context.rng.integers(2**31))
        made = pauli_twirl_2q_gates(circuit, num_twirls=number, seed=seed, target=context.target)
        table[key] = [same_layout(each, circuit) for each in made], circuit
    found: list[QuantumCircuit] = table[key][0]
    return found
