"""A job that the worker of a session runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.devices.slurm.allocation import Allocation
from qdmi_qiskit.errors import JobFailedError, QdmiError, UnsupportedError
from qdmi_qiskit.model import JobStatus, Shots, Task

if TYPE_CHECKING:
    from qdmi_qiskit.devices.slurm.ledger import Ledger

_PATIENCE, _GLANCE = 2.0, 0.5  # seconds for a worker to answer what it need not compute


class SlurmJob(Job):
    """Tasks in the worker's hands. Its id is `ALLOCATION/NUMBER`, and ends with the allocation."""

    def __init__(
        self, allocation: Allocation, ledger: Ledger, tasks: Sequence[Task], key: str
    ) -> None:
        self._allocation, self._ledger = allocation, ledger
        self._tasks, self._key = tuple(tasks), key
        self._number = allocation.number()
        self.id = f"{allocation.name}/{self._number}"
        self._final = threading.Event()
        self._status = JobStatus.QUEUED
        self._answer: dict[str, Any] = {}
        self._facts: list[dict[str, Any]] = []
        self._canceled = self._sent = False
        if allocation.ready.done():
            self._send()
        else:  # in the queue: the user goes on
            threading.Thread(target=self._send_later, name=self.id, daemon=True).start()

    def _send(self) -> None:
        """Hand the tasks over.

        Raises:
            RejectedError: The device refused a program.
        """
        allocation = self._allocation
        hello = allocation.ready.result()
        message = self._ledger.tasks(self._tasks, hello["qpy"])
        allocation.listen(self._number, self._hear)
        try:
            asked = {"op": "submit", "job": self._number, "key": self._key, **message}
            allocation.call(asked, _PATIENCE)
        except TimeoutError:
            pass  # it computes already, and holds Python's lock: a refusal would come by `_hear`
        except BaseException:
            allocation.forget(self._number)
            raise
        self._sent = True

    def _send_later(self) -> None:
        try:
            self._allocation.ready.result()
            if not self._canceled:
                self._send()
        except QdmiError as error:
            self._hear({"end": "failed", "error": words.from_error(error)})

    def _hear(self, message: dict[str, Any]) -> None:
        if self._final.is_set():
            return
        self._facts = message.get("jobs", self._facts)
        if message.get("lost"):
            self._answer = {"lost": message.get("why") or str(self._allocation.loss())}
            self._status = JobStatus.CANCELED if self._canceled else JobStatus.FAILED
        else:
            self._answer = message
            self._status = JobStatus(message["end"])
        self._final.set()
        self._allocation.forget(self._number)

    @property
    def metadata(self) -> Mapping[str, Any]:
        allocation = self._allocation
        found: dict[str, Any] = {"slurm_job": allocation.job_id}
        if allocation.ready.done() and allocation.ready.exception() is None:
            found["node"] = allocation.ready.result()["node"]
        return {**together(self._facts), **found}

    def status(self) -> JobStatus:
        if self._final.is_set() or not self._sent:
            return JobStatus.CANCELED if self._canceled and not self._sent else self._status
        try:
            answer = self._allocation.call({"op": "status", "job": self._number}, _GLANCE)
        except TimeoutError:  # deep in a simulation that holds Python's lock
            answer = {"status": JobStatus.RUNNING.value, "jobs": self._facts}
        except QdmiError:  # it has gone, and `_hear` is about to be told
            return self._status
        if not self._final.is_set():
            status, self._facts = JobStatus(answer["status"]), answer["jobs"]
            # Its outcome is still under way to us.
            self._status = JobStatus.RUNNING if status.final else status
        return self._status

    def wait(self, timeout: float | None = None) -> JobStatus:
        if self._canceled and not self._sent:
            return JobStatus.CANCELED
        if not self._final.wait(timeout):
            raise TimeoutError(f"job {self.id} is still {self._status.value} after {timeout} s")
        return self._status

    def cancel(self) -> None:
        if self._final.is_set():
            return
        self._canceled = True
        if not self._sent:
            return
        try:
            self._allocation.call({"op": "cancel", "job": self._number}, _PATIENCE)
        except UnsupportedError:
            self._canceled = False
            raise
        except TimeoutError:  # a simulation that nothing stops but the end of its process
            self._hear({"end": JobStatus.CANCELED.value})
            if not self._allocation.busy:
                self._allocation.close(by_force=True)

    def result(self) -> tuple[Shots, ...]:
        if self._canceled and not self._sent:
            raise JobFailedError(f"job {self.id} was canceled in the queue", job_id=self.id)
        self._final.wait()
        if "lost" in self._answer and not self._canceled:
            raise JobFailedError(f"job {self.id} was lost: {self._answer['lost']}", job_id=self.id)
        if self._status is JobStatus.CANCELED:
            raise JobFailedError(f"job {self.id} was canceled", job_id=self.id)
        if "error" in self._answer:
            error = words.to_error(self._answer["error"])
            if isinstance(error, JobFailedError):
                error.job_id = self.id
            raise error
        if not isinstance(self._answer.get("shots"), tuple):
            self._answer["shots"] = tuple(map(words.to_shots, self._answer["shots"]))
        found: tuple[Shots, ...] = self._answer["shots"]
        return found


def together(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the jobs of the device inside say as one: prices add, what differs is a list."""
    if not facts:
        return {}
    if len(facts) == 1:
        return {("device_job" if key == "id" else key): value for key, value in facts[0].items()}
    found: dict[str, Any] = {"device_jobs": [dict(each) for each in facts]}
    for key in set.intersection(*(set(each) for each in facts)) - {"id"}:
        values = [each[key] for each in facts]
        if key in ("price", "runtime"):
            found[key] = sum(values)
        elif all(value == values[0] for value in values):
            found[key] = values[0]
    return found
