"""The rules of MOVE: in pairs, the state back to where it came from, nothing on it in between."""

from __future__ import annotations

from collections.abc import Sequence

from qdmi_qiskit.testing.iqm_server.chips import Locus
from qdmi_qiskit.testing.iqm_server.replies import JobError


def check_moves(
    operations: Sequence[tuple[str, Locus]], resonators: Sequence[str], mode: str
) -> None:
    """Look at every MOVE of a circuit, each a name and its components.

    Args:
        operations: All operations of the circuit.
        resonators: The computational resonators.
        mode: `strict`, `allow_prx` or `none`.

    Raises:
        JobError: A rule is broken.
    """
    if mode == "none":
        return
    allowed = {"barrier"} | ({"prx"} if mode == "allow_prx" else set())
    holds: dict[str, str] = {}
    for name, locus in operations:
        if name == "move":
            _move(locus, resonators, holds)
        elif name not in allowed and (away := set(locus) & set(holds.values())):
            raise JobError(
                "circuit_error",
                f"Instruction {name} acts on {locus} while the state(s) of {sorted(away)} are in "
                f"a resonator. Current resonator occupation: {holds}.",
            )
    if holds:
        raise JobError(
            "circuit_error",
            f"Circuit ends while qubit state(s) are still in a resonator: {holds}.",
        )


def _move(locus: Locus, resonators: Sequence[str], holds: dict[str, str]) -> None:
    qubit, resonator = locus
    if resonator not in resonators:
        raise JobError(
            "circuit_error",
            f"MOVE instructions are only allowed between qubit and resonator, not {locus}.",
        )
    holder = holds.get(resonator)
    if holder is None:
        if qubit in holds.values():
            raise JobError(
                "circuit_error",
                f"MOVE instruction {locus}: state of {qubit} is in another resonator: {holds}.",
            )
        holds[resonator] = qubit
    elif holder == qubit:
        del holds[resonator]
    else:
        raise JobError(
            "circuit_error", f"MOVE instruction {locus} to an already occupied resonator: {holds}."
        )
