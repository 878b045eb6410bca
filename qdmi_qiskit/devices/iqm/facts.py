"""What an IQM server tells of a job, in the words of `Job.metadata`: pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_SUBMITTED = ("created", "received")
_STARTED = ("execution_started", "processing", "running")
_ENDED = ("completed", "ready", "failed", "cancelled", "canceled", "aborted")


def facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a job, as plain JSON.

    Beyond the standard keys: `progress` of each stage (0 to 1), `runtime_estimate` in seconds,
    `messages`, and `timeline`, a list of `source`, `status` and `time` in ISO 8601.

    Args:
        data: The server's job.
    """
    compilation, execution = (_mapping(data.get(key)) for key in ("compilation", "execution"))
    stages = {
        str(name): _share(stage) for name, stage in _mapping(execution.get("progress")).items()
    }
    timeline = [
        {"source": str(each.get("source")), "status": str(each.get("status")), "time": time}
        for each in _list(data.get("timeline"))
        if isinstance(each, Mapping) and (time := _iso(each.get("timestamp")))
    ]
    found = {
        "calibration": compilation.get("calibration_set_id"),
        "queue_position": data.get("queue_position"),
        "progress": {name: share for name, share in stages.items() if share is not None},
        "runtime": _seconds(data.get("runtime_ms")),
        "runtime_estimate": _seconds(compilation.get("execution_runtime_estimate_ms")),
        "submitted_at": _first(timeline, _SUBMITTED),
        "started_at": _first(timeline, _STARTED),
        "ended_at": _first(timeline[::-1], _ENDED),
        "tag": data.get("tag"),
        "messages": [words(each) for each in _list(data.get("messages"))],
        "timeline": timeline,
    }
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def joined(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the facts of server jobs that are one job here; each is in `parts`."""
    if len(several) == 1:
        return dict(several[0])

    def values(key: str) -> list[Any]:
        return [each[key] for each in several if key in each]

    found: dict[str, Any] = {"parts": [dict(each) for each in several]}
    sets = set(values("calibration"))
    if len(sets) == 1:
        found["calibration"] = sets.pop()
    if places := values("queue_position"):
        found["queue_position"] = max(places)
    if times := values("submitted_at"):
        found["submitted_at"] = min(times)
    if times := values("started_at"):
        found["started_at"] = min(times)
    for key, total in (("runtime", sum), ("ended_at", max)):
        if len(numbers := values(key)) == len(several):
            found[key] = total(numbers)
    return found


def words(said: Any) -> str:
    """Return a message or an error of IQM's as text."""
    if not isinstance(said, Mapping):
        return str(said)
    code = said.get("error_code")
    return f"{said.get('message')}{f' [{code}]' if code else ''}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(timeline: Sequence[Mapping[str, str]], wanted: Collection[str]) -> str | None:
    """Return the time of the first entry whose status is among those wanted."""
    return next((each["time"] for each in timeline if each["status"] in wanted), None)


def _iso(text: Any) -> str | None:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _share(stage: Any) -> float | None:
    try:
        share = float(stage["value"]) / float(stage["max_value"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return share if math.isfinite(share) else None


def _seconds(milliseconds: Any) -> float | None:
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if math.isfinite(milliseconds) else None
