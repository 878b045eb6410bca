"""`python -m benchmarks.soak [--jobs 2000] [--seed 0] [braket] [iqm]`: a long run in bad weather.

Jobs go through a loopback service of which every fifth request is disturbed: throttled, refused
with a 5xx, dropped before or after it was obeyed, slow, cut off, or answered with garbage; and the
service is restarted again and again. Runs are of 25 jobs each, four at a time, kept in a journal.

Of every job the outcome is compared with its own circuit: no two circuits of a run are alike, and
their bits are permuted. What the service has accepted is counted by the service itself. A run that
gives up is gone on with as a user would: `job.result()` again, or `job.resume()`; and where IQM's
answer to a submission was lost, what is in the server's own list is told to `job.resume(found=...,
absent=...)`, as somebody would who looks into IQM's web pages.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import QdmiError, SubmitUnknownError

WIDTH, SHOTS, PER_RUN, AT_ONCE = 11, 7, 25, 4
SHARE = 0.2
KINDS = ("throttle", "5xx", "drop before", "drop after", "slow", "cut", "garbage")
UNANSWERED = ("drop before", "drop after", "cut", "garbage")
_SLOW = 0.05  # seconds
_PATIENCE = 40  # times that a run is gone on with
_VARIABLE = "QDMI_SOAK_IQM_TOKEN"


@dataclass
class Weather:
    """Which requests are disturbed: every `1 / SHARE`-th by chance, from a seed."""

    seed: int
    requests: int = 0
    disturbed: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    calm: bool = True

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - it only makes weather
        self._lock = threading.Lock()

    def next(self) -> str | None:
        """Return what goes wrong with a request."""
        with self._lock:
            if self.calm:
                return None
            self.requests += 1
            if self._random.random() >= SHARE:
                return None
            kind = self._random.choice(KINDS)
            self.disturbed[kind] += 1
            return kind


@dataclass
class Figures:
    """What came of it.

    Attributes:
        jobs: Asked for.
        right: Of which the outcome is that of their own circuit.
        wrong: Of which it is another one.
        accepted: Device jobs that the service has made.
        twice: Chunks of which it has made more than one.
        again: How often a run had to be gone on with.
        unknown: Submissions without a proper answer, restarts apart.
        arrived: Those among them that the service obeyed.
    """

    jobs: int
    weather: Weather
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    accepted: int = 0
    twice: int = 0
    again: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    arrived: int = 0
    seconds: float = 0.0

    def noted(self, kind: str) -> None:
        """Take note of what goes wrong with a submission."""
        if kind in UNANSWERED:
            self.unknown += 1
            self.arrived += kind != "drop before"

    @property
    def flawless(self) -> bool:
        """Whether nothing was lost, made twice, or wrong."""
        return self.right == self.accepted == self.jobs and not self.twice and not self.wrong

    def __str__(self) -> str:
        weather = self.weather
        share = sum(weather.disturbed.values()) / max(weather.requests, 1)
        kinds = ", ".join(f"{kind} {weather.disturbed[kind]}" for kind in KINDS)
        again = ", ".join(f"{name} {number}" for name, number in sorted(self.again.items()))
        return (
            f"{self.jobs} jobs: {self.right} right, {len(self.wrong)} wrong, "
            f"{self.jobs - self.right - len(self.wrong)} lost; "
            f"{self.accepted} made, {self.twice} twice\n"
            f"  {weather.requests} requests, {share:.0%} disturbed ({kinds}), "
            f"{weather.restarts} restarts, {self.seconds:.0f} s\n"
            f"  submissions with no answer: {self.unknown}, of which {self.arrived} had arrived\n"
            f"  gone on with by hand: {again or 'never'}"
        )


def circuit(number: int, flip: Callable[[QuantumCircuit, int], Any]) -> QuantumCircuit:
    """Return a circuit that is told from all others of its run by its outcome."""
    made = QuantumCircuit(WIDTH, WIDTH, name=f"soak-{number}")
    for qubit in range(WIDTH):
        if number >> qubit & 1:
            flip(made, qubit)
    made.measure(range(WIDTH), np.roll(range(WIDTH), number % WIDTH).tolist())
    return made


def outcome(number: int) -> str:
    """Return the only word that `circuit(number)` gives."""
    bits = np.roll(range(WIDTH), number % WIDTH)
    return f"{sum((number >> qubit & 1) << int(bit) for qubit, bit in enumerate(bits)):0{WIDTH}b}"


def run(provider: QDMIProvider, backend: Any, first: int, figures: Figures, tools: Tools) -> None:
    """Run some jobs to their end, whatever it takes."""
    numbers = range(first, min(first + PER_RUN, figures.jobs))
    tag = f"soak-{first}"
    circuits = [circuit(number, tools.flip) for number in numbers]
    job = None
    step: Callable[[], Any] = partial(backend.run, circuits, shots=SHOTS, tags=[tag])
    for _ in range(_PATIENCE):
        try:
            job = step()
            counts = job.result(300).get_counts()
            break
        except QdmiError as error:
            figures.again[type(error).__name__] += 1
            if job is None:
                job = provider.job(provider.jobs(tag=tag)[0].id)
            step = partial(job.resume, **tools.settle(error))
    else:
        figures.wrong.append(f"run {first} never ended")
        return
    for number, found in zip(numbers, counts, strict=True):
        if found == {outcome(number): SHOTS}:
            figures.right += 1
        else:
            figures.wrong.append(f"job {number}: {found}, not {outcome(number)}")


@dataclass
class Tools:
    """What differs between services."""

    flip: Callable[[QuantumCircuit, int], Any]
    settle: Callable[[QdmiError], dict[str, Any]] = lambda error: {}


@contextmanager
def restarting(restart: Callable[[], None], weather: Weather, every: int) -> Iterator[None]:
    """Restart a service each time that it has had so many requests more."""
    over = threading.Event()

    def watch() -> None:
        due = every
        while not over.wait(0.02):
            if weather.requests >= due:
                restart()
                weather.restarts += 1
                due = weather.requests + every

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def storm(
    name: str, options: dict[str, Any], figures: Figures, tools: Tools, restart: Callable[[], None]
) -> None:
    """Send all jobs through a service."""
    start = time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="qdmi-soak-"))
        environ = {**os.environ, "QDMI_JOURNAL": str(Path(folder) / "runs.sqlite")}
        provider = QDMIProvider(environ=environ)
        backend = provider.get_backend(name, **options)
        figures.weather.calm = False
        every = max(figures.jobs // 20, 40)
        stack.enter_context(restarting(restart, figures.weather, every))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            calls = [
                pool.submit(run, provider, backend, first, figures, tools)
                for first in range(0, figures.jobs, PER_RUN)
            ]
        for call in calls:
            call.result()
    figures.seconds = time.monotonic() - start


def braket(jobs: int, seed: int = 0) -> Figures:
    """Soak the Braket service; tasks are deduplicated by their client token."""
    from qdmi_qiskit.testing.braket_service import BraketService
    from qdmi_qiskit.testing.braket_service.faults import Fault

    figures = Figures(jobs, Weather(seed))

    def fault(operation: str) -> Fault | None:
        kind = figures.weather.next()
        if kind is None:
            return None
        if operation == "CreateQuantumTask":
            figures.noted(kind)
        found = Fault(operation, "refuse")
        if kind == "throttle":
            found.error = "ThrottlingException"
        elif kind != "5xx":
            found.kind = {"drop before": "drop", "garbage": "garble"}.get(kind, kind)  # type: ignore[assignment]
            found.seconds = _SLOW
        return found

    with BraketService(step=0.0, lifetime=1800.0) as service, service.activated("us-east-1"):
        service.faults.draw(fault)
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            storm(
                "braket:sv1",
                {"poll_interval": 0.05},
                figures,
                Tools(lambda made, qubit: made.x(qubit)),
                service.restart,
            )
        tokens = service.tasks_per_token
        figures.accepted = len(service.tasks)
        figures.twice = sum(number > 1 for number in tokens.values())
        assert not service.blunders, service.blunders
    return figures


def iqm(jobs: int, seed: int = 0) -> Figures:
    """Soak the IQM server, which knows no key again: nothing may be posted twice."""
    from qdmi_qiskit.testing.iqm_server import Fault, IQMServer

    figures = Figures(jobs, Weather(seed))
    words = {
        "5xx": "error", "drop before": "drop_before", "drop after": "drop_after", "cut": "truncate"
    }  # fmt: skip

    def fault(method: str, path: str) -> Fault | None:
        kind = figures.weather.next()
        if kind is None:
            return None
        if method == "POST":
            figures.noted(kind)
        return Fault(words.get(kind, kind), seconds=_SLOW, retry_after=0.05)  # type: ignore[arg-type]

    with IQMServer("garnet", noise=False, max_circuits=1, lifetime=1800.0) as server:
        os.environ[_VARIABLE] = server.token
        server.draw_faults(fault)

        def settle(error: QdmiError) -> dict[str, Any]:
            """Look for tags in the server's own list, and say what is there and what not."""
            if not isinstance(error, SubmitUnknownError):
                return {}
            time.sleep(0.3)  # a connection was cut: the server may be about to obey
            there = {job.tag: str(job.id) for job in server.jobs}
            keys = set(re.findall(r"'([0-9a-f]{32}-\d+)'", str(error)))
            found = {key: there[key] for key in keys if key in there}
            return {"found": found, "absent": keys - found.keys()}

        storm(
            "iqm:garnet",
            {"url": server.url, "token": f"env:{_VARIABLE}"},
            figures,
            Tools(lambda made, qubit: made.r(np.pi, 0.0, qubit), settle),
            server.restart,
        )
        tags = Counter(job.tag for job in server.jobs)
        figures.accepted = server.jobs_created
        figures.twice = sum(number > 1 for number in tags.values())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Run jobs through disturbed loopback services.")
    parser.add_argument("services", nargs="*", default=["braket", "iqm"])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    flawless = True
    for name in given.services:
        figures = {"braket": braket, "iqm": iqm}[name](given.jobs, given.seed)
        print(f"{name}: {figures}", flush=True)
        for wrong in figures.wrong[:5]:
            print(f"  {wrong}")
        flawless = flawless and figures.flawless
    sys.exit(not flawless)


if __name__ == "__main__":
    main()
