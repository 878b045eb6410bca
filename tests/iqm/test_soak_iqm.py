"""Jobs in bad weather, as `python -m benchmarks.soak` runs them by the thousand."""

import pytest

from benchmarks.soak import KINDS, iqm


@pytest.mark.slow
def test_sixty_jobs_with_every_fifth_request_disturbed():
    figures = iqm(60, seed=1)
    assert figures.flawless, (str(figures), figures.wrong[:3])
    # Which request has which fault is up to the threads; that there are so few, once in 1e8.
    assert set(figures.weather.disturbed) <= set(KINDS)
    assert sum(figures.weather.disturbed.values()) > 12
    assert figures.weather.restarts > 0
