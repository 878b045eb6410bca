"""Tasks: created, queued, run on the simulator, ended; in the manner of the real ones.

A clock thread moves tasks from state to state, a machine thread executes one after the other.
Both end with the service.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from qdmi_qiskit.testing.braket_service.bucket import Store
from qdmi_qiskit.testing.braket_service.checks import Work
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.errors import ServiceError
from qdmi_qiskit.testing.braket_service.faults import Ending, Faults
from qdmi_qiskit.testing.braket_service.machine import End, run
from qdmi_qiskit.testing.braket_service.results import Facts

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
NEXT = {"CREATED": "QUEUED", "QUEUED": "RUNNING"}


@dataclass
class Task:
    """A task.

    `since` is the monotonic time of its last change of state, `number` how many tasks of the same
    content have shots besides it and were executed before.
    """

    arn: str
    region: str
    device: Device
    request: dict[str, Any]
    work: Work
    created: datetime
    state: str = "CREATED"
    since: float = field(default_factory=time.monotonic)
    ended: datetime | None = None
    reason: str | None = None
    good_shots: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    outcome: End | None = None
    number: int | None = None
    deaf: bool = False

    @property
    def directory(self) -> str:
        return f"{self.request['outputS3KeyPrefix']}/{self.arn.rpartition('/')[2]}"

    @property
    def final(self) -> bool:
        return self.state in FINAL


class Tasks:
    """All tasks of the service, by ARN and by client token.

    Args:
        store: Where results are written.
        faults: How tasks end, if not well.
        account: Of the ARNs.
        step: Seconds that a task stays in each state, at least.
        seed: Of the outcomes.
        open_now: Tells whether a device executes now.
    """

    def __init__(
        self,
        store: Store,
        faults: Faults,
        *,
        account: str,
        step: float,
        seed: int,
        open_now: Callable[[Device], bool],
    ) -> None:
        self.step, self.pretty = step, False
        self._store, self._faults, self._account, self._seed = store, faults, account, seed
        self._open_now = open_now
        self.blunders: list[Exception] = []
        self._change = threading.Condition()
        self._tasks: dict[str, Task] = {}
        self._active: list[Task] = []
        self._tokens: dict[str, Task] = {}
        self._numbers: dict[tuple[str, str], set[int]] = {}
        self._held: set[str] = set()
        self._closed = False
        self._machine = ThreadPoolExecutor(1, "braket-service-machine")
        self._clock = threading.Thread(target=self._tick, name="braket-service", daemon=True)
        self._clock.start()

    def create(
        self, region: str, device: Device, request: dict[str, Any], work: Work, most: int | None
    ) -> Task:
        """Create a task, or return the one that its client token has created.

        Raises:
            ServiceError: The token came with another request, or too many tasks are active.
        """
        with self._change:
            if (known := self.with_token(request["clientToken"], request)) is not None:
                return known
            if most is not None and sum(t.device is device for t in self._active) >= most:
                words = f"more than {most} tasks at once on {device.name}"
                raise ServiceError("ServiceQuotaExceededException", words)
            arn = f"arn:aws:braket:{region}:{self._account}:quantum-task/{uuid4()}"
            task = Task(arn, region, device, request, work, datetime.now(UTC))
            task.tags = dict(request.get("tags") or {})
            self._tasks[arn] = self._tokens[request["clientToken"]] = task
            self._active.append(task)
            self._change.notify_all()
            return task

    def with_token(self, token: str, request: dict[str, Any]) -> Task | None:
        """Return the task that a client token has created.

        Raises:
            ServiceError: It was another request.
        """
        with self._change:
            if (known := self._tokens.get(token)) is None:
                return None
            if known.request != request:
                words = "the client token was used with other parameters"
                raise ServiceError("ValidationException", words)
            return known

    def get(self, arn: str) -> Task | None:
        """Return a task by ARN."""
        with self._change:
            return self._tasks.get(arn)

    def all(self) -> list[Task]:
        """Return all tasks, the oldest first."""
        with self._change:
            return list(self._tasks.values())

    def waiting(self, device: Device) -> int:
        """Return how many tasks wait for a device."""
        with self._change:
            return sum(t.device is device and t.state in NEXT for t in self._active)

    def position(self, task: Task) -> int | None:
        """Return the place in the queue of its device, from 1; None: it is not in the queue."""
        with self._change:
            waiting = [t for t in self._active if t.device is task.device and t.state in NEXT]
            return waiting.index(task) + 1 if task in waiting else None

    def cancel(self, task: Task) -> str:
        """Cancel a task; what it is before it has ended.

        Raises:
            ServiceError: `ConflictException`: it has ended.
        """
        with self._change:
            if task.final:
                words = f"the task is in the terminal state {task.state}"
                raise ServiceError("ConflictException", words)
            if task.state != "CANCELLING":
                task.deaf = task.state == "RUNNING" and self._faults.take_deaf()
                self._enter(task, "CANCELLING")
            return task.state

    def hold(self, state: str) -> None:
        """Let no task leave a state (CREATED, QUEUED, RUNNING, CANCELLING) until released."""
        with self._change:
            self._held.add(state)

    def release(self, state: str | None = None) -> None:
        """Let tasks leave a state; None: every state."""
        with self._change:
            self._held -= set(self._held) if state is None else {state}
            self._change.notify_all()

    def close(self) -> None:
        """End the threads; what runs is given up."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._clock.join(5)
        self._machine.shutdown(wait=True, cancel_futures=True)

    def _tick(self) -> None:
        """Move tasks on until the service ends."""
        with self._change:
            while not self._closed:
                now = time.monotonic()
                for task in list(self._active):
                    self._advance(task, now)
                ages = [task.since + self.step - now for task in self._active]
                soon = min((age for age in ages if age > 0), default=0.05 if ages else None)
                self._change.wait(soon if soon is None else max(soon, 0.001))

    def _advance(self, task: Task, now: float) -> None:
        """Move one task to its next state if it may go there."""
        if now - task.since < self.step or task.state in self._held:
            return
        if task.state == "CANCELLING" and not task.deaf:
            self._end(task, End("CANCELLED"))
        elif task.state in ("RUNNING", "CANCELLING"):
            if task.outcome is not None:
                self._end(task, task.outcome)
        elif task.state == "CREATED" or self._open_now(task.device):
            self._enter(task, NEXT[task.state])
            if task.state == "RUNNING":
                with contextlib.suppress(RuntimeError):  # the service is closing
                    self._machine.submit(self._run, task)

    def _enter(self, task: Task, state: str) -> None:
        """Put a task into a state."""
        task.state, task.since = state, time.monotonic()
        self._change.notify_all()

    def _run(self, task: Task) -> None:
        """Execute a task, on the machine's thread."""
        ending: Ending | None = self._faults.take_ending(task.work.program_set)
        with self._change:
            if task.state != "RUNNING" and not task.deaf:
                return
            task.number = self._number(task) if ending is None or ending.executables else None
            seed = (self._seed, task.device.arn, task.number)
        facts = Facts(
            task.arn,
            task.request["shots"],
            None,
            stamp(task.created),
            stamp(datetime.now(UTC)),
            "COMPLETED",
        )
        place = (task.request["outputS3Bucket"], task.directory)
        try:
            outcome = run(task.device, facts, task.work, task.request, ending, place, seed)
        except Exception as error:  # noqa: BLE001 - the boundary: a task must come to an end
            self.blunders.append(error)
            outcome = End("FAILED", f"a blunder of the loopback service: {error!r}")
        with self._change:
            task.outcome = outcome
            self._change.notify_all()

    def _number(self, task: Task) -> int:
        """Return the lowest number that no other task of the same content has."""
        taken = self._numbers.setdefault((task.device.arn, task.request["action"]), set())
        taken.add(number := next(k for k in itertools.count() if k not in taken))
        return number

    def _end(self, task: Task, end: End) -> None:
        """End a task; its results are there before its state says so."""
        if end is not task.outcome and task.number is not None:  # nobody sees what it led to
            self._numbers[task.device.arn, task.request["action"]].discard(task.number)
        for name, found in end.files.items():
            body = json.dumps(json.loads(found), indent=2).encode() if self.pretty else found
            self._store.put(task.request["outputS3Bucket"], f"{task.directory}/{name}", body)
        task.good_shots = end.good_shots
        task.reason, task.ended = end.reason, datetime.now(UTC)
        self._active.remove(task)
        self._enter(task, end.state)


def stamp(moment: datetime) -> str:
    """Return a time as the service writes it, in 24 characters."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
