"""`srun` as a process: its streams, what it says, and its end."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from qdmi_qiskit.devices.slurm import clients
from qdmi_qiskit.devices.slurm.frames import Frames
from qdmi_qiskit.devices.slurm.leash import leashed
from qdmi_qiskit.errors import QdmiError

_log = logging.getLogger(__name__)

_POLITE, _GRACE = 2.0, 10.0  # seconds for srun to end by itself, and when told to


class Srun:
    """An `srun` with a program at its other end that speaks in frames.

    It is told to end when the thread that makes this object ends.

    Attributes:
        name: Slurm's name of the job.
        frames: What is said to the program, and what it says.
        job_id: Slurm's number, once srun has said it.
    """

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            OSError: It does not start.
        """
        self.name, self.job_id = name, ""
        self._process = leashed(command, environ)
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("the streams of srun")
        self._streams = (stdout, stderr)
        self._said: deque[str] = deque(maxlen=20)
        self.frames = Frames(lambda: os.read(stdout.fileno(), 1 << 16), self._write)
        self._listening = threading.Thread(target=self._listen, args=(stderr,), daemon=True)
        self._listening.start()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what the program says until its stream ends."""
        return self.frames.messages()

    def _write(self, line: bytes) -> None:
        pipe = self._process.stdin
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

    @property
    def said(self) -> list[str]:
        """The last lines of its standard error; srun's own and the program's."""
        return [line for line in self._said if line.strip()]

    def hang_up(self) -> None:
        """Close the program's input, at which it ends."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def wait(self) -> None:
        """Wait for its end, and for its last words."""
        self._process.wait()
        self._listening.join(1.0)

    def release(self) -> None:
        """Close what is left of its streams."""
        for stream in self._streams:
            stream.close()

    def leave(self, *, heard: bool) -> None:
        """Hang up, and see to it that its job leaves Slurm.

        Args:
            heard: Whether the program was ever there to hear.
        """
        self.hang_up()
        process, end = self._process, time.monotonic() + _GRACE
        if not heard:
            # Ending srun would leave its job in the queue, and closing the pipe does nothing there.
            while process.poll() is None and time.monotonic() < end:
                self.cancel()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
        for grace in (_POLITE, _GRACE):
            try:
                process.wait(grace)
                break
            except subprocess.TimeoutExpired:  # a simulator that holds Python's lock hears nothing
                self.cancel()
        else:
            process.kill()

    def cancel(self) -> None:
        """Have Slurm end the job."""
        with suppress(QdmiError):
            clients.cancel(name=self.name)
