"""Qiskit's standard instructions as data: a device is described without importing Qiskit.

Source: `qiskit.circuit.library.get_standard_gate_name_mapping` and
`qiskit.circuit.controlflow.get_control_flow_name_mapping` of Qiskit 2.1 to 2.6, which agree; a
test compares the tables with those of the Qiskit that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Standard(NamedTuple):
    """One instruction.

    Attributes:
        num_qubits: On how many it acts.
        parameters: Names of its parameters, in Qiskit's order.
    """

    num_qubits: int
    parameters: tuple[str, ...] = ()


_PLAIN = {
    1: "id sx x h s sdg sxdg t tdg y z reset measure",
    2: "cx dcx ch csx cy cz ecr cs csdg swap iswap",
    3: "ccx cswap ccz rccx",
    4: "c3sx rcccx",
}
_ANGLES = {
    (0, "ϴ"): "global_phase",
    (1, "λ"): "rz u1",
    (1, "ϴ"): "p rx ry",
    (1, "t"): "delay",
    (1, "ϴ φ"): "r",
    (1, "φ λ"): "u2",
    (1, "ϴ φ λ"): "u u3",
    (2, "λ"): "cu1",
    (2, "ϴ"): "cp crx cry crz rxx ryy rzz rzx",
    (2, "ϴ β"): "xx_minus_yy xx_plus_yy",
    (2, "ϴ φ λ"): "cu3",
    (2, "ϴ φ λ \N{GREEK SMALL LETTER GAMMA}"): "cu",
}

STANDARD: Mapping[str, Standard] = MappingProxyType(
    {
        **{name: Standard(k) for k, names in _PLAIN.items() for name in names.split()},
        **{
            name: Standard(k, tuple(angles.split()))
            for (k, angles), names in _ANGLES.items()
            for name in names.split()
        },
    }
)
"""By name; with `measure`, `reset` and `delay`."""

NATIVE: Mapping[str, Standard] = MappingProxyType(
    {
        "gpi_rad": Standard(1, ("phi",)),
        "gpi2_rad": Standard(1, ("phi",)),
        "ms_rad": Standard(2, ("phi0", "phi1", "theta")),
    }
)
"""IonQ's gates, as our own vocabulary has them."""

KNOWN: Mapping[str, Standard] = MappingProxyType({**STANDARD, **NATIVE})
"""All that a library need not describe."""

VARIADIC = frozenset({"mcx", "mcphase"})
"""Standard classes of gates on any number of qubits, which the tables of Qiskit leave out."""

CONTROL_FLOW = frozenset({"box", "for_loop", "if_else", "switch_case", "while_loop"})
"""Names that never stand for a gate."""
