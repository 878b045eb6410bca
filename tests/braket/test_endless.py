"""A result in S3 that never ends fills no memory."""

import tracemalloc

import pytest

from qdmi_qiskit.answers import TooLongError
from tests.braket.cloud import session
from tests.endless import endless


def test_a_result_that_never_ends_is_refused(service):
    with endless(begin=b"{") as (url, sent):
        transport = session("sv1", s3_endpoint=url)._transport
        tracemalloc.start()
        with pytest.raises(TooLongError, match=str(1 << 22)):
            transport.read("amazon-braket-lab", "tasks/1/results.json", 1 << 22)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(sent) == 1
        assert peak < 20 << 20
