"""What holds for every test: the same examples each time, no journal in anybody's home, no secret
in any file that is left behind.

What a test records as `table` is printed at the end of the run.

`HYPOTHESIS_PROFILE=explore pytest ...` looks for new examples instead.
"""

from __future__ import annotations

import os

# Before NumPy and Aer come: two workers of several threads each are slower than of one, and Aer's
# shots of one seed depend on the number of threads, which would be that of the machine's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from tests.dummies import left_behind

# Two runs of one commit agree; what exploring finds becomes an example of its own.
settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("explore", max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True, scope="session")
def _journal_of_the_session(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("journal")
        patch.setenv("QDMI_JOURNAL", os.environ.get("QDMI_JOURNAL") or str(folder / "runs.sqlite"))
        yield
    assert left_behind(tmp_path_factory.getbasetemp()) == []


def pytest_terminal_summary(terminalreporter):
    recorded = [
        text
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "table"
    ]
    if recorded:
        terminalreporter.section("energies")
        terminalreporter.write_line("\n".join(sorted(recorded)))
