"""Braket's states in QDMI's words.

Source: Table 1 of the case study on QDMI and Braket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from qdmi_qiskit.devices.braket.figures import entries, table
from qdmi_qiskit.model import DeviceState, DeviceStatus, JobStatus

TASK = {
    "CREATED": JobStatus.CREATED,
    "QUEUED": JobStatus.QUEUED,
    "RUNNING": JobStatus.RUNNING,
    "COMPLETED": JobStatus.DONE,
    "FAILED": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELED,
    "CANCELLING": JobStatus.RUNNING,  # it may still complete, and be paid
}
"""A state that is not here (`NOT_SET` is one) says nothing: the last one known stays."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_QUEUE = "QUANTUM_TASKS_QUEUE"


def queue_length(queues: Any) -> int | None:
    """Return how many tasks wait, all priorities together; `None` if nobody says.

    >>> queue_length([{"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000"}])
    4000
    """
    sizes = [
        int(found[0])
        for entry in entries(queues)
        if entry.get("queue") == _QUEUE
        and (found := re.search(r"\d+", str(entry.get("queueSize") or "")))
    ]
    return sum(sizes) if sizes else None


def device_state(
    status: str,
    queues: Any,
    windows: Any,
    *,
    busy_above: int,
    reserved: bool,
    now: datetime | None = None,
) -> DeviceState:
    """Return what a device is doing.

    Args:
        status: Braket's word.
        queues: `deviceQueueInfo` of GetDevice.
        windows: `service.executionWindows` of the capability document.
        busy_above: From so many waiting tasks on it counts as busy.
        reserved: Tasks run in a reservation: windows do not matter.
        now: The time; else the clock's.
    """
    length = queue_length(queues)
    if status == "RETIRED":
        return DeviceState(status=DeviceStatus.OFFLINE, queue_length=length, message=status)
    if status == "OFFLINE":
        return DeviceState(status=DeviceStatus.MAINTENANCE, queue_length=length, message=status)
    if status != "ONLINE":
        return DeviceState(
            status=DeviceStatus.ERROR, queue_length=length, message=f"unknown status {status!r}"
        )
    ahead = 0.0 if reserved else until_window(windows, now or datetime.now(UTC))
    if ahead:
        return DeviceState(
            status=DeviceStatus.MAINTENANCE,
            queue_length=length,
            next_window=ahead,
            message="ONLINE, outside its execution windows: tasks are taken and wait",
        )
    busy = length is not None and length >= busy_above
    return DeviceState(
        status=DeviceStatus.BUSY if busy else DeviceStatus.IDLE,
        queue_length=length,
        next_window=ahead,
        message=status,
    )


def until_window(windows: Any, now: datetime) -> float | None:
    """Return seconds until the device next executes: 0 within a window, None if nobody says."""
    spans = [span for window in entries(windows) for span in _spans(window, now)]
    if not spans:
        return None
    if any(start <= now < end for start, end in spans):
        return 0.0
    return min((start - now).total_seconds() for start, _ in spans if start > now)


def _spans(window: Mapping[str, Any], now: datetime) -> Iterable[tuple[datetime, datetime]]:
    """Yield the window's openings from yesterday to a week ahead, in UTC."""
    try:
        opens, closes = (
            time.fromisoformat(str(window.get(key))) for key in ("windowStartHour", "windowEndHour")
        )
    except ValueError:
        return
    days = _days(str(window.get("executionDay") or ""))
    for ahead in range(-1, 9):
        day = (now + timedelta(days=ahead)).date()
        if day.weekday() in days:
            start = datetime.combine(day, opens, UTC)
            end = datetime.combine(day, closes, UTC)
            if closes <= opens:  # over midnight
                end += timedelta(days=1)
            elif closes >= time(23, 59, 59):  # the document cannot say 24:00
                end = datetime.combine(day, time(), UTC) + timedelta(days=1)
            yield start, end


def _days(name: str) -> frozenset[int]:
    word = name.strip().lower()
    if word == "weekdays":
        return frozenset(range(5))
    if word.startswith("weekend"):
        return frozenset((5, 6))
    if word in _DAYS:
        return frozenset((_DAYS.index(word),))
    return frozenset(range(7))


def position(task: Mapping[str, Any]) -> int | None:
    """Return how many tasks wait before this one, where the service says; `>2000` is 2000."""
    found = re.search(r"\d+", str(table(task.get("queueInfo")).get("position") or ""))
    return int(found[0]) if found else None
