"""Begins the page of a run, where a journal is kept of a backend's runs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qdmi_qiskit import spec_json
from qdmi_qiskit.errors import ConfigError, JournalError
from qdmi_qiskit.journal.ledger import Ledger, fresh_id
from qdmi_qiskit.journal.rows import Inputs, JobRow
from qdmi_qiskit.journal.store import journal_at
from qdmi_qiskit.journal.writer import complain
from qdmi_qiskit.model import DeviceSpec, JobStatus
from qdmi_qiskit.secret import Secret

_LONGEST_TAG = 100
_log = logging.getLogger(__name__)
_texts: deque[tuple[DeviceSpec, str]] = deque(maxlen=8)  # of the backends in use, as JSON


@dataclass(frozen=True)
class Recorder:
    """Knows where the journal is and how a backend is opened again.

    Attributes:
        place: The file; None: nothing is kept.
        wanted: What the user said; None: runs are kept where jobs outlive the process.
        name: Under which the backend was asked for.
        device: What it means, `scheme:locator`.
        options: By keyword, as JSON; None if they cannot be written.
        most_bytes: To which the journal is kept; None: no bound.
    """

    place: Path | None
    wanted: bool | None
    name: str
    device: str
    options: Mapping[str, Any] | None
    most_bytes: int | None = None

    def ledger(
        self,
        spec: DeviceSpec,
        kind: str,
        saved: Callable[[], tuple[bytes, bytes | None]],
        tags: Iterable[str] = (),
    ) -> Ledger | None:
        """Return a new page, or None if nothing is kept of this run.

        Args:
            spec: What the run is planned for.
            kind: Of job.
            saved: Returns what the user handed over: a packed blob, and circuits.
            tags: The user's words for the run.
        """
        labels = checked_tags(tags)
        wanted = spec.capabilities.detached if self.wanted is None else self.wanted
        if self.place is None or not wanted:
            return None
        row = JobRow(
            id=fresh_id(),
            kind=kind,
            backend=self.name,
            device=self.device,
            state=JobStatus.CREATED,
            created=datetime.now(UTC),
            tags=labels,
            chunks=0,
            sent=0,
            done=0,
        )
        try:
            opening = {"name": self.name, "device": self.device, "options": self.options}
            call, circuits = saved()
            inputs = Inputs(opening, _text_of(spec), call, circuits)
            journal = journal_at(self.place)
            journal.most_bytes = self.most_bytes
            return Ledger(journal, row, inputs)
        except (JournalError, ConfigError) as error:
            complain(error)
            return None

    def keep(self, spec: DeviceSpec) -> None:
        """Keep a snapshot whose calibration is not there yet, where runs are kept."""
        wanted = spec.capabilities.detached if self.wanted is None else self.wanted
        if self.place is None or not wanted or spec.calibration is None:
            return
        known = self.name, self.device, spec.calibration.id
        try:
            journal = journal_at(self.place)
            if known not in journal.known_calibrations:
                journal.known_calibrations.add(known)
                journal.keep_calibration(self.name, self.device, spec, _text_of(spec))
        except (JournalError, ConfigError) as error:
            _log.warning("the calibration of %s is not kept: %s", self.name, error)


def _text_of(spec: DeviceSpec) -> str:
    """Return a snapshot as JSON. A backend hands over the same one until it is refreshed."""
    for known, text in tuple(_texts):
        if known is spec:
            return text
    text = spec_json.dumps(spec)
    _texts.append((spec, text))
    return text


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, sorted, each once.

    Raises:
        ConfigError: One is no short, printable text.
    """
    if isinstance(tags, str):
        tags = (tags,)
    found = set()
    for tag in tags:
        if not isinstance(tag, str) or not tag.isprintable() or not 0 < len(tag) <= _LONGEST_TAG:
            raise ConfigError(
                f"tag {tag!r}: wanted a printable text of at most {_LONGEST_TAG} characters"
            )
        found.add(tag)
    return tuple(sorted(found))


def plain(options: Mapping[str, object]) -> dict[str, Any] | None:
    """Return options as JSON, secrets as their references; None if that loses something.

    >>> plain({"url": "https://x", "token": Secret("env:T"), "retries": 3})
    {'url': 'https://x', 'token': 'env:T', 'retries': 3}
    >>> plain({"noise": object()}) is None
    True
    """
    found = {}
    for key, value in options.items():
        ok, text = _plain(value)
        if not ok:
            return None
        found[key] = text
    return found


def _plain(value: object) -> tuple[bool, Any]:
    if isinstance(value, Secret):
        return True, value.reference
    if isinstance(value, Path):
        return True, str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return True, value
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return all(ok for ok, _ in items), [item for _, item in items]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        table = {key: _plain(item) for key, item in value.items()}
        return all(ok for ok, _ in table.values()), {k: item for k, (_, item) in table.items()}
    return False, None
