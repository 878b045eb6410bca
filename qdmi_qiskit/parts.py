"""Jobs that are several: parts carry the id of the whole as a tag, and are found again by it.

A group or a mitigated primitive keeps no page of its own in the journal; each part, a run of one of
our primitives, has one. `provider.jobs(tag=ID)` lists the parts of the whole ID, in any process.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.journal import JobRow
from qdmi_qiskit.provider import QDMIProvider

_LONGEST = 100  # characters of a tag


def tagged(primitive: Any, whole: str, part: str, tags: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return the keyword by which a run of a primitive is told what it is a part of.

    Args:
        primitive: It may be one that takes no tags: it is not told.
        whole: The job.
        part: Its name within the job; one that is too long is left out.
        tags: The user's.
    """
    if "tags" not in inspect.signature(primitive.run).parameters:
        return {}
    name = f"{whole}/{part}"
    return {"tags": [*tags, whole, *([name] if len(name) <= _LONGEST else [])]}


def parts_of(provider: QDMIProvider, whole: str) -> dict[str, JobRow]:
    """Return the parts of a job that the journal knows, by their name; the latest of a name.

    Raises:
        ConfigError: It knows none.
    """
    found: dict[str, JobRow] = {}
    for row in provider.jobs(tag=whole, limit=None):
        for tag in row.tags:
            if tag.startswith(f"{whole}/"):
                found.setdefault(tag.removeprefix(f"{whole}/"), row)
    if not found:
        raise ConfigError(
            f"the journal knows no part of job {whole!r}: check the id; what simulators of this "
            "process did is not kept unless journal=True"
        )
    return found


def taken_up(provider: QDMIProvider, row: JobRow, backend: Any) -> Any:
    """Return the job of a part, sent as a whole; what the device has is not sent again.

    Args:
        provider: Whose journal knows it.
        row: The part.
        backend: Where it ran; None: the device is opened as it was then.
    """
    job = provider.job(row.id, backend=backend)
    return job if row.state.final else job.resume()


def numbered(indices: Iterable[int]) -> str:
    """Return indices in short.

    >>> numbered([0, 1, 2, 5])
    '0-2.5'
    """
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ".".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def indices(text: str) -> list[int]:
    """Return what `numbered` was given.

    >>> indices("0-2.5")
    [0, 1, 2, 5]
    """
    found: list[int] = []
    for run in text.split("."):
        first, _, last = run.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
