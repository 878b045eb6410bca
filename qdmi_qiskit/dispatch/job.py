"""Many primitives' jobs as one: independent, watched, merged."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus

from qdmi_qiskit.dispatch.merge import pooled_estimates, pooled_shots
from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.shards import (
    Shard,
    State,
    live_state,
    state_after_sending,
    state_of,
)
from qdmi_qiskit.dispatch.table import Table
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnavailableError
from qdmi_qiskit.job import remember

_LOG = logging.getLogger(__name__)
_NOTHING: Mapping[int, Any] = {}
Results = Mapping[str, Mapping[int, Any]]
"""Member -> pub -> its result of that pub, for what members finished."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a group behaves.

    Attributes:
        move: Whether survivors are asked for what a member failed to do.
        move_unknown: The same for work whose fate is unknown, which may then be paid twice.
        deadline: Seconds after which what is not final is given up.
        merge: Makes the outcome of all results by member; shots end to end, or estimates by
            inverse variance, if not given.
        progress: Called with the job after each change.
        note: Called with what just happened (`"sending"`, `"sent"`, `"ended"`) and shards; what
            it raises at `"sending"` keeps them from being sent.
    """

    move: bool = True
    move_unknown: bool = False
    deadline: float | None = None
    merge: Callable[[Results], Any] | None = None
    progress: Callable[[DispatchJob], object] | None = None
    note: Callable[[str, Sequence[Shard]], object] | None = None


@dataclass(eq=False)
class _Part:
    """What goes to one member in one call."""

    member: int
    shards: list[Shard]
    job: Any = None
    sending: bool = False
    final: bool = False
    stop: State | None = field(default=None)


class DispatchJob(BasePrimitiveJob[Any, JobStatus]):
    """One id, one outcome, a shard per pub and member. Each member works in a thread of its own.

    Attributes:
        plan: What was sent.
        shards: Everything that was asked of a member, with its state.
    """

    def __init__(self, plan: Plan, rules: Rules, done: Sequence[Shard] = ()) -> None:
        """Start.

        Args:
            plan: Checked.
            rules: How.
            done: Shards of an earlier attempt; only the rest of the plan is sent, and those of
                them that are pending.
        """
        super().__init__(uuid4().hex)
        self.plan, self._rules = plan, rules
        pending = [shard for shard in done if not shard.state.final]
        done = [shard for shard in done if shard.state.final]
        self.shards: list[Shard] = list(done)
        self._changed = threading.Condition(threading.RLock())
        self._parts: list[_Part] = []
        self._lost = {shard.member for shard in done if shard.state is not State.DONE}
        self._given_up = False
        self._winner: int | None = None
        self._outcome: Any = None
        self._end = None if rules.deadline is None else time.monotonic() + rules.deadline
        remember(self)
        self._send(self._missing([*done, *pending]), turn=0)
        for shard in pending:
            self._begin(_Part(shard.member, [shard]))
        for shard in done:
            if shard.state is not State.DONE and not shard.moved:
                self._move([shard])
        if rules.deadline is not None:
            threading.Thread(target=self._watch, name="qdmi-deadline", daemon=True).start()

    # Sending ------------------------------------------------------------------------------------

    def _missing(self, done: Sequence[Shard]) -> np.ndarray[Any, Any]:
        asked = self.plan.asked.copy()
        for shard in done:
            if shard.turn == 0:
                asked[shard.pub, shard.member] = 0 if self.plan.samples else np.nan
        return asked

    def _send(self, asked: np.ndarray[Any, Any], turn: int) -> None:
        for member in range(len(self.plan.members)):
            column = asked[:, member]
            some = column > 0 if self.plan.samples else ~np.isnan(column)
            shards = [
                Shard(int(pub), member, column[pub].item(), turn) for pub in np.flatnonzero(some)
            ]
            if shards:
                self._begin(_Part(member, shards))

    def _begin(self, part: _Part) -> None:
        with self._changed:
            self._parts.append(part)
            self.shards.extend(part.shards)
        name = f"qdmi-dispatch-{self.plan.members[part.member].name}"
        threading.Thread(target=self._work, args=[part], name=name, daemon=True).start()

    def _work(self, part: _Part) -> None:
        try:
            self._note("sending", part.shards)
            with self._changed:
                if part.stop is not None or self._given_up:
                    return self._ended(part, part.stop or State.CANCELED, None)
                part.sending = True
            pubs = [self._pub(shard) for shard in part.shards]
            job = self.plan.members[part.member].over.run(pubs)
        except Exception as error:  # noqa: BLE001 - a member's own error is its shards' state
            return self._ended(part, state_of(error), error)
        with self._changed:
            part.job, stop = job, part.stop
            for shard in part.shards:
                shard.job_id = str(job.job_id())
                if not shard.state.final:
                    shard.state = State.SUBMITTED
        self._note("sent", part.shards)
        self._tell()
        if stop is not None:
            self._cancel(part, stop)
        try:
            result = job.result()
        except Exception as error:  # noqa: BLE001 - as above
            state, found = self._rescued(part, error)
            return self._ended(part, state, error, found)
        return self._arrived(part, result)

    def _pub(self, shard: Shard) -> Any:
        pub = self.plan.compiled[shard.pub][shard.member]
        if self.plan.samples:
            return (pub.circuit, pub.parameter_values, int(shard.asked))
        return (pub.circuit, pub.observables, pub.parameter_values, shard.asked)

    # Ending -------------------------------------------------------------------------------------

    def _arrived(self, part: _Part, result: Any) -> None:
        good = getattr(self.plan.policy, "good", None)
        if good is not None and not good(result):
            error = JobFailedError("the outcome is not good", job_id=part.shards[0].job_id)
            return self._ended(part, State.FAILED, error)
        jobs = tuple(result.metadata.get("device_jobs", ()))
        with self._changed:
            for shard, found in zip(part.shards, result, strict=True):
                if not shard.state.final:
                    self._keep(shard, found, jobs)
            self._note("ended", part.shards)
            won = self.plan.policy.race and self._winner is None and not self._given_up
            if won:
                self._winner = part.member
            part.final = True
        if won:
            self._stop(State.CANCELED)
        return self._tell()

    @staticmethod
    def _keep(shard: Shard, found: Any, jobs: tuple[dict[str, Any], ...]) -> None:
        shard.state, shard.result, shard.jobs = State.DONE, found, jobs
        registers = [getattr(value, "num_shots", None) for value in found.data.values()]
        shots = next((n for n in registers if n is not None), found.metadata.get("shots"))
        shard.obtained = None if shots is None else int(np.max(shots))

    def _ended(
        self,
        part: _Part,
        state: State,
        error: BaseException | None,
        finished: Mapping[int, Any] = _NOTHING,
    ) -> None:
        with self._changed:
            lost = []
            for index, shard in enumerate(part.shards):
                if shard.state.final:
                    continue
                if index in finished:
                    self._keep(shard, *finished[index])
                else:
                    shard.state, shard.error = part.stop or state, error
                    lost.append(shard)
            if lost:
                self._lost.add(part.member)
            self._move(lost)
            self._note("ended", part.shards)
            part.final = True  # last: whoever waits may look now
        self._tell()

    @staticmethod
    def _rescued(part: _Part, error: BaseException) -> tuple[State, dict[int, Any]]:
        """Return what became of a failed job's missing pubs, and those that are complete.

        Of several device jobs behind one, each may have failed in its own way. What was refused
        for want of a line was not queued; where one that was not accepted stands beside others
        that failed, nobody can say which it was, and it counts as unknown.
        """
        state = state_after_sending(error)
        try:
            if "partial" not in inspect.signature(part.job.result).parameters:
                return state, {}
            result = part.job.result(partial=True)
        except Exception:  # noqa: BLE001 - nothing can be had, or not now
            return state, {}
        if isinstance(error, UnavailableError):
            state = State.FAILED
        elif state is State.FAILED and not _all_sent(part.job):
            state = State.UNKNOWN
        jobs = tuple(result.metadata.get("device_jobs", ()))
        return state, {
            index: (found, jobs)
            for index, found in enumerate(result)
            if not found.metadata.get("failures") and found.metadata.get("shots") != 0
        }

    def _move(self, lost: Sequence[Shard]) -> None:
        """Ask survivors for what a member failed to do."""
        movable = {State.FAILED} | ({State.UNKNOWN} if self._rules.move_unknown else set())
        some = [shard for shard in lost if shard.state in movable]
        with self._changed:
            allowed = [k for k in range(len(self.plan.members)) if k not in self._lost]
            if not (self._rules.move and self.plan.policy.moves and some and allowed):
                return
            if self._given_up or (self._end is not None and time.monotonic() > self._end):
                return
            asked = np.full(self.plan.asked.shape, 0 if self.plan.samples else np.nan)
            asked = asked.astype(self.plan.asked.dtype)
            costs = self._spent()
            for shard in some:
                try:
                    row = self.plan.again(shard.pub, shard.asked, allowed)
                    table = np.where(np.arange(len(asked))[:, None] == shard.pub, row, 0)
                    more = self.plan.costs(table)
                    total = {k: costs.get(k, 0) + more.get(k, 0) for k in {*costs, *more}}
                    self.plan.policy.check(total)
                except ConfigError as error:
                    _LOG.warning("pub %d of job %s stays: %s", shard.pub, self.job_id(), error)
                    continue
                costs, shard.moved = total, True
                asked[shard.pub] = _sum(asked[shard.pub], row, samples=self.plan.samples)
            self._send(asked, turn=1 + max(shard.turn for shard in some))

    def _spent(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for shard in self.shards:
            charges = self.plan.members[shard.member].charges
            if charges is not None:
                price = self.plan.price_of(shard.pub, shard.member, shard.asked) or 0.0
                found[charges.currency] = found.get(charges.currency, 0.0) + price
        return found

    def _stop(self, state: State) -> None:
        """Give up what is not final."""
        with self._changed:
            parts = [part for part in self._parts if not part.final]
            if self._given_up and not parts:
                return
            self._given_up = True
            for part in parts:
                part.stop = part.stop or state
        for part in parts:
            if part.job is not None:
                self._cancel(part, state)
            else:  # it may hang in the submission: what becomes of that nobody knows
                self._give_up(part, State.UNKNOWN if part.sending else State.CANCELED)
        self._tell()

    def _cancel(self, part: _Part, state: State) -> None:
        try:
            stopped = part.job.cancel()
            confirmed = stopped is not False
        except Exception as error:  # noqa: BLE001 - UnsupportedError, or what others raise
            _LOG.info("job %s cannot be canceled: %s", part.job.job_id(), error)
            confirmed = False
        if state is State.CANCELED and not confirmed:
            state = State.ABANDONED
        self._give_up(part, state)

    def _watch(self) -> None:
        try:
            self.wait(self._rules.deadline)
        except TimeoutError:
            self._stop(State.TIMEOUT)

    def _give_up(self, part: _Part, state: State) -> None:
        with self._changed:
            if part.final:
                return
            part.stop = state
            for shard in part.shards:
                if not shard.state.final:
                    shard.state = state
            self._note("ended", part.shards)
            part.final = True
        self._tell()

    # Looking ------------------------------------------------------------------------------------

    def _note(self, event: str, shards: Sequence[Shard]) -> None:
        if self._rules.note is not None:
            self._rules.note(event, shards)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        if self._rules.progress is not None:
            try:
                self._rules.progress(self)
            except Exception:  # noqa: BLE001 - the user's code must not end the job
                _LOG.exception("progress=... raised; the job goes on")

    def states(self) -> dict[State, int]:
        """Return how many shards are in each state; asks the members of those under way."""
        for part in list(self._parts):
            if not part.final and part.job is not None:
                state = live_state(part.job)
                with self._changed:
                    for shard in part.shards:
                        if not shard.state.final:
                            shard.state = state
        found: dict[State, int] = {}
        for shard in list(self.shards):
            found[shard.state] = found.get(shard.state, 0) + 1
        return found

    def in_final_state(self) -> bool:
        """Return whether every shard is final and nothing is to be moved."""
        with self._changed:
            return all(part.final for part in self._parts)

    def status(self) -> JobStatus:
        """Return the state in Qiskit's words; DONE if nothing is missing."""
        if self.in_final_state():
            missing = self.failures
            canceled = missing and all(shard.state is State.CANCELED for shard in missing)
            failed = JobStatus.CANCELLED if canceled else JobStatus.ERROR
            return failed if missing else JobStatus.DONE
        seen = self.states()
        return (
            JobStatus.RUNNING if State.RUNNING in seen or State.DONE in seen else (JobStatus.QUEUED)
        )

    def done(self) -> bool:
        """Return whether the job ended with all of its result."""
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        """Return whether some member executes its part, or has done so, and others have not."""
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Return whether the job was canceled."""
        return self.status() is JobStatus.CANCELLED

    @property
    def failures(self) -> list[Shard]:
        """Shards without a result that nobody was asked for instead.

        Of a race there are none once somebody won; copies at other members replace nothing.
        """
        if self._winner is not None:
            return []
        return [
            shard
            for shard in list(self.shards)
            if shard.state.final and shard.state is not State.DONE and not shard.moved
        ]

    @property
    def winner(self) -> str | None:
        """Who won the race."""
        return None if self._winner is None else self.plan.members[self._winner].name

    def table(self) -> Table:
        """Return one row per shard: what was asked, what came, where it is and why."""
        self.states()
        return Table([self._row(shard) for shard in list(self.shards)])

    def _row(self, shard: Shard) -> dict[str, Any]:
        error = shard.error
        word = "shots" if self.plan.samples else "precision"
        return {
            "pub": shard.pub,
            "member": self.plan.members[shard.member].name,
            word: shard.asked,
            "obtained_shots": shard.obtained,
            "state": shard.state.value,
            "turn": shard.turn,
            "moved": shard.moved,
            "error": None if error is None else f"{type(error).__name__}: {error}",
            "job_id": shard.job_id,
            "device_jobs": [str(job.get("id", "")) for job in shard.jobs],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome so far as JSON can say it."""
        rows = self.table().to_dict()
        return {"id": self.job_id(), "status": self.status().name, "shards": rows}

    def to_pandas(self) -> Any:
        """Return the table as a `pandas.DataFrame`, if pandas is installed."""
        return self.table().to_pandas()

    def as_completed(self, timeout: float | None = None) -> Iterator[Shard]:
        """Yield shards as they become final.

        Raises:
            TimeoutError: Not all of them did in so many seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        seen = 0
        told: set[int] = set()
        while True:
            with self._changed:
                fresh = [s for s in self.shards if s.state.final and id(s) not in told]
                over = self.in_final_state()
                if not fresh and not over:
                    self._pause(end)
            for shard in fresh:
                told.add(id(shard))
                seen += 1
                yield shard
            if over and seen == len(self.shards):
                return

    def _pause(self, end: float | None) -> None:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"job {self.job_id()} is not final yet; it goes on")
        self._changed.wait(left)

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until everything is final, at most `timeout` seconds.

        Raises:
            TimeoutError: It is not; everything goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self.in_final_state():
                self._pause(end)
        return self.status()

    def cancel(self) -> bool:
        """Ask every member to stop; what is final stays.

        Returns:
            Whether the job is canceled now.
        """
        if not self.in_final_state():
            self._stop(State.CANCELED)
        return self.cancelled()

    # Results ------------------------------------------------------------------------------------

    def result(self, timeout: float | None = None, *, partial: bool = False) -> Any:
        """Wait, and merge.

        Args:
            timeout: Seconds.
            partial: Merge what there is; pubs of which nothing came raise all the same.

        Returns:
            A `PrimitiveResult` with a result per pub, or what `merge` made. Its
            `metadata["shards"]` is the table.

        Raises:
            JobFailedError: Some part has no result.
            TimeoutError: Some part is not final; everything goes on.
        """
        self.wait(timeout)
        missing = self.failures
        if missing and not partial:
            raise self._failure(missing) from _cause(missing)
        if self._outcome is None or missing:
            merge = self._rules.merge
            self._outcome = self._pooled() if merge is None else merge(self.by_member())
        return self._outcome

    def _failure(self, missing: Sequence[Shard]) -> JobFailedError:
        reasons = dict.fromkeys(
            f"{self.plan.members[s.member].name} {s.state.value}"
            + (f" ({type(s.error).__name__}: {s.error})" if s.error else "")
            for s in missing
        )
        pubs = sorted({shard.pub for shard in missing})
        return JobFailedError(
            f"parts of pubs {pubs} have no result: {'; '.join(reasons)}. "
            "job.result(partial=True) merges the others, job.table() lists them all",
            job_id=self.job_id(),
        )

    def by_member(self) -> dict[str, dict[int, Any]]:
        """Return what each member finished: name -> pub -> its result, turns merged."""
        found: dict[str, dict[int, Any]] = {}
        for k, member in enumerate(self.plan.members):
            for pub in range(len(self.plan.pubs)):
                shards = self._of(pub, k)
                if shards:
                    found.setdefault(member.name, {})[pub] = self._merged(pub, shards)
        return found

    def _of(self, pub: int, member: int | None = None) -> list[Shard]:
        return [
            s
            for s in self.shards
            if s.state is State.DONE
            and s.pub == pub
            and member in (None, s.member)
            and self._winner in (None, s.member)
        ]

    def _pooled(self) -> PrimitiveResult[Any]:
        pubs = []
        for pub in range(len(self.plan.pubs)):
            shards = self._of(pub)
            if not shards:
                raise self._failure(self.failures) from _cause(self.failures)
            pubs.append(self._merged(pub, shards))
        shown = self.table().to_dict()
        jobs = {job["id"]: job for shard in self.shards for job in shard.jobs if "id" in job}
        metadata = {"version": 2, "shards": shown, "device_jobs": list(jobs.values())}
        if self.winner is not None:
            metadata["winner"] = self.winner
        return PrimitiveResult(pubs, metadata=metadata)

    def _merged(self, pub: int, shards: Sequence[Shard]) -> Any:
        if len(shards) == 1:
            return shards[0].result
        shards = sorted(shards, key=lambda s: (s.member, s.turn))
        results = [shard.result for shard in shards]
        rows = [self._row(shard) for shard in shards]
        came = [shard.obtained for shard in shards if shard.obtained is not None]
        metadata = {
            "pub": pub,
            "shots": sum(came) if len(came) == len(shards) else None,
            "circuit_metadata": self.plan.pubs[pub].circuit.metadata,
            "shards": rows,
        }
        if self.plan.samples:
            return pooled_shots(results, {**metadata, "requested_shots": self.plan.pubs[pub].shots})
        metadata["target_precision"] = self.plan.pubs[pub].precision
        names = [row["member"] for row in rows]
        return pooled_estimates(results, [shard.asked for shard in shards], names, metadata)


def _all_sent(job: Any) -> bool:
    """Return whether the device has every part of one of our jobs; True for those of others."""
    accepted, progress = getattr(job, "device_job_ids", None), getattr(job, "progress", None)
    return accepted is None or progress is None or len(accepted) == progress().device_jobs


def _cause(missing: Sequence[Shard]) -> BaseException | None:
    """Return the error to name: of what is unknown first, so that nobody repeats it."""
    unknown = [shard.error for shard in missing if shard.state is State.UNKNOWN]
    return next((error for error in unknown if error is not None), missing[0].error)


def _sum(one: Any, other: Any, *, samples: bool) -> Any:
    """Add what is asked twice: shots add, and so do inverse variances."""
    if samples:
        return one + other
    inverse = np.nan_to_num(1 / one**2) + np.nan_to_num(1 / other**2)
    with np.errstate(divide="ignore"):
        return np.where(inverse > 0, 1 / np.sqrt(inverse), np.nan)
