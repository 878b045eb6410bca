"""Backends by name."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from qdmi_qiskit import config, registry, spec_json
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.checks import checked_recompile
from qdmi_qiskit.device import Session
from qdmi_qiskit.errors import ConfigError, JournalError, QdmiError, did_you_mean
from qdmi_qiskit.forecast import is_free
from qdmi_qiskit.job import recall
from qdmi_qiskit.journal import (
    Intent,
    JobRow,
    Journal,
    Ledger,
    Timeline,
    journal_at,
    place,
    recorder_for,
    timeline,
)
from qdmi_qiskit.model import DeviceSpec, DeviceStatus, JobStatus
from qdmi_qiskit.reopened import ReopenedSession

_LOCAL_SCHEMES = ("aer",)
_KINDS = {
    "backend": "qdmi_qiskit.calls:restored",
    "sampler": "qdmi_qiskit.primitives.sampler:restored",
    "estimator": "qdmi_qiskit.primitives.estimator:restored",
}
"""Who takes up a job of a kind: names, because primitives are above the provider."""


_GRANTS = ("QRMI_JOB_QPU_RESOURCES", "SLURM_JOB_QPU_RESOURCES")
"""Where a scheduler says which devices a job was given, by comma; profiles have those names."""
_LATEST = 20  # jobs by which a queue is judged


def _charges(spec: DeviceSpec) -> float:
    if spec.price is None:
        return 0.0 if is_free(spec) else math.inf
    return spec.price.per_task + 1000 * spec.price.per_shot


def _state(said: DeviceStatus | str) -> DeviceStatus:
    known = [each.value for each in DeviceStatus]
    text = said.value if isinstance(said, DeviceStatus) else said.lower()
    if text not in known:
        raise ConfigError(f"state={said!r}{did_you_mean(text, known)}")
    return DeviceStatus(text)


class QDMIProvider:
    """Opens devices by name: a profile of the configuration, or `scheme:locator`."""

    def __init__(
        self, *, config: Path | str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """Choose where profiles come from.

        Args:
            config: A TOML file that goes before all others.
            environ: Instead of the process's environment.
        """
        self._config, self._environ = config, environ

    def get_backend(self, name: str | None = None, **options: Any) -> QDMIBackend:
        """Open a device.

        Args:
            name: A profile (`"lab"`) or `scheme:locator` (`"aer"`, `"aer:stabilizer"`). Not
                given: `$QDMI_BACKEND`, the `default` of the configuration, or `"aer"`.
            options: What a profile can say, by keyword; it wins over environment and profile.
                `journal=True` keeps the runs of any device in the journal, `journal=False` of
                none; by default it is those whose jobs outlive the process.
                `mitigation=["twirl", "readout"]` puts those stages around every `EstimatorV2`.
                `recompile="on_drift"` compiles circuits anew once the device is recalibrated.

        Raises:
            ConfigError: The name or an option is wrong.
            MissingPluginError: The device needs an extra; the message says which.
            UnavailableError: The device cannot be reached now.
        """
        resolved = config.resolve(name, options, config=self._config, environ=self._environ)
        recorder = recorder_for(resolved, options, self._environ)
        said = resolved.recompile
        recompile = None if said is None else checked_recompile(said.value, said.origin)
        session = registry.open_session(resolved)
        backend = QDMIBackend(session, name=resolved.name, provider=self, recorder=recorder)
        backend.recompile = recompile
        if resolved.mitigation is not None:
            backend.mitigation = resolved.mitigation.value
        return backend

    def backends(
        self,
        name: str | None = None,
        *,
        min_num_qubits: int | None = None,
        simulator: bool | None = None,
        operational: bool | None = None,
        gates: Iterable[str] = (),
        most_price: float | None = None,
        state: DeviceStatus | str | None = None,
        filters: Callable[[QDMIBackend], bool] | None = None,
    ) -> list[QDMIBackend]:
        """Open every configured profile and every device that needs no account, and filter them.

        Within a job to which a scheduler granted devices (`SLURM_JOB_QPU_RESOURCES`), only profiles
        of their names. A device that cannot be opened is left out with a warning that says why.
        Devices of a vendor's account are not opened unless a profile names them.

        Args:
            name: Only the backend of this name.
            min_num_qubits: Only devices with at least so many qubits.
            simulator: Only simulators, or only devices that are none.
            operational: Only devices that take jobs now, or only those that do not; asks them.
            gates: Only devices with all of these operations, under Qiskit's names.
            most_price: Only devices that charge at most so much for a job of 1000 shots, in their
                own currency; what states no price is left out, simulators of this process apart.
            state: Only devices in this state now (`"idle"`); asks them.
            filters: Only backends for which this returns true.
        """
        names = [name] if name is not None else self._names()
        wanted = None if state is None else _state(state)
        found = []
        for candidate in names:
            try:
                found.append(self.get_backend(candidate))
            except QdmiError as error:
                if name is not None:
                    raise
                warnings.warn(f"backend {candidate!r} left out: {error}", stacklevel=2)
        return [
            backend
            for backend in found
            if (min_num_qubits is None or backend.num_qubits >= min_num_qubits)
            and (simulator is None or backend.spec.simulator is simulator)
            and (operational is None or backend.device_status().status.operational is operational)
            and set(gates).issubset(backend.target.operation_names)
            and (most_price is None or _charges(backend.spec) <= most_price)
            and (wanted is None or backend.device_status().status is wanted)
            and (filters is None or filters(backend))
        ]

    def least_busy(self, name: str | None = None, **filters: Any) -> QDMIBackend:
        """Return the device that takes a job soonest, of those that `backends` returns.

        The next window comes first, then the length of the queue. A device that does not say how
        long its queue is comes after those that do; of equals the first configured is taken.

        Args:
            name: As for `backends`.
            filters: As for `backends`; `operational=True` unless said otherwise.

        Raises:
            ConfigError: There is none.
        """
        found = self.backends(name, **{"operational": True, **filters})
        if not found:
            raise ConfigError(
                "no device fits: ask for less, or look at what provider.backends() returns and at "
                "its warnings"
            )

        def busy(backend: QDMIBackend) -> tuple[float, float]:
            state = backend.device_status()
            length = math.inf if state.queue_length is None else state.queue_length
            if backend.spec.simulator and state.queue_length is None:
                length = 0  # it runs here
            return state.next_window or 0.0, length

        return min(found, key=busy)

    def waits(self, name: str) -> list[float]:
        """Return how long the latest jobs of a device waited, in seconds, by the vendor's clock."""
        journal = self._journal()
        if journal is None:
            return []
        rows = journal.rows(backend=name, state=JobStatus.DONE, limit=_LATEST)
        found = [timeline(journal, row.id).queue for row in rows]
        return [wait for wait in found if wait is not None]

    def _names(self) -> list[str]:
        profiles = config.profiles(config=self._config, environ=self._environ)
        local = [scheme for scheme in registry.schemes() if scheme in _LOCAL_SCHEMES]
        names = list(dict.fromkeys([*profiles, *local]))
        environ = os.environ if self._environ is None else self._environ
        said = next((environ[key] for key in _GRANTS if key in environ), None)
        if said is None:
            return names
        granted = [word.strip() for word in said.split(",")]
        return [name for name in names if name in granted]

    def job(self, job_id: str, *, backend: QDMIBackend | None = None) -> Any:
        """Return a job by the id that its `job_id()` gave: of this process or of an earlier one.

        From the journal come circuits, registers, values and whatever results there are; nothing
        is sent. `job.resume()` goes on with a job that was not sent as a whole.

        Args:
            job_id: Ours, or a beginning that no other has; or the vendor's, of any of its device
                jobs.
            backend: Where to ask; else the device is opened as it was then, once it is needed.

        Raises:
            ConfigError: There is none of that id.
            JournalError: The journal cannot be read, or the record is damaged.
        """
        with suppress(ConfigError):
            return recall(job_id)
        journal = self._journal()
        if journal is None:
            return recall(job_id)
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
