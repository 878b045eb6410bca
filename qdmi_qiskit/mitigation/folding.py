"""Zero-noise extrapolation: gates folded, values extrapolated to no noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Gate
from qiskit.circuit.library import RZGate

from qdmi_qiskit.errors import ConfigError, UnsupportedError, did_you_mean
from qdmi_qiskit.mitigation.extrapolation import extrapolated
from qdmi_qiskit.mitigation.stage import Array, Context, Item, Outcome, Stage, same_layout, together

Extrapolation = Literal["linear", "quadratic", "exponential"]
_KINDS: tuple[str, ...] = get_args(Extrapolation)
Gates = Literal["all", "two"]
_GATES: tuple[str, ...] = get_args(Gates)
_FREE = frozenset({"barrier", "delay", "measure", "reset"})
_VIRTUAL = frozenset({"rz", "id", "global_phase"})
_REMEMBERED = 64  # circuits
_SHARE = {"I": 1.0, "X": 0.0, "Y": 0.0, "Z": 0.0}  # of the trace; projectors have half of it


@dataclass(frozen=True)
class ZNE(Stage):
    """Runs a circuit with its gates repeated, and extrapolates.

    Attributes:
        factors: By which the number of gates grows; each at least 1, 1 among them.
        extrapolation: `"linear"` and `"quadratic"` in the factor, by weighted least squares, or
            `"exponential"`: c + a exp(-b factor) for each value, c its trace, which noise leaves
            alone; linear where that does not fit.
        gates: `"all"`, or `"two"`: those on two qubits alone. The errors of others then stay.
    """

    name: ClassVar[str] = "zne"
    rank: ClassVar[int] = 10
    factors: tuple[float, ...] = (1, 2, 3)
    extrapolation: Extrapolation = "exponential"
    gates: Gates = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        for key, value, choices in (
            ("extrapolation", self.extrapolation, _KINDS),
            ("gates", self.gates, _GATES),
        ):
            if value not in choices:
                raise ConfigError(f"zne: {key}={value!r}{did_you_mean(str(value), choices)}")
        least = 3 if self.extrapolation == "quadratic" else 2
        if len(set(self.factors)) < least or min(self.factors) < 1 or 1 not in self.factors:
            raise ConfigError(
                f"zne: factors={self.factors}: wanted {least} or more different numbers of at "
                "least 1, with 1 among them"
            )

    def check(self, item: Item, context: Context) -> None:
        self._folded(item.circuit, 3, context)

    def _folded(
        self, circuit: QuantumCircuit, factor: float, context: Context
    ) -> tuple[QuantumCircuit, float]:
        """Return the same object for the same circuit: the stages inside remember it."""
        table: dict[Any, Any] = context.kept.setdefault("folded", {})
        key = id(circuit), factor, self.gates, id(context.target)
        if key not in table:
            if len(table) > _REMEMBERED:
                table.clear()
            made = folded(circuit, factor, context.target, singles=self.gates == "all")
            table[key] = made, circuit, context.target
        found: tuple[QuantumCircuit, float] = table[key][0]
        return found

    def prepare(self, item: Item, context: Context) -> list[Item]:
        found = []
        for factor in self.factors:
            circuit, reached = self._folded(item.circuit, factor, context)
            grown = reached if self.gates == "all" else 1.0
            found.append(item.but(circuit=circuit, unfolded=item.circuit, factor=grown))
        return found

    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        reached = np.array([self._folded(item.circuit, f, context)[1] for f in self.factors])
        evs = np.array([outcome.evs for outcome in outcomes])
        stds = np.array([outcome.stds for outcome in outcomes])
        told: dict[str, Any] = {
            "factors": reached.tolist(),
            "extrapolation": self.extrapolation,
            "gates": self.gates,
            "evs": evs.tolist(),
            "stds": stds.tolist(),
        }
        if np.ptp(reached) == 0:  # nothing to fold
            precise = 1 / np.maximum(stds, 1e-12) ** 2
            mean = (precise * evs).sum(axis=0) / precise.sum(axis=0)
            return together(outcomes, mean, 1 / np.sqrt(precise.sum(axis=0)), {"zne": told})
        rest = _traces(item)
        value, error, model, line = extrapolated(reached, evs - rest, stds, self.extrapolation)
        told |= {"model_error": model.tolist(), "linear_where": line.tolist()}
        return together(outcomes, value + rest, error, {"zne": told})


def _traces(item: Item) -> Array:
    """Return what each observable is in the state that noise leads to: its normalised trace."""

    def of(terms: Mapping[str, float]) -> float:
        return sum(
            coefficient * float(np.prod([_SHARE.get(letter, 0.5) for letter in label]))
            for label, coefficient in terms.items()
        )

    table = item.observables.__array__()
    found = np.array([of(terms) for _, terms in np.ndenumerate(table)]).reshape(table.shape)
    return np.broadcast_to(found, np.broadcast_shapes(table.shape, item.values.shape))


def folded(
    circuit: QuantumCircuit, factor: float, target: Any, *, singles: bool = True
) -> tuple[QuantumCircuit, float]:
    """Return a circuit whose gates G are G (G^-1 G)^k, evenly spread, ISA like it.

    Args:
        circuit: ISA.
        factor: By which the number of gates of two qubits is to grow.
        target: Of the device; None: everything is an instruction.
        singles: Fold gates of one qubit too. Those without an inverse on the device stay.

    Returns:
        The circuit, layout kept, and the factor that was reached: gates of two qubits after over
        gates before, or of one qubit where there are no others.

    Raises:
        UnsupportedError: The inverse of a gate of two qubits is no instruction of the target.
    """
    for instruction in circuit.data:
        if len(instruction.qubits) > 2 and instruction.name not in _FREE:
            raise UnsupportedError(f"zne: {instruction.name} on more than two qubits is not folded")
    pairs = {
        k: _inverse(circuit, instruction, target)
        for k, instruction in enumerate(circuit.data)
        if len(instruction.qubits) == 2 and instruction.name not in _FREE
    }
    ones = _singles(circuit, target) if singles else {}
    times = {**_spread(pairs, factor), **_spread(ones, factor)}
    whole = _repeated(circuit, {**pairs, **ones}, times)
    counted = pairs or ones
    reached = 1 + 2 * sum(times[k] for k in counted) / len(counted) if counted else 1.0
    return same_layout(whole, circuit), reached


def filled(circuit: QuantumCircuit, gates: float, target: Any) -> QuantumCircuit:
    """Return a circuit with gates of one qubit folded until there are about so many of them."""
    ones = _singles(circuit, target)
    if not ones or gates <= len(ones):
        return circuit
    return same_layout(_repeated(circuit, ones, _spread(ones, gates / len(ones))), circuit)


def singles_of(circuit: QuantumCircuit) -> int:
    """Return how many gates of one qubit there are that take time."""
    return sum(_is_single(instruction) for instruction in circuit.data)


def _is_single(instruction: Any) -> bool:
    return (
        len(instruction.qubits) == 1
        and isinstance(instruction.operation, Gate)
        and instruction.name not in _VIRTUAL
    )


def _singles(circuit: QuantumCircuit, target: Any) -> dict[int, list[Any]]:
    """Return the gates of one qubit that can be undone, and what undoes each."""
    found = {}
    for k, instruction in enumerate(circuit.data):
        if _is_single(instruction):
            undone = _undone(circuit, instruction, target)
            if undone is not None:
                found[k] = undone
    return found


def _spread(gates: Mapping[int, Any], factor: float) -> dict[int, int]:
    """Return how often each gate is undone and done again."""
    places = list(gates)
    pairs = round(len(places) * (factor - 1) / 2)
    each, extra = divmod(pairs, len(places)) if places else (0, 0)
    times = dict.fromkeys(places, each)
    for k in range(extra):
        times[places[k * len(places) // extra]] += 1
    return times


def _repeated(
    circuit: QuantumCircuit, inverses: Mapping[int, list[Any]], times: Mapping[int, int]
) -> QuantumCircuit:
    whole = circuit.copy_empty_like()
    for k, instruction in enumerate(circuit.data):
        whole.append(instruction)
        for _ in range(times.get(k, 0)):
            for inverse in inverses[k]:
                whole.append(inverse)
            whole.append(instruction)
    return whole


def _undone(circuit: QuantumCircuit, instruction: Any, target: Any) -> list[Any] | None:
    """Return the device's gates that undo a gate, up to a phase; None if it has none."""
    if not isinstance(instruction.operation, Gate):
        return None
    operation = instruction.operation.inverse()
    sites = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)

    def fits(each: Any) -> bool:
        return target is None or target.instruction_supported(
            each.name, sites, parameters=list(each.params)
        )

    if fits(operation):
        return [instruction.replace(operation=operation)]
    turn = RZGate(np.pi)
    if instruction.name == "sx" and fits(turn):  # Z SX Z is its inverse
        around = CircuitInstruction(turn, instruction.qubits)
        return [around, instruction, around]
    return None


def _inverse(circuit: QuantumCircuit, instruction: Any, target: Any) -> list[Any]:
    found = _undone(circuit, instruction, target)
    if found is None:
        sites = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        raise UnsupportedError(
            f"zne: the device has no inverse of {instruction.name} on qubits {sites}, so it cannot "
            "be folded. Leave zne out"
        )
    return found
