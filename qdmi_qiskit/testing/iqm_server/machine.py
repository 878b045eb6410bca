"""The quantum computers of a server: their calibration sets, and how they execute a job."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour, KeyOrder
from qdmi_qiskit.testing.iqm_server.calibration import Calibration, calibrate
from qdmi_qiskit.testing.iqm_server.chips import Chip, chip, qc_id
from qdmi_qiskit.testing.iqm_server.draws import Draws, content
from qdmi_qiskit.testing.iqm_server.jobs import Job, Worker
from qdmi_qiskit.testing.iqm_server.replies import JobError
from qdmi_qiskit.testing.iqm_server.simulator import Outcome, Settings, executed
from qdmi_qiskit.testing.iqm_server.station import compiled


class Machine:
    """All quantum computers of a server."""

    def __init__(self, names: Sequence[str], behaviour: Behaviour, seed: int) -> None:
        self.chips: tuple[Chip, ...] = tuple(chip(name) for name in names)
        self._behaviour, self._seed = behaviour, seed
        self._draws = Draws(seed)
        self._lock = threading.Lock()
        self._sets = {
            each.alias: [calibrate(each, 1, seed, spoilt=behaviour.spoilt)] for each in self.chips
        }
        self._failures: deque[JobError | None] = deque()

    def find(self, name: str) -> Chip | None:
        """Return the quantum computer of an id or alias."""
        return next((c for c in self.chips if name in (c.alias, str(qc_id(c)))), None)

    def named(self, alias: str | None) -> Chip:
        """Return the quantum computer of an alias, or the only one.

        Raises:
            ConfigError: There is no such one, or none is named and there are several.
        """
        if alias is None and len(self.chips) == 1:
            return self.chips[0]
        known = [each.alias for each in self.chips]
        found = self.find(alias or "")
        if found is None:
            raise ConfigError(f"no quantum computer {alias!r}{did_you_mean(alias or '', known)}")
        return found

    def default(self, on: Chip) -> Calibration:
        """Return the calibration set in use."""
        with self._lock:
            return self._sets[on.alias][-1]

    def calibration(self, on: Chip, name: str) -> Calibration | None:
        """Return a calibration set by id, or the one in use by `default`."""
        if name == "default":
            return self.default(on)
        with self._lock:
            return next((each for each in self._sets[on.alias] if str(each.id) == name), None)

    def recalibrate(self, on: Chip, *, has_metrics: bool) -> Calibration:
        """Put a new calibration set into use; the old ones stay."""
        with self._lock:
            sets = self._sets[on.alias]
            fresh = calibrate(
                on,
                len(sets) + 1,
                self._seed,
                has_metrics=has_metrics,
                spoilt=self._behaviour.spoilt,
            )
            sets.append(fresh)
            return fresh

    def fail_next(self, error: JobError, skip: int = 0) -> None:
        """Let a job fail, after so many others."""
        with self._lock:
            self._failures += [*[None] * skip, error]

    def execute(self, job: Job, worker: Worker) -> list[Outcome] | None:
        """Return a job's shots by circuit, or None if it was given up.

        Raises:
            JobError: The job fails.
        """
        payload, behaviour = job.payload, self._behaviour
        with self._lock:
            failure = self._failures.popleft() if self._failures else None
        if failure is not None:
            raise failure
        calibration = self.default(job.chip)
        if payload.calibration_set_id is not None:
            found = self.calibration(job.chip, str(payload.calibration_set_id))
            if found is None:
                raise JobError(
                    "calibration_error", f"no calibration set {payload.calibration_set_id}"
                )
            calibration = found
        circuits = compiled(payload, calibration)
        job.calibration_set_id = calibration.id
        job.contents = [content(circuit, job.chip, payload) for circuit in circuits]
        steps = ("fetch_calibration_ended", "compilation_started", "compilation_ended")
        settings = Settings(
            behaviour.noise,
            payload.modes["heralding_mode"] == "zeros",
            behaviour.herald_loss,
            payload.modes["move_gate_frame_tracking"] == "full",
        )
        outcomes: list[Outcome] = []
        sources = self._draws.sources(job.contents)
        for number, (circuit, source) in enumerate(zip(circuits, sources, strict=True)):
            names = () if number else (*steps, "pending_execution", "execution_started")
            if not worker.running(job, number, *names):
                return None
            if not worker.rest(job, behaviour.execution_seconds):
                return None
            outcomes.append(executed(circuit, payload.shots, calibration, settings, source))
            if settings.herald and not _shots(outcomes[-1], payload.shots):
                self._draws.count(job.contents)  # as luck had it: another try gets other shots
                raise JobError("no_shots", f"Circuit {number}: heralding left no shots")
        worker.running(job, len(circuits), "execution_ended")
        return outcomes

    def completed(self, job: Job) -> None:
        """Note that a job's shots count as taken."""
        self._draws.count(job.contents)


def _shots(outcome: Outcome, asked: int) -> int:
    return min((len(bits) for bits in outcome.values()), default=asked)


def measurements(outcome: Outcome, order: KeyOrder) -> dict[str, list[list[int]]]:
    """Return the shots of a circuit as the wire has them."""
    return {key: outcome[key].tolist() for key in ordered(outcome, order)}


def counts(outcome: Outcome, order: KeyOrder) -> dict[str, Any]:
    """Return the histogram of a circuit: keys in the order listed, left to right."""
    keys = ordered(outcome, order)
    if not keys:
        return {"measurement_keys": [], "counts": {}}
    joined = np.concatenate([outcome[key] for key in keys], axis=1)
    words, numbers = np.unique(joined, axis=0, return_counts=True)
    return {
        "measurement_keys": keys,
        "counts": {
            "".join(map(str, word)): int(number)
            for word, number in zip(words.tolist(), numbers, strict=True)
        },
    }


def ordered(outcome: Outcome, order: KeyOrder) -> list[str]:
    """Return the keys of a circuit."""
    keys = list(outcome)
    if order == "sorted":
        return sorted(keys)
    return keys[::-1] if order == "reversed" else keys
