"""Checks of what goes wrong: in our words, without secrets."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Instruction

from qdmi_qiskit.errors import JobFailedError, RejectedError
from qdmi_qiskit.model import Program
from qdmi_qiskit.testing.circuits import flip
from qdmi_qiskit.testing.harness import Harness

_NONSENSE = "qdmi_no_such_gate"


def garbage(program: Program) -> Program:
    """Return a program of the same format that no device can run."""
    payload: Any = program.payload
    if isinstance(payload, str):
        payload = f"{_NONSENSE} is no program;"
    elif isinstance(payload, bytes):
        payload = b"\x00" + _NONSENSE.encode()
    elif isinstance(payload, QuantumCircuit):
        payload = QuantumCircuit(1, program.num_bits)
        payload.append(Instruction(_NONSENSE, 1, 0, []), [0])
        payload.measure(0, 0)
    else:
        payload = type(payload)()
    return replace(program, payload=payload)


def check_garbage_is_rejected(harness: Harness) -> None:
    """A program that makes no sense: RejectedError from submit, or a job that fails."""
    task = harness.task(flip(0))
    wrong = replace(task, program=garbage(task.program))
    todo = "translate what the vendor says into RejectedError (submit) or JobFailedError (result)"
    try:
        job = harness.submit(wrong)
        status = job.wait(harness.timeout)
        job.result()
    except (RejectedError, JobFailedError) as error:
        if str(error):
            return
        raise AssertionError("the error says nothing: carry the vendor's words") from error
    except Exception as error:
        raise AssertionError(f"garbage raised {type(error).__name__} ({error}): {todo}") from error
    raise AssertionError(f"garbage ran as if it were a program (job {status.value}): {todo}")


def check_device_works_after_garbage(harness: Harness) -> None:
    """A refusal leaves the session as it was."""
    task = harness.task(flip(0))
    with suppress(Exception):  # the check above looks at the kind of error
        harness.outcome(harness.submit(replace(task, program=garbage(task.program))))
    harness.expect(flip(1), 2, "a refused program must not spoil the next one")


def check_secrets_stay_secret(harness: Harness) -> None:
    """`Harness.secrets` are in no repr, no id, no snapshot and no message."""
    job = harness.submit(harness.task(flip(0)))
    harness.outcome(job)
    task = harness.task(flip(0))
    message = ""
    try:
        harness.outcome(harness.submit(replace(task, program=garbage(task.program))))
    except Exception as error:  # noqa: BLE001 - whatever it is, its words are looked at
        message = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    shown = {
        "repr(session)": repr(harness.session) + str(harness.session),
        "repr(job)": repr(job) + str(job) + job.id,
        "spec()": repr(harness.spec),
        "status()": repr(harness.session.status()),
        "the message of an error": message,
        "repr(backend)": repr(harness.backend),
    }
    for where, text in shown.items():
        for secret in harness.secrets:
            assert not secret or secret not in text, (
                f"a secret given to open() appears in {where}: keep it in a "
                "qdmi_qiskit.config.Secret"
            )
