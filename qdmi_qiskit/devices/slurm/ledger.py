"""What the worker has been given already: circuits, bases, observables; later by number alone."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.model import PauliSum, Program, Task

_MOST = 1024  # things that the worker keeps


class Ledger:
    """Numbers by content. A circuit that was changed in place is another one.

    To write a circuit as QPY and digest it takes 0.2 ms; to send it again would take ten times
    that, and its reading on the other side as much again.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        """Take what sends a message to the worker."""
        self._tell, self._lock = tell, threading.Lock()
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._next = 0

    def tasks(self, tasks: Sequence[Task], version: int) -> dict[str, Any]:
        """Return tasks as a message; circuits and bases that are new go out before it.

        Args:
            tasks: Of one job.
            version: Of QPY, the newest that the worker reads.
        """
        with self._lock:
            self._room(2 * len(tasks))
            circuits: dict[int, int] = {}
            bases: dict[int, int] = {}
            tables: dict[bytes, int] = {}
            values, rows = list[Any](), list[Any]()
            for task in tasks:
                payload = task.program.payload
                if id(payload) not in circuits:
                    circuits[id(payload)] = self._circuit(payload, version)
                if task.basis is not None and id(task.basis) not in bases:
                    bases[id(task.basis)] = self._thing("basis", words.from_basis(task.basis))
                mark = repr(task.values.shape).encode() + task.values.tobytes()
                if mark not in tables:
                    tables[mark] = len(values)
                    values.append(words.from_array(task.values))
                basis = None if task.basis is None else bases[id(task.basis)]
                circuit = circuits[id(payload)]
                rows.append([circuit, basis, task.shots, task.seed, tables[mark]])
        return {"tasks": rows, "values": values}

    def question(
        self, program: Program, observables: Sequence[PauliSum], version: int
    ) -> dict[str, Any]:
        """Return a circuit and observables by their numbers."""
        with self._lock:
            self._room(2)
            sums = [words.from_sum(observable) for observable in observables]
            return {
                "circuit": self._circuit(program.payload, version),
                "sums": self._thing("sums", sums),
            }

    def _circuit(self, payload: Any, version: int) -> int:
        data = words.from_circuit(payload, version)
        return self._number(b"c" + data, lambda: {"circuit": base64.b64encode(data).decode()})

    def _thing(self, kind: str, document: Any) -> int:
        return self._number(kind.encode() + json.dumps(document).encode(), lambda: {kind: document})

    def _number(self, content: bytes, message: Callable[[], dict[str, Any]]) -> int:
        mark = hashlib.sha256(content).digest()
        if mark in self._known:
            self._known.move_to_end(mark)
            return self._known[mark]
        self._next += 1
        self._tell({"op": "keep", "thing": self._next, **message()}, more=True)
        self._known[mark] = self._next
        return self._next

    def _room(self, wanted: int) -> None:
        """Have the worker forget what was not used for longest."""
        gone = []
        while self._known and len(self._known) + wanted > _MOST:
            gone.append(self._known.popitem(last=False)[1])
        if gone:
            self._tell({"op": "forget", "things": gone}, more=True)
