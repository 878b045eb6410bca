"""Which program formats of a device can be sent. Knows no circuit, and imports no Qiskit.

A format that is one vendor's own is written by an entry point of group `qdmi_qiskit.qdmi_formats`
under QDMI's name for it, such as `IQMJSON`. It loads to a `writers.VendorFormat`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from typing import Any

from qdmi_qiskit.devices.native.profiles import Profile
from qdmi_qiskit.devices.native.words import ProgramFormat
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.registry import installed

GROUP = "qdmi_qiskit.qdmi_formats"

WIRES = {
    "qpy": ProgramFormat.QPY,
    "qasm3": ProgramFormat.QASM3,
    "qasm2": ProgramFormat.QASM2,
    "iqm-json": ProgramFormat.IQMJSON,
    "qir-base": ProgramFormat.QIRBASESTRING,
}
"""What can be sent, best first, under our names for it."""

_OURS = ("qpy", "qasm3", "qasm2")
_NOTE = re.compile(r"(?://|;) bits ?([\d ]*)\n?\Z")
NEEDED_FOR_QIR = "mqt-core 4.1 or newer"


def offered(formats: Container[ProgramFormat], profile: Profile) -> tuple[str, ...]:
    """Return our names of a device's formats that somebody here writes, best first.

    Args:
        formats: What the device says it takes.
        profile: What holds for its library.
    """
    found = [
        name
        for name, wire in WIRES.items()
        if wire in formats and (_told(name, profile) if name in _OURS else points(wire))
    ]
    # A device that takes nothing else has it anyhow: its writer says what to install.
    if WIRES["qir-base"] in formats and (not found or _writes_qir()):
        found.append("qir-base")
    return tuple(found)


def _writes_qir() -> bool:
    try:
        numbers = version("mqt-core").split(".")
        return (int(numbers[0]), int(numbers[1])) >= (4, 1)
    except (PackageNotFoundError, ValueError, IndexError):
        return False


def _told(name: str, profile: Profile) -> bool:
    """Whether outcomes say which bit is which; where bits are left out, a note has to."""
    return profile.zeroes != "left out" or name == "qasm3"


def points(wire: ProgramFormat) -> list[EntryPoint]:
    """Return who writes a vendor's own format."""
    return [point for point in installed(GROUP) if point.name == wire.name]


def unsaid(formats: Sequence[str], profile: Profile) -> frozenset[str]:
    """Return the operations, by Qiskit's names, that the best of some formats has no words for."""
    best = formats[0] if formats else ""
    if best == "qasm2":  # no modifiers either
        return frozenset({"if_else", "delay"} | {k for k, v in profile.words.items() if "{n}" in v})
    return frozenset({"if_else", "delay", "reset"} if best == "qir-base" else ())


def note(bits: list[int]) -> str:
    """Return the last line of a program in OpenQASM that says which bits it measures."""
    return f"// bits {' '.join(map(str, bits))}"


def noted(name: str, profile: Profile) -> bool:
    """Whether programs in a format note which bits they measure, as outcomes do not say."""
    return name == "qir-base" or (name in _OURS and profile.zeroes == "left out")


def bits_noted(payload: Any) -> tuple[int, ...]:
    """Return the classical bit that each character of a shot is, the last character first.

    Raises:
        RejectedError: The text has no such note, or measures nothing.
    """
    found = _NOTE.search(payload) if isinstance(payload, str) else None
    if found is None:
        raise RejectedError(
            "outcomes will be of the measured qubits, and the program does not say which bits they "
            "are: its last line has to be '// bits' (';' in QIR) and the bit of each, c[0] first"
        )
    bits = tuple(int(bit) for bit in found[1].split())
    if not bits:
        raise RejectedError("this program measures nothing, and has no outcomes: let it measure")
    return bits
