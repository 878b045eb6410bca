"""The folder of a detached job: what was asked, what came. JSON only, readable meanwhile.

    request.json        what to run, on which device, under which key; written once
    slurm.json          Slurm's number of the job
    plan.json           how the worker cut it into jobs of the device; written once
    state-0.json        per array task: the device's job of each piece, noted before it is sent
    results/0007.json   the outcome of a piece, or errors/0007.json why there is none
    events-0.jsonl      what was done when
    worker-0.log        what the worker printed

Files appear whole: written beside, flushed to disk, renamed. (NFS keeps what is known of a folder
for a while, so files are opened by name rather than listed.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qdmi_qiskit.errors import ProtocolError
from qdmi_qiskit.merge import Place, Shape


def write(path: Path, document: object) -> None:
    """Write JSON such that nobody ever sees a part of it, nor another user any of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> Any:
    """Return the JSON in a file; None if there is no such file.

    Raises:
        ProtocolError: Somebody else wrote it.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ProtocolError(f"{path} is damaged: {error}") from error


def piece(folder: Path, kind: str, number: int) -> Path:
    """Return the path of a piece's outcome (`results`) or failure (`errors`)."""
    return folder / kind / f"{number:04d}.json"


def plan_document(shapes: Sequence[Shape], places: Sequence[Sequence[Place]]) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "shapes": [[each.points, each.shots, each.num_bits] for each in shapes],
        "pieces": [[[p.request, *p.points, *p.shots] for p in row] for row in places],
    }


def plan_from(document: dict[str, Any]) -> tuple[tuple[Shape, ...], tuple[tuple[Place, ...], ...]]:
    """Return a plan from JSON."""
    shapes = tuple(Shape(*each) for each in document["shapes"])
    places = tuple(
        tuple(Place(request, (a, b), (c, d)) for request, a, b, c, d in row)
        for row in document["pieces"]
    )
    return shapes, places


def last_words(folder: Path, lines: int = 20) -> str:
    """Return the end of what the workers printed."""
    said: list[str] = []
    for path in sorted(folder.glob("worker-*.log")):
        with suppress(OSError):
            said += [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(said[-lines:])
