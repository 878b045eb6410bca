"""The shapes of the quantum computers that the loopback server has.

>>> chip("garnet").qubits[:3], len(chip("garnet").couplers)
(('QB1', 'QB2', 'QB3'), 30)
>>> chip("deneb").resonators
('CR1',)
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from uuid import NAMESPACE_URL, UUID, uuid5

from qdmi_qiskit.errors import ConfigError, did_you_mean

Locus = tuple[str, ...]

# Source: the architecture of IQM Garnet as in iqm-client 36; some couplers are named downwards.
_GARNET = (
    "1-2 1-4 2-5 8-3 3-4 4-5 9-4 5-6 5-10 6-7 6-11 7-12 8-9 8-13 9-10 14-9 10-11 10-15 11-12 "
    "11-16 17-12 13-14 14-15 14-18 15-16 15-19 16-17 16-20 18-19 19-20"
)


@dataclass(frozen=True, slots=True)
class Chip:
    """What never changes about a quantum computer, and which parts of it are out of order.

    Attributes:
        alias: Its name in addresses.
        display_name: Its name for people.
        qubits: Names, sorted by number.
        resonators: Names of the computational resonators; with any, the chip is a star.
        couplers: Which components are connected, as they are stored: one way.
        dead: Qubits that no calibration set covers.
        immovable: Qubits whose state cannot be moved to the resonator.
        mute: Qubits that cannot be conditioned on a measurement; None: all of them.
        t1: Median relaxation time in seconds.
        t2: Median Ramsey coherence time in seconds.
        prx_error: Median average gate infidelity.
        cz_error: Likewise.
        readout_error: Median probability of a wrong readout.
        prx_time: Duration in seconds.
        cz_time: Likewise.
        move_time: Likewise.
        move_error: Average gate infidelity.
        measure_time: Duration in seconds.
    """

    alias: str
    display_name: str
    qubits: tuple[str, ...]
    couplers: tuple[Locus, ...]
    resonators: tuple[str, ...] = ()
    dead: frozenset[str] = frozenset()
    immovable: frozenset[str] = frozenset()
    mute: frozenset[str] | None = frozenset()
    t1: float = 37.6e-6
    t2: float = 9.6e-6
    prx_error: float = 1.3e-3
    cz_error: float = 8e-3
    readout_error: float = 2.5e-2
    prx_time: float = 20e-9
    cz_time: float = 40e-9
    move_time: float = 96e-9
    move_error: float = 6e-3
    measure_time: float = 1e-6

    @property
    def components(self) -> tuple[str, ...]:
        """Qubits, then resonators."""
        return self.qubits + self.resonators


def _qubits(number: int) -> tuple[str, ...]:
    return tuple(f"QB{k}" for k in range(1, number + 1))


def _grid(alias: str, name: str, dead: frozenset[str] = frozenset()) -> Chip:
    pairs = (edge.split("-") for edge in _GARNET.split())
    return Chip(
        alias,
        name,
        _qubits(20),
        tuple((f"QB{first}", f"QB{second}") for first, second in pairs),
        dead=dead,
        mute=frozenset({"QB20"}),
    )


def _star(alias: str, name: str, number: int, hub: str, immovable: frozenset[str]) -> Chip:
    qubits = _qubits(number)
    return Chip(
        alias,
        name,
        qubits,
        tuple((qubit, hub) for qubit in qubits),
        resonators=(hub,),
        immovable=immovable,
        mute=None,
        t1=35e-6,
        t2=33e-6,
        prx_error=5e-4,
        readout_error=2e-2,
        prx_time=40e-9,
        cz_time=120e-9,
    )


_CHIPS = MappingProxyType(
    {
        "garnet": _grid("garnet", "IQM Garnet (loopback)"),
        "garnet-dead": _grid("garnet-dead", "Garnet without QB11 (loopback)", frozenset({"QB11"})),
        "deneb": _star("deneb", "IQM Deneb (loopback)", 6, "CR1", frozenset()),
        "sirius": _star("sirius", "IQM Sirius (loopback)", 16, "COMPR1", frozenset({"QB16"})),
    }
)

NAMES = tuple(_CHIPS)


def chip(name: str) -> Chip:
    """Return the shape of a known quantum computer.

    Raises:
        ConfigError: It is not known.
    """
    try:
        return _CHIPS[name]
    except KeyError:
        raise ConfigError(
            f"no loopback quantum computer {name!r}{did_you_mean(name, NAMES)}"
        ) from None


def qc_id(of: Chip) -> UUID:
    """Return the id of a quantum computer, which can be used instead of its alias."""
    return uuid5(NAMESPACE_URL, f"loopback:{of.alias}")
