"""Tests write no journal into anybody's home: one file for the whole session, below pytest's."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def _journal_of_the_session(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("journal")
        patch.setenv("QDMI_JOURNAL", os.environ.get("QDMI_JOURNAL") or str(folder / "runs.sqlite"))
        yield
