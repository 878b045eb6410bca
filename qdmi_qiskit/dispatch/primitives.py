"""A group of primitives as one `BaseSamplerV2` or `BaseEstimatorV2`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qiskit.primitives import BaseEstimatorV2, BaseSamplerV2, EstimatorPubLike, SamplerPubLike

from qdmi_qiskit.checks import checked_seed
from qdmi_qiskit.dispatch.compile import Compiler, pubs_from
from qdmi_qiskit.dispatch.found import shards_found
from qdmi_qiskit.dispatch.job import DispatchJob, Results, Rules
from qdmi_qiskit.dispatch.members import members_of
from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.policies import Policy, SplitShots
from qdmi_qiskit.dispatch.shards import Shard
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.provider import QDMIProvider


class _Group:
    """What samplers and estimators have in common."""

    _kind: str

    def __init__(
        self,
        members: Iterable[Any],
        policy: Policy | None = None,
        *,
        optimization_level: int | None = None,
        seed: int | None = None,
        deadline: float | None = None,
        move: bool = True,
        move_unknown: bool = False,
        merge: Callable[[Results], Any] | None = None,
        progress: Callable[[DispatchJob], object] | None = None,
        provider: QDMIProvider | None = None,
    ) -> None:
        """Group primitives.

        Args:
            members: V2 primitives, backends, names of backends, or `Member` with more figures.
            policy: Who gets what; `SplitShots()` if not given.
            optimization_level: Compile every pub for every member, observables moved along. Not
                given: circuits are ISA for all of them already.
            seed: For compiling, and for simulators that are named here.
            deadline: Seconds after which what is not final is given up.
            move: Whether survivors are asked for what a member failed to do.
            move_unknown: The same for work whose fate is unknown, which may then be paid twice.
            merge: Makes the outcome of the results by member (name -> pub -> result).
            progress: Called with the job after each change, from the member's thread.
            provider: Opens names; one of the usual configuration if not given.

        Raises:
            ConfigError: A member or an option is wrong.
        """
        self._policy = SplitShots() if policy is None else policy
        if not isinstance(self._policy, Policy):
            raise ConfigError(f"policy={policy!r}: wanted a Policy, such as SplitShots()")
        seed = checked_seed(seed)
        self.members = members_of(members, self._kind, seed=seed, provider=provider)
        small = None if seed is None else int(seed) % 2**31
        self._compile = Compiler(optimization_level, small)
        self._rules: dict[str, Any] = {
            "move": move,
            "move_unknown": move_unknown,
            "deadline": deadline,
            "merge": merge,
            "progress": progress,
        }

    def _plan(self, pubs: Iterable[Any], default: float | None) -> Plan:
        whole = pubs_from(pubs, self._kind, default)
        compiled = [
            [self._compile(pub, member.backend) for member in self.members] for pub in whole
        ]
        return Plan(self.members, whole, compiled, self._policy)

    def send(
        self,
        plan: Plan,
        *,
        done: Sequence[Shard] = (),
        note: Callable[[str, Sequence[Shard]], object] | None = None,
        tags: Iterable[str] = (),
    ) -> DispatchJob:
        """Send a plan, edited or not.

        Args:
            plan: From `plan` of this group.
            done: Shards of an earlier attempt at it; they are not sent again.
            note: See `Rules`.
            tags: See `Rules`. `provider.jobs(tag=job.job_id())` lists the parts, in any process.

        Raises:
            ConfigError: It cannot be sent; says why.
        """
        self._check(plan)
        return DispatchJob(plan, Rules(note=note, tags=tuple(tags), **self._rules), done)

    def _check(self, plan: Plan) -> None:
        if plan.members is not self.members:
            raise ConfigError("this plan is of another group: make it with plan() of this one")
        plan.check()

    def resume(
        self, job_id: str, plan: Plan, *, provider: QDMIProvider | None = None
    ) -> DispatchJob:
        """Go on with a job of a process that ended: what the journal has of it is not sent again.

        Waits for what was sent then; what failed is moved, what is unknown stays so.

        Args:
            job_id: What its `job_id()` was.
            plan: The one that was sent: made again, or by `plan.update(...)` of its `to_dict()`.
            provider: Whose journal knows the parts; one of the usual configuration if not given.

        Raises:
            ConfigError: The journal knows no part of it, or the plan is another.
        """
        self._check(plan)
        done = shards_found(QDMIProvider() if provider is None else provider, job_id, plan)
        return DispatchJob(plan, Rules(**self._rules), done, job_id)


class DispatchSampler(_Group, BaseSamplerV2):
    """Samples on several members as if they were one."""

    _kind = "sampler"

    def plan(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> Plan:
        """Return who would get how many shots; nothing is sent.

        Raises:
            ConfigError: A pub is wrong, or the policy cannot split it.
        """
        return self._plan(pubs, shots)

    def run(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        tags: Iterable[str] = (),
    ) -> DispatchJob:
        """Plan and send, as `SamplerV2.run`."""
        return self.send(self.plan(pubs, shots=shots), tags=tags)


class DispatchEstimator(_Group, BaseEstimatorV2):
    """Estimates on several members as if they were one."""

    _kind = "estimator"

    def plan(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> Plan:
        """Return which precision each member would be asked for; nothing is sent.

        Raises:
            ConfigError: A pub is wrong, or the policy cannot split it.
        """
        return self._plan(pubs, precision)

    def run(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        tags: Iterable[str] = (),
    ) -> DispatchJob:
        """Plan and send, as `EstimatorV2.run`."""
        return self.send(self.plan(pubs, precision=precision), tags=tags)
