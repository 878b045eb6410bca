"""Processes that die at a chosen moment, and others that go on with what they left.

A *nursery* is a process that has imported everything and starts no thread; each of its children is
a fork. A child runs circuits on the profile `dut`, of which circuit k flips the bits of k, and
kills itself at the n-th step that the journal or the device sees, or after some milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

WIDTH = 6
STEPS = ("begin", "note_sending", "note", "submit", "result")
CIRCUITS = 40


def circuits(isa_of=None, number=CIRCUITS):
    """Circuit k sets bit b of its outcome where bit b of k is set: no two are alike."""
    from qiskit import QuantumCircuit

    found = []
    for word in range(number):
        circuit = QuantumCircuit(WIDTH, WIDTH, name=f"word-{word}")
        for bit in range(WIDTH):
            if word >> bit & 1:
                circuit.x(bit)
        circuit.measure(range(WIDTH), range(WIDTH))
        found.append(circuit)
    return found if isa_of is None else isa_of(found)


def words(result):
    """The outcome of each circuit of a sampler's result, one word if all shots agree."""
    return ["|".join(sorted(pub.data.c.get_counts())) for pub in result]


def right(number=CIRCUITS):
    return [f"{word:0{WIDTH}b}" for word in range(number)]


class Nursery:
    """Starts children; a context manager."""

    def __init__(self, **environment):
        self._environment = {**os.environ, **environment, "OMP_NUM_THREADS": "1"}

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crashes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=Path(__file__).parents[1],
        )
        return self

    def __exit__(self, *_error):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def ask(self, what, timeout=120.0, **said):
        """Let a child do something; return what it said, and how it ended."""
        self._process.stdin.write(json.dumps({"what": what, "timeout": timeout, **said}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the nursery is gone"
        return json.loads(line)


def at_once(environment, number, what, **said):
    """Let several processes do the same at the same time; return what each said."""
    found = []
    with ExitStack() as stack:
        nurseries = [stack.enter_context(Nursery(**environment)) for _ in range(number)]
        for nursery in nurseries:  # all of them are ready before one begins
            nursery.ask("nothing")
        threads = [
            threading.Thread(target=lambda each=each: found.append(each.ask(what, **said)))
            for each in nurseries
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


# What follows runs in the nursery and its children.


def _dying_at(step):
    """Kill this process at the n-th event: before or after something becomes true elsewhere."""
    from qdmi_qiskit.journal import Journal
    from qdmi_qiskit.journal.chunks import Sent

    lock, seen = threading.Lock(), 0

    def event():
        nonlocal seen
        with lock:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(function, *given, **named):
        event()
        try:
            return function(*given, **named)
        finally:
            event()

    def wrap(owner, name):
        function = getattr(owner, name)
        setattr(owner, name, lambda *given, **named: wrapped(function, *given, **named))

    for name in ("begin", "note_sending", "note"):
        wrap(Journal, name)
    wrap(Sent, "result")
    return partial(wrap, name="submit"), lambda: seen


def _backend(split):
    from qdmi_qiskit import QDMIProvider

    if split:  # Aer takes everything as one job: let it say that it takes one circuit at a time
        from dataclasses import replace

        from qdmi_qiskit.devices.aer.session import AerSession

        spec = AerSession.spec
        AerSession.spec = lambda self: replace(
            spec(self), capabilities=replace(spec(self).capabilities, max_executables=1)
        )
    return QDMIProvider().get_backend("dut")


def _run(*, step=0, delay=None, split=False, number=CIRCUITS, tags=()):
    from qdmi_qiskit import SamplerV2
    from qdmi_qiskit.passes import pass_manager

    wrap, seen = _dying_at(step)
    backend = _backend(split)
    isa = circuits(pass_manager(backend.target, 1).run, number)
    wrap(type(backend.session))
    if delay is not None:
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
    job = SamplerV2(backend).run(isa, shots=20, tags=tags)
    return {"id": job.job_id(), "words": words(job.result()), "events": seen()}


def _resume(*, job, found=None, absent=()):
    from qdmi_qiskit import QDMIProvider

    resumed = QDMIProvider().job(job).resume(found=found, absent=absent)
    return {"words": words(resumed.result())}


def _look(*, job):
    from qdmi_qiskit import QDMIProvider

    found = QDMIProvider().job(job)
    return {"words": words(found.result()), "kind": type(found).__name__, "tags": found.tags}


_WHAT = {"nothing": dict, "run": _run, "resume": _resume, "look": _look}


def _child(pipe, what, said):
    sys.stdout = sys.stderr
    try:
        found = _WHAT[what](**said)
    except Exception as error:  # noqa: BLE001 - the test judges it
        found = {"error": type(error).__name__, "message": str(error)}
    os.write(pipe, json.dumps(found).encode())
    import atexit

    atexit._run_exitfuncs()
    os._exit(0)


def _asked(what, timeout, **said):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(writing, what, said)
    os.close(writing)
    watch = threading.Timer(timeout, os.kill, (pid, signal.SIGABRT))
    watch.start()
    with os.fdopen(reading) as answers:
        text = answers.read()
    _, status = os.waitpid(pid, 0)
    watch.cancel()
    return {
        **(json.loads(text) if text else {}),
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
    }


def _main():
    import qiskit_aer  # noqa: F401

    import qdmi_qiskit.primitives
    import qdmi_qiskit.provider  # noqa: F401

    for line in sys.stdin:
        sys.stdout.write(json.dumps(_asked(**json.loads(line))) + "\n")
        sys.stdout.flush()


def dut(folder, device, **options):
    """Write a configuration with the profile `dut`; return what a nursery's environment needs."""
    config = folder / "config.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    config.write_text("\n".join(["[backends.dut]", f'device = "{device}"', *lines]) + "\n")
    return {"QDMI_CONFIG": str(config), "QDMI_JOURNAL": str(folder / "runs.sqlite")}


def moments(number, seed):
    """Where to kill: half of them at steps all over a run, half after some milliseconds."""
    chosen = random.Random(seed)  # noqa: S311 - it only spreads tests
    return [
        {"step": chosen.randint(1, 330)} if k % 2 == 0 else {"delay": chosen.uniform(0, 0.5)}
        for k in range(number)
    ]


def kill(number, seed, survives):
    """Call `survives(moment)` until `number` runs were killed; it returns what ended the run.

    A run that was over before its moment makes later ones come sooner: machines differ.
    """
    chosen, latest, killed = random.Random(seed), 0.5, 0  # noqa: S311 - it only spreads tests
    for k in range(4 * number):
        delay = chosen.uniform(0, latest)
        if survives({"delay": delay} if k % 2 else {"step": chosen.randint(1, 330)}):
            killed += 1
        elif k % 2:
            latest = max(delay, 0.02)
        if killed == number:
            return
    raise AssertionError(f"{killed} of {number} runs could be killed")


def noted(environment):
    """The latest run in the journal, or None."""
    from qdmi_qiskit import QDMIProvider

    rows = QDMIProvider(environ={**os.environ, **environment}).jobs(limit=1)
    return rows[0] if rows else None


if __name__ == "__main__":
    _main()
