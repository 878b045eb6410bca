"""A device that fails on demand: ideal outcomes of Aer, one program per job, faults by job."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.model import JobStatus


class FaultyJob(Job):
    def __init__(self, job, session, number):
        self.id, self._job, self._session, self._number = job.id, job, session, number
        self._canceled = False

    def status(self):
        if self._canceled:
            return JobStatus.CANCELED
        if self._number in self._session.failing:
            return JobStatus.FAILED
        return self._job.status() if self._session.gate.is_set() else JobStatus.QUEUED

    def result(self):
        if self._number in self._session.failing:
            raise JobFailedError(f"job {self.id}: the fridge is warm", job_id=self.id)
        if self._session.out_of_reach is not None:
            raise self._session.out_of_reach
        return self._job.result()

    def cancel(self):
        self._canceled = True


class FaultySession(Session):
    """Aer behind faults.

    Attributes:
        failing: Numbers of jobs (from 0) that end without a result.
        refuse: Raised by the next submissions, by number of the submission.
        gate: Jobs stay queued until it is set.
        out_of_reach: Raised when a result is asked for.
        sent: Shots of every submission that was accepted.
    """

    def __init__(self, *, failing=(), refuse=None, open_gate=True, at_once=1, **spec):
        self._inner = QDMIProvider().get_backend("aer", num_qubits=4).session
        self.failing, self.refuse = set(failing), dict(refuse or {})
        self.gate = threading.Event()
        if open_gate:
            self.gate.set()
        self.out_of_reach = None
        self.sent = []
        self._numbers, self._at_once, self._spec = itertools.count(), at_once, spec

    def spec(self):
        found = self._inner.spec()
        caps = replace(
            found.capabilities, max_executables=self._at_once, sweeps=False, mixed_shots=True
        )
        return replace(found, capabilities=caps, **self._spec)

    def submit(self, tasks, *, key):
        number = next(self._numbers)
        if number in self.refuse:
            raise self.refuse[number]
        self.sent += [task.shots for task in tasks]
        return FaultyJob(self._inner.submit(tasks, key=key), self, number)


def faulty(name, **options):
    return QDMIBackend(FaultySession(**options), name=name)
