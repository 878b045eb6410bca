"""One run's page in the journal.

What is kept of a run are the inputs of the user's call. Going on with it means to plan the same
chunks again, and to ask the journal for each of them.
"""

from __future__ import annotations

import json
import secrets
import threading
import weakref
from dataclasses import replace

from qdmi_qiskit.errors import (
    ConfigError,
    UnsupportedError,
)
from qdmi_qiskit.journal import owner
from qdmi_qiskit.journal.rows import Inputs, Intent, JobRow
from qdmi_qiskit.journal.stage import Stage
from qdmi_qiskit.journal.store import Journal
from qdmi_qiskit.model import JobStatus


class Ledger:
    """The page of one run.

    Attributes:
        journal: Where it is.
        row: What it says at the top.
        inputs: Of the user's call.
        intent: None for a run that begins now.
    """

    def __init__(
        self, journal: Journal, row: JobRow, inputs: Inputs, intent: Intent | None = None
    ) -> None:
        self.journal, self.row, self.inputs, self.intent = journal, row, inputs, intent
        self.lost = False  # the journal cannot be written: go on without
        self.number = row.number
        self.stages: dict[int, Stage] = {}
        self._lock = threading.Lock()
        self._lease: str | None = None
        self._place = [row.number]
        if intent is None:
            self._hold(owner.lease())
        elif intent.sends:
            self._hold(journal.take(row.number))

    @property
    def id(self) -> str:
        """Of the run, and of its job."""
        return self.row.id

    @property
    def trace(self) -> dict[str, str] | None:
        """The W3C trace context that the run began with, where it was traced."""
        try:
            found = json.loads(self.row.trace or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @trace.setter
    def trace(self, carrier: dict[str, str]) -> None:
        self.row = replace(self.row, trace=json.dumps(carrier))

    @property
    def sends(self) -> bool:
        """Whether this process may send."""
        return self.intent is None or self.intent.sends

    @property
    def lease(self) -> str:
        """What others see of who sends."""
        return self._lease or ""

    def _hold(self, lease: str) -> None:
        self._lease = lease
        weakref.finalize(self, _release, self.journal, self._place, lease).atexit = False

    def began(self, number: int) -> None:
        """Take note of the number of the row."""
        self.number = self._place[0] = number

    def let_go(self) -> None:
        """Let others send."""
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            _release(self.journal, [self.number], lease)

    def again(self, intent: Intent) -> Ledger:
        """Return the page anew, to look or to go on.

        Raises:
            ConfigError: Somebody is sending the run.
        """
        if self.lost or not self.number:
            raise UnsupportedError(
                f"run {self.id} could not be written into {self.journal.path}: there is nothing to "
                "go on from"
            )
        if any(stage.is_sending() for stage in self.stages.values()):
            raise ConfigError(f"run {self.id} is being sent by this process: wait for it")
        self.let_go()
        self.journal.flush()
        return Ledger(self.journal, self.journal.find(self.id), self.inputs, intent)

    def stage(self, number: int, *, last: bool) -> Stage:
        """Return one of the steps of a run that follow each other."""
        self.stages[number] = Stage(self, number, last)
        return self.stages[number]

    def note_state(self, state: JobStatus, reason: str | None = None) -> None:
        """Note how far the run is."""
        if not self.lost and self.number:
            self.journal.note_state(self.number, state, reason)


def _release(journal: Journal, place: list[int], lease: str) -> None:
    """Let others send a run; also called when nobody holds its page any more."""
    if owner.is_ours(lease):
        if place[0]:
            journal.release(place[0], lease)
        owner.dropped(lease)


def fresh_id() -> str:
    """Return an id for a run."""
    return secrets.token_hex(16)
