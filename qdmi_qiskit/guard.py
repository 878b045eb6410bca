"""A session that keeps a budget and a number of jobs at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import DeviceSpec, DeviceState, PauliSum, Program, Task, Values

_LOOK = 1.0  # seconds between two looks at what holds a place


class GuardedSession(Session):
    """Refuses what costs too much before any of it is sent; waits while too many jobs are on."""

    def __init__(
        self, session: Session, *, budget: float | None = None, max_jobs: int | None = None
    ) -> None:
        """Watch over a session.

        Args:
            session: Of the device.
            budget: Most to be charged in all, in the device's currency.
            max_jobs: Most jobs of this session that are not final at once.

        Raises:
            ConfigError: One is out of range, or there is a budget and hardware states no price.
        """
        if budget is not None and not budget >= 0:
            raise ConfigError(f"budget={budget!r}: wanted an amount of at least 0")
        if max_jobs is not None and max_jobs < 1:
            raise ConfigError(f"max_jobs={max_jobs!r}: wanted at least 1")
        self._spec = spec = session.spec()
        free = spec.simulator and not spec.capabilities.detached
        if budget is not None and spec.price is None and not free:
            raise ConfigError(
                f"{spec.name} states no price, so nobody can keep a budget: leave the budget out"
            )
        self._session, self._budget, self._most = session, budget, max_jobs
        self._money, self._places = threading.Lock(), threading.Lock()
        self._active: list[Job] = []
        self._paid: set[str] = set()  # keys of jobs in `spent`
        self.spent = 0.0

    @property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        return self._session.encoders

    @property
    def gates(self) -> Mapping[str, Any]:
        return self._session.gates

    @property
    def held(self) -> bool:
        return self._session.held

    def spec(self) -> DeviceSpec:
        self._spec = spec = self._session.spec()
        if self._most is None:
            return spec
        most = min(self._most, spec.capabilities.max_jobs or self._most)
        return replace(spec, capabilities=replace(spec.capabilities, max_jobs=most))

    def _cost(self, jobs: Iterable[Sequence[Task]]) -> float:
        price = self._spec.price
        if price is None:
            return 0.0
        number = shots = 0
        for tasks in jobs:
            number += 1
            shots += sum(task.points * task.shots for task in tasks)
        return price.per_task * number + price.per_shot * shots

    def admit(
        self, jobs: Sequence[Sequence[Task]], *, asks: bool = False, keys: Sequence[str] = ()
    ) -> None:
        self._session.admit(jobs, asks=asks, keys=keys)
        price = self._spec.price
        if self._budget is None or price is None:
            return
        with self._money:
            if keys:
                new = [key not in self._paid for key in keys]
                jobs = [tasks for tasks, is_new in zip(jobs, new, strict=True) if is_new]
            cost = self._cost(jobs)
            if self.spent + cost > self._budget * (1 + 1e-12):
                raise ConfigError(
                    f"this run costs up to {cost:g} {price.currency}, and "
                    f"{self._budget - self.spent:g} of the budget of {self._budget:g} are left: "
                    "nothing was sent; ask for fewer shots, or for a larger budget"
                )
            if not asks:
                self.spent += cost
                self._paid.update(keys)

    def count(self, jobs: Mapping[str, Sequence[Task]]) -> None:
        self._session.count(jobs)
        if self._budget is None:
            return
        with self._money:
            new = {key: tasks for key, tasks in jobs.items() if key not in self._paid}
            self.spent += self._cost(new.values())
            self._paid.update(new)

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        if self._most is None:
            return self._session.submit(tasks, key=key)
        with self._places:
            while len(self._active) >= self._most:
                with suppress(TimeoutError):
                    self._active[0].wait(_LOOK)
                self._active = [job for job in self._active if not job.status().final]
            job = self._session.submit(tasks, key=key)
            self._active.append(job)
            return job

    def refresh(self) -> None:
        self._session.refresh()

    def current_calibration(self, *, briefly: bool = False) -> str | None:
        return self._session.current_calibration(briefly=briefly)

    def status(self) -> DeviceState:
        return self._session.status()

    def job(self, job_id: str) -> Job:
        return self._session.job(job_id)

    def follow(self, job_id: str, tasks: Sequence[Task]) -> Job:
        return self._session.follow(job_id, tasks)

    def find(self, key: str) -> Job | None:
        return self._session.find(key)

    def pin(self, calibration: str) -> None:
        self._session.pin(calibration)

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        return self._session.expectations(program, values, observables)

    def facts(self) -> Mapping[str, Any]:
        return self._session.facts()
