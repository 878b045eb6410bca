"""What AWS's own clients need in tests, which leave event loops and sockets to the collector."""

import pytest

UNMODIFIED = (
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.usefixtures("_pointed"),
)
