"""CZs by way of a resonator, for machines whose qubits touch nothing else: IQM's stars.

MOVE takes a qubit's state into the resonator and back. Whoever writes the machine's own format
inserts MOVEs; `transpile` sees a CZ between two qubits, at the price of MOVE, CZ, MOVE.
Source: arXiv:2503.10903.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdmi_qiskit.detour import cost, is_better
from qdmi_qiskit.devices.native.facts import RawOperation
from qdmi_qiskit.model import Figures, Operation

Place = tuple[int, ...]


def with_detours(
    operations: Sequence[Operation],
    raw: Mapping[str, RawOperation],
    index: Mapping[int, int],
    figures: Mapping[str, Mapping[Place, Figures]],
) -> list[Operation]:
    """Return operations with a CZ wherever MOVEs make one.

    Args:
        operations: Those between qubits.
        raw: The machine's, by Qiskit's names.
        index: From positions of sites to qubits; other sites are no qubits.
        figures: Of `cz` and `move` by positions.
    """
    if "move" not in raw or "cz" not in raw:
        return list(operations)
    found: dict[Place, Figures] = {}
    for place, cz in figures["cz"].items():
        first, resonator = _parted(place, index)
        for other, move in figures["move"].items():
            second, by = _parted(other, index)
            if resonator is None or by != resonator or second == first:
                continue
            detour = cost(cz, move)
            a, b = index[first], index[second]
            for pair in ((a, b), (b, a)):
                if pair not in found or is_better(detour, found[pair]):
                    found[pair] = detour
    if not found:
        return list(operations)
    real = next((each.sites for each in operations if each.name == "cz"), None) or {}
    rest = [each for each in operations if each.name != "cz"]
    return [*rest, Operation("cz", 2, (), {**found, **real})]


def _parted(place: Place, index: Mapping[int, int]) -> tuple[int, int | None]:
    """Return the qubit of a place and its resonator; None if it has none."""
    qubits = [site for site in place if site in index]
    others = [site for site in place if site not in index]
    return (qubits[0], others[0]) if len(qubits) == len(others) == 1 else (place[0], None)
