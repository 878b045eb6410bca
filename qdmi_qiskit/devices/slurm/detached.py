"""Jobs that outlive the process: a batch job and a folder each, found again by id or number."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qdmi_qiskit.device import Job
from qdmi_qiskit.devices.slurm import clients, words
from qdmi_qiskit.devices.slurm.allocation import WORKER
from qdmi_qiskit.devices.slurm.folder import last_words, piece, plan_from, read, write
from qdmi_qiskit.devices.slurm.job import together
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import ConfigError, JobFailedError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.merge import lost, merge
from qdmi_qiskit.model import DeviceSpec, JobStatus, Shots, Task

_ID = re.compile(r"qdmi-[0-9a-f]{16}")


class DetachedJob(Job):
    """A batch job. Its truth is its folder; Slurm is asked only where that does not say."""

    def __init__(self, folder: Path, options: SlurmOptions) -> None:
        self.id, self._folder = folder.name, folder
        self._outcome: tuple[Shots, ...] | None = None

    @property
    def folder(self) -> Path:
        """Where everything about it lies."""
        return self._folder

    @property
    def slurm_id(self) -> str:
        """Slurm's number; empty if the submission never came that far."""
        document = read(self._folder / "slurm.json")
        return "" if document is None else str(document["job"])

    @property
    def metadata(self) -> Mapping[str, Any]:
        facts = [fact for _, each in self._pieces() if each for fact in each["jobs"]]
        return {**together(facts), "slurm_job": self.slurm_id, "folder": str(self._folder)}

    def _numbers(self) -> range:
        plan = read(self._folder / "plan.json")
        return range(len(plan["pieces"]) if plan else 0)

    def _pieces(self) -> list[tuple[int, Any]]:
        """Return each piece with its outcome, or None where there is none yet."""
        return [(k, read(piece(self._folder, "results", k))) for k in self._numbers()]

    def _complete(self) -> bool:
        numbers = self._numbers()
        return len(numbers) > 0 and all(piece(self._folder, "results", k).exists() for k in numbers)

    def seen(self) -> clients.Seen | None:
        """Return what Slurm says of it now; None if it has forgotten."""
        return clients.look(job_id=self.slurm_id or None, name=self.id)

    def status(self) -> JobStatus:
        if self._outcome is not None or self._complete():
            return JobStatus.DONE
        seen = self.seen()
        status = JobStatus.FAILED if seen is None else seen.status
        if status is JobStatus.DONE:  # says Slurm: see whether there is something to show for it
            return JobStatus.DONE if self._complete() else JobStatus.FAILED
        return status

    def cancel(self) -> None:
        if not self.status().final:
            write(self._folder / "canceled.json", {})  # so that the worker cancels its jobs, too
            clients.cancel(job_id=self.slurm_id or None, name=self.id)

    def resume(self) -> None:
        """Send what is missing of a job that ended early; what is there is kept.

        Raises:
            ConfigError: It has not ended, or lacks nothing.
        """
        if self._complete() or not self.status().final:
            raise ConfigError(f"job {self.id} is {self.status().value}: there is nothing to resume")
        (self._folder / "canceled.json").unlink(missing_ok=True)
        _sbatch(self._folder)

    def result(self) -> tuple[Shots, ...]:
        if self._outcome is None:
            if not self._complete():
                there = (piece(self._folder, "results", k).exists() for k in self._numbers())
                missing = [k for k, found in enumerate(there) if not found]
                raise JobFailedError(self._why(missing), job_id=self.id)
            self._outcome = self._merged("")
        return self._outcome

    def partial(self) -> tuple[Shots, ...]:
        """Return what there is now; of what is missing no shot is valid.

        Raises:
            JobFailedError: There is nothing yet.
        """
        if not self._pieces():
            raise JobFailedError(f"job {self.id} has not begun", job_id=self.id)
        return self._merged(f"not there yet; job {self.id} is {self.status().value}")

    def _merged(self, reason: str) -> tuple[Shots, ...]:
        shapes, places = plan_from(read(self._folder / "plan.json"))
        results = [
            lost(places[k], shapes, self._error(k) or reason)
            if outcome is None
            else tuple(words.to_shots(each) for each in outcome["shots"])
            for k, outcome in self._pieces()
        ]
        return merge(shapes, places, results)

    def _error(self, number: int) -> str:
        document = read(piece(self._folder, "errors", number))
        return "" if document is None else str(document["message"])

    def _why(self, missing: Sequence[int]) -> str:
        seen = self.seen()
        state = "unknown to Slurm" if seen is None else str(seen)
        errors = list(dict.fromkeys(filter(None, map(self._error, missing))))
        fatal = read(self._folder / "error.json")
        said = [fatal["message"]] if fatal else errors
        tail = "" if said else last_words(self._folder)
        which = f", {len(missing)} pieces without an outcome" if missing else ""
        return (
            f"job {self.id} (Slurm {self.slurm_id or 'never knew it'}: {state}){which}: "
            + ("; ".join(said) or tail or "it printed nothing")
            + f" (see {self._folder})"
        )


def send(
    device: str,
    options: SlurmOptions,
    spec: DeviceSpec,
    tasks: Sequence[Task],
    key: str,
    version: int,
) -> DetachedJob:
    """Write the folder of a job, and submit it. The same key is the same job, in any process.

    Args:
        device: What the worker opens.
        options: Of the batch job.
        spec: The device inside, as the circuits were compiled for it.
        tasks: What to run.
        key: Of this attempt.
        version: Of QPY, the newest that nodes read.

    Raises:
        ConfigError: Slurm refuses; nothing was queued.
        UnavailableError: Slurm does not answer; nothing was queued.
        SubmitUnknownError: It may be queued.
    """
    mark = hashlib.sha256(f"{device}\n{key}".encode()).hexdigest()[:16]
    folder = options.folder() / f"qdmi-{mark}"
    job = DetachedJob(folder, options)
    if job.slurm_id:
        return job
    if (folder / "request.json").exists() and (seen := clients.look(name=job.id)) is not None:
        write(folder / "slurm.json", {"job": seen.job_id})  # we died between the two
        return job
    for each in (folder, folder / "results", folder / "errors"):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(folder / "request.json", _request(device, options, spec, tasks, key, version))
    _sbatch(folder)
    return job


def _request(
    device: str,
    options: SlurmOptions,
    spec: DeviceSpec,
    tasks: Sequence[Task],
    key: str,
    version: int,
) -> dict[str, Any]:
    circuits: dict[int, int] = {}
    texts: list[str] = []
    rows = []
    for task in tasks:
        payload = task.program.payload
        if id(payload) not in circuits:
            circuits[id(payload)] = len(texts)
            texts.append(base64.b64encode(words.from_circuit(payload, version)).decode())
        basis = None if task.basis is None else words.from_basis(task.basis)
        values = words.from_array(task.values)
        rows.append([circuits[id(payload)], basis, task.shots, task.seed, values])
    array = None if options.array is None else min(options.array, len(tasks))
    return {
        "version": 1,
        "device": device,
        "options": options.inside(),
        "key": key,
        "spec": spec.name,
        "circuits": texts,
        "tasks": rows,
        "slurm": {
            "flags": options.flags(),
            "python": options.python,
            "variables": list(options.variables),
            "array": array,
        },
    }


def _sbatch(folder: Path) -> None:
    asked = read(folder / "request.json")["slurm"]
    array = asked["array"]
    command = shlex.join([asked["python"], "-u", "-m", WORKER, "--folder", str(folder)])
    flags = [
        "--parsable",
        f"--job-name={folder.name}",
        f"--chdir={folder}",
        f"--output={folder}/worker-{'%a' if array else '0'}.log",
        "--open-mode=append",  # a requeued job would wipe what it said before
        "--requeue",
        "--kill-on-invalid-dep=yes",
        *([f"--array=0-{array - 1}"] if array else []),
        *asked["flags"],
        f"--wrap=exec {command}",
    ]
    try:
        ran = clients.answer("sbatch", *flags, environ=clients.environment(asked["variables"]))
    except UnavailableError as error:
        if (seen := _found(folder.name)) is None:
            raise SubmitUnknownError(
                f"sbatch did not answer: look for a job named {folder.name} before sending again"
            ) from error
        write(folder / "slurm.json", {"job": seen.job_id})
        return
    if ran.returncode:
        said = ran.stderr.strip()
        transient = any(news in said for news in ("Unable to contact", "Socket timed out"))
        kind = UnavailableError if transient else ConfigError
        raise kind(f"Slurm refuses the job: {said}")
    write(folder / "slurm.json", {"job": ran.stdout.strip().partition(";")[0]})


def _found(name: str) -> clients.Seen | None:
    try:
        return clients.look(name=name)
    except UnavailableError:
        return None


def find(job_id: str, options: SlurmOptions) -> Path | None:
    """Return the folder of a detached job by its id, or by Slurm's number."""
    place = options.folder()
    if _ID.fullmatch(job_id):
        return place / job_id if (place / job_id / "request.json").exists() else None
    if not job_id.isdigit() or not place.is_dir():
        return None
    for folder in place.glob("qdmi-*"):
        document = read(folder / "slurm.json")
        if document is not None and str(document["job"]) == job_id:
            return folder
    return None
