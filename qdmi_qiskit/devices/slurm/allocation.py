"""One allocation with one worker in it, spoken to over the streams of `srun`.

The allocation lives as long as this process and no longer: the worker ends when its input does,
and `srun` is told to end should we be killed while it still waits in the queue.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any
from uuid import uuid4

from qdmi_qiskit.devices.slurm import clients, words
from qdmi_qiskit.devices.slurm.options import SlurmOptions
from qdmi_qiskit.devices.slurm.srun import Srun
from qdmi_qiskit.devices.slurm.switchboard import Listener, Switchboard, fail
from qdmi_qiskit.errors import ConfigError, QdmiError, UnavailableError

_log = logging.getLogger(__name__)

WORKER = "qdmi_qiskit.worker"
_NEWS = ("Unable to contact", "Socket timed out", "Zero Bytes", "Connection refused")
_NO_CLUSTER = "Could not establish a configuration source"


class Allocation:
    """A worker that was asked for; `ready` tells when it is there.

    Attributes:
        name: Slurm's name of the job, unique.
        ready: What the worker says of itself, or why there is none.
        over: Set when the allocation has gone.
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
        self._options, self._step = options, step
        self._number = ""
        self._waiting = Switchboard()
        self._started = threading.Event()
        self._srun: Srun | None = None
        self._closing = False
        command = [clients.program("srun"), *self._flags(), options.python, "-u", "-m", WORKER]
        self._thread = threading.Thread(
            target=self._live, args=(command,), name=self.name, daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._srun is not None:
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
            srun = self._srun = Srun(self.name, command, environ)
        except OSError as error:
            self._finish(UnavailableError(f"srun does not start: {error}"))
            self._started.set()
            return
        self._started.set()
        try:
            for message in srun.messages():
                self._hear(message)
        except (ValueError, KeyError, TypeError) as error:
            self._finish(UnavailableError(f"the worker of {self.name} talks nonsense: {error!r}"))
            srun.hang_up()
        srun.wait()
        srun.hang_up()
        self._finish(None)
        srun.release()

    def _hear(self, message: dict[str, Any]) -> None:
        if "hello" in message:
            self._number = message["hello"]["slurm_job"]
            self.ready.set_result(message["hello"])
        elif "failed" in message:
            self._finish(words.to_error(message["failed"]))
        elif "bye" in message:
            _log.info("allocation %s gave itself back: %s", self.name, message["bye"])
            self._closing = True
            self.over.set()
            if self._srun is not None:
                self._srun.hang_up()
        elif "call" in message or "job" in message:
            self._waiting.pass_on(message)

    @property
    def job_id(self) -> str:
        """Slurm's number; empty until it is known."""
        return self._number or (self._srun.job_id if self._srun else "")

    def number(self) -> int:
        """Return a number that nothing else in this allocation has."""
        return self._waiting.number()

    def listen(self, number: int, listener: Listener) -> None:
        """Have messages about a job of ours told; one that the allocation has ended, too."""
        if not self._waiting.listen(number, listener):
            listener({"job": number, "lost": True})

    def forget(self, number: int) -> None:
        """Stop telling."""
        self._waiting.forget(number)

    def tell(self, message: dict[str, Any], *, more: bool = False) -> None:
        """Send a message that has no answer.

        Args:
            message: Plain JSON.
            more: Whether another one follows at once.

        Raises:
            UnavailableError: The worker has gone.
        """
        if self._srun is None:
            raise self.loss()
        try:
            self._srun.frames.send(message, more=more)
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
        number = self.number()
        future = self._waiting.expect(number)
        try:
            self.tell({"call": number, **message})
            if self.over.is_set():
                fail(future, self.loss())
            return future.result(timeout)
        except FutureTimeoutError:
            raise TimeoutError(f"the worker has not answered after {timeout} s") from None
        finally:
            self._waiting.drop(number)

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
        said = self._srun.said[-5:] + list(self._srun.frames.noise)[-3:] if self._srun else []
        state = ""
        with suppress(QdmiError):
            state = f", {seen}" if (seen := self.seen()) else ""
        return UnavailableError(
            f"the allocation {self._where()} has ended{state}"
            + (f": {'; '.join(said)}" if said else "")
        )

    @property
    def busy(self) -> bool:
        """Whether some job of it is not final."""
        return self._waiting.busy

    def close(self, *, by_force: bool = False) -> None:
        """Give the allocation back; returns when Slurm has it.

        Args:
            by_force: Whether the worker is known to hear nothing.
        """
        self._closing = True
        if self._srun is None:
            return
        if by_force:
            self._srun.cancel()
        self._srun.leave(heard=self.ready.done() and self.ready.exception() is None)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _finish(self, why: QdmiError | None) -> None:
        """Tell everybody who waits that there is nothing to wait for."""
        self.over.set()
        if not self.ready.done():
            fail(self.ready, why or self._refusal())
        self._waiting.close(lambda: why or self.loss())

    def _refusal(self) -> QdmiError:
        """Return why there never was a worker."""
        if self._closing:
            return UnavailableError(f"the request for an allocation ({self.name}) was withdrawn")
        said = "; ".join(self._srun.said) if self._srun else ""
        refused = "Unable to allocate resources" in said or "qdmi: " in said
        if refused and not any(news in said for news in _NEWS):
            return ConfigError(f"Slurm refuses the allocation: {said}")
        if _NO_CLUSTER in said:
            return UnavailableError(
                f"this machine belongs to no Slurm cluster ({said}): go to a login node, or set "
                "SLURM_CONF; `qdmi slurm doctor` examines it"
            )
        return self.loss()

    def _where(self) -> str:
        return f"{self.name}, Slurm job {self.job_id}" if self.job_id else self.name
