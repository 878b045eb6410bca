"""Is Slurm here, does it know the site's devices, and does a circuit come back right?"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from qiskit import QuantumCircuit

from qdmi_qiskit.bits import to_ints
from qdmi_qiskit.devices.slurm import clients
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.devices.slurm.session import SlurmSession
from qdmi_qiskit.devices.slurm.site import Site
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.model import Program, Task

_PATIENCE = 120.0  # seconds for an allocation, if nothing else was said


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: The question.
        ok: Whether all is well.
        said: What was seen, or what to do.
    """

    what: str
    ok: bool
    said: str


def examine(device: str, options: SlurmOptions, site: Site | None) -> Iterator[Finding]:
    """Look at one thing after the other; what rests on something that failed is left out.

    Args:
        device: Opened in an allocation.
        options: Of the allocation.
        site: What the site's file promises; None: there is none.
    """
    clients_there = _finding("Slurm's commands", _commands)
    yield clients_there
    if not clients_there.ok:
        return
    controller = _finding("controller", _controller)
    yield controller
    if not controller.ok:
        return
    if site is not None:
        yield _finding("site file", lambda: _private(site))
        yield _finding("licences", lambda: _licenses(site))
        yield _finding("partitions", lambda: _partitions(site))
        yield _finding("SPANK plug-in", _plugin)
    yield _finding("start", lambda: _start(options))
    yield _finding(
        f"session on {device or 'the default device'}", lambda: _session(device, options)
    )
    yield _finding("folder of jobs", lambda: _shared(options))


def _finding(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ok=True, said=look())
    except (QdmiError, OSError) as error:
        return Finding(what, ok=False, said=" ".join(str(error).split()))


class _WrongError(QdmiError):
    """What was found is not what is needed."""


def _commands() -> str:
    found = [clients.program(name) for name in ("srun", "sbatch", "squeue", "scancel", "scontrol")]
    return str(Path(found[0]).parent)


def _controller() -> str:
    said = clients.ask("scontrol", "ping", timeout=15.0)
    if "UP" not in said:
        raise _WrongError(said.strip() or "it does not say")
    return f"{clients.ask('srun', '--version').strip()}; {said.strip()}"


def _private(site: Site) -> str:
    about = site.path.stat()
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _WrongError(f"{site.path} can be written by others: chmod go-w {site.path}")
    return f"{site.path}: {len(site.devices)} devices"


def _licenses(site: Site) -> str:
    said = clients.ask("scontrol", "-o", "show", "licenses")
    known = {line.partition("=")[2].split()[0] for line in said.splitlines() if "=" in line}
    if missing := [name for name in site.licenses if name not in known]:
        raise _WrongError(
            f"Slurm has no licence {', '.join(missing)}: add to Licenses= of slurm.conf"
        )
    return ", ".join(site.licenses) or "none needed"


def _partitions(site: Site) -> str:
    known = clients.ask("sinfo", "-h", "-a", "-o", "%R").split()
    if missing := [each.name for each in site.partitions if each.name not in known]:
        raise _WrongError(f"Slurm has no partition {', '.join(missing)}; it has {', '.join(known)}")
    return ", ".join(each.name for each in site.partitions)


def _plugin() -> str:
    if "--qdmi-device" not in clients.ask("srun", "--help"):
        raise _WrongError(
            "srun knows no --qdmi-device: is it in plugstack.conf? (TaskProlog needs none)"
        )
    return "srun knows --qdmi-device"


def _start(options: SlurmOptions) -> str:
    ran = clients.answer("sbatch", "--test-only", *options.flags(), "--wrap=true")
    if ran.returncode:
        raise _WrongError(ran.stderr.strip())
    return ran.stderr.strip().removeprefix("sbatch: ")


def _session(device: str, options: SlurmOptions) -> str:
    if options.wait is None:
        options = options.model_copy(update={"wait": _PATIENCE})
    began = time.monotonic()
    with SlurmSession(device, options) as session:
        spec = session.spec()
        hello, opened = session._hello(), time.monotonic() - began  # noqa: SLF001
        told = (
            f"{spec.name} on {hello['node']} in {opened:.1f} s (Python {hello['python']}, Qiskit "
            f"{hello['qiskit']}, qdmi-qiskit {hello['qdmi_qiskit']})"
        )
        if not spec.simulator:  # a circuit would cost money
            return f"{told}; no circuit was sent"
        circuit = QuantumCircuit(2, 2)
        circuit.x(0)
        circuit.measure([0, 1], [0, 1])
        shots = max(20, spec.capabilities.min_shots)
        job = session.submit([Task(Program("qiskit", circuit, 2), shots)], key=uuid4().hex)
        job.wait(60)
        seen = set(to_ints(job.result()[0].bits[0]))
        if seen != {1}:
            raise _WrongError(f"X on qubit 0 reads {sorted(seen)}, wanted 1: {told}")
    return f"{told}; X on qubit 0 reads 1"


def _shared(options: SlurmOptions) -> str:
    folder = options.folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = folder / f".probe-{os.getpid()}"
    probe.touch(0o600)
    try:
        ran = clients.answer("srun", *options.flags(), "test", "-w", str(probe), timeout=_PATIENCE)
    finally:
        with suppress(OSError):
            probe.unlink()
    if ran.returncode:
        said = f": {ran.stderr.strip()}" if ran.stderr.strip() else ""
        raise _WrongError(
            f"a node does not see {folder}{said}; set jobs_dir to a shared file system"
        )
    return f"{folder} is seen by a node"
