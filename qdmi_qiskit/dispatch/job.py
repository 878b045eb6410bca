"""Many primitives' jobs as one: independent, watched, merged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus

from qdmi_qiskit.dispatch.engine import Engine, Results, Rules
from qdmi_qiskit.dispatch.merge import pooled_estimates, pooled_shots
from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.shards import Shard, State, live_state
from qdmi_qiskit.dispatch.table import Table
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.job import remember

__all__ = ["DispatchJob", "Results", "Rules"]


class DispatchJob(Engine, BasePrimitiveJob[Any, JobStatus]):
    """One id, one outcome, a shard per pub and member.

    Attributes:
        plan: What was sent.
        shards: Everything that was asked of a member, with its state.
    """

    def __init__(
        self, plan: Plan, rules: Rules, done: Sequence[Shard] = (), job_id: str | None = None
    ) -> None:
        """Start.

        Args:
            plan: Checked.
            rules: How.
            done: Shards of an earlier attempt; see `Engine`.
            job_id: Of that attempt, if it goes on.
        """
        BasePrimitiveJob.__init__(self, job_id or uuid4().hex)
        remember(self)
        self._start(self.job_id(), plan, rules, done)

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

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Block until everything is final, at most `timeout` seconds.

        Raises:
            TimeoutError: It is not; everything goes on.
        """
        self._wait(timeout)
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
        drifts = {
            row["member"]: result.metadata["drift"]
            for row, result in zip(rows, results, strict=True)
            if "drift" in result.metadata
        }
        if drifts:
            metadata["drift"] = drifts
        if self.plan.samples:
            return pooled_shots(results, {**metadata, "requested_shots": self.plan.pubs[pub].shots})
        metadata["target_precision"] = self.plan.pubs[pub].precision
        names = [row["member"] for row in rows]
        return pooled_estimates(results, [shard.asked for shard in shards], names, metadata)


def _cause(missing: Sequence[Shard]) -> BaseException | None:
    """Return the error to name: of what is unknown first, so that nobody repeats it."""
    unknown = [shard.error for shard in missing if shard.state is State.UNKNOWN]
    return next((error for error in unknown if error is not None), missing[0].error)
