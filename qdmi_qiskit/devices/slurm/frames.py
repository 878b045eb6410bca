r"""Messages over the standard streams of a worker that `srun` started.

A message is JSON, cut into lines of at most `LINE` bytes that begin with a mark. Whatever else is
on the stream (the banner of a TaskProlog, a library that prints) is kept for error messages and
skipped.

    \x1eQDMI.{"op": ...  the last piece of a message, or all of it; `z`: of a zlib stream, base64
    \x1eQDMI,{"op": ...  the same, but another message follows; packed: `Z`
    \x1eQDMI+eJzl...     a piece, more follow; `-` likewise
    \x1eQDMIa            the answer to a line with `+`, `,` or `Z`

`srun` forwards a stream in blocks of 1 KiB over one TCP connection. A second block waits until the
first is acknowledged, which the kernel puts off by 40 ms unless something goes the other way. So
the first line of a burst asks for an answer; what waited behind it leaves as one. The last line of
all gets none, else the answer would be what the next message the other way waits for. (Measured
with Slurm 22.05 and Linux 6: 4 kB as it comes 44 ms, so 0.3 ms.)
"""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

MARK = b"\x1eQDMI"
LINE = 1000
_ROOM = LINE - len(MARK) - 2  # the kind of line before, the line break after
_BURST = 16  # lines that may wait in the socket
_LONGEST = 1 << 16  # of a line without our mark that is kept


class Frames:
    """Both directions of a stream. One thread receives; any thread may send but that one."""

    def __init__(self, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
        """Take a stream.

        Args:
            read: Blocks, and returns what has come, or nothing at its end.
            write: Writes all of up to `LINE` bytes.
        """
        self._read, self._write = read, write
        self._sending = threading.Lock()
        self._answers = threading.Semaphore(0)
        self._ended, self._wanting = False, 0
        self._counting = threading.Lock()
        self.noise: deque[str] = deque(maxlen=20)

    def send(self, document: object, *, more: bool = False) -> None:
        """Write one message.

        Args:
            document: Anything that JSON can say.
            more: Whether another message follows at once.

        Raises:
            ConnectionError: The other side has gone.
        """
        body, packed = json.dumps(document, separators=(",", ":")).encode(), False
        if len(body) > _ROOM:
            small = base64.b64encode(zlib.compress(body, 1))
            if packed := len(small) < len(body):
                body = small
        pieces = [body[start : start + _ROOM] for start in range(0, len(body), _ROOM)]
        self._want(1)
        try:
            with self._sending:
                for start in range(0, len(pieces) - 1, _BURST):
                    burst = pieces[start : min(start + _BURST, len(pieces) - 1)]
                    asks = {0} if start + _BURST >= len(pieces) - 1 else {0, len(burst) - 1}
                    for k, piece in enumerate(burst):
                        self._put(b"+" if k in asks else b"-", piece)
                    if len(asks) > 1:
                        self._answered(2)
                asked = len(pieces) > 1
                if more or self._wanting > 1:  # somebody else is about to send
                    self._put(b"Z" if packed else b",", pieces[-1])
                    self._answered(1 + asked)
                else:
                    self._put(b"z" if packed else b".", pieces[-1])
                    self._answered(asked)
        finally:
            self._want(-1)

    def _want(self, change: int) -> None:
        with self._counting:
            self._wanting += change

    def _answered(self, times: int) -> None:
        for _ in range(times):
            self._answers.acquire()
        if self._ended:
            raise ConnectionError("the other side has gone")

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what comes until the stream ends."""
        rest, body = b"", list[bytes]()
        try:
            while chunk := self._read():
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST and MARK not in rest:
                    rest = rest[-LINE:]
                for line in lines:
                    noise, mark, ours = line.partition(MARK)
                    if text := noise.decode(errors="replace").strip():
                        self.noise.append(text[:_LONGEST])
                    kind, piece = ours[:1], ours[1:]
                    if not mark:
                        continue
                    if kind == b"a":
                        self._answers.release()
                        continue
                    body.append(piece)
                    if kind in b"+,Z":
                        self._put(b"a", b"")
                    if kind in b"+-":
                        continue
                    whole, body = b"".join(body), []
                    if kind in b"zZ":
                        whole = zlib.decompress(base64.b64decode(whole))
                    yield json.loads(whole)
        finally:
            self._ended = True
            self._answers.release(1 << 10)  # whoever sends

    def _put(self, kind: bytes, piece: bytes) -> None:
        try:
            self._write(MARK + kind + piece + b"\n")  # at most a page: pipes keep it whole
        except (OSError, ValueError) as error:
            raise ConnectionError(f"the other side has gone ({error})") from error
