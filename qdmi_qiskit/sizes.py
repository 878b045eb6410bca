"""How large outcomes are: planned by that alone, and refused if no machine can hold them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from qiskit import QuantumCircuit

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import Basis, Program, Values
from qdmi_qiskit.plan import Request

_SMALL = 2**30  # bytes of outcome that any machine holds


class Sizes:
    """Plans a run whose outcomes are all there, by the number of classical bits alone."""

    def encode(self, num_bits: int) -> Program:
        """Return a program that nobody is to run."""
        return Program("", None, num_bits)

    def bound(self, num_bits: int, values: Values) -> Iterator[Program]:
        """Return as many of them as there are points."""
        return (Program("", None, num_bits) for _ in values)

    def measured(self, num_bits: int, basis: Basis) -> int:
        """Return the bits with those of a basis."""
        return num_bits + len(basis.qubits)


SIZES = Sizes()


def size_of(request: Request[QuantumCircuit]) -> int:
    """Return the classical bits of a request's circuit, those of a basis left out."""
    return request.num_bits - (0 if request.basis is None else len(request.basis.qubits))


def check_size(requests: Sequence[Request[QuantumCircuit]]) -> None:
    """Refuse what could never be held, before a device is asked (or paid) for it.

    Raises:
        ConfigError: The outcomes are larger than the memory of this machine.
    """
    wanted = 0
    for r in requests:
        wanted += len(r.values) * r.shots * (r.num_bits // 8 + 1)
    if wanted < _SMALL:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if wanted > memory:
        most = max(requests, key=lambda r: len(r.values) * r.shots)
        raise ConfigError(
            f"{most.shots} shots at {len(most.values)} points of {most.num_bits} bits: the outcome "
            f"would take {wanted / 2**30:.0f} GiB, this machine has {memory / 2**30:.0f} GiB; ask "
            "for fewer shots or split the work into several runs"
        )
