"""The server as its users see it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self
from uuid import UUID

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.calibration import Calibration
from qdmi_qiskit.testing.iqm_server.faults import Fault, Faults, Kind
from qdmi_qiskit.testing.iqm_server.jobs import Job, Worker
from qdmi_qiskit.testing.iqm_server.machine import Machine
from qdmi_qiskit.testing.iqm_server.replies import JobError
from qdmi_qiskit.testing.iqm_server.routes import PREFIX, Service
from qdmi_qiskit.testing.iqm_server.simulator import warm_up
from qdmi_qiskit.testing.iqm_server.tokens import Tokens
from qdmi_qiskit.testing.iqm_server.wire import Listener, Log, Seen

_SUBMIT = rf"{PREFIX}jobs/[^/]+/circuit$"


class IQMServer:
    """An IQM Server on a port of the loopback interface; use it in a `with` statement.

    Args:
        names: Quantum computers, from `chips.NAMES`; Garnet if none is named.
        seed: Of calibration sets and shots; a circuit executed as often before has the same bits,
            whatever else was (see `draws`).
        lifetime: Seconds after which the server ends by itself.
        behaviour: Fields of `Behaviour`, such as `noise=False`.

    Attributes:
        behaviour: Can be changed at any time.
        tokens: Issues and revokes tokens.
        log: The requests that came in.
    """

    def __init__(
        self, *names: str, seed: int = 0, lifetime: float = 3600.0, **behaviour: Any
    ) -> None:
        known = Behaviour.__dataclass_fields__
        for name in behaviour:
            if name not in known:
                raise ConfigError(f"no behaviour {name!r}{did_you_mean(name, known)}")
        self.behaviour = Behaviour(**behaviour)
        self.tokens = Tokens()
        self.log = Log()
        self._token = self.tokens.issue(10 * lifetime)
        self._faults = Faults()
        self._machine = Machine(names or ("garnet",), self.behaviour, seed)
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._listener: Listener | None = None
        self._timer: threading.Timer | None = None
        self._alive = threading.Event()
        self._port = 0

    def __enter__(self) -> Self:
        warm_up()
        self._worker = Worker(self._machine, self.behaviour)
        self._service = Service(self._machine, self._worker, self.tokens, self.behaviour)
        self._listen()
        self._alive.set()
        self._timer = threading.Timer(self._lifetime, self.close)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and executing. Can be called twice."""
        with self._lock:
            timer, listener, worker = self._timer, self._listener, self._worker
            self._timer = self._listener = None
        if timer is not None:
            timer.cancel()
        if worker is not None:
            worker.close()
        if listener is not None:
            listener.stop()
        self._alive.clear()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._alive.is_set()

    @property
    def url(self) -> str:
        """What clients call the server, such as `http://127.0.0.1:40123`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """A token that is of use from the beginning."""
        return self._token.text

    def environment(self, quantum_computer: str | None = None) -> dict[str, str]:
        """Return the variables by which IQM's clients find the server."""
        chip = self._machine.named(quantum_computer)
        return {
            "IQM_SERVER_URL": self.url,
            "IQM_TOKEN": self.token,
            "IQM_QUANTUM_COMPUTER": chip.alias,
        }

    @property
    def jobs_created(self) -> int:
        """How many jobs were accepted, by whatever client."""
        return self._running().created

    @property
    def posts(self) -> int:
        """How many submissions came in, accepted or not."""
        return sum(seen.method == "POST" and _is_submission(seen) for seen in self.log.requests)

    @property
    def jobs(self) -> list[Job]:
        """The jobs, oldest first, without those that were deleted."""
        return self._running().all()

    def job(self, job_id: str | UUID) -> Job | None:
        """Return a job."""
        return self._running().find(UUID(str(job_id)))

    def pause(self) -> None:
        """Leave jobs in the queue until `resume`."""
        self._running().pause()

    def resume(self) -> None:
        """Execute what waits."""
        self._running().resume()

    def calibration(self, quantum_computer: str | None = None) -> Calibration:
        """Return the calibration set in use, with the figures that the noise follows."""
        return self._machine.default(self._machine.named(quantum_computer))

    def recalibrate(
        self, quantum_computer: str | None = None, *, has_metrics: bool = True
    ) -> Calibration:
        """Put a new calibration set into use; the old ones can still be asked for."""
        return self._machine.recalibrate(
            self._machine.named(quantum_computer), has_metrics=has_metrics
        )

    def fail_next_job(
        self,
        message: str = "a failure on demand",
        code: str = "internal_error",
        *,
        skip: int = 0,
    ) -> None:
        """Let the next job that is executed fail, or one after so many others."""
        self._machine.fail_next(JobError(code, message), skip)

    def inject(self, kind: Kind, **fault: Any) -> None:
        """Let something go wrong with coming requests; see `Fault` for what and with which."""
        self._faults.add(Fault(kind, **fault))

    def inject_submit(self, kind: Kind, **fault: Any) -> None:
        """Let something go wrong with coming submissions only."""
        self._faults.add(Fault(kind, method="POST", path=_SUBMIT, **fault))

    def draw_faults(self, chooser: Callable[[str, str], Fault | None]) -> None:
        """Let `chooser` say, by method and path, what goes wrong with each request."""
        self._faults.draw(chooser)

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._faults.clear()

    def restart(self, *, down: float = 0.0) -> None:
        """Cut all connections, refuse new ones for some seconds, and listen again.

        Jobs, tokens and calibration sets persist, as in the database of the real one.
        """
        listener = self._listener
        if listener is None:
            raise ConfigError("the server is closed: nothing to restart")
        listener.stop()
        threading.Event().wait(down)
        self._listen()

    def _listen(self) -> None:
        self._listener = Listener(self._port, self._service, self._faults, self.log, self.behaviour)
        self._port = self._listener.server_address[1]

    def _running(self) -> Worker:
        if self._worker is None:
            raise ConfigError("the server was not started: use it in a `with` statement")
        return self._worker


def _is_submission(seen: Seen) -> bool:
    return seen.path.startswith(f"{PREFIX}jobs/") and seen.path.endswith("/circuit")


@contextlib.contextmanager
def rehearse(name: str, **options: Any) -> Iterator[dict[str, str]]:
    """Run a server with one quantum computer, and give the environment that leads to it.

    Args:
        name: From `chips.NAMES`.
        options: Of `IQMServer`.
    """
    with IQMServer(name, **options) as server:
        yield server.environment(name)
