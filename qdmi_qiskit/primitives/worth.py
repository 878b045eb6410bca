"""What each outcome of a basis is worth: the value of every observable, by parities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.model import Values
from qdmi_qiskit.primitives.observables import Group, Observables

Words = npt.NDArray[np.uint64]

_REMEMBERED = 2**26  # bytes of all tables
_EACH = 2**10  # bytes that a group takes beside its table
_POWERS = np.uint64(1) << np.arange(64, dtype=np.uint64)


class Worth:
    """Values of the outcomes of one basis: its terms' parities (+1 even, -1 odd), weighted.

    Attributes:
        width: Bits of an outcome.
        scale: Variance of one value if all outcomes were equally likely, shape `(observables,)`.
    """

    __slots__ = ("_asked", "_highest", "_masks", "_note", "_steps", "_table", "scale", "width")

    def __init__(
        self,
        group: Group,
        scale: Values,
        highest: Values,
        steps: Values,
        note: Callable[[int], None],
    ) -> None:
        """Keep what `weighed` found.

        Args:
            group: Of terms.
            scale: The attribute.
            highest: Sum of the signed coefficients, shape `(observables,)`.
            steps: What a term's odd parity adds to that, shape `(terms of the group, observables)`.
            note: Called with the size of a table that is made.
        """
        self.width = len(group.basis.qubits)
        self.scale, self._highest, self._steps = scale, highest, steps
        lanes = [group.masks[:, k : k + 64] for k in range(0, max(self.width, 1), 64)]
        self._masks = [lane @ _POWERS[: lane.shape[1]] for lane in lanes]
        self._table: Values | None = None
        self._asked, self._note = 0, note

    def values(self, lanes: Sequence[Words]) -> Values:
        """Return the values of outcomes given in words of 64 bits, `(outcomes, observables)`."""
        parity = np.bitwise_count(lanes[0][:, None] & self._masks[0])
        for words, masks in zip(lanes[1:], self._masks[1:], strict=True):
            parity += np.bitwise_count(words[:, None] & masks)
        values: Values = self._highest + (parity & 1).astype(np.float64) @ self._steps
        return values

    def table(self) -> Values:
        """Return the values of all outcomes, which have to be few; remembered."""
        if self._table is None:
            if len(self._steps) > self.width:
                self._table = self._transformed()
            else:
                self._table = self.values([np.arange(2**self.width, dtype=np.uint64)])
            self._note(self._table.nbytes)
        return self._table

    def _transformed(self) -> Values:
        """Return the values of all outcomes by one pass per qubit, whatever the number of terms.

        A value is the Walsh-Hadamard transform of the weights, each at its term's mask.
        """
        values = np.zeros((2**self.width, len(self.scale)))
        np.add.at(values, self._masks[0], self._steps / -2.0)
        for qubit in range(self.width):
            pairs = values.reshape(-1, 2, 2**qubit, len(self.scale))
            even, odd = pairs[:, 0], pairs[:, 1]
            total = even + odd
            np.subtract(even, odd, out=odd)
            even[...] = total
        return values

    def look_up(self, words: Words) -> Values:
        """Return the values of some outcomes of at most 64 bits, `(*words.shape, observables)`.

        The table is made when so many have been asked for as it has: they cost the same.
        """
        self._asked += words.size
        if self._asked >= 2**self.width:
            return self.table()[words]
        return self.values([words.ravel()]).reshape(*words.shape, len(self.scale))


class Tables:
    """What groups are worth, remembered for the next stage, point or call."""

    def __init__(self) -> None:
        self._found: dict[Group, Worth] = {}
        self._bytes = 0

    def get(self, group: Group, observables: Observables) -> Worth:
        """Return what a group is worth. It always comes with the same observables."""
        worth = self._found.get(group)
        if worth is None:
            (worth,) = _weighed([group], observables, self._note)
            self._note(_EACH)
            self._found[group] = worth
        return worth

    def learn(self, groups: Sequence[Group], observables: Observables) -> None:
        """Weigh groups that will be asked for soon: all at once costs little more than one.

        Args:
            groups: Not asked for before.
            observables: Their terms.
        """
        if groups:
            self._note(_EACH * len(groups))
            self._found.update(zip(groups, _weighed(groups, observables, self._note), strict=True))

    def _note(self, size: int) -> None:
        self._bytes += size
        if self._bytes > _REMEMBERED:
            self._found, self._bytes = {}, 0


def _weighed(
    groups: Sequence[Group], observables: Observables, note: Callable[[int], None]
) -> Iterator[Worth]:
    """Yield what each group is worth, from sums over the terms of all."""
    ends = np.cumsum([len(group.terms) for group in groups])
    starts = np.concatenate([[0], ends[:-1]])
    coefficients = observables.coefficients[:, np.concatenate([group.terms for group in groups])]
    weights = coefficients * np.concatenate([group.signs for group in groups])
    scales = np.add.reduceat(coefficients**2, starts, axis=1).T.copy()
    highest = np.add.reduceat(weights, starts, axis=1).T.copy()
    steps = -2.0 * weights.T
    for k, (group, a, b) in enumerate(zip(groups, starts.tolist(), ends.tolist(), strict=True)):
        yield Worth(group, scales[k], highest[k], steps[a:b], note)
