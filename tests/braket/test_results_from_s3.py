"""How results are read: many at once, and as whoever sent the task."""

from __future__ import annotations

import itertools
import threading

from qdmi_qiskit.testing.braket_service.service import KEYS
from tests.braket.cloud import backend, flipped

WORDS = [k % 8 for k in range(12)]


def test_executables_are_read_at_once(service):
    device = backend("garnet")
    job = device.run([flipped(device, word) for word in WORDS], shots=2)
    job.wait(200)
    programs = len(service.tasks[-1].work.programs)
    asked, five = itertools.count(), threading.Barrier(5)

    def held_until_five_are_there(operation):
        """The index is read alone, then programs, then executables."""
        if operation == "GetObject":
            number = next(asked)
            if 1 <= number <= 5 or 1 <= number - programs <= 5:
                five.wait(100)

    service.faults.draw(held_until_five_are_there)
    found = job.result(200).get_counts()
    assert found == [{format(word, "03b"): 2} for word in WORDS]
    assert device.session._transport.s3_width.peak > 4


def test_credentials_are_those_of_the_profile(service, tmp_path, monkeypatch):
    """S3 is asked as the task was sent, not as the environment would have it."""
    lines = ["[lab]", *(f"{name.lower()} = {value}" for name, value in KEYS.items())]
    (tmp_path / "credentials").write_text("\n".join(lines))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    for name in KEYS:
        monkeypatch.delenv(name)
    device = backend("garnet", profile="lab")
    result = device.run([flipped(device, word) for word in (1, 6)], shots=2).result(200)
    assert result.get_counts() == [{"001": 2}, {"110": 2}]
