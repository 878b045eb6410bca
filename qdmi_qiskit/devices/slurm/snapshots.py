"""What a worker last said of its device, so that a batch job can be sent without an allocation.

Only detached jobs rely on it: they are compiled now and run whenever Slurm has room. Calibrations
move meanwhile; each outcome names the one it was made with, and `refresh()` asks a worker anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.slurm import folder
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import QdmiError

_log = logging.getLogger(__name__)
_VERSION = 1


def _path(device: str, options: SlurmOptions) -> Path:
    place = os.environ.get("XDG_CACHE_HOME", "")
    cache = Path(place) if place.startswith("/") else Path("~/.cache").expanduser()
    config = os.environ.get("QDMI_CONFIG", "")
    inside = [_VERSION, device, options.python, options.partition, config]
    mark = json.dumps([*inside, options.inside()], sort_keys=True)
    return cache / "qdmi" / "slurm" / f"{hashlib.sha256(mark.encode()).hexdigest()[:16]}.json"


def read(device: str, options: SlurmOptions) -> dict[str, Any] | None:
    """Return what was kept of a device, or None."""
    path = _path(device, options)
    try:
        found: dict[str, Any] | None = folder.read(path)
        if found is not None:
            age = time.time() - path.stat().st_mtime
            _log.info("the snapshot of %s is %.1f hours old: %s", device, age / 3600, path)
    except (QdmiError, OSError):  # a cache that cannot be read is none
        return None
    return found


def write(device: str, options: SlurmOptions, hello: dict[str, Any]) -> None:
    """Keep what a worker said."""
    path = _path(device, options)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.write(path, hello)
    except OSError as error:
        _log.debug("no snapshot is kept: %s", error)


def forget(device: str, options: SlurmOptions) -> None:
    """Drop what was kept."""
    _path(device, options).unlink(missing_ok=True)
