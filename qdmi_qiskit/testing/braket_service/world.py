"""What the service consists of: devices, tasks, objects, and how fast it may be asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from qdmi_qiskit.testing.braket_service.bucket import Store
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.faults import Faults
from qdmi_qiskit.testing.braket_service.tasks import Tasks

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Requests per second and burst. Source: AWS documentation, default quotas of Amazon Braket; but
# the bursts of all operations except CreateQuantumTask are our guess.
RATES = {
    "CreateQuantumTask": (20.0, 40.0),
    "GetQuantumTask": (100.0, 500.0),
    "CancelQuantumTask": (2.0, 20.0),
    "GetDevice": (5.0, 50.0),
    "SearchDevices": (5.0, 50.0),
    "SearchQuantumTasks": (5.0, 50.0),
}


@dataclass
class World:
    """The state of the service, which a restart does not touch.

    Attributes:
        devices: By short name; may be changed at any time.
        concurrent: Tasks that may be active on one device; None: no limit.
    """

    devices: dict[str, Device]
    store: Store
    tasks: Tasks
    faults: Faults
    concurrent: int | None = None

    def device(self, arn: str, region: str) -> Device | None:
        """Return a device by ARN if it is in a region."""
        for device in self.devices.values():
            if device.arn == arn and region in device.regions:
                return device
        return None


@dataclass
class Rates:
    """A token bucket per operation."""

    limits: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(RATES))
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, operation: str) -> bool:
        """Take one token, if there is one."""
        if operation not in self.limits:
            return True
        rate, burst = self.limits[operation]
        with self._lock:
            now = time.monotonic()
            left, before = self._left.get(operation, (burst, now))
            left = min(burst, left + rate * (now - before))
            self._left[operation] = (left - 1 if left >= 1 else left, now)
            return left >= 1


def executes(device: Device, clock: Callable[[], datetime] | None) -> bool:
    """Tell whether a device executes tasks now: online, and within its windows.

    Args:
        device: The device.
        clock: Returns the time in UTC; None: windows do not count.
    """
    if device.status != "ONLINE":
        return False
    if clock is None:
        return True
    now = clock()
    return any(_within(window, now) for window in device.document["service"]["executionWindows"])


def _within(window: dict[str, str], now: datetime) -> bool:
    """Tell whether a time is in a window; one that ends before it starts wraps midnight."""
    start, end, time_of_day = (
        window["windowStartHour"],
        window["windowEndHour"],
        now.strftime("%H:%M:%S"),
    )
    today = now.weekday()
    if start <= end:
        return start <= time_of_day <= end and _on(window["executionDay"], today)
    if time_of_day >= start:
        return _on(window["executionDay"], today)
    return time_of_day <= end and _on(window["executionDay"], (today - 1) % 7)


def _on(day: str, today: int) -> bool:
    """Tell whether a day of a window is today."""
    if day in ("Weekdays", "Weekend"):
        return (today < 5) == (day == "Weekdays")
    return day == "Everyday" or day == _DAYS[today]
