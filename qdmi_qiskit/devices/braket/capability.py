"""What a capability document says a device takes: pure functions of the JSON of GetDevice.

Nothing is validated by schema: unknown versions and fields are no error, missing ones are not
known. Only what a program could not be written without is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdmi_qiskit.devices.braket.emit import Dialect
from qdmi_qiskit.devices.braket.figures import number, table
from qdmi_qiskit.devices.braket.gates import words_for
from qdmi_qiskit.errors import UnsupportedError
from qdmi_qiskit.model import Capabilities, Price

FORMAT = "openqasm3.braket"
PROGRAM = "braket.ir.openqasm.program"
PROGRAM_SET = "braket.ir.openqasm.program_set"
_FEEDBACK = frozenset({"cc_prx", "measure_ff"})
_DEBIAS = "braket.device_schema.error_mitigation.debias.Debias"


@dataclass(frozen=True, slots=True)
class Device:
    """What GetDevice says of a device, apart from its status.

    Attributes:
        arn: The device's ARN.
        name: Its name.
        provider: Who built it.
        simulator: Whether the service computes outcomes.
        document: Its capability document.
    """

    arn: str
    name: str
    provider: str
    simulator: bool
    document: Mapping[str, Any]

    @property
    def service(self) -> Mapping[str, Any]:
        """What the document says of the service."""
        return table(self.document.get("service"))

    @property
    def updated_at(self) -> str:
        """When the document was last changed, in the service's words; empty if it does not say."""
        return str(self.service.get("updatedAt") or "")

    @property
    def poll_interval(self) -> float | None:
        """Seconds between two looks at a task, where the device says."""
        millis = number(self.service.get("getTaskPollIntervalMillis"))
        return None if millis is None or millis <= 0 else millis / 1000


def action(device: Device, kind: str) -> Mapping[str, Any]:
    """Return what the document says of one kind of task; empty if it does not take any."""
    return table(table(device.document.get("action")).get(kind))


def labels_of(device: Device) -> tuple[int, ...]:
    """Return the device's labels in ascending order; without gaps only by chance."""
    paradigm = table(device.document.get("paradigm"))
    graph = table(table(paradigm.get("connectivity")).get("connectivityGraph"))
    found = {int(label) for label in graph if label.isdecimal()}
    found |= {
        int(each)
        for near in graph.values()
        if isinstance(near, list)
        for each in near
        if str(each).isdecimal()
    }
    if found:
        return tuple(sorted(found))
    count = number(paradigm.get("qubitCount"))
    if not count:
        raise UnsupportedError(
            f"device {device.name!r} has no qubits of the gate model: choose another device"
        )
    return tuple(range(int(count)))


def dialect_of(device: Device, *, verbatim: bool, experimental: bool = False) -> Dialect:
    """Return how programs for the device are written.

    Args:
        device: The device.
        verbatim: Native gates on the device's own labels, not compiled again. Simulators have
            no such programs.
        experimental: Tasks ask for what the service calls experimental capabilities.

    Raises:
        UnsupportedError: The device takes no OpenQASM, or no gate of it is one of Qiskit's.
    """
    program = action(device, PROGRAM)
    if not program:
        raise UnsupportedError(f"device {device.name!r} takes no OpenQASM 3: choose another device")
    native = table(device.document.get("paradigm")).get("nativeGateSet")
    operations = _names(program.get("supportedOperations"))
    physical = verbatim and not device.simulator and isinstance(native, list)
    offered = _names(native) if physical else operations
    words = words_for(offered, quarter_turns=physical and _is_rigetti(device))
    if not any(word.num_sites == 1 for word in words.values()):
        raise UnsupportedError(
            f"device {device.name!r} offers {', '.join(sorted(offered)) or 'no gates'}; none of "
            "them is a one-qubit gate of Qiskit's"
        )
    feedback = physical and offered >= _FEEDBACK and "r" in words
    return Dialect(
        words,
        labels=labels_of(device) if physical else None,
        verbatim=physical,
        barriers="barrier" in offered,
        resets="reset" in operations,
        feedback=feedback and experimental,
        branches="if" in operations and not physical,
        experimental=feedback and not experimental,
    )


def _names(given: Any) -> frozenset[str]:
    return (
        frozenset(str(each).lower() for each in given) if isinstance(given, list) else frozenset()
    )


def _is_rigetti(device: Device) -> bool:
    header = str(table(device.document.get("braketSchemaHeader")).get("name") or "")
    return "rigetti" in header.lower() or device.provider.lower().startswith("rigetti")


def capabilities_of(device: Device, *, reserved: bool, sets: bool, debias: bool) -> Capabilities:
    """Return what the device does better than the poorest one."""
    shots = device.service.get("reservationShotsRange") if reserved else None
    shots = shots or device.service.get("shotsRange")
    least, most = shots if isinstance(shots, list) and len(shots) == 2 else (1, None)
    least = max(int(least or 1), 1)
    if debias:
        least = max(least, debias_shots(device))
    offered = action(device, PROGRAM_SET) if sets and not debias else {}
    executables, total = (
        number(offered.get(key)) for key in ("maximumExecutables", "maximumTotalShots")
    )
    many = bool(executables and executables > 1)
    return Capabilities(
        formats=(FORMAT,),
        min_shots=least,
        max_shots=None if most is None else int(most),
        max_executables=int(executables) if many and executables else 1,
        max_total_shots=int(total) if many and total else None,
        sweeps=many,
        # IonQ returns probabilities, from which no order can be told.
        ordered_shots=not _returns_probabilities(device),
        cancel=True,
        retrieve=True,
        submit_key=True,
        detached=True,
    )


def _returns_probabilities(device: Device) -> bool:
    header = str(table(device.document.get("braketSchemaHeader")).get("name") or "")
    return "ionq" in header.lower() or device.provider.lower().startswith("ionq")


def debias_shots(device: Device) -> int:
    """Return the fewest shots that the device debiases.

    Raises:
        UnsupportedError: It does not offer that.
    """
    offered = table(table(device.document.get("provider")).get("errorMitigation"))
    if _DEBIAS not in offered:
        raise UnsupportedError(f"device {device.name!r} offers no debiasing: leave out debias=True")
    return int(number(table(offered[_DEBIAS]).get("minimumShots")) or 1)


def price_of(device: Device, per_task: float) -> Price | None:
    """Return the price of a shot. A simulator is paid by time, which no number of shots tells."""
    cost = table(device.service.get("deviceCost"))
    price, unit = number(cost.get("price")), str(cost.get("unit") or "").lower()
    if price is None or price < 0:
        return None
    if unit == "shot":
        return Price(per_task, price)
    return Price(price, 0.0) if unit == "task" else None
