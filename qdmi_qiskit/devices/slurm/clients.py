"""Slurm's own programs: what they are given, and what they say.

Formats of `squeue -o` and `scontrol -o` are stable between releases; JSON output is not.
(Source: squeue(1), scontrol(1), 22.05.)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from qdmi_qiskit.errors import UnavailableError
from qdmi_qiskit.model import JobStatus
from qdmi_qiskit.secret import is_secret

_TIMEOUT = 30.0
_KEPT = (
    "HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TZ", "SLURM_CONF", "XDG_CONFIG_HOME",
    "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE",
)  # fmt: skip

STATES: Mapping[str, JobStatus] = {
    **dict.fromkeys(
        ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
         "PREEMPTED", "RESV_DEL_HOLD"),
        JobStatus.QUEUED,
    ),
    **dict.fromkeys(
        ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"),
        JobStatus.RUNNING,
    ),
    "COMPLETED": JobStatus.DONE,
    "CANCELLED": JobStatus.CANCELED,
    "REVOKED": JobStatus.CANCELED,
    **dict.fromkeys(
        ("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE"),
        JobStatus.FAILED,
    ),
}  # fmt: skip
"""Slurm's states in QDMI's words; one that is not here counts as running."""

_HOPELESS = ("DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS")
"""Reasons of pending that nothing will change."""


@dataclass(frozen=True)
class Seen:
    """A job as Slurm tells it.

    Attributes:
        job_id: Slurm's number.
        state: Slurm's word.
        reason: Why it waits or ended; `"None"` if there is nothing to say.
        start: When it began, or when Slurm expects it to.
    """

    job_id: str
    state: str
    reason: str = "None"
    start: datetime | None = None

    @property
    def status(self) -> JobStatus:
        """The state in QDMI's words."""
        if self.state == "PENDING" and self.reason in _HOPELESS:
            return JobStatus.FAILED
        return STATES.get(self.state, JobStatus.RUNNING)

    def __str__(self) -> str:
        return self.state if self.reason in ("None", "") else f"{self.state} ({self.reason})"


def environment(variables: Sequence[str] = (), *, step: bool = False) -> dict[str, str]:
    """Return the environment of `srun` and `sbatch`, which is also the worker's.

    Slurm keeps what a batch job is given on its own disks, so only what is needed goes there, and
    no secret. `SLURM_*` of a job around us would turn a new job into a step of that one without a
    word.

    Args:
        variables: Further names.
        step: Whether a step of the job around us is meant.
    """
    found = {name: os.environ[name] for name in (*_KEPT, *variables) if name in os.environ}
    for name, value in os.environ.items():
        shown = name.startswith("QDMI_") and (not is_secret(name) or value.startswith("file:"))
        if shown or (step and name.startswith("SLURM")):
            found[name] = value
    return found


def program(name: str) -> str:
    """Return where a program of Slurm lies.

    Raises:
        UnavailableError: It is not installed, or the configuration that it would read is not there.
    """
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(
            f"there is no {name} here: run this where Slurm's commands are, such as a login node"
        )
    conf = os.environ.get("SLURM_CONF")
    if conf and not Path(conf).is_file():  # a client would try for a minute
        raise UnavailableError(f"SLURM_CONF={conf} is no file: correct or unset it")
    return found


def ask(name: str, *arguments: str, timeout: float = _TIMEOUT) -> str:
    """Run a client, and return what it printed.

    Raises:
        UnavailableError: It fails or takes too long; carries its words.
    """
    said = answer(name, *arguments, timeout=timeout)
    if said.returncode:
        raise UnavailableError(f"{name}: {said.stderr.strip() or f'exit code {said.returncode}'}")
    return said.stdout


def answer(
    name: str, *arguments: str, timeout: float = _TIMEOUT, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a client, and return how it ended.

    Raises:
        UnavailableError: It takes too long, or is not installed.
    """
    command = [program(name), *arguments]
    env = environment() if environ is None else dict(environ)
    try:
        return subprocess.run(  # noqa: S603 - an absolute path, and options that are checked
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{name} does not answer in {timeout:g} s: is Slurm up?") from error


def look(*, job_id: str | None = None, name: str | None = None) -> Seen | None:
    """Return what Slurm says of a job of ours by number or name; the newest, if several.

    Of a job array, the least advanced task speaks. None: Slurm does not know it (any more).

    Raises:
        UnavailableError: Slurm does not answer.
    """
    which = f"--jobs={job_id}" if job_id else f"--name={name}"
    ran = answer("squeue", "-h", "-a", "-t", "all", which, "-o", "%F|%T|%r|%S")
    rows = [line.split("|") for line in ran.stdout.splitlines() if line.count("|") == 3]
    if not rows:
        if ran.returncode and "Invalid job id" not in ran.stderr:
            raise UnavailableError(f"squeue: {ran.stderr.strip()}")
        return None
    newest = max(int(row[0]) for row in rows)
    seen = [Seen(row[0], row[1], row[2], _time(row[3])) for row in rows if int(row[0]) == newest]
    order = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELED)
    return min(seen, key=lambda each: (*order, JobStatus.DONE).index(each.status))


def ahead(job_id: str, partition: str | None) -> int | None:
    """Return how many pending jobs of the partition Slurm would start before this one."""
    where = ["-p", partition] if partition else []
    ran = answer("squeue", "-h", "-a", "-t", "PENDING", *where, "--sort=-p,i", "-o", "%F")
    ids = list(dict.fromkeys(ran.stdout.split()))
    return ids.index(job_id) if job_id in ids else None


def cancel(*, job_id: str | None = None, name: str | None = None) -> None:
    """Ask Slurm to end a job; one that has ended stays as it is."""
    which = [job_id] if job_id else [f"--name={name}", f"--user={os.getuid()}"]
    answer("scancel", *which)


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
