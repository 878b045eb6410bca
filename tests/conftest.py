"""What holds for every test: the same examples each time, and no journal in anybody's home.

`HYPOTHESIS_PROFILE=explore pytest ...` looks for new examples instead.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

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
