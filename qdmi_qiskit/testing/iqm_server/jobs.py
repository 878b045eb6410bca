"""Jobs: the queue, the one worker that stands for the machine, and what a job says of itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.chips import Chip, qc_id
from qdmi_qiskit.testing.iqm_server.payload import Payload
from qdmi_qiskit.testing.iqm_server.replies import SERVER, STATION, JobError
from qdmi_qiskit.testing.iqm_server.simulator import Outcome

TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(eq=False)
class Job:
    """One job. Fields change under the lock of its queue.

    Attributes:
        chip: Where it runs.
        payload: What was asked for.
        body: The same, byte for byte.
        tag: The client's own word for it.
        timeslot: Whether it went to the queue of booked time.
        id: What the client calls it.
        status: One of the five of the wire.
        calibration_set_id: What was used, once it is compiled.
        contents: What each circuit does, as a digest, once it is compiled.
        outcomes: Shots by circuit, once it is completed.
        errors: Why it failed.
        timeline: Steps of server and station so far.
        runtime_ms: How long it was executed.
        progress: Circuits done, or None before execution.
        queued: When it was queued, on the monotonic clock.
    """

    chip: Chip
    payload: Payload
    body: bytes
    tag: str | None = None
    timeslot: bool = False
    id: UUID = field(default_factory=uuid4)
    status: str = "waiting"
    calibration_set_id: UUID | None = None
    contents: list[bytes] = field(default_factory=list)
    outcomes: list[Outcome] | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    timeline: list[dict[str, str]] = field(default_factory=list)
    runtime_ms: int | None = None
    progress: int | None = None
    queued: float = field(default_factory=time.monotonic)

    def reached(self, source: str, *statuses: str) -> None:
        """Note steps in the timeline."""
        now = datetime.now(UTC).isoformat()
        self.timeline += [{"source": source, "status": name, "timestamp": now} for name in statuses]

    @property
    def final(self) -> bool:
        """Whether the status will not change."""
        return self.status in TERMINAL


class Executes(Protocol):
    """What a worker works on."""

    def execute(self, job: Job, worker: Worker) -> list[Outcome] | None:
        """Return a job's shots by circuit, or None if it was given up."""

    def completed(self, job: Job) -> None:
        """Note that a job's shots count as taken."""


class Worker:
    """Executes jobs one after the other in a thread of its own."""

    def __init__(self, machine: Executes, behaviour: Behaviour) -> None:
        self._machine, self._behaviour = machine, behaviour
        self._queue: deque[Job] = deque()
        self._jobs: dict[UUID, Job] = {}
        self._changed = threading.Condition()
        self._paused = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="iqm-loopback", daemon=True)
        self._thread.start()
        self.created = 0

    def add(self, job: Job) -> None:
        """Queue a job."""
        with self._changed:
            self.created += 1
            self._jobs[job.id] = job
            self._queue.append(job)
            job.reached(SERVER, "created", "validation_ended", "waiting")
            self._changed.notify_all()

    def find(self, job_id: UUID) -> Job | None:
        """Return a job."""
        with self._changed:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Return the jobs that were not deleted, oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def cancel(self, job: Job) -> bool:
        """Cancel a job; False if it was over already."""
        with self._changed:
            if job.final:
                return False
            job.status = "cancelled"
            job.reached(SERVER, "cancelled")
            if job in self._queue:
                self._queue.remove(job)
            self._changed.notify_all()
            return True

    def delete(self, job: Job) -> None:
        """Cancel a job if it is not over, and forget it."""
        self.cancel(job)
        with self._changed:
            self._jobs.pop(job.id, None)

    def wait(self, job: Job, seconds: float) -> bool:
        """Wait until a job is over, at most so long; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: job.final or self._closed, seconds) and job.final

    def pause(self) -> None:
        """Begin no other job until `resume`."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Begin jobs again."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def waiting(self, chip: Chip) -> int:
        """Return how many jobs wait for a chip."""
        with self._changed:
            return sum(job.chip is chip for job in self._queue)

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the job object of the wire."""
        with self._changed:
            position = None
            if job in self._queue:
                ahead = list(self._queue)[: self._queue.index(job)]
                position = sum(each.chip is job.chip for each in ahead)
            total = len(job.payload.circuits)
            return {
                "id": str(job.id),
                "type": "circuit",
                "status": self._behaviour.renamed.get(job.status, job.status),
                "qc": {"id": str(qc_id(job.chip))},
                "queue_position": position,
                "tag": job.tag,
                "runtime_ms": job.runtime_ms,
                "compilation": None
                if job.calibration_set_id is None
                else {
                    "calibration_set_id": str(job.calibration_set_id),
                    "execution_runtime_estimate_ms": total * job.payload.shots // 2 + 1,
                },
                "execution": None
                if job.progress is None
                else {"progress": {"circuits": {"value": job.progress, "max_value": total}}},
                "messages": [],
                "errors": list(job.errors),
                "timeline": list(job.timeline),
                "artifacts": []
                if job.outcomes is None
                else [{"type": "measurements"}, {"type": "measurement_counts"}],
            }

    def close(self) -> None:
        """End the thread; what it executes is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(30)

    def _next(self) -> Job | None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._closed or (self._queue and not self._paused))
                if self._closed:
                    return None
                left = self._queue[0].queued + self._behaviour.queue_seconds - time.monotonic()
                if left <= 0:
                    return self._queue.popleft()
                self._changed.wait(left)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            start = time.monotonic()
            with self._changed:
                job.status = "processing"
                job.reached(STATION, "received", "validation_started", "validation_ended")
                self._changed.notify_all()
            outcomes, error = None, None
            try:
                outcomes = self._machine.execute(job, self)
            except JobError as found:
                error = found
            except Exception as found:  # noqa: BLE001 - the machine goes on with the next job
                error = JobError("internal_error", f"{type(found).__name__}: {found}")
            self._finish(job, outcomes, error, int(1000 * (time.monotonic() - start)))

    def running(self, job: Job, progress: int | None, *steps: str) -> bool:
        """Note how far a job is; False if it is to be given up."""
        with self._changed:
            if job.final or self._closed:
                return False
            job.progress = progress
            job.reached(STATION, *steps)
            return True

    def rest(self, job: Job, seconds: float) -> bool:
        """Sleep, unless the job is cancelled or the server closed meanwhile."""
        with self._changed:
            return not self._changed.wait_for(lambda: job.final or self._closed, seconds)

    def _finish(
        self, job: Job, outcomes: list[Outcome] | None, error: JobError | None, runtime: int
    ) -> None:
        with self._changed:
            if job.final or (outcomes is None and error is None):
                return
            if error is None:
                self._machine.completed(job)
                job.status, job.outcomes = "completed", outcomes
                job.reached(STATION, "post_processing_started", "post_processing_ended", "ready")
            else:
                job.status = "failed"
                job.errors.append(error.entry())
            job.runtime_ms = runtime
            job.reached(SERVER, job.status)
            self._changed.notify_all()
