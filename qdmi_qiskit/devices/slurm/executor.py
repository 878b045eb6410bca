"""Any function on Slurm, by submitit: for what is no circuit.

    with executor("/shared/me/logs", partition="quantum", time=30) as pool:
        futures = [pool.submit(energy, distance) for distance in distances]

Functions and results are pickled, and read back by their own user only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.slurm import clients
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import MissingPluginError
from qdmi_qiskit.options import parse


def executor(folder: Path | str, **options: object) -> Any:
    """Return a `submitit.SlurmExecutor`; its jobs are `submitit.Job`s.

    Args:
        folder: For scripts, pickles and logs; on a file system that nodes share.
        options: As of `slurm:`; `device_options`, `idle` and `detach` mean nothing here.

    Raises:
        MissingPluginError: submitit is not installed.
    """
    try:
        import submitit
    except ImportError as error:
        raise MissingPluginError(
            "slurm.executor needs submitit: pip install 'qdmi-qiskit[slurm]'"
        ) from error
    chosen = parse(SlurmOptions, options, device="slurm.executor")
    clients.program("sbatch")
    pool = _with_states(submitit)(folder=folder, python=chosen.python)
    flags = [flag.removeprefix("--").partition("=") for flag in chosen.flags()]
    given = {name.replace("-", "_"): value if equals else True for name, equals, value in flags}
    for ours in ("nodes", "ntasks", "time"):
        given.pop(ours, None)
    pool.update_parameters(time=_minutes(str(chosen.time)), additional_parameters=given)
    return pool


def _with_states(submitit: Any) -> Any:
    """Return submitit's executor with states from `squeue`: `sacct` is not on every cluster."""
    watchers: Any = submitit.slurm.slurm.SlurmInfoWatcher
    jobs: Any = submitit.slurm.slurm.SlurmJob
    executors: Any = submitit.slurm.slurm.SlurmExecutor

    class Watcher(watchers):
        def get_info(self, job_id: str, mode: str = "standard") -> dict[str, str]:
            seen = clients.look(job_id=job_id.partition("_")[0])
            return {} if seen is None else {"JobID": job_id, "State": seen.state}

        def get_state(self, job_id: str, mode: str = "standard") -> str:
            return self.get_info(job_id, mode).get("State", "UNKNOWN")

        def is_done(self, job_id: str, mode: str = "standard") -> bool:
            seen = clients.look(job_id=job_id.partition("_")[0])
            return seen is not None and seen.status.final

    class Job(jobs):
        watcher = Watcher(delay_s=2)

    class Executor(executors):
        job_class = Job

    return Executor


def _minutes(text: str) -> int:
    """Return a time limit of Slurm in whole minutes.

    >>> _minutes("30"), _minutes("00:30:00"), _minutes("1-12"), _minutes("10:30")
    (30, 30, 2160, 11)
    """
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = [*parts, 0, 0][:3]
        return int(days) * 1440 + hours * 60 + minutes + (seconds > 0)
    if len(parts) == 3:
        return parts[0] * 60 + parts[1] + (parts[2] > 0)
    return parts[0] + (len(parts) == 2 and parts[1] > 0)
