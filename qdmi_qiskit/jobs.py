"""Jobs by id and by what is known of them: of this process, or out of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from qdmi_qiskit import config, registry, spec_json
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Session
from qdmi_qiskit.errors import ConfigError, JournalError, did_you_mean
from qdmi_qiskit.job import recall
from qdmi_qiskit.journal import (
    Intent,
    JobRow,
    Journal,
    Ledger,
    Timeline,
    journal_at,
    place,
    timeline,
)
from qdmi_qiskit.model import DeviceSpec, JobStatus
from qdmi_qiskit.reopened import ReopenedSession

_KINDS = {
    "backend": "qdmi_qiskit.calls:restored",
    "sampler": "qdmi_qiskit.primitives.sampler:restored",
    "estimator": "qdmi_qiskit.primitives.estimator:restored",
}
"""Who takes up a job of a kind: names, because primitives are above the provider."""

_LATEST = 20  # jobs by which a queue is judged, and parts that a message names


class Jobs:
    """Finds jobs, and what the journal knows beside them."""

    def __init__(
        self, *, config: Path | str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """Choose where profiles come from.

        Args:
            config: A TOML file that goes before all others.
            environ: Instead of the process's environment.
        """
        self._config, self._environ = config, environ

    def job(self, job_id: str, *, backend: QDMIBackend | None = None) -> Any:
        """Return a job by the id that its `job_id()` gave: of this process or of an earlier one.

        From the journal come circuits, registers, values and whatever results there are; nothing
        is sent. `job.resume()` goes on with a job that was not sent as a whole.

        Args:
            job_id: Ours, or a beginning that no other has; or the vendor's, of any of its device
                jobs.
            backend: Where to ask; else the device is opened as it was then, once it is needed.

        Raises:
            ConfigError: There is none of that id, or it is of several; it names these.
            JournalError: The journal cannot be read, or the record is damaged.
        """
        with suppress(ConfigError):
            return recall(job_id)
        journal = self._journal()
        if journal is None:
            return recall(job_id)
        parts = journal.rows(tag=job_id, limit=_LATEST)
        if parts and not any(row.id == job_id for row in parts):
            some = ", ".join(row.id for row in parts)
            raise ConfigError(
                f"job {job_id} was of a group or of mitigated values, and the journal keeps its "
                f"parts: {some}. Each is a job; resume({job_id!r}, ...) of a group, estimator or "
                "sampler like that one makes a whole of them"
            )
        row = journal.find(job_id)
        with suppress(ConfigError):
            return recall(row.id)
        if row.kind not in _KINDS:
            raise JournalError(f"the record of run {row.id} is damaged: no kind {row.kind!r}")
        ledger = Ledger(journal, row, journal.inputs(row.number), Intent())
        module, _, function = _KINDS[row.kind].partition(":")
        restored = getattr(import_module(module), function)
        return restored(ledger, partial(self._reopened, backend))

    def jobs(
        self,
        *,
        backend: str | None = None,
        state: JobStatus | str | None = None,
        tag: str | None = None,
        since: datetime | None = None,
        limit: int | None = 20,
    ) -> list[JobRow]:
        """List what the journal knows of jobs, the latest first; no device is asked.

        Args:
            backend: Only those of this name, or of this `scheme:locator`.
            state: Only those last seen in this state, one of QDMI's (`"done"`).
            tag: Only those that were given this tag.
            since: Only those that began then or later; without a time zone it is local.
            limit: At most so many; None: all.

        Raises:
            ConfigError: There is no such state.
            JournalError: The journal cannot be read.
        """
        journal = self._journal()
        if isinstance(state, str):
            known = [each.value for each in JobStatus]
            if state.lower() not in known:
                raise ConfigError(f"state={state!r}{did_you_mean(state, known)}")
            state = JobStatus(state.lower())
        if journal is None:
            return []
        return journal.rows(backend=backend, state=state, tag=tag, since=since, limit=limit)

    def timeline(self, job_id: str) -> Timeline:
        """Return what happened to a job, and when, as far as the journal knows; asks no device.

        Args:
            job_id: As for `job`.

        Raises:
            ConfigError: There is none of that id.
            JournalError: The journal cannot be read, or the record is damaged.
        """
        journal = self._journal()
        if journal is None:
            raise ConfigError(f"no job {job_id!r}: there is no journal that could know it")
        return timeline(journal, job_id)

    def calibrations(self, name: str, *, since: datetime | None = None) -> list[DeviceSpec]:
        """Return the snapshots of a device that the journal keeps, the oldest first.

        Where runs are kept, `get_backend` and `refresh` keep the first snapshot of each
        calibration that they see. No device is asked.

        Args:
            name: The name that the device was asked for, or its `scheme:locator`.
            since: Only those taken then or later; without a time zone it is local.

        Raises:
            JournalError: The journal cannot be read, or a record is damaged.
        """
        journal = self._journal()
        found = [] if journal is None else journal.calibrations(name, since=since)
        return [spec_json.loads(text) for text in found]

    def prune(
        self,
        *,
        before: datetime | None = None,
        most_bytes: int | None = None,
        everything: bool = False,
    ) -> int:
        """Forget jobs that ended, the oldest first, and their results; return how many.

        Args:
            before: Those that began earlier.
            most_bytes: So many that the journal takes no more than this.
            everything: Forget jobs that have not ended, too: nobody can go on with them. Without
                a bound: all jobs.

        Raises:
            ConfigError: Nothing says what to forget.
            JournalError: The journal cannot be written.
        """
        journal = self._journal()
        if journal is None:
            return 0
        return journal.prune(before=before, most_bytes=most_bytes, everything=everything)

    def _journal(self) -> Journal | None:
        setting = config.journal(self._config, environ=self._environ)
        path = place(None if setting is None else setting.value, self._environ)
        return journal_at(path) if path is not None and path.exists() else None

    def _reopened(self, backend: QDMIBackend | None, ledger: Ledger) -> QDMIBackend:
        """Return the backend of a run, as it was; the device is opened now if the run goes on."""
        opening = ledger.inputs.opening

        def connect() -> Session:
            return self._opened_again(opening) if backend is None else backend.session

        session = ReopenedSession(spec_json.loads(ledger.inputs.spec), connect)
        if ledger.sends:
            session.opened()
        return QDMIBackend(session, name=ledger.row.backend, provider=self)

    def _opened_again(self, opening: Mapping[str, Any]) -> Session:
        """Open a device by the name of then; by what it meant if the name means another now."""
        name, device, options = (opening.get(key) for key in ("name", "device", "options"))
        if not isinstance(options, dict) or not isinstance(name, str):
            raise ConfigError(
                f"{name!r} was opened with options that cannot be written down: open it in the "
                "same way, and call provider.job(id, backend=backend)"
            )
        resolved = config.resolve(name, options, config=self._config, environ=self._environ)
        if resolved.label != device:
            resolved = config.resolve(
                str(device), options, config=self._config, environ=self._environ
            )
        return registry.open_session(resolved)

    def waits(self, name: str) -> list[float]:
        """Return how long the latest jobs of a device waited, in seconds, by the vendor's clock."""
        journal = self._journal()
        if journal is None:
            return []
        rows = journal.rows(backend=name, state=JobStatus.DONE, limit=_LATEST)
        found = [timeline(journal, row.id).queue for row in rows]
        return [wait for wait in found if wait is not None]
