"""Circuits from a file: OpenQASM 2, OpenQASM 3 or QPY, told apart by how the file begins."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO

from qiskit import QuantumCircuit, qasm2, qasm3, qpy

from qdmi_qiskit.errors import MissingPluginError, RejectedError
from qdmi_qiskit.saved import MOST_BITS, check_qpy

_HEADER = re.compile(
    r"(?>\s+|//[^\n]*|/\*.*?\*/)*+(?P<header>OPENQASM\s+(?P<major>\d+)(?P<minor>\.\d+)?)", re.DOTALL
)
# Qiskit makes an object of every bit that is declared, before anybody can look.
_SIZE = re.compile(r"(?:qubit|bit|[qc]reg\s+\w+)\s*\[\s*(\d+)\s*\]")
# "Error: UndefGateError ... [no file:2:21]" of the built-in reader, "line 2:21 ..." of ANTLR
_BUILT_IN = re.compile(r"Error: (?P<reason>[^\n]+)\n\s*╭─\[[^\n]*?:(?P<line>\d+):(?P<column>\d+)\]")
_ANTLR = re.compile(r"line (?P<line>\d+):(?P<column>\d+) (?P<reason>[^\n]+)")
_PLACE = re.compile(r"^(\d+),(\d+)(?=: )")


def read(place: str) -> list[QuantumCircuit]:
    """Return the circuits in a file; only QPY can hold more than one.

    Args:
        place: A path, or `"-"` for standard input.

    Raises:
        RejectedError: The file is no circuit; says where it is wrong.
        MissingPluginError: It is OpenQASM 3 that Qiskit alone cannot read.
    """
    path = Path("stdin" if place == "-" else place)
    name, folder = path.name, path.parent
    content = sys.stdin.buffer.read() if place == "-" else path.read_bytes()
    if content.startswith(b"QISKIT"):
        return _qpy(name, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedError(
            f"{name} is neither QPY nor text (byte {error.start}): wanted a file of OpenQASM or QPY"
        ) from error
    header = _HEADER.match(text)
    if header is None or header["major"] not in ("2", "3"):
        raise RejectedError(
            f"{name} does not begin with 'OPENQASM 2.0;' or 'OPENQASM 3.0;' and is not QPY: "
            "add the header of the language it is written in"
        )
    for size in _SIZE.findall(text):
        if len(size) > 9 or int(size) > MOST_BITS:
            raise RejectedError(
                f"{name} declares a register of {size[:20]} bits: no device has so many"
            )
    circuit = _qasm2(name, text, folder) if header["major"] == "2" else _qasm3(name, text, header)
    circuit.name = Path(name).stem
    return [circuit]


def _qpy(name: str, content: bytes) -> list[QuantumCircuit]:
    try:
        check_qpy(content)
        with _captured():
            circuits: list[QuantumCircuit] = qpy.load(BytesIO(content))
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise RejectedError(
            f"{name} cannot be read as QPY ({type(error).__name__}: {reason}): it is damaged, or "
            "a newer Qiskit wrote it"
        ) from error
    if not all(isinstance(circuit, QuantumCircuit) for circuit in circuits):
        raise RejectedError(f"{name} holds something other than circuits: wanted circuits only")
    return circuits


def _qasm2(name: str, text: str, folder: Path) -> QuantumCircuit:
    try:
        return qasm2.loads(
            text,
            include_path=(folder,),
            custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS,
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        reason = error.message.replace("<input>:", f"{name}:")
        raise RejectedError(f"{reason}: correct the OpenQASM 2") from error


def _qasm3(name: str, text: str, header: re.Match[str]) -> QuantumCircuit:
    complete = find_spec("qiskit_qasm3_import") is not None
    with _captured() as said:
        try:
            if complete:
                return qasm3.loads(text)
            if header["minor"] is None:  # the built-in reader insists on one
                text = f"{text[: header.end()]}.0{text[header.end() :]}"
            return qasm3.loads_experimental(text)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the built-in reader panics
            problem, reason = error, _reason(said(), error)
    if complete:
        raise RejectedError(f"{name}: {reason}: correct the OpenQASM 3") from problem
    raise MissingPluginError(
        f"{name}: {reason}. Without the package qiskit-qasm3-import only plain OpenQASM 3 is read "
        "(gates of stdgates.inc, measurements, literal angles): for the whole language, pip "
        "install qiskit-qasm3-import"
    ) from problem


def _reason(said: str, problem: BaseException) -> str:
    for pattern in (_BUILT_IN, _ANTLR):
        if found := pattern.search(said):
            return f"line {found['line']}, column {found['column']}: {found['reason']}"
    inner = problem.__cause__
    while inner is not None:  # ANTLR's own error knows the place
        for candidate in (inner, *inner.args):
            if (token := getattr(candidate, "offendingToken", None)) is not None:
                return f"line {token.line}, column {token.column}: unexpected {token.text!r}"
        inner = inner.__cause__
    text = getattr(problem, "message", str(problem)).rstrip(". ") or type(problem).__name__
    text = _PLACE.sub(r"line \1, column \2", text)
    return text if len(text) <= 200 else f"{text[:200]}..."


@contextmanager
def _captured() -> Iterator[Callable[[], str]]:
    """Keep what readers print, from Python or past it, off the terminal."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(file.fileno(), number)
            with redirect_stdout(file), redirect_stderr(file), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield partial(_printed, file)
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


def _printed(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
