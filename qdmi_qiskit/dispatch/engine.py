"""The engine of a group: sends parts to members, moves what failed, gives up what hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.rescue import added, rescued
from qdmi_qiskit.dispatch.shards import Shard, State, name_of, state_of
from qdmi_qiskit.errors import ConfigError, JobFailedError
from qdmi_qiskit.parts import tagged

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
        tags: For the runs of the members that are ours; they have the id of this job too.
        note: Called with what just happened (`"sending"`, `"sent"`, `"ended"`) and shards; what
            it raises at `"sending"` keeps them from being sent.
    """

    move: bool = True
    move_unknown: bool = False
    deadline: float | None = None
    merge: Callable[[Results], Any] | None = None
    progress: Callable[[Any], object] | None = None
    tags: tuple[str, ...] = ()
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


class Engine:
    """Each member works in a thread of its own; one lock guards the shards.

    Attributes:
        id: Of the job, for messages.
        plan: What was sent.
        shards: Everything that was asked of a member, with its state.
    """

    def _start(self, id_: str, plan: Plan, rules: Rules, done: Sequence[Shard]) -> None:
        """Start.

        Args:
            id_: Of the job.
            plan: Checked.
            rules: How.
            done: Shards of an earlier attempt; only the rest of the plan is sent, and those of
                them that are pending.
        """
        self.id, self.plan, self._rules = id_, plan, rules
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
            over = self.plan.members[part.member].over
            job = over.run(pubs, **tagged(over, self.id, name_of(part.shards), self._rules.tags))
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
            state, found = rescued(job, error)
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
                    _LOG.warning("pub %d of job %s stays: %s", shard.pub, self.id, error)
                    continue
                costs, shard.moved = total, True
                asked[shard.pub] = added(asked[shard.pub], row, samples=self.plan.samples)
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
            self._wait(self._rules.deadline)
        except TimeoutError:
            self._stop(State.TIMEOUT)

    def _give_up(self, part: _Part, state: State) -> None:
        """Note that a part is not wanted; what hung in its submission is known better now."""
        with self._changed:
            open_ = [
                shard
                for shard in part.shards
                if not shard.state.final or (shard.state is State.UNKNOWN and shard.error is None)
            ]
            if not open_:
                return
            part.stop = state
            for shard in open_:
                shard.state = state
            self._note("ended", part.shards)
            part.final = True
        self._tell()

    # Telling ------------------------------------------------------------------------------------

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

    def in_final_state(self) -> bool:
        """Return whether every shard is final and nothing is to be moved."""
        with self._changed:
            return all(part.final for part in self._parts)

    def _pause(self, end: float | None) -> None:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError(f"job {self.id} is not final yet; it goes on")
        self._changed.wait(left)

    def _wait(self, timeout: float | None = None) -> None:
        """Block until everything is final, at most `timeout` seconds.

        Raises:
            TimeoutError: It is not; everything goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self.in_final_state():
                self._pause(end)
