"""A small QDMI device in C, built when it is needed: for tests of `native:` and of other drivers.

Six qubits with gaps between their indices, in no order, on directed couplings, and a resonator
that nothing measures. It answers every property of QDMI 1.2, 1.3 and 1.4, runs OpenQASM, counts
what is open, and misbehaves on request:

    path = build(tmp_path, minor=3)
    session = driver.open("", library=str(path), prefix=PREFIX, custom1="early-wait no-shots")
    counters(path)["misused"]

The words for `custom1` are those that `device.c` gives to its function `told`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from qdmi_qiskit.errors import ConfigError

PREFIX = "QDMI_QISKIT_TEST"
MINORS = (2, 3, 4)
"""Versions 1.x of QDMI that it can be built for."""

COUNTERS = (
    "initialized",
    "finalized",
    "sessions",
    "jobs",
    "calls",
    "misused",
    "submitted",
    "canceled",
)
"""What it counts. `sessions` and `jobs` are those open now, `misused` calls that QDMI forbids."""

_SOURCES = ("device.c", "simulate.c")
_READER = ctypes.CFUNCTYPE(
    ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t
)
_LENT: list[Any] = []
"""Functions that libraries hold; freed never, as the libraries are not."""


def compiler() -> str | None:
    """Return the machine's C compiler (`$CC`, `cc`, `gcc` or `clang`); None if there is none."""
    candidates = (os.environ.get("CC"), "cc", "gcc", "clang")
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def build(folder: Path, minor: int = 4, prefix: str = PREFIX, *flags: str) -> Path:
    """Compile the device.

    Args:
        folder: Where the library goes.
        minor: QDMI 1.`minor`.
        prefix: Of its functions.
        *flags: More for the compiler, such as `"-fsanitize=address"`.

    Returns:
        The library's file.

    Raises:
        ConfigError: There is no compiler, or it fails.
    """
    found = compiler()
    if found is None:
        raise ConfigError("no C compiler (cc, gcc or clang): install one, or set CC")
    library = folder / f"lib{prefix.lower()}-1.{minor}.so"
    defined = (f"-DQDMI_MINOR={minor}", f"-DPREFIX={prefix}")
    with as_file(files(__name__)) as source:
        ran = subprocess.run(  # noqa: S603 - our own source, the machine's own compiler
            [
                *(found, "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-shared", "-fPIC"),
                *(*defined, *flags, "-o", str(library)),
                *(str(source / name) for name in _SOURCES),
                *("-lm", "-lpthread"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise ConfigError(f"{found} cannot build the test device: {ran.stderr.strip()}")
    return library


def lend_qpy(library: Path, read: Callable[[bytes], str], prefix: str = PREFIX) -> None:
    """Let a library of this process take QPY, which C cannot read: the word `qpy` lists it.

    Args:
        library: Its file.
        read: Writes a QPY program as OpenQASM 3 with the device's words; an error refuses it.
        prefix: Of its functions.
    """

    def reader(data: int, size: int, text: int, most: int) -> int:
        try:
            written = read(ctypes.string_at(data, size)).encode() + b"\0"
        except Exception:  # noqa: BLE001 - C knows no exceptions
            return 0
        if len(written) > most:
            return 0
        ctypes.memmove(text, written, len(written))
        return len(written)

    lent = _READER(reader)
    getattr(ctypes.CDLL(str(library)), f"{prefix}_QDMI_read_qpy")(lent)
    _LENT.append(lent)


def counters(library: Path, prefix: str = PREFIX) -> dict[str, int]:
    """Return what a library of this process has counted so far."""
    counted = (ctypes.c_long * len(COUNTERS))()
    getattr(ctypes.CDLL(str(library)), f"{prefix}_QDMI_counters")(counted)
    return dict(zip(COUNTERS, counted, strict=True))
