"""What the service said, on disk: it allows five GetDevice calls a second, and five searches.

Kept are capability documents and where a name was found, each with the time at which it was
asked for. No call tells a document's `updatedAt` without the document, so one is believed for a
while; whichever answer brings another one replaces it. Status and queue are never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qdmi_qiskit.answers import loads
from qdmi_qiskit.devices.braket.capability import Device

_LAYOUT = 2

Key = tuple[str, ...]


def folder() -> Path | None:
    """Return where answers are kept; None: there is no home, and nothing is kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = os.environ.get("HOME", "")
    if base.startswith("/"):
        return Path(base, "qdmi", "braket")
    return Path(home, ".cache", "qdmi", "braket") if home.startswith("/") else None


def device(key: Key, seconds: float) -> Device | None:
    """Return a device that was asked for at most `seconds` ago."""
    kept = _load(("device", *key), seconds)
    try:
        return None if kept is None else Device(**kept)
    except TypeError:
        return None


def keep_device(key: Key, device: Device) -> None:
    """Keep what the service said of a device."""
    _store(("device", *key), asdict(device))


def place(key: Key, seconds: float) -> tuple[str, str] | None:
    """Return ARN and region of a name that was found at most `seconds` ago."""
    kept = _load(("name", *key), seconds)
    return None if kept is None else (str(kept.get("arn")), str(kept.get("region")))


def keep_place(key: Key, arn: str, region: str) -> None:
    """Keep where a name was found."""
    _store(("name", *key), {"arn": arn, "region": region})


def _path(key: Key) -> Path | None:
    place = folder()
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    return None if place is None else place / f"{digest}.json"


def _load(key: Key, seconds: float) -> dict[str, Any] | None:
    path = _path(key)
    if path is None:
        return None
    try:
        kept: Any = loads(path.read_bytes())
        if kept["layout"] != _LAYOUT or not 0 <= time.time() - kept["asked"] < seconds:
            return None
        return dict(kept["answer"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None  # a cache that cannot be read is a cache that is not there


def _store(key: Key, answer: Mapping[str, Any]) -> None:
    """Keep an answer; another process sees all of it or none."""
    path = _path(key)
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump({"layout": _LAYOUT, "asked": time.time(), "answer": answer}, file)
        Path(file.name).replace(path)
    except OSError:
        return  # a full or read-only disk costs a call, not the device
