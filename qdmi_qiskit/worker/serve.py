"""A worker that does what the frames on its standard streams ask, until they end."""

from __future__ import annotations

import base64
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from itertools import chain
from typing import Any, NoReturn

import qiskit
from qiskit import qpy

from qdmi_qiskit import spec_json
from qdmi_qiskit.config import resolve
from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.slurm import words
from qdmi_qiskit.devices.slurm.frames import Frames
from qdmi_qiskit.devices.slurm.gates import to_gates
from qdmi_qiskit.errors import ConfigError, ProtocolError, QdmiError
from qdmi_qiskit.model import DeviceSpec, JobStatus, Program
from qdmi_qiskit.plan import Request
from qdmi_qiskit.registry import open_session
from qdmi_qiskit.run import Run, seeds, start

_THREADS = 64
_FAREWELL = 2.0  # seconds for jobs to be cancelled in at the end


class Worker:
    """One open device, and the runs on it."""

    def __init__(self, frames: Frames, session: Session, spec: DeviceSpec) -> None:
        self._frames, self._session, self._spec = frames, session, spec
        self._things: dict[int, Any] = {}
        self._runs: dict[int, Run] = {}
        self._calls = ThreadPoolExecutor(_THREADS, "qdmi-call")
        self.busy, self.last = 0, time.monotonic()
        self._counting = threading.Lock()

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take one message. Numbers are looked up here, in the order of the messages."""
        self.last = time.monotonic()
        operation = message["op"]
        if operation == "keep":
            self._things[message["thing"]] = _thing(message)
        elif operation == "forget":
            for number in message["things"]:
                self._things.pop(number, None)
        elif operation == "submit":
            self._count(1)
            threading.Thread(target=self._run, args=(message,), daemon=True).start()
        else:
            answer = getattr(self, f"_{operation}")
            self._calls.submit(self._answer, message["call"], answer, message)

    def _count(self, change: int) -> None:
        with self._counting:
            self.busy += change
            self.last = time.monotonic()

    def _say(self, message: Mapping[str, Any], *, more: bool = False) -> None:
        with suppress(ConnectionError):  # nobody listens any more: the end of input follows
            self._frames.send(message, more=more)

    def _answer(
        self, call: int, answer: Callable[[Mapping[str, Any]], Any], message: Mapping[str, Any]
    ) -> None:
        self._count(1)
        try:
            self._say({"call": call, "value": answer(message)})
        except Exception as error:  # noqa: BLE001 - the worker's boundary: it goes to the caller
            self._say({"call": call, "error": words.from_error(error)})
        finally:
            self._count(-1)

    def _run(self, message: Mapping[str, Any]) -> None:
        number, call = message["job"], message["call"]
        run: Run | None = None
        try:
            try:
                run = self._runs[number] = self._started(message)
            except Exception as error:  # noqa: BLE001 - as above
                refusal = words.from_error(error)
                self._say({"call": call, "error": refusal}, more=True)
                self._say({"job": number, "end": JobStatus.FAILED.value, "error": refusal})
                return
            self._say({"call": call}, more=True)
            self._say({"job": number, **self._ended(run)})
        finally:
            self._runs.pop(number, None)
            self._count(-1)

    def _started(self, message: Mapping[str, Any]) -> Run:
        tables = [words.to_array(values) for values in message["values"]]
        requests, given = [], []
        for circuit, basis, shots, seed, table in message["tasks"]:
            plain = self._kept(circuit)
            measured = None if basis is None else self._kept(basis)
            bits = plain.num_clbits + (0 if measured is None else len(measured.qubits))
            requests.append(Request(plain, tables[table], shots, bits, basis=measured))
            given.append(seed)
        stream = seeds_of(given)
        return start(self._session, self._spec, requests, seeds=stream, key=message["key"])

    def _ended(self, run: Run) -> dict[str, Any]:
        try:
            run.wait()
            shots = [words.from_shots(each) for each in run.result()]
        except Exception as error:  # noqa: BLE001 - as above
            end = JobStatus.CANCELED if run.status() is JobStatus.CANCELED else JobStatus.FAILED
            return {"end": end.value, "error": words.from_error(error), "jobs": run.device_jobs}
        return {"end": JobStatus.DONE.value, "shots": shots, "jobs": run.device_jobs}

    def _kept(self, number: int) -> Any:
        thing = self._things.get(number)
        if thing is None:
            raise ProtocolError(f"thing {number} was never sent")
        if isinstance(thing, QdmiError):
            raise thing
        return thing

    def _status(self, message: Mapping[str, Any]) -> dict[str, Any]:
        run = self._runs.get(message["job"])
        if run is None:
            return {"status": JobStatus.RUNNING.value, "jobs": []}  # its end is on the way
        return {"status": run.status().value, "jobs": run.device_jobs}

    def _cancel(self, message: Mapping[str, Any]) -> None:
        if (run := self._runs.get(message["job"])) is not None:
            run.cancel()

    def _state(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return words.from_state(self._session.status())

    def _refresh(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._session.refresh()
        self._spec = self._session.spec()
        return described(self._session, self._spec)

    def _expectations(self, message: Mapping[str, Any]) -> list[Any]:
        circuit = self._kept(message["circuit"])
        names = tuple(parameter.name for parameter in circuit.parameters)
        program = Program("qiskit", circuit, circuit.num_clbits, names)
        found = self._session.expectations(
            program, words.to_array(message["values"]), self._kept(message["sums"])
        )
        return words.from_array(found)

    def end(self) -> None:
        """Cancel what still runs, as far as that goes."""
        for run in list(self._runs.values()):
            with suppress(Exception):
                run.cancel()


def _thing(message: Mapping[str, Any]) -> Any:
    """Return a circuit, a basis or observables; an error of ours is told whoever uses it."""
    try:
        if "circuit" in message:
            return words.to_circuit(base64.b64decode(message["circuit"]))
        if "basis" in message:
            return words.to_basis(message["basis"])
        return tuple(words.to_sum(each) for each in message["sums"])
    except QdmiError as error:
        return error


def seeds_of(given: list[int | None]) -> Iterator[int] | None:
    """Yield the seeds of tasks in order; a device that needs more gets some derived from them.

    A task that the device takes whole has its own seed, so that outcomes are those of the same
    device opened without Slurm.
    """
    own = [seed for seed in given if seed is not None]
    if len(own) < len(given) or not own:
        return None
    return chain(own, seeds(own[0], call=1))


def described(session: Session, spec: DeviceSpec) -> dict[str, Any]:
    """Return what the other side has to know of a device."""
    return {"spec": spec_json.dumps(spec), "gates": to_gates(session.gates)}


def serve() -> NoReturn:
    """Serve standard input and output until input ends."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever prints from here on prints to the log
    sys.stdout = sys.stderr
    frames = Frames(lambda: os.read(0, 1 << 16), lambda line: _all(out, line))
    messages = frames.messages()
    asked = next(messages, None)
    if asked is None:
        sys.exit(0)
    opened: list[Worker] = []
    signal.signal(signal.SIGTERM, lambda *_: _leave(opened, 143))
    # In threads: a message of several pieces waits for answers that are read here.
    for target, arguments in ((_open, (frames, opened, asked)), (_idle, (frames, opened, asked))):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    for message in messages:  # the first follows our hello
        opened[0].hear(message)
    _leave(opened, 0)


def _open(frames: Frames, opened: list[Worker], asked: Mapping[str, Any]) -> None:
    try:
        session = open_session(resolve(asked["name"], asked["options"]))
        spec = session.spec()
        hello = _about() | described(session, spec) | {"held": session.held}
        opened.append(Worker(frames, session, spec))
        frames.send({"hello": hello})
    except Exception as error:  # noqa: BLE001 - the worker's boundary: told to the user, then the end
        with suppress(ConnectionError):
            frames.send({"failed": words.from_error(error)})
        _leave(opened, 1)


def _idle(frames: Frames, opened: list[Worker], asked: Mapping[str, Any]) -> None:
    idle = asked["idle"]
    while True:
        time.sleep(min(idle / 4, 5.0))
        for worker in opened:
            if not worker.busy and time.monotonic() - worker.last > idle:
                with suppress(ConnectionError):
                    frames.send({"bye": f"nothing to do for {idle:g} s"})
                _leave([], 0)


def _leave(opened: list[Worker], code: int) -> NoReturn:
    """End now: a simulator's thread would keep a plain exit waiting, and the licence with it."""
    for worker in opened:
        ending = threading.Thread(target=worker.end, daemon=True)
        ending.start()
        ending.join(_FAREWELL)
    os._exit(code)


def _all(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


def _about() -> dict[str, Any]:
    if qpy.common.QPY_VERSION < 10:
        raise ConfigError(f"Qiskit {qiskit.__version__} on the node is too old")
    return {
        "slurm_job": os.environ.get("SLURM_JOB_ID", ""),
        "restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "node": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "python": sys.version.split()[0],
        "qiskit": qiskit.__version__,
        "qdmi_qiskit": version("qdmi-qiskit"),
        "qpy": qpy.common.QPY_VERSION,
    }
