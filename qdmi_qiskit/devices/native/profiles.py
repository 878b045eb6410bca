"""What QDMI leaves open, library by library: bit order, seeds, credentials, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from qdmi_qiskit.devices.native.words import DeviceProperty, SessionParameter

BitOrder = Literal["highest_first", "lowest_first"]
"""Which classical bit a string of outcomes begins with. `highest_first` is Qiskit's order."""

Zeroes = Literal["stated", "implied", "left out"]
"""What bits are that nothing measures: undefined unless the program says 0, as in OpenQASM 3; 0,
as in OpenQASM 2; or not there, as in a dialect that returns measured qubits and no bits."""

GATES: Mapping[str, str] = MappingProxyType(
    {
        "i": "id",
        "id": "id",
        "prx": "r",
        "cnot": "cx",
        "phase": "p",
        "cphase": "cp",
        "mcp": "mcphase",
        "measurement": "measure",
        "measure_z": "measure",
    }
)
"""Operations whose usual name is not Qiskit's, with Qiskit's name."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What holds for the libraries of one prefix.

    Attributes:
        bit_order: As the library writes outcomes; None: nobody knows, so nothing is run.
        simulator: Whether outcomes are computed.
        simulates: What the address (BASEURL) of a simulator has in it, where the library has
            machines too.
        here: Whether jobs run in this machine, so that a failed submit leaves nothing behind.
        ordered: Whether shots come in the order taken.
        seed: Whether job parameter CUSTOM1 is a seed, a positive C `int`.
        retrieve: Whether jobs can be found again; None: the library is asked.
        zeroes: What OpenQASM 3 makes of bits that nothing measures.
        again: Whether a qubit can be measured twice with nothing between. DDSIM 3.9 loses the
            first outcome then, and with a barrier between it does not.
        wrong: Operations, by Qiskit's names, that the library runs as something else.
        words: How OpenQASM 3 writes operations that the library lists under names that its own
            parser does not know.
        names: Operations that are named otherwise than everybody else does.
        custom: Session parameters that are no text: `"uint"` for 64 bits.
        config: Session parameters of a manifest's device configuration: text and file.
        calibration: The property that names the calibration set.
        moves: Whether what writes its programs inserts MOVEs, so that qubits which share a
            resonator have a CZ.
        most_sites: Sites of the device that become qubits unless an option says otherwise.
    """

    bit_order: BitOrder | None = None
    simulator: bool = False
    simulates: str | None = None
    here: bool = False
    ordered: bool = False
    seed: bool = False
    retrieve: bool | None = None
    zeroes: Zeroes = "stated"
    again: bool = True
    wrong: frozenset[str] = frozenset()
    words: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[SessionParameter, Literal["uint"]] = field(default_factory=dict)
    config: tuple[SessionParameter, SessionParameter] | None = None
    calibration: DeviceProperty | None = None
    moves: bool = False
    most_sites: int | None = None


UNKNOWN = Profile()
"""A library that nobody here has tried."""

_DDSIM = {
    "id": "id",
    "ccz": "ctrl(2) @ z",
    "cs": "ctrl @ s",
    "csdg": "ctrl @ sdg",
    "csx": "ctrl @ sx",
    "mcphase": "ctrl({n}) @ p",
}
_BRAKET = {
    "ccnot": "ccx",
    "cphaseshift": "cp",
    "phaseshift": "p",
    "si": "sdg",
    "ti": "tdg",
    "v": "sx",
    "vi": "sxdg",
    "cv": "csx",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
    # IonQ's machines, in capitals; angles are radians at Braket.
    "GPI": "gpi_rad",
    "GPI2": "gpi2_rad",
    "MS": "ms_rad",
    "ZZ": "rzz",
}
_CONFIG = (SessionParameter.CUSTOM1, SessionParameter.CUSTOM2)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        # 65535 sites are the range of a number, not the width of a machine.
        "MQT_DDSIM": Profile(
            bit_order="highest_first",
            simulator=True,
            here=True,
            ordered=True,
            seed=True,
            retrieve=False,
            words=_DDSIM,
            wrong=frozenset({"cu3"}),  # 4.1 gives its target other phases than Qiskit, 3.9 none
            most_sites=1024,
        ),
        "MQT_SC": Profile(config=_CONFIG, retrieve=False, here=True),
        "MQT_NA": Profile(config=_CONFIG, retrieve=False, here=True),
        # The first character is the first qubit of a measurement.
        "IQM": Profile(
            bit_order="lowest_first",
            custom={SessionParameter.CUSTOM3: "uint"},
            calibration=DeviceProperty.CUSTOM1,
            moves=True,
            # A job that is found again does not say which qubits it measured into which bits.
            retrieve=False,
        ),
        "AMAZON_BRAKET": Profile(
            bit_order="highest_first",
            simulates=":device/quantum-simulator/",
            zeroes="left out",
            retrieve=False,  # for the same reason
            names=_BRAKET,
        ),
        "QDMI_QISKIT_TEST": Profile(
            bit_order="highest_first",
            simulator=True,
            here=True,
            ordered=True,
            seed=True,
            names={"flip": "x"},
            calibration=DeviceProperty.CUSTOM1,
        ),
    }
)
"""Libraries that were tried with asymmetric circuits, by prefix."""


def profile_of(prefix: str, *, programs: bool) -> Profile:
    """Return what holds for a library.

    Args:
        prefix: Of its functions.
        programs: Whether it implements QDMI 1.4.
    """
    found = PROFILES.get(prefix, UNKNOWN)
    if prefix == "MQT_DDSIM" and not programs:  # seen in 3.9: no shots, and no word for zeroes
        return replace(found, ordered=False, zeroes="implied", again=False)
    return found
