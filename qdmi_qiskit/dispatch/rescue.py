"""What is left of work that failed, and how much of it others have to do."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from qdmi_qiskit.dispatch.shards import State, state_after_sending
from qdmi_qiskit.errors import UnavailableError


def rescued(job: Any, error: BaseException) -> tuple[State, dict[int, Any]]:
    """Return what became of a failed job's missing pubs, and those that are complete.

    Of several device jobs behind one, each may have failed in its own way. What was refused
    for want of a line was not queued; where one that was not accepted stands beside others
    that failed, nobody can say which it was, and it counts as unknown.
    """
    state = state_after_sending(error)
    try:
        if "partial" not in inspect.signature(job.result).parameters:
            return state, {}
        result = job.result(partial=True)
    except Exception:  # noqa: BLE001 - nothing can be had, or not now
        return state, {}
    if isinstance(error, UnavailableError):
        state = State.FAILED
    elif state is State.FAILED and not _all_sent(job):
        state = State.UNKNOWN
    jobs = tuple(result.metadata.get("device_jobs", ()))
    return state, {
        index: (found, jobs)
        for index, found in enumerate(result)
        if not found.metadata.get("failures") and found.metadata.get("shots") != 0
    }


def _all_sent(job: Any) -> bool:
    """Return whether the device has every part of one of our jobs; True for those of others."""
    accepted, progress = getattr(job, "device_job_ids", None), getattr(job, "progress", None)
    return accepted is None or progress is None or len(accepted) == progress().device_jobs


def added(one: Any, other: Any, *, samples: bool) -> Any:
    """Add what is asked twice: shots add, and so do inverse variances."""
    if samples:
        return one + other
    inverse = np.nan_to_num(1 / one**2) + np.nan_to_num(1 / other**2)
    with np.errstate(divide="ignore"):
        return np.where(inverse > 0, 1 / np.sqrt(inverse), np.nan)
