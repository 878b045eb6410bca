"""The record of a VQE: every energy that was measured, one line of JSON each.

A driver that is deterministic asks for the same points again when it is started again. So a run
goes on where it was killed by answering from its record, and measures only what is not there;
the record is its checkpoint, its provenance and its convergence plot. Numbers are written so that
they come back bit for bit.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit.errors import ConfigError

Floats = npt.NDArray[np.float64]
_FORMAT = "qdmi-qiskit/vqe-record"


@dataclass(frozen=True, eq=False)
class Measured:
    """What one call of the estimator gave.

    Attributes:
        energies: hartree, shape (points,).
        errors: Standard errors, hartree, shape (points,).
        shots: Taken for all of them; None: the result does not tell.
    """

    energies: Floats
    errors: Floats
    shots: int | None


class Record:
    """Answers what was measured before, in the order in which it was; notes what is new."""

    def __init__(self, path: Path | str | None, header: Mapping[str, Any]) -> None:
        """Open a record.

        Args:
            path: The file, created where there is none; None: nothing is kept.
            header: What the energies depend on, JSON-able.

        Raises:
            ConfigError: The file is not a record, is of another problem, is in use, or cannot be
                opened.
        """
        self._known: dict[str, list[dict[str, Any]]] = {}
        self._file: IO[bytes] | None = None
        if path is None:
            return
        try:
            self._file = Path(path).open("a+b")  # noqa: SIM115 - as long as the run
        except OSError as error:
            raise ConfigError(
                f"record={str(path)!r}: {error.strerror}; wanted a file that can be written"
            ) from error
        try:
            _lock(self._file, path)
            self._read(Path(path), {"format": _FORMAT, "version": 1, **header})
        except BaseException:
            self._file.close()
            raise

    def recall(self, key: str, points: Floats) -> Measured | str | None:
        """Return the next answer of the record to these points, or the tag of a job that has it.

        Args:
            key: Which circuit.
            points: Shape (points, parameters).
        """
        waiting = self._known.get(_name(key, points))
        if not waiting:
            return None
        line = waiting.pop(0)
        if "energies" not in line:
            return str(line["tag"])
        energies, errors = (np.array(line[name], dtype=float) for name in ("energies", "errors"))
        return Measured(energies, errors, line["shots"])

    def begun(self, key: str, points: Floats, tag: str) -> None:
        """Note a job that will be sent: killed now, its result is fetched and not paid again."""
        self._write({"circuit": key, "points": points.tolist(), "tag": tag})

    def add(self, key: str, points: Floats, found: Measured) -> None:
        """Note what was measured."""
        self._write(
            {
                "circuit": key,
                "points": points.tolist(),
                "energies": found.energies.tolist(),
                "errors": found.errors.tolist(),
                "shots": found.shots,
            }
        )

    def close(self) -> None:
        """Let another process have the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, path: Path, header: dict[str, Any]) -> None:
        assert self._file is not None  # noqa: S101 - opened above
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))  # a line that was being written when the end came
        lines = whole.splitlines()
        if not lines:
            self._write(header)
            return
        try:
            first, *rest = [json.loads(line) for line in lines]
            found = {name: first.get(name) for name in header}
            for line in rest:
                name = _name(line["circuit"], np.array(line["points"], dtype=float))
                known = self._known.setdefault(name, [])
                # A result takes the place of the note that its job would be sent.
                if "energies" in line and known and "energies" not in known[-1]:
                    known.pop()
                known.append(line)
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise ConfigError(f"record={str(path)!r} is no record of a VQE: {error}") from error
        wrong = [name for name in header if found[name] != json.loads(json.dumps(header[name]))]
        if wrong:
            raise ConfigError(
                f"record={str(path)!r} is of another VQE ({', '.join(wrong)} differ): "
                "name another file, or remove this one"
            )

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def _name(key: str, points: Floats) -> str:
    return key + (points + 0.0).tobytes().hex()  # -0.0 is 0.0


def _lock(file: IO[bytes], path: Path | str) -> None:
    with contextlib.suppress(ImportError):  # not on Windows
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"record={str(path)!r} is in use by another process") from error
