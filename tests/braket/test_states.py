"""Braket's words for states, queues and windows, in QDMI's."""

from datetime import UTC, datetime

import pytest

from qdmi_qiskit.devices.braket.states import TASK, device_state, position, queue_length
from qdmi_qiskit.model import DeviceStatus, JobStatus

EVERY = [{"executionDay": "Everyday", "windowStartHour": "00:00:00", "windowEndHour": "23:59:59"}]
MONDAY_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def queues(*sizes):
    rows = [{"queue": "QUANTUM_TASKS_QUEUE", "queueSize": size} for size in sizes]
    jobs = {"queue": "JOBS_QUEUE", "queueSize": "7 (1 prioritized job(s) running)"}
    return [*rows, jobs]


def state(status="ONLINE", sizes=("0",), windows=EVERY, now=MONDAY_NOON, reserved=False):
    return device_state(status, queues(*sizes), windows, busy_above=5, reserved=reserved, now=now)


def test_table_1_of_the_case_study():
    assert TASK == {
        "CREATED": JobStatus.CREATED,
        "QUEUED": JobStatus.QUEUED,
        "RUNNING": JobStatus.RUNNING,
        "COMPLETED": JobStatus.DONE,
        "FAILED": JobStatus.FAILED,
        "CANCELLED": JobStatus.CANCELED,
        "CANCELLING": JobStatus.RUNNING,
    }


@pytest.mark.parametrize(
    ("sizes", "length"),
    [
        (("2", "0"), 2),
        ((">4000", "3"), 4003),
        (("0 (1 prioritized job(s) running)",), 0),
        (("",), None),
        ((), None),
    ],
)
def test_queues_are_summed_over_priorities(sizes, length):
    assert queue_length(queues(*sizes)) == length


@pytest.mark.parametrize(
    ("status", "sizes", "expected"),
    [
        ("ONLINE", ("4", "0"), DeviceStatus.IDLE),
        ("ONLINE", ("3", "2"), DeviceStatus.BUSY),
        ("ONLINE", (">4000",), DeviceStatus.BUSY),
        ("ONLINE", (), DeviceStatus.IDLE),
        ("OFFLINE", ("0",), DeviceStatus.MAINTENANCE),
        ("RETIRED", ("0",), DeviceStatus.OFFLINE),
        ("NOT_SET", ("0",), DeviceStatus.ERROR),
        ("SOMETHING_NEW", ("0",), DeviceStatus.ERROR),
    ],
)
def test_device_states(status, sizes, expected):
    assert state(status, sizes).status is expected


def window(day, start, end):
    return {"executionDay": day, "windowStartHour": start, "windowEndHour": end}


@pytest.mark.parametrize(
    ("windows", "seconds"),
    [
        (EVERY, 0),
        ([window("Monday", "11:00", "13:00")], 0),
        ([window("Monday", "12:00:00", "13:00:00")], 0),
        ([window("Monday", "10:00", "12:00")], 7 * 86400 - 7200),
        ([window("Weekdays", "13:00", "14:00")], 3600),
        ([window("Weekend", "01:00", "02:00")], 4 * 86400 + 13 * 3600),
        ([window("Tuesday", "00:00", "01:00"), window("Friday", "00:00", "01:00")], 43200),
        ([window("Sunday", "22:00", "13:00")], 0),  # over midnight into Monday
        ([window("Monday", "22:00", "13:00")], 36000),
        ([{"executionDay": "Someday"}], None),
        (None, None),
    ],
)
def test_windows(windows, seconds):
    found = state(windows=windows)
    assert found.next_window == seconds
    assert (found.status is DeviceStatus.MAINTENANCE) == bool(seconds)


def test_the_last_second_of_the_day_is_in_the_window():
    late = datetime(2026, 1, 5, 23, 59, 59, 500000, tzinfo=UTC)
    assert state(now=late).next_window == 0


def test_a_reservation_ignores_windows():
    closed = [window("Tuesday", "00:00", "01:00")]
    assert state(windows=closed, reserved=True).status is DeviceStatus.IDLE


@pytest.mark.parametrize(
    ("said", "place"), [("3", 3), (">2000", 2000), ("None", None), (None, None)]
)
def test_positions(said, place):
    assert position({"queueInfo": {"position": said}}) == place
    assert position({}) is None
