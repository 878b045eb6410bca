"""Numbers in SI units as people read them; "-" where the device does not say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from statistics import median

UNKNOWN = "-"


def seconds(value: float | None) -> str:
    """Return a time with a fitting unit.

    >>> seconds(2e-08), seconds(3.5e-05), seconds(0.0), seconds(None)
    ('20 ns', '35 us', '0 ns', '-')
    """
    if value is None:
        return UNKNOWN
    for unit, size in (("ns", 1e-6), ("us", 1e-3), ("ms", 1.0)):
        if abs(value) < size * 0.99995:
            return f"{value / size * 1e3:.4g} {unit}"
    return f"{value:.4g} s"


def hertz(value: float | None) -> str:
    """Return a frequency with a fitting unit.

    >>> hertz(4.6513e9), hertz(250e6), hertz(None)
    ('4.6513 GHz', '250 MHz', '-')
    """
    if value is None:
        return UNKNOWN
    return f"{value / 1e9:.6g} GHz" if abs(value) >= 1e9 else f"{value / 1e6:.6g} MHz"


def percent(value: float | None) -> str:
    """Return a fraction in percent.

    >>> percent(0.99873), percent(1.0), percent(None)
    ('99.873 %', '100 %', '-')
    """
    return UNKNOWN if value is None else f"{100 * value:.5g} %"


def spread(values: Iterable[float | None], *, high_is_good: bool) -> list[float] | None:
    """Return best, median and worst of what is known; `None` if nothing is.

    >>> spread([0.99, None, 0.95, 0.98], high_is_good=True)
    [0.99, 0.98, 0.95]
    """
    known = sorted((value for value in values if value is not None), reverse=high_is_good)
    return [known[0], median(known), known[-1]] if known else None


def age(time: datetime, now: datetime | None = None) -> str:
    """Return how long ago a time was, in words.

    >>> age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 12, tzinfo=UTC))
    '2.5 days ago'
    """
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    gone = ((now or datetime.now(UTC)) - time).total_seconds()
    if gone < 0:
        return "in the future: check the clocks"
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if gone >= 2 * size:
            return f"{gone / size:.1f} {unit} ago"
    return f"{gone:.0f} seconds ago"
