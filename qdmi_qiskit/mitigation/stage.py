"""What a stage of mitigation is: a pub becomes several, and their values one value again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qdmi_qiskit.errors import UnsupportedError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Item:
    """A pub on its way through the stages.

    Attributes:
        circuit: ISA; its layout is kept.
        observables: Over the qubits of the circuit.
        values: Of its parameters.
        precision: Wanted of each of its values.
        draw: Which of how many random copies of the same pub this is.
        unfolded: The circuit whose gates are repeated here; None if none are.
        factor: By which its gates of one qubit are repeated.
    """

    circuit: QuantumCircuit
    observables: ObservablesArray
    values: BindingsArray
    precision: float
    draw: tuple[int, int] = (0, 1)
    unfolded: QuantumCircuit | None = None
    factor: float = 1.0

    def but(self, **changes: Any) -> Item:
        """Return a copy with other attributes."""
        return replace(self, **changes)

    def pub(self) -> EstimatorPub:
        """Return it as a pub."""
        return EstimatorPub(self.circuit, self.observables, self.values, self.precision)


@dataclass(frozen=True)
class Outcome:
    """Values of an item.

    Attributes:
        evs: float64, of the pub's shape.
        stds: The same.
        shots: Spent on it; None if the estimator does not say.
        circuits: Pubs that were sent for it.
        told: What the stages say of it.
    """

    evs: Array
    stds: Array
    shots: int | None
    circuits: int
    told: dict[str, Any] = field(default_factory=dict)


@dataclass
class Context:
    """What stages may know of where they run.

    Attributes:
        target: Of the backend; None where the estimator shows none, such as a statevector's.
        calibration: Id of the calibration that the figures belong to; None if unknown.
        rng: For every random choice.
        run: Runs pubs and returns `(evs, stds, shots)` of each; blocks.
        kept: What stages remember from one run to the next.
        joint: Whether the estimator measures several terms behind gates of two qubits, on other
            qubits than their own (`grouping="commuting"`).
    """

    target: Any
    calibration: str | None
    rng: np.random.Generator
    run: Any
    kept: dict[Any, Any]
    joint: bool = False


class Stage(ABC):
    """One step. Subclass it for one of your own, and name it by an entry point.

    Attributes:
        name: In profiles, metadata and messages.
        rank: Where it stands: stages of lower rank are outside those of a higher one. Built in
            are `zne` 10, `postselect` 20, `twirl` 30, `readout` 40, `dd` 50.
    """

    name: ClassVar[str]
    rank: ClassVar[int]

    def check(self, item: Item, context: Context) -> None:  # noqa: B027
        """Pass if it can be done to this item here.

        Raises:
            UnsupportedError: It cannot; says what is missing.
        """

    def calibrate(self, items: Sequence[Item], context: Context) -> tuple[int, int]:
        """Measure what the stage has to know first; blocks.

        Args:
            items: All that will come to `prepare`.
            context: Where.

        Returns:
            Shots and circuits that it took.
        """
        return 0, 0

    def copies(self, circuit: QuantumCircuit, context: Context) -> list[QuantumCircuit]:
        """Return the circuits over which a sampler spreads the shots of one.

        Raises:
            UnsupportedError: It makes no sense for samples.
        """
        raise UnsupportedError(f"{self.name}: corrects values, not samples: use it with estimators")

    def keep(self, bits: Any, circuit: QuantumCircuit, context: Context) -> Any:
        """Return which samples count: bool, shape `(..., shots)`; None for all.

        Args:
            bits: bool, shape `(..., shots, classical bits)`, bit 0 first.
            circuit: Where they come from.
            context: Where.
        """
        return None

    @abstractmethod
    def prepare(self, item: Item, context: Context) -> list[Item]:
        """Return what to run in place of an item."""

    @abstractmethod
    def finish(self, item: Item, outcomes: Sequence[Outcome], context: Context) -> Outcome:
        """Return the values of an item from those of what `prepare` returned."""


def averaged(outcomes: Sequence[Outcome], told: dict[str, Any], *, scatter: bool = True) -> Outcome:
    """Average copies of one item.

    Args:
        outcomes: Of the copies.
        told: What to say of it.
        scatter: Copies are random, and differ in more than their shots, because each suffers the
            noise in its own way: what they scatter beyond their shots is part of the error.
    """
    evs = np.array([outcome.evs for outcome in outcomes])
    variances = np.array([outcome.stds for outcome in outcomes]) ** 2
    number = len(outcomes)
    variance = variances.mean(axis=0) / number
    if scatter and number > 1:
        beyond = evs.var(axis=0, ddof=1) - variances.mean(axis=0)
        variance = variance + np.maximum(beyond, 0.0) / number
    return together(outcomes, evs.mean(axis=0), np.sqrt(variance), told)


def together(outcomes: Sequence[Outcome], evs: Array, stds: Array, told: dict[str, Any]) -> Outcome:
    """Return an outcome that cost what others did together, and tells what they told."""
    shots = [outcome.shots for outcome in outcomes]
    known = None if any(s is None for s in shots) else sum(s for s in shots if s is not None)
    circuits = sum(outcome.circuits for outcome in outcomes)
    return Outcome(evs, stds, known, circuits, {**outcomes[0].told, **told})


def terms_of(observables: ObservablesArray) -> npt.NDArray[np.object_]:
    """Return an array of `{Pauli label: coefficient}`.

    Raises:
        UnsupportedError: One holds projectors.
    """
    table: npt.NDArray[np.object_] = observables.__array__()
    for _, terms in np.ndenumerate(table):
        for label in terms:
            if not set(label) <= set("IXYZ"):
                raise UnsupportedError(
                    f"observable {label!r} holds projectors: write it with I, X, Y and Z"
                )
    return table


def rewritten(table: npt.NDArray[np.object_], change: Any) -> ObservablesArray:
    """Return observables, each replaced by `change(terms)`."""
    new = np.empty(table.shape, dtype=object)
    for where in np.ndindex(table.shape):
        new[where] = change(table[where])
    return ObservablesArray(new)


def same_layout(circuit: QuantumCircuit, like: QuantumCircuit) -> QuantumCircuit:
    """Give a circuit the name, metadata and layout that passes drop."""
    circuit.name, circuit.metadata = like.name, like.metadata
    circuit._layout = like._layout  # noqa: SLF001 - Qiskit has no other way
    return circuit
