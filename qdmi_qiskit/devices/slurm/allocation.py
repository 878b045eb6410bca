"""One allocation with one worker in it, spoken to over the streams of `srun`.

The allocation lives as long as this process and no longer: the worker ends when its input does,
and `srun` is told to end should we be killed while it still waits in the queue.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import uuid4

from qdmi_qiskit.devices.slurm import clients, words
from qdmi_qiskit.devices.slurm.frames import Frames
from qdmi_qiskit.devices.slurm.leash import leashed
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.errors import ConfigError, QdmiError, UnavailableError

_log = logging.getLogger(__name__)

WORKER = "qdmi_qiskit.worker"
_POLITE, _GRACE = 2.0, 10.0  # seconds for srun to end by itself, and when told to
_NEWS = ("Unable to contact", "Socket timed out", "Zero Bytes", "Connection refused")


class Allocation:
    """A worker that was asked for; `ready` tells when it is there.

    Attributes:
        name: Slurm's name of the job, unique.
        ready: What the worker says of itself, or why there is none.
        over: Set when the allocation has gone.
        job_id: Slurm's number, once it is known.
    """

    def __init__(self, device: str, options: SlurmOptions, *, step: bool = False) -> None:
        """Ask Slurm for it, and return at once.

        Args:
            device: What the worker opens, by name.
            options: Of the allocation.
            step: Inside the job around us rather than as a job of its own.
        """
        self.name = f"qdmi-{uuid4().hex[:12]}"
        self.ready: Future[dict[str, Any]] = Future()
        self.over = threading.Event()
        self.job_id = ""
        self._options, self._step = options, step
        self._said: deque[str] = deque(maxlen=20)
        self._calls: dict[int, Future[Any]] = {}
        self._listeners: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._numbers, self._lock = count(1), threading.Lock()
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: Frames | None = None
        self._closing = False
        command = [clients.program("srun"), *self._flags(), options.python, "-u", "-m", WORKER]
        self._thread = threading.Thread(
            target=self._live, args=(command,), name=self.name, daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._frames is not None:
            asked = {"op": "open", "name": device or None, "idle": options.idle}
            asked["options"] = options.inside()
            threading.Thread(target=self._tell, args=(asked,), daemon=True).start()

    def _flags(self) -> list[str]:
        flags = self._options.flags()
        if self._step:
            flags = ["--nodes=1", "--ntasks=1", "--overlap", *self._options.extra]
        return [f"--job-name={self.name}", "--unbuffered", "--quit-on-interrupt", *flags]

    def _live(self, command: Sequence[str]) -> None:
        """Start srun, and read what comes; the thread that starts it must outlive it."""
        try:
            environ = clients.environment(self._options.variables, step=self._step)
            self._process = leashed(command, environ)
        except OSError as error:
            self._finish(UnavailableError(f"srun does not start: {error}"))
            self._started.set()
            return
        _, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("the streams of srun")
        self._frames = Frames(lambda: os.read(stdout.fileno(), 1 << 16), self._write)
        listening = threading.Thread(target=self._listen, args=(stderr,), daemon=True)
        listening.start()
        self._started.set()
        try:
            for message in self._frames.messages():
                self._hear(message)
        except (ValueError, KeyError, TypeError) as error:
            self._finish(UnavailableError(f"the worker of {self.name} talks nonsense: {error!r}"))
            self._end()
        self._process.wait()
        listening.join(1.0)
        self._end()
        self._finish(None)
        for stream in (stdout, stderr):
            stream.close()

    def _write(self, line: bytes) -> None:
        pipe = self._process.stdin if self._process else None
        if pipe is None or pipe.closed:
            raise OSError("closed")
        pipe.write(line)

    def _listen(self, stderr: Any) -> None:
        for raw in stderr:
            line = raw.decode(errors="replace").rstrip()
            self._said.append(line)
            _log.debug("%s: %s", self.name, line)
            head, _, tail = line.partition("job ")
            number = tail.split(" ", 1)[0]
            if head.startswith("srun:") and number.isdigit() and not self.job_id:
                self.job_id = number
                _log.info("allocation %s: %s", self.name, line)

    def _hear(self, message: dict[str, Any]) -> None:
        if "hello" in message:
            self.job_id = message["hello"]["slurm_job"] or self.job_id
            self.ready.set_result(message["hello"])
        elif "failed" in message:
            self._finish(words.to_error(message["failed"]))
        elif "bye" in message:
            _log.info("allocation %s gave itself back: %s", self.name, message["bye"])
            self._closing = True
            self.over.set()
            self._end()
        elif "call" in message:
            future = self._calls.pop(message["call"], None)
            if future is None:
                return
            if "error" in message:
                future.set_exception(words.to_error(message["error"]))
            else:
                future.set_result(message.get("value"))
        elif "job" in message:
            listener = self._listeners.get(message["job"])
            if listener is not None:
                listener(message)

    def number(self) -> int:
        """Return a number that nothing else in this allocation has."""
        return next(self._numbers)

    def listen(self, number: int, listener: Callable[[dict[str, Any]], None]) -> None:
        """Have messages about a job of ours told; one that the allocation has ended, too."""
        with self._lock:
            if not self.over.is_set():
                self._listeners[number] = listener
                return
        listener({"job": number, "lost": True})

    def forget(self, number: int) -> None:
        """Stop telling."""
        self._listeners.pop(number, None)

    def tell(self, message: dict[str, Any], *, more: bool = False) -> None:
        """Send a message that has no answer.

        Args:
            message: Plain JSON.
            more: Whether another one follows at once.

        Raises:
            UnavailableError: The worker has gone.
        """
        if self._frames is None:
            raise self.loss()
        try:
            self._frames.send(message, more=more)
        except ConnectionError as error:
            raise self.loss() from error

    def _tell(self, message: dict[str, Any]) -> None:
        with suppress(QdmiError):  # whoever waits for `ready` is told why
            self.tell(message)

    def call(self, message: dict[str, Any], timeout: float | None = None) -> Any:
        """Send a message, and wait for its answer.

        Raises:
            QdmiError: What the worker says, or that it has gone.
            TimeoutError: There is no answer yet.
        """
        number, future = self.number(), Future[Any]()
        self._calls[number] = future
        self.tell({"call": number, **message})
        if self.over.is_set():
            _fail(future, self.loss())
        try:
            return future.result(timeout)
        except FutureTimeoutError:
            raise TimeoutError(f"the worker has not answered after {timeout} s") from None
        finally:
            self._calls.pop(number, None)

    def wait_ready(self, timeout: float | None) -> dict[str, Any]:
        """Wait for the worker.

        Raises:
            UnavailableError: The queue is longer than `timeout` seconds; the request is withdrawn.
            QdmiError: Slurm or the device refuses.
        """
        try:
            return self.ready.result(timeout)
        except FutureTimeoutError:
            seen = self.seen()
            start = ""
            if seen is not None and seen.start is not None:
                start = f", expected to start at {seen.start:%Y-%m-%d %H:%M} UTC"
            self.close()
            raise UnavailableError(
                f"no allocation after {timeout:g} s: {seen or 'Slurm does not know why'}{start}; "
                "the request was withdrawn. Raise wait=, or detach"
            ) from None
        except BaseException:
            self.close()  # Ctrl-C in the queue: leave nothing behind
            raise

    def seen(self) -> clients.Seen | None:
        """Return what Slurm says of the allocation now."""
        return clients.look(job_id=self.job_id or None, name=self.name)

    def loss(self) -> UnavailableError:
        """Return why the worker has gone."""
        words_ = [line for line in self._said if line.strip()][-5:]
        noise = list(self._frames.noise)[-3:] if self._frames else []
        said = "; ".join([*words_, *noise])
        state = ""
        with suppress(QdmiError):
            state = f", {seen}" if (seen := self.seen()) else ""
        return UnavailableError(
            f"the allocation {self._where()} has ended{state}" + (f": {said}" if said else "")
        )

    @property
    def busy(self) -> bool:
        """Whether some job of it is not final."""
        return bool(self._listeners)

    def close(self, *, by_force: bool = False) -> None:
        """Give the allocation back; returns when Slurm has it.

        Args:
            by_force: Whether the worker is known to hear nothing.
        """
        self._closing = True
        if by_force:
            with suppress(QdmiError):
                clients.cancel(name=self.name)
        self._end()
        process, end = self._process, time.monotonic() + _GRACE
        if process is None:
            return
        if not self.ready.done() or self.ready.exception() is not None:
            # Ending srun would leave its job in the queue, and closing the pipe does nothing there.
            while process.poll() is None and time.monotonic() < end:
                with suppress(QdmiError):
                    clients.cancel(name=self.name)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        for grace in (_POLITE, _GRACE):
            try:
                process.wait(grace)
                break
            except subprocess.TimeoutExpired:  # a simulator that holds Python's lock hears nothing
                with suppress(QdmiError):
                    clients.cancel(name=self.name)
        else:
            process.kill()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _finish(self, why: QdmiError | None) -> None:
        """Tell everybody who waits that there is nothing to wait for."""
        self.over.set()
        if not self.ready.done():
            _fail(self.ready, why or self._refusal())
        with self._lock:
            listeners, self._listeners = self._listeners, {}
            calls, self._calls = self._calls, {}
        if listeners or calls:
            why = why or self.loss()
        for future in calls.values():
            _fail(future, why or self.loss())
        for number, listener in listeners.items():
            listener({"job": number, "lost": True, "why": str(why)})

    def _refusal(self) -> QdmiError:
        """Return why there never was a worker."""
        if self._closing:
            return UnavailableError(f"the request for an allocation ({self.name}) was withdrawn")
        said = "; ".join(line for line in self._said if line.strip())
        refused = "Unable to allocate resources" in said or "qdmi: " in said
        if refused and not any(news in said for news in _NEWS):
            return ConfigError(f"Slurm refuses the allocation: {said}")
        return self.loss()

    def _where(self) -> str:
        return f"{self.name}, Slurm job {self.job_id}" if self.job_id else self.name


def _fail(future: Future[Any], error: BaseException) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
