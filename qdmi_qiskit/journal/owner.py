"""Who sends a run: a process, told apart from a later one of the same number.

A lease is text, `HOST PID START TOKEN`. Its holder is alive if this host runs that process, or,
on another host, if it has said so within the last minute. The token tells apart what ran before
the machine was started from what runs since.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from functools import cache
from pathlib import Path

BEAT = 15.0
"""Seconds between two signs of life."""
_SILENCE = 4 * BEAT

_held: set[str] = set()  # the leases of this process
_lock = threading.Lock()


def _begin_anew() -> None:
    """After a fork: leases are the parent's, and so may be whoever holds the lock."""
    global _lock
    _lock = threading.Lock()
    _held.clear()
    _since.cache_clear()


os.register_at_fork(after_in_child=_begin_anew)


def lease() -> str:
    """Return a new lease of this process."""
    text = f"{_host()} {os.getpid()} {_since(os.getpid())} {secrets.token_hex(8)}{_boot()}"
    with _lock:
        _held.add(text)
    return text


def dropped(text: str) -> None:
    """Say that a lease of this process has ended."""
    with _lock:
        _held.discard(text)


def is_ours(text: object) -> bool:
    """Return whether this process holds a lease."""
    with _lock:
        return text in _held


def is_alive(text: object, beat: object) -> bool:
    """Return whether somebody holds a lease still.

    Args:
        text: The lease; anything that is none has no holder.
        beat: When its holder last gave a sign of life, seconds since 1970.
    """
    parts = text.split() if isinstance(text, str) else []
    if len(parts) != 4 or not parts[1].isdigit():
        return False
    host, pid, start, token = parts
    if host != _host():
        return isinstance(beat, int | float) and time.time() - beat < _SILENCE
    if token.partition(".")[1] and not token.endswith(_boot()):
        return False
    if int(pid) == os.getpid() and start == _started(os.getpid()):
        return is_ours(text)
    return start == _started(int(pid)) and start != "?"


def lost_power(text: object) -> bool:
    """Return whether the machine was started anew since a lease was given, or may have been."""
    token = text.split()[-1] if isinstance(text, str) and text.strip() else ""
    return bool(token.partition(".")[1]) and not token.endswith(_boot() or "?")


def described(text: object) -> str:
    """Return a lease in words."""
    parts = str(text).split()
    return f"process {parts[1]} on {parts[0]}" if len(parts) == 4 else "another process"


@cache
def _boot() -> str:
    """Return what differs each time that the machine is started; nothing if that cannot be told."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(errors="replace")
    except OSError:
        return ""
    return f".{text.strip()[:8]}" if text.strip() else ""


@cache
def _host() -> str:
    return "".join(socket.gethostname().split()) or "localhost"


@cache
def _since(pid: int) -> str:
    """Return when this process began."""
    return _started(pid)


def _started(pid: int) -> str:
    """Return when a process began, `-` where that cannot be told, `?` if there is none."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        after_name = stat.read_text(errors="replace").rpartition(")")[2].split()
        return "?" if after_name[0] in "ZX" else after_name[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return "?"
    try:  # no /proc here: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return "?"
    except OSError:
        pass
    return "-"
