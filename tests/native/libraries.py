"""Devices for the tests: what is installed, and the C test device, built once per version."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from qdmi_qiskit.devices.native import driver
from qdmi_qiskit.testing.native_device import MINORS, PREFIX, build, compiler

needs_compiler = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")

INSTALLED = frozenset(driver.names())


def version(distribution):
    try:
        return tuple(int(part) for part in metadata.version(distribution).split(".")[:2])
    except metadata.PackageNotFoundError:
        return None


CORE = version("mqt-core")
needs_core = pytest.mark.skipif(CORE is None, reason="needs mqt-core")
needs_qir = pytest.mark.skipif((CORE or ()) < (4, 1), reason="needs mqt-core 4.1")
DDSIM = "mqt.ddsim.default"
TEST = tuple(f"test-1.{minor}" for minor in MINORS)
RUNNING = (
    *(pytest.param(name, marks=needs_compiler) for name in TEST),
    pytest.param(DDSIM, marks=needs_core),
)
"""Devices that run circuits here, without a network."""


@cache
def folder():
    path = tempfile.mkdtemp(prefix="qdmi-native-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


@cache
def c_library(minor, prefix=PREFIX):
    return build(folder(), minor, prefix)


def opened(name, words="", **options):
    """Open a device by the names of these tests; `words` tell the test device to misbehave."""
    if not name.startswith("test-1."):
        return driver.open(name, **options)
    if words:
        options["custom1"] = words
    prefix = options.setdefault("prefix", PREFIX)
    library = c_library(int(name.rpartition(".")[2]), prefix)
    return driver.open("", library=str(library), **options)
