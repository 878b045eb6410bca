"""Who writes circuits in each format of a device: ourselves, or another plug-in by entry point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from qdmi_qiskit.devices.native.facts import RawDevice
from qdmi_qiskit.devices.native.formats import WIRES, noted, points
from qdmi_qiskit.devices.native.measured import MeasuredWriter
from qdmi_qiskit.devices.native.profiles import Profile
from qdmi_qiskit.devices.native.qasm import QasmWriter
from qdmi_qiskit.devices.native.qir import QirWriter
from qdmi_qiskit.devices.native.qpy import QpyWriter
from qdmi_qiskit.devices.native.spec import Reading
from qdmi_qiskit.devices.native.words import ProgramFormat
from qdmi_qiskit.errors import MissingPluginError, RejectedError


class VendorWriter(Protocol):
    """Writes circuits for one machine."""

    def __call__(self, circuit: Any) -> str:
        """Return a circuit's text."""
        ...

    def bits(self, payload: str) -> tuple[int, ...]:
        """Return the classical bit that each character of a shot of that text is."""
        ...


class VendorFormat(Protocol):
    """What an entry point loads to."""

    def __call__(
        self,
        qubits: Sequence[str],
        places: Mapping[str, Sequence[tuple[str, ...]]],
        calibration: str,
    ) -> VendorWriter:
        """Return the writer for a machine.

        Args:
            qubits: Names of the qubits, in the order of Qiskit's indices.
            places: Names of the sites on which each operation acts, by the vendor's names.
            calibration: Id of the calibration set; empty if unknown.
        """
        ...


class _Missing:
    """Stands for a writer whose own dependencies are missing."""

    def __init__(self, wire: ProgramFormat, error: ImportError) -> None:
        self._wire, self._error = wire, error

    def __call__(self, circuit: Any) -> str:
        raise MissingPluginError(
            f"programs in {self._wire.name} are written by a plug-in that cannot be imported "
            f"({self._error}): pip install 'qdmi-qiskit[iqm]'"
        ) from self._error

    def bits(self, payload: str) -> tuple[int, ...]:
        raise RejectedError(f"nobody here writes {self._wire.name}")


def writers(
    names: Iterable[str], raw: RawDevice, read: Reading, profile: Profile
) -> dict[str, Callable[[Any], Any]]:
    """Return what writes each of some formats, in their order."""
    # Without a coupling map any qubits do, and a simulator need not hold those that idle.
    width = len(raw.sites) if raw.coupled else None
    place = (read.names, read.positions, width)
    found: dict[str, Callable[[Any], Any]] = {}
    for name in names:
        if name == "qir-base":
            found[name] = QirWriter(*place, version=3, words=profile.words)
        elif noted(name, profile):
            found[name] = MeasuredWriter(*place, version=3, somewhere=profile.simulator)
        elif name == "qpy":
            found[name] = QpyWriter(*place)
        elif name == "qasm3":
            found[name] = QasmWriter(
                *place,
                version=3,
                zeroes=profile.zeroes,
                words=profile.words,
                again=profile.again,
            )
        elif name == "qasm2":
            found[name] = _version2(read, width, profile)
        else:
            found[name] = _vendor(WIRES[name], raw, read)
    return found


def _version2(read: Reading, width: int | None, profile: Profile) -> QasmWriter:
    """Return the writer of OpenQASM 2, which has no modifiers to write an operation with."""
    words = profile.words
    names = {name: own for name, own in read.names.items() if "{n}" not in words.get(name, "")}
    plain = {name: word for name, word in words.items() if "@" not in word}
    return QasmWriter(names, read.positions, width, version=2, words=plain, again=profile.again)


def _vendor(wire: ProgramFormat, raw: RawDevice, read: Reading) -> VendorWriter:
    try:
        make: VendorFormat = points(wire)[0].load()
    except ImportError as error:
        return _Missing(wire, error)
    names = [str(site.values.get("name", site.values["index"])) for site in raw.sites]
    places = {
        operation.name: [tuple(names[k] for k in place) for place in operation.places or ()]
        for operation in raw.operations
    }
    return make([names[k] for k in read.positions], places, raw.calibration or "")
