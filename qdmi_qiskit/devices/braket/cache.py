"""Capability documents on disk: the service allows five GetDevice calls a second.

A document is kept for each device, endpoint and account profile, with the time at which it was
fetched. Status and queue are never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.braket.capability import Device

_LAYOUT = 1


def folder() -> Path | None:
    """Return where documents are kept; None: there is no home, and nothing is kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = os.environ.get("HOME", "")
    if base.startswith("/"):
        return Path(base, "qdmi", "braket")
    return Path(home, ".cache", "qdmi", "braket") if home.startswith("/") else None


def _path(key: tuple[str, ...]) -> Path | None:
    place = folder()
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    return None if place is None else place / f"{digest}.json"


def load(key: tuple[str, ...], seconds: float) -> Device | None:
    """Return a document that is at most `seconds` old."""
    path = _path(key)
    if path is None:
        return None
    try:
        kept: Any = json.loads(path.read_bytes())
        if kept["layout"] != _LAYOUT or not 0 <= time.time() - kept["fetched"] <= seconds:
            return None
        return Device(
            arn=str(kept["arn"]),
            name=str(kept["name"]),
            provider=str(kept["provider"]),
            simulator=bool(kept["simulator"]),
            document=dict(kept["document"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a cache that cannot be read is a cache that is not there


def store(key: tuple[str, ...], device: Device) -> None:
    """Keep a document; another process sees all of it or none."""
    path = _path(key)
    if path is None:
        return
    kept = {
        "layout": _LAYOUT,
        "fetched": time.time(),
        "updated_at": device.updated_at,
        "arn": device.arn,
        "name": device.name,
        "provider": device.provider,
        "simulator": device.simulator,
        "document": device.document,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(kept, file)
        Path(file.name).replace(path)
    except OSError:
        return  # a full or read-only disk costs a call, not the device
