"""Jobs of the Qiskit layer: a run, seen as a `JobV1`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from qiskit.providers import JobStatus as QiskitJobStatus
from qiskit.providers import JobV1

from qdmi_qiskit import telemetry
from qdmi_qiskit.errors import ConfigError, JobFailedError, UnsupportedError
from qdmi_qiskit.journal import Intent, Ledger
from qdmi_qiskit.model import JobStatus
from qdmi_qiskit.work import Work

if TYPE_CHECKING:
    from qiskit.providers import BackendV2
    from qiskit.result import Result


QISKIT_STATUS = {
    JobStatus.CREATED: QiskitJobStatus.INITIALIZING,
    JobStatus.SUBMITTED: QiskitJobStatus.QUEUED,
    JobStatus.QUEUED: QiskitJobStatus.QUEUED,
    JobStatus.RUNNING: QiskitJobStatus.RUNNING,
    JobStatus.DONE: QiskitJobStatus.DONE,
    JobStatus.CANCELED: QiskitJobStatus.CANCELLED,
    JobStatus.FAILED: QiskitJobStatus.ERROR,
}
"""QDMI's seven states in Qiskit's words."""

_JOBS: WeakValueDictionary[str, Any] = WeakValueDictionary()


def remember(job: Any) -> None:
    """Make a job of this process findable by its id, for as long as somebody holds it."""
    _JOBS[job.job_id()] = job


def recall(job_id: str) -> Any:
    """Return a job of this process.

    Raises:
        ConfigError: There is none of that id, or nobody holds it any more.
    """
    try:
        return _JOBS[job_id]
    except KeyError:
        raise ConfigError(
            f"no job {job_id!r} in this process, and no journal that could know it: keep the job "
            "object, or check the id"
        ) from None


Build = Callable[..., Any]
"""Makes a result of the outcome of work; takes `partial=`."""
Begin = Callable[[Ledger | None], tuple[Work[Any], Build]]
"""Starts work, or takes it up where the journal says it is."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds between two calls of a progress callback


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        status: Of the whole, in QDMI's words.
        device_jobs: How many device jobs are planned so far.
        sent: How many of them the device has.
        final: How many have ended.
        queue_position: The best known of those that wait; None if the device does not say.
        seconds: Since the wait began.
    """

    status: JobStatus
    device_jobs: int
    sent: int
    final: int
    queue_position: int | None
    seconds: float


class Resumable:
    """What both kinds of job can do: wait, report, and go on where the journal says they are."""

    _begin: Begin
    _ledger: Ledger | None
    _work: Work[Any]
    _build: Build
    _result: Any
    _span: telemetry.RunSpan | None

    def _start(self, begin: Begin, ledger: Ledger | None) -> None:
        self._begin, self._ledger = begin, ledger
        self._span = _span_of(ledger)
        try:
            with telemetry.within(self._span):
                self._work, self._build = begin(ledger)
        except BaseException:
            if self._span is not None:
                self._span.end()
            raise
        self._result = None

    @property
    def device_job_ids(self) -> tuple[str, ...]:
        """The vendor's ids of the device jobs sent so far."""
        return self._work.job_ids

    @property
    def device_jobs(self) -> list[dict[str, Any]]:
        """What the vendor told of each device job so far, with its `id`; asks nobody."""
        return self._work.device_jobs

    @property
    def tags(self) -> tuple[str, ...]:
        """The words under which the journal keeps the job."""
        return () if self._ledger is None else self._ledger.row.tags

    @property
    def is_journaled(self) -> bool:
        """Whether the journal keeps the job: another process can find it and go on with it."""
        return self._ledger is not None and not self._ledger.lost

    def qdmi_status(self) -> JobStatus:
        """Return the state in QDMI's words."""
        return self._work.status()

    def wait(
        self,
        timeout: float | None = None,
        callback: Callable[[Progress], object] | None = None,
    ) -> QiskitJobStatus:
        """Block until final or `timeout` seconds; the job goes on either way.

        Args:
            timeout: Seconds.
            callback: Called with the progress now, every few seconds, and at the end.

        Raises:
            TimeoutError: The job is not final.
        """
        with self._coming_back():
            return self._waited(timeout, callback)

    def _waited(
        self, timeout: float | None, callback: Callable[[Progress], object] | None
    ) -> QiskitJobStatus:
        if callback is None:
            return QISKIT_STATUS[self._work.wait(timeout)]
        start, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            passed = time.monotonic() - start
            progress = self.progress(passed)
            callback(progress)
            if progress.status.final:
                return QISKIT_STATUS[progress.status]
            left = None if timeout is None else timeout - passed
            if left is not None and left <= 0:
                raise TimeoutError(f"the job is still {progress.status.value} after {timeout} s")
            try:
                status = self._work.wait(pause if left is None else min(pause, left))
            except TimeoutError:
                pause = min(1.5 * pause, _LONGEST_PAUSE)
                continue
            if not status.final:  # nobody is at it
                return QISKIT_STATUS[status]

    @contextmanager
    def _coming_back(self) -> Iterator[None]:
        """Say at Ctrl-C that the job goes on, and how to come back to it."""
        try:
            if self._span is None:
                yield
            else:
                with self._span.within():
                    yield
        except JobFailedError:
            self._over()
            raise
        except KeyboardInterrupt as stop:
            if self._ledger is not None and self.is_journaled:
                stop.add_note(f"the job goes on: QDMIProvider().job({self._ledger.id!r})")
            raise

    def _over(self) -> None:
        if self._span is not None:
            self._span.end()

    def progress(self, seconds: float = 0.0) -> Progress:
        """Ask how far the job is."""
        statuses = self._work.statuses()
        places = [job.get("queue_position") for job in self._work.device_jobs]
        return Progress(
            self._work.status(),
            len(statuses),
            sum(status is not JobStatus.CREATED for status in statuses),
            sum(status.final for status in statuses),
            min((place for place in places if isinstance(place, int)), default=None),
            seconds,
        )

    def resume(
        self, *, found: Mapping[str, str] | None = None, absent: Collection[str] = ()
    ) -> Any:
        """Go on with a job of which not everything was sent; nothing is sent twice.

        What the journal has a result or an id of is not sent again. A submission that was under
        way when its process ended is sent again only if the device knows its key.

        Args:
            found: For keys named by a `SubmitUnknownError`: the vendor's id of the job you found.
            absent: Such keys of which the vendor has no job: these are sent. Look again right
                before you say so: one that arrived late would be paid twice.

        Returns:
            This job.

        Raises:
            ConfigError: Somebody is sending the job now.
            UnsupportedError: The journal does not keep it.
        """
        return self._go_on(Intent(sends=True, found=found or {}, absent=frozenset(absent)))

    def resubmit(self) -> Any:
        """Send again what failed or was canceled, and that alone: it is paid again.

        Executables that failed in a job of several are sent without the others. Raises what
        `resume` raises.
        """
        return self._go_on(Intent(sends=True, failed=True))

    def _go_on(self, intent: Intent) -> Any:
        if self._ledger is None:
            raise UnsupportedError(
                "the journal does not keep this job, so there is nothing to go on from: "
                "get_backend(name, journal=True) keeps jobs of every device"
            )
        self._start(self._begin, self._ledger.again(intent))
        return self


def _span_of(ledger: Ledger | None) -> telemetry.RunSpan | None:
    """Begin the span of a run; a run of the journal goes on with the trace that it began."""
    if not telemetry.is_on():
        return None
    if ledger is None:
        return telemetry.run_span()
    carrier = ledger.trace if ledger.intent is not None else None
    about = {"run_id": ledger.id, "device_id": ledger.row.device, "run_kind": ledger.row.kind}
    made = telemetry.run_span(carrier, **about)
    if made is not None and ledger.intent is None:
        ledger.trace = made.carrier()
    return made


class QDMIJob(Resumable, JobV1):
    """What `QDMIBackend.run` returns. One job id, however many device jobs it took."""

    def __init__(self, backend: BackendV2, begin: Begin, ledger: Ledger | None) -> None:
        """Begin work.

        Args:
            backend: Where it runs.
            begin: Starts it.
            ledger: Its page in the journal, if there is one.
        """
        self._start(begin, ledger)
        work: Any = self._work
        super().__init__(backend, work.key)
        remember(self)

    def submit(self) -> NoReturn:
        """Refuse: `QDMIBackend.run` has submitted the job already."""
        raise UnsupportedError(
            f"job {self.job_id()} was submitted by backend.run(): call that again for another job"
        )

    def status(self) -> QiskitJobStatus:
        """Return the state in Qiskit's words."""
        return QISKIT_STATUS[self._work.status()]

    def result(self, timeout: float | None = None, *, partial: bool = False) -> Result:
        """Wait for the outcome, at most `timeout` seconds.

        Args:
            timeout: Seconds.
            partial: Return what there is though some device job failed: an experiment without an
                outcome has `success=False` and the reason as its status.

        Raises:
            JobFailedError: The device ended the job without a result.
            TimeoutError: The job is not final; it goes on.
        """
        if self._result is not None:
            kept: Result = self._result
            return kept
        with self._coming_back():
            outcome = self._work.result(timeout, partial=partial)
            with telemetry.span("postprocess"):
                result: Result = self._build(outcome)
        if not partial:
            self._result = result
            self._over()
        return result

    def cancel(self) -> bool:
        """Ask the device to stop; a job that is final stays as it is.

        Returns:
            Whether the job is canceled now.

        Raises:
            UnsupportedError: The device cannot cancel.
        """
        if not self._work.status().final:
            self._work.cancel()
        return self._work.status() is JobStatus.CANCELED
