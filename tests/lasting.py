"""A cloud in memory: jobs outlive sessions; what goes wrong is said beforehand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError, JobFailedError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.journal import Recorder
from qdmi_qiskit.model import JobStatus


class Cloud:
    """Keeps jobs; `posted` counts submissions that it took, by key.

    `refused`: submissions that are turned away before anything is queued; `lost`: submissions
    whose answer gets lost, by whether the job exists; `failing`: jobs that fail as a whole;
    `points`: executables of the first task of a job that fail. All by number of submission.
    `price`: what it charges. `discards`: the last shots of each executable that it loses.
    """

    def __init__(self, *, limit=1, submit_key=False, searches=False, **faults):
        self.limit, self.submit_key, self.searches = limit, submit_key, searches
        self.refused = set(faults.get("refused", ()))
        self.lost = dict(faults.get("lost", {}))
        self.failing = set(faults.get("failing", ()))
        self.points = dict(faults.get("points", {}))
        self.jobs, self.posted, self.keys = {}, Counter(), {}
        self.asked = self.submissions = 0
        self.held, self.price = False, faults.get("price")
        self.discards = faults.get("discards", 0)
        self.simulator = QDMIProvider(environ={}).get_backend("aer", num_qubits=6).session

    def backend(self, path, **options):
        recorder = Recorder(path, None, "cloud", "cloud:", {})
        return QDMIBackend(CloudSession(self), name="cloud", recorder=recorder, **options)


class CloudSession(Session):
    def __init__(self, cloud):
        self._cloud = cloud

    def spec(self):
        cloud = self._cloud
        spec = cloud.simulator.spec()
        caps = replace(
            spec.capabilities,
            max_executables=cloud.limit,
            submit_key=cloud.submit_key,
            detached=True,
            expectations=False,
        )
        return replace(spec, name="cloud", capabilities=caps, simulator=False, price=cloud.price)

    def submit(self, tasks, *, key):
        cloud = self._cloud
        number, cloud.submissions = cloud.submissions, cloud.submissions + 1
        if number in cloud.refused:
            raise UnavailableError("the cloud is full: try again later")
        if cloud.submit_key and key in cloud.keys:
            return CloudJob(cloud, cloud.keys[key])
        if cloud.lost.get(number) is False:
            raise SubmitUnknownError("the line broke")
        outcome = cloud.simulator.submit(tasks, key=f"{id(cloud)}-{number}").result()
        job_id = f"cloud-{number}"
        cloud.jobs[job_id] = (number, outcome)
        cloud.posted[key] += 1
        cloud.keys[key] = job_id
        if number in cloud.lost:
            raise SubmitUnknownError("the line broke")
        return CloudJob(cloud, job_id)

    def job(self, job_id):
        if job_id not in self._cloud.jobs:
            raise ConfigError(f"no job {job_id!r} in the cloud")
        return CloudJob(self._cloud, job_id)

    def find(self, key):
        if not self._cloud.searches:
            return super().find(key)
        found = self._cloud.keys.get(key)
        return None if found is None else CloudJob(self._cloud, found)


class CloudJob(Job):
    def __init__(self, cloud, job_id):
        self.id, self._cloud = job_id, cloud
        self._number = cloud.jobs[job_id][0]

    @property
    def metadata(self):
        return {"price": 0.5, "currency": "EUR"}

    def status(self):
        self._cloud.asked += 1
        if self._cloud.held:
            return JobStatus.QUEUED
        return JobStatus.FAILED if self._number in self._cloud.failing else JobStatus.DONE

    def result(self):
        self._cloud.asked += 1
        found = self._cloud.jobs[self.id][1]
        if self._number in self._cloud.failing:
            raise JobFailedError("the fridge warmed up", job_id=self.id)
        if self._cloud.discards:
            left = [np.full(len(s.bits), s.bits.shape[1] - self._cloud.discards) for s in found]
            return tuple(replace(s, valid=n) for s, n in zip(found, left, strict=True))
        points = list(self._cloud.points.get(self._number, ()))
        if not points:
            return found
        first = found[0]
        valid = np.full(len(first.bits), first.bits.shape[1])
        valid[points] = 0
        bits = first.bits * (valid > 0)[:, None, None].astype(np.uint8)
        failures = dict.fromkeys(points, "pulse too long")
        return (replace(first, bits=bits, valid=valid, failures=failures), *found[1:])


def flipped(word, width=4):
    """A circuit whose outcome is `word`; it measures the last two qubits into a register apart."""
    from qiskit import ClassicalRegister, QuantumRegister

    low, high = ClassicalRegister(width - 2, "low"), ClassicalRegister(2, "high")
    circuit = QuantumCircuit(QuantumRegister(width), high, low, name=f"word-{word}")
    for bit in range(width):
        if word >> bit & 1:
            circuit.x(bit)
    circuit.measure(range(width - 2), low)
    circuit.measure([width - 2, width - 1], high)
    return circuit


def readings(result):
    """The two registers of each pub put together again."""
    return [
        "|".join(f"{a}{b}" for a, b in zip(_word(pub.data.high), _word(pub.data.low), strict=True))
        for pub in result
    ]


def _word(array):
    return sorted(array.get_counts())
