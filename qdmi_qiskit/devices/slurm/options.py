"""What can be said about an allocation, checked before Slurm sees it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from qdmi_qiskit.options import DeviceOptions

_TIME = re.compile(r"\d+(:\d{1,2}){0,2}|\d+-\d+(:\d{1,2}){0,2}")
_OURS = (
    "array", "cancel", "chdir", "export", "export-file", "error", "get-user-env",
    "input", "job-name", "label", "nodes", "ntasks", "open-mode", "output", "parsable", "pty",
    "time", "wait", "wrap",
)  # fmt: skip


def _time(text: object) -> str:
    if isinstance(text, bool) or not _TIME.fullmatch(str(text)):  # TOML reads 00:30:00 as a time
        raise ValueError("minutes, or a time such as '00:30:00' or '1-12'")
    return str(text)


def _word(text: str) -> str:
    if not text or text.startswith("-") or re.search(r"[\s\0]", text):
        raise ValueError("a name without spaces that does not start with '-'")
    return text


def _flag(text: str) -> str:
    name = text.removeprefix("--").partition("=")[0]
    if not re.fullmatch(r"--[a-z][a-z0-9-]*(=[^\0\n]*)?", text):
        raise ValueError("a long flag of srun and sbatch, such as '--nice=100'")
    if name in _OURS:
        raise ValueError(f"a flag other than --{name}, which is set here")
    return text


Word = Annotated[str, AfterValidator(_word)]


class SlurmOptions(DeviceOptions):
    """Options of `slurm:`.

    Attributes:
        partition: Of the allocation; also `account`, `qos`, `reservation`, `constraint`, `gres`,
            `memory`, in Slurm's words.
        licenses: Such as `"iqm_emerald:1"`; held while the allocation is.
        cpus: Processors of the worker.
        time: Limit of the allocation: minutes, or `"HH:MM:SS"`. Always sent: without a limit a
            job counts as the partition's longest, and quotas may keep it from ever starting.
        extra: Further flags of `srun` and `sbatch`, such as `"--qdmi-device=iqm:emerald"`.
        idle: Seconds without work after which a session gives its allocation and licences back;
            the next call takes another.
        wait: Seconds to wait for an allocation at most.
        python: The interpreter on the node, which has this package.
        variables: Names of environment variables that the worker gets beside the usual few.
        device_options: Options of the device inside; secrets as `file:PATH` only, read there.
        detach: Whether jobs are batch jobs of their own that outlive this process.
        array: Spread a detached job over so many tasks of a job array.
        jobs_dir: Where detached jobs lie, on a file system that nodes share; `$QDMI_JOBS_DIR`
            or `~/.qdmi/jobs` if not given.
    """

    partition: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    reservation: Word | None = None
    constraint: Word | None = None
    gres: Word | None = None
    memory: Word | None = None
    licenses: Word | None = None
    cpus: int | None = Field(default=None, ge=1)
    time: Annotated[str, BeforeValidator(_time)] = "00:30:00"
    extra: tuple[Annotated[str, AfterValidator(_flag)], ...] = ()
    idle: float = Field(default=300.0, gt=0)
    wait: float | None = Field(default=None, gt=0)
    python: str = sys.executable
    variables: tuple[Word, ...] = ()
    device_options: dict[str, Any] = Field(default_factory=dict)
    detach: bool = False
    array: int | None = Field(default=None, ge=1, le=1000)
    jobs_dir: Path | None = None

    def folder(self) -> Path:
        """Return where detached jobs lie."""
        given = self.jobs_dir or os.environ.get("QDMI_JOBS_DIR") or "~/.qdmi/jobs"
        return Path(given).expanduser().absolute()

    def inside(self) -> dict[str, Any]:
        """Return the options of the device inside as JSON; of secrets the references."""
        return {key: _plain(value) for key, value in self.device_options.items()}

    def flags(self) -> list[str]:
        """Return what `srun` and `sbatch` take alike."""
        named = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "reservation": self.reservation,
            "constraint": self.constraint,
            "gres": self.gres,
            "mem": self.memory,
            "licenses": self.licenses,
            "cpus-per-task": self.cpus,
            "time": self.time,
        }
        given = [f"--{name}={value}" for name, value in named.items() if value is not None]
        return [*given, "--nodes=1", "--ntasks=1", *self.extra]


def _plain(value: Any) -> Any:
    """Return an option as JSON; a secret as its reference."""
    reference = getattr(value, "reference", None)
    if reference is not None:
        return reference
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
