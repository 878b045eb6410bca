"""The worker of a detached job: does what a folder asks, and picks up what was begun before."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from qiskit import QuantumCircuit

from qdmi_qiskit.config import resolve
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.devices.slurm import folder as files
from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    QdmiError,
    SubmitUnknownError,
    UnsupportedError,
)
from qdmi_qiskit.formats import CircuitCodec
from qdmi_qiskit.model import Basis, DeviceSpec
from qdmi_qiskit.plan import Chunk, Request, plan
from qdmi_qiskit.registry import open_session
from qdmi_qiskit.worker.serve import seeds_of

_AHEAD = 8  # jobs that wait in the queue of a device that states no limit


@dataclass
class Batch:
    """One worker's share of a folder.

    Attributes:
        folder: Of the job.
        session: The open device.
        spec: Its snapshot.
        chunks: Every piece of the job.
        key: Under which pieces are submitted, each with its number.
        task: Which of the array's tasks this is.
        tasks: Of how many.
    """

    folder: Path
    session: Session
    spec: DeviceSpec
    chunks: Sequence[Chunk]
    key: str
    task: int = 0
    tasks: int = 1

    def __post_init__(self) -> None:
        self._noted: dict[str, str] = files.read(self._state) or {}
        self.open: list[Job] = []

    @property
    def _state(self) -> Path:
        return self.folder / f"state-{self.task}.json"

    def run(self) -> bool:
        """Do what is not done yet; returns whether all of it has an outcome."""
        limit = 1 if self.spec.simulator else self.spec.capabilities.max_jobs or _AHEAD
        waiting: list[tuple[int, Job]] = []
        whole = True
        for number in self._missing():
            try:
                waiting.append((number, self._job(number)))
            except QdmiError as error:
                whole = self._failed(number, error)
            if len(waiting) >= limit:
                whole &= self._gather(*waiting.pop(0))
        for each in waiting:
            whole &= self._gather(*each)
        return whole

    def _missing(self) -> Iterator[int]:
        for number in range(self.task, len(self.chunks), self.tasks):
            if not files.piece(self.folder, "results", number).exists():
                yield number

    def _job(self, number: int) -> Job:
        """Return the device's job of a piece: the one noted before, or a new one.

        Raises:
            SubmitUnknownError: It was being sent when this worker was ended, and may have arrived.
        """
        caps, noted = self.spec.capabilities, self._noted.get(str(number))
        chunk, key = self.chunks[number], f"{self.key}-{number}"
        again = caps.submit_key or self.spec.simulator
        if noted and caps.retrieve and not self.spec.simulator:
            job = self.session.follow(noted, chunk.tasks)
            self._event(number, "found again", job.id)
        elif noted is not None and not again and (found := self._found(key)) is not None:
            job = found
            self._note(number, job.id)
            self._event(number, "found by its key", job.id)
        elif noted is not None and not again:
            raise SubmitUnknownError(
                f"piece {number} was being sent when the worker ended, and may have been run: look "
                f"for {key!r} at the device; to send it again, remove it from {self._state}"
            )
        else:
            self._note(number, "")
            self._event(number, "sending", key)
            job = self.session.submit(chunk.tasks, key=key)
            self._note(number, job.id)
        self.open.append(job)
        return job

    def _found(self, key: str) -> Job | None:
        try:
            return self.session.find(key)
        except UnsupportedError:
            return None

    def _note(self, number: int, job_id: str) -> None:
        self._noted[str(number)] = job_id
        files.write(self._state, self._noted)

    def _gather(self, number: int, job: Job) -> bool:
        try:
            job.wait()
            outcome = [words.from_shots(each) for each in job.result()]
        except QdmiError as error:
            if isinstance(error, JobFailedError):
                self._noted.pop(str(number), None)  # final: a later attempt may send it again
                files.write(self._state, self._noted)
            return self._failed(number, error)
        facts = [{"id": job.id, **job.metadata}]
        place = files.piece(self.folder, "results", number)
        files.write(place, {"shots": outcome, "jobs": facts})
        files.piece(self.folder, "errors", number).unlink(missing_ok=True)
        self._event(number, "done", job.id)
        self.open.remove(job)
        return True

    def _failed(self, number: int, error: QdmiError) -> bool:
        files.write(files.piece(self.folder, "errors", number), words.from_error(error))
        self._event(number, "failed", str(error))
        return False

    def _event(self, number: int, what: str, detail: str) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(),
            "piece": number,
            "event": what,
            "detail": detail,
            "slurm_job": os.environ.get("SLURM_JOB_ID", ""),
            "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
            "node": os.environ.get("SLURMD_NODENAME", ""),
        }
        with (self.folder / f"events-{self.task}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def stop(self) -> None:
        """Cancel the device's jobs if the user cancelled ours; else they are found again later."""
        if (self.folder / "canceled.json").exists():
            for job in self.open:
                with suppress(QdmiError):
                    job.cancel()


def work(folder: Path) -> int:
    """Do the job in a folder; returns the exit code."""
    request = files.read(folder / "request.json")
    if request is None:
        sys.stderr.write(f"{folder} holds no request.json: is it on a disk that nodes share?\n")
        return 2
    batch: Batch | None = None

    def end(*_: object) -> NoReturn:
        if batch is not None:
            batch.stop()
        os._exit(143)

    signal.signal(signal.SIGTERM, end)
    try:
        (folder / "error.json").unlink(missing_ok=True)
        batch = _batch(folder, request)
        whole = batch.run()
    except Exception as error:  # noqa: BLE001 - the worker's boundary: the folder has to say why
        traceback.print_exc()
        files.write(folder / "error.json", words.from_error(error))
        whole = False
    sys.stderr.flush()
    os._exit(0 if whole else 1)  # a simulator's threads would keep a plain exit waiting


def _batch(folder: Path, request: Mapping[str, Any]) -> Batch:
    if request["version"] != 1:
        raise ConfigError(f"{folder}: version {request['version']}; this worker reads version 1")
    session = open_session(resolve(request["device"] or None, request["options"]))
    spec = session.spec()
    requests, seeds = _requests(request)
    caps = spec.capabilities
    chunks: Sequence[Chunk] = plan(
        requests,
        caps,
        CircuitCodec(caps.formats, session.encoders, _no_basis),
        seeds=seeds if caps.seeds else None,
    )
    if spec.simulator:  # nothing is saved by sending circuits together, and some may be lost
        chunks = [
            Chunk((task,), (place,))
            for chunk in chunks
            for task, place in zip(chunk.tasks, chunk.places, strict=True)
        ]
    shapes = [each.shape for each in requests]
    document = files.plan_document(shapes, [chunk.places for chunk in chunks])
    before = files.read(folder / "plan.json")
    if before is None:
        files.write(folder / "plan.json", document)
    elif before != document:
        raise ConfigError(
            f"{spec.name} takes jobs of another size than when {folder.name} was begun: send the "
            "circuits anew"
        )
    task = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    tasks = int(os.environ.get("SLURM_ARRAY_TASK_COUNT", "1"))
    return Batch(folder, session, spec, chunks, request["key"], task, tasks)


def _requests(
    request: Mapping[str, Any],
) -> tuple[list[Request[QuantumCircuit]], Iterator[int] | None]:
    circuits = [words.to_circuit(base64.b64decode(text)) for text in request["circuits"]]
    requests, seeds = [], []
    for circuit, basis, shots, seed, values in request["tasks"]:
        plain = circuits[circuit]
        made = Request(plain, words.to_array(values), shots, plain.num_clbits)
        if basis is not None:
            measured = words.to_basis(basis)
            bits = plain.num_clbits + len(measured.qubits)
            made = replace(made, basis=measured, num_bits=bits)
        requests.append(made)
        seeds.append(seed)
    return requests, seeds_of(seeds)


def _no_basis(circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
    raise ConfigError(
        f"circuit {circuit.name!r} is to be measured in a basis, and the device takes none now: "
        "send it anew"
    )
