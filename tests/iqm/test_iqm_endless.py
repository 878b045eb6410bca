"""A server whose answers never end fills no memory, and nothing is sent twice because of it."""

import tracemalloc

import pytest

from qdmi_qiskit.answers import LARGEST, TooLongError
from qdmi_qiskit.devices.iqm import job, wire
from qdmi_qiskit.devices.iqm.outcome import Reading
from qdmi_qiskit.devices.iqm.posted import Posted
from qdmi_qiskit.errors import SubmitUnknownError
from tests.endless import endless


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_that_never_ends_is_refused(compressed):
    with endless(compressed=compressed) as (url, sent):
        line = wire.Wire(url, wire.Tokens(None, None), 20.0)
        tracemalloc.start()
        with pytest.raises(TooLongError, match=str(1 << 22)):
            line.get("quantum-computers", most=1 << 22)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(sent) == 1, "it was read again"
        assert peak < 40 << 20  # the limit, and a piece that a compressed one becomes
        line.close()


def test_a_submission_answered_without_end_may_have_been_taken():
    with endless() as (url, sent):
        line = wire.Wire(url, wire.Tokens(None, None), 20.0)
        with pytest.raises(SubmitUnknownError, match="look for it"):
            line.submit("jobs/garnet/circuit", {}, b"{}", "look for it")
        assert len(sent) == 1
        line.close()


def test_the_limit_of_an_outcome_is_what_was_asked_for():
    class Line:
        def get(self, path, **said):
            return {"measurements": said["most"]}.get(path.rpartition("/")[2]), {}

    part = Posted(Line(), {"id": "j", "status": "completed"})
    reading = Reading((), 3, points=4, shots=1000)
    assert part.measurements(job.IQMJob([part], [reading])._most()) == LARGEST + 8 * 4000 * 128
    assert part.measurements(job.IQMJob([part])._most()) == 1 << 30
