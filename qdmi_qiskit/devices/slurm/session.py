"""A session whose jobs run in a Slurm allocation, on a device that is opened there."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from weakref import WeakValueDictionary

from qdmi_qiskit import spec_json
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.devices.slurm import clients, snapshots, words
from qdmi_qiskit.devices.slurm.allocation import Allocation
from qdmi_qiskit.devices.slurm.detached import DetachedJob, find, send
from qdmi_qiskit.devices.slurm.gates import gates_from
from qdmi_qiskit.devices.slurm.job import SlurmJob
from qdmi_qiskit.devices.slurm.ledger import Ledger
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import ConfigError, RejectedError
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    DeviceState,
    DeviceStatus,
    PauliSum,
    Program,
    Task,
    Values,
)

_log = logging.getLogger(__name__)


class SlurmSession(Session):
    """One allocation with one worker, taken at the first question and given back when idle."""

    def __init__(self, device: str, options: SlurmOptions) -> None:
        self._device, self._options = device, options
        self._opening, self._submitting = threading.RLock(), threading.Lock()
        self._allocation: Allocation | None = None
        self._ledger: Ledger | None = None
        self._said: dict[str, Any] | None = None
        self._gates: Mapping[str, Any] | None = None
        self._jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()
        self._keys: WeakValueDictionary[str, Job] = WeakValueDictionary()

    def __repr__(self) -> str:
        allocation = self._allocation
        where = "no allocation" if allocation is None else f"job {allocation.job_id or '?'}"
        return f"<SlurmSession {self._device!r}: {where}>"

    def detached(self) -> SlurmSession:
        """Return this device with jobs that outlive the process; shares the snapshot."""
        other = SlurmSession(self._device, self._options.model_copy(update={"detach": True}))
        other._said, other._gates = self._said, self._gates
        return other

    def _worker(self) -> tuple[Allocation, Ledger]:
        """Return the allocation, asking for one if there is none."""
        with self._opening:
            allocation, ledger = self._allocation, self._ledger
            failed = allocation is not None and (
                allocation.over.is_set()
                or (allocation.ready.done() and allocation.ready.exception() is not None)
            )
            if allocation is None or ledger is None or failed:
                step = _holds(self._device)
                allocation = Allocation(self._device, self._options, step=step)
                ledger = Ledger(allocation.tell)
                self._allocation, self._ledger = allocation, ledger
            return allocation, ledger

    def _hello(self) -> dict[str, Any]:
        """Return what the worker said of its device, waiting for an allocation if need be."""
        if self._said is None and self._options.detach:
            self._said = snapshots.read(self._device, self._options)
        if self._said is None:
            allocation, _ = self._worker()
            self._said = allocation.wait_ready(self._options.wait)
            _compare(self._said)
            snapshots.write(self._device, self._options, self._said)
            if self._options.detach:  # that was for the snapshot alone
                self.close()
        return self._said

    @property
    def held(self) -> bool:
        """Whether the allocation lies in a reservation of Slurm, or the device inside holds one."""
        inside = self._said is not None and self._said.get("held", False)
        return self._options.reservation is not None or inside

    @property
    def gates(self) -> Mapping[str, Any]:
        if self._gates is None:
            self._gates = gates_from(self._hello()["gates"])
        return self._gates

    def spec(self) -> DeviceSpec:
        """Return the snapshot that the device inside gave; one call, not one per property."""
        hello = self._hello()
        spec = spec_json.loads(hello["spec"])
        return replace(spec, capabilities=_offered(spec, detach=self._options.detach))

    def refresh(self) -> None:
        if self._options.detach:
            self._said = None
            snapshots.forget(self._device, self._options)
            return
        hello = self._hello()
        allocation, _ = self._ready()
        self._said = {**hello, **allocation.call({"op": "refresh"})}

    def _ready(self) -> tuple[Allocation, Ledger]:
        allocation, ledger = self._worker()
        allocation.wait_ready(self._options.wait)
        return allocation, ledger

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        if not tasks:
            raise RejectedError("no tasks: the planner sent an empty job")
        spec = self.spec()
        with self._submitting:  # one key, one job, from however many threads
            job = self._keys.get(key) if spec.capabilities.submit_key else None
            if job is not None:
                return job
            if self._options.detach:
                inner = spec_json.loads(self._hello()["spec"])
                version = self._hello()["qpy"]
                job = send(self._device, self._options, inner, tasks, key, version)
            else:
                allocation, ledger = self._worker()
                job = SlurmJob(allocation, ledger, tasks, key)
            self._jobs[job.id] = self._keys[key] = job
        return job

    def job(self, job_id: str) -> Job:
        """Return a job of this session, or a detached one of any process.

        Args:
            job_id: Its id, or Slurm's number of a detached one.

        Raises:
            ConfigError: There is none.
        """
        if (known := self._jobs.get(job_id)) is not None:
            return known
        folder = find(job_id, self._options)
        if folder is None:
            raise ConfigError(
                f"no job {job_id!r}: a session's jobs end with its allocation, and of detached "
                f"ones there is no folder in {self._options.folder()}"
            )
        return DetachedJob(folder, self._options)

    def status(self) -> DeviceState:
        """Return what the device does; while the allocation is in the queue, what Slurm says."""
        allocation = self._allocation
        if allocation is None or allocation.over.is_set():
            message = "no allocation now; the next call asks for one"
            return DeviceState(status=DeviceStatus.IDLE, message=message)
        if allocation.ready.done():
            if (refusal := allocation.ready.exception()) is not None:
                return DeviceState(status=DeviceStatus.OFFLINE, message=str(refusal))
            return words.to_state(allocation.call({"op": "state"}))
        seen = allocation.seen()
        if seen is None:
            return DeviceState(status=DeviceStatus.BUSY, message="Slurm does not know it yet")
        return DeviceState(
            status=DeviceStatus.BUSY,
            queue_length=clients.ahead(seen.job_id, self._options.partition),
            next_window=_until(seen.start),
            message=str(seen),
        )

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        hello = self._hello()
        allocation, ledger = self._ready()
        question = ledger.question(program, observables, hello["qpy"])
        asked = {"op": "expectations", "values": words.from_array(values), **question}
        found: Values = words.to_array(allocation.call(asked))
        return found

    def close(self) -> None:
        """Give the allocation and its licences back. Jobs not yet done are lost with it."""
        with self._opening:
            allocation, self._allocation, self._ledger = self._allocation, None, None
        if allocation is not None:
            allocation.close()


def _offered(spec: DeviceSpec, *, detach: bool) -> Capabilities:
    """Return what the whole does: the worker plans for the device inside, so limits are its own."""
    inner = spec.capabilities
    return Capabilities(
        formats=("qiskit",),
        min_shots=inner.min_shots,
        max_executables=None,
        max_qubits=inner.max_qubits,
        sweeps=True,
        mixed_shots=True,
        ordered_shots=inner.ordered_shots,
        cancel=inner.cancel or detach,
        retrieve=True,
        submit_key=inner.submit_key or detach,
        detached=detach,
        seeds=inner.seeds,
        expectations=inner.expectations and not detach,
        bases=inner.bases,
    )


def _holds(device: str) -> bool:
    """Whether the Slurm job around us was given this device: then a step of it will do."""
    given = os.environ.get("QDMI_GRANTED")  # by the site, not by a user who means a default
    return "SLURM_JOB_ID" in os.environ and given is not None and device in ("", given)


def _compare(hello: Mapping[str, Any]) -> None:
    """Say so if the node has another version of us: what one side sends, the other has to know."""
    here = version("qdmi-qiskit")
    if hello["qdmi_qiskit"] != here:
        _log.warning(
            "qdmi-qiskit is %s here and %s on node %s: install one version on both",
            here,
            hello["qdmi_qiskit"],
            hello["node"],
        )


def _until(start: datetime | None) -> float | None:
    return None if start is None else max((start - datetime.now(UTC)).total_seconds(), 0.0)
