"""What an earlier process sent of a dispatched job, out of the journal."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.shards import Shard, State, state_after_sending
from qdmi_qiskit.errors import ConfigError, QdmiError
from qdmi_qiskit.parts import indices, parts_of, taken_up
from qdmi_qiskit.provider import QDMIProvider


def shards_found(provider: QDMIProvider, job_id: str, plan: Plan) -> list[Shard]:
    """Return the shards that are in the journal, each with its outcome; waits for them.

    Args:
        provider: Whose journal.
        job_id: Of the dispatched job.
        plan: As it was sent.

    Raises:
        ConfigError: There are none, or they are of another plan.
    """
    found: list[Shard] = []
    for name, row in parts_of(provider, job_id).items():
        turn, member, pubs = name.split(":")
        if int(member) >= len(plan.members) or max(indices(pubs)) >= len(plan.pubs):
            raise _other(job_id)
        shards = [
            Shard(pub, int(member), plan.asked[pub, int(member)].item(), int(turn), job_id=row.id)
            for pub in indices(pubs)
        ]
        _fill(shards, provider, row, plan)
        found += shards
    for shard in found:
        if shard.turn == 0 and not plan.is_asked(shard.pub, shard.member):
            raise _other(job_id)
        shard.moved = shard.state is not State.DONE and any(
            other.pub == shard.pub and other.turn > shard.turn for other in found
        )
    return found


def _fill(shards: list[Shard], provider: QDMIProvider, row: Any, plan: Plan) -> None:
    try:
        job = taken_up(provider, row, plan.members[shards[0].member].backend)
        result = job.result()
    except QdmiError as error:
        for shard in shards:
            shard.state, shard.error = state_after_sending(error), error
        return
    jobs = tuple(result.metadata.get("device_jobs", ()))
    for shard, pub in zip(shards, result, strict=True):
        shard.state, shard.result, shard.jobs = State.DONE, pub, jobs
        shots = pub.metadata.get("shots")
        shard.obtained = None if shots is None else int(np.max(shots))
        asked = pub.metadata.get("shots" if plan.samples else "target_precision")
        if shard.turn == 0 and asked is not None and not np.isclose(shard.asked, np.max(asked)):
            raise ConfigError(
                f"pub {shard.pub}: {np.max(asked)} was asked of {plan.members[shard.member].name}, "
                f"and the plan of now says {shard.asked}: give the plan that was sent, "
                "plan.update(json.load(...)) of what its to_dict() was"
            )
        shard.asked = shard.asked if asked is None else float(np.max(asked))


def _other(job_id: str) -> ConfigError:
    return ConfigError(f"job {job_id!r} was of other pubs or members: give those that it had")
