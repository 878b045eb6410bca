"""Which random numbers a circuit gets: by what it does and how often it was executed before.

So the same jobs have the same shots in whatever order they arrive, and a job has the shots that it
would have had if the ones before it had failed, been cancelled or never come.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from qdmi_qiskit.testing.iqm_server.chips import Chip
from qdmi_qiskit.testing.iqm_server.payload import Payload
from qdmi_qiskit.testing.iqm_server.station import Compiled

_KEYS = ("key", "feedback_key")


class Draws:
    """The random numbers of a server."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._executed: Counter[bytes] = Counter()

    def sources(self, contents: Sequence[bytes]) -> list[np.random.SeedSequence]:
        """Return where the numbers of each circuit come from; nothing is counted yet."""
        within: Counter[bytes] = Counter()
        found = []
        with self._lock:
            for each in contents:
                number = self._executed[each] + within[each]
                within[each] += 1
                words = np.frombuffer(each, np.uint32).tolist()
                found.append(np.random.SeedSequence([self._seed, number, *words]))
        return found

    def count(self, contents: Sequence[bytes]) -> None:
        """Note that circuits were executed: the next ones like them get other numbers."""
        with self._lock:
            self._executed.update(contents)


def content(circuit: Compiled, chip: Chip, payload: Payload) -> bytes:
    """Return 32 bytes for what a circuit does in a job.

    Names are no part of it, neither those of circuits nor those of keys: clients number them, by
    what else they have made so far.
    """
    keys: dict[str, int] = {}
    steps = []
    for step in circuit.steps:
        args: dict[str, Any] = {k: v for k, v in step.args.items() if v is not None}
        args |= {k: keys.setdefault(args[k], len(keys)) for k in _KEYS if k in args}
        steps.append((step.name, step.locus, sorted(args.items()), step.implementation))
    modes = sorted(payload.modes.items())
    return hashlib.sha256(repr((chip.alias, payload.shots, modes, steps)).encode()).digest()
