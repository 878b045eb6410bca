"""How fast to ask: the width of a line by counts, pauses by what was asked for."""

from __future__ import annotations

import itertools
import math
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdmi_qiskit.pace import Width, pause, retry_after

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def rounds(width, service, number):
    """Run rounds of as many calls at once as may be; return how many each had."""
    sizes = []
    for _ in range(number):
        entered = [width.call() for _ in range(width.limit)]
        calls = [each.__enter__() for each in entered]
        for place, call in enumerate(calls):
            if place >= service:
                call.throttled()
        for each in entered:
            each.__exit__(None, None, None)
        sizes.append(len(calls))
    return sizes


def test_a_line_that_is_too_wide_is_halved_once_a_round_and_recovers():
    width = Width(32)
    sizes = rounds(width, 5, 40)
    assert sizes[:3] == [32, 16, 8]
    assert all(3 <= size <= 7 for size in sizes[3:]), sizes
    assert {5, 6} <= set(sizes[20:])
    recovered = rounds(width, 1000, 40)
    assert recovered[-1] == 32
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(recovered))


def test_it_is_never_narrower_than_one_nor_wider_than_at_first():
    width = Width(4)
    assert rounds(width, 0, 9)[-1] == 1
    assert max(rounds(width, 99, 50)) == 4
    assert width.limit == 4


def test_what_was_not_answered_says_nothing():
    width = Width(4)
    width.narrow()
    for _ in range(9):
        with width.call() as call:
            call.failed()
    assert width.limit == 2


def test_threads_wait_for_a_place_and_an_error_gives_it_back():
    width, lock, busy, most = Width(3), threading.Lock(), 0, 0
    full = threading.Barrier(3)  # the first calls go on by threes, so that all places are taken

    def work():
        nonlocal busy, most
        for number in range(30):
            try:
                with width.call():
                    with lock:
                        busy += 1
                        most = max(most, busy)
                    if number == 0:
                        full.wait(300)
                    threading.Event().wait(0.0005)
                    with lock:
                        busy -= 1
                    _ = 1 // (number % 3)
            except ZeroDivisionError:
                continue

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert (busy, most, width.peak) == (0, 3, 3)


def test_pauses_grow_differ_and_end():
    pauses = [[pause(attempt, 0.25, 10.0) for _ in range(200)] for attempt in range(12)]
    for attempt, some in enumerate(pauses):
        middle = min(0.25 * 2**attempt, 10.0)
        assert 0.75 * middle <= min(some) < middle < max(some) <= 1.25 * middle
        assert len(set(some)) > 100
    assert pause(10**6, 0.25, 10.0) <= 12.5
    assert pause(3, 0.25, 10.0, 7.0) == 7.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        (" 0.5 ", 0.5),
        ("-4", 0.0),
        ("nan", None),
        ("", None),
        (None, None),
        (7, None),
        ("soon", None),
        ("inf", math.inf),
        ("Sat, 21 Nov 2026 12:00:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 13:00:10 +0100", 10.0),
        ("Sat, 99 Nov 2026 12:00:10 GMT", None),
    ],
)
def test_what_a_service_asks_for(text, seconds):
    assert retry_after(text, NOW) == seconds


@given(st.one_of(st.text(), st.floats().map(str), st.integers().map(str), st.none()))
def test_any_header_is_seconds_or_nothing(text):
    seconds = retry_after(text)
    assert seconds is None or seconds >= 0.0


@given(st.integers(-(10**6), 10**6))
def test_any_date_is_understood(seconds):
    then = NOW + timedelta(seconds=seconds)
    assert retry_after(format_datetime(then), NOW) == max(seconds, 0)
