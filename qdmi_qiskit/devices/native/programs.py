"""A native job from programs to results: what differs between QDMI 1.3 and 1.4 ends here."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from ctypes import byref, c_char_p, c_size_t
from typing import Any

import numpy as np

from qdmi_qiskit.devices.native.channel import Channel
from qdmi_qiskit.devices.native.decode import Rows, rows
from qdmi_qiskit.devices.native.faults import PROGRAM, failed, fault, marked, said
from qdmi_qiskit.devices.native.handle import JobHandle
from qdmi_qiskit.devices.native.queries import raw
from qdmi_qiskit.devices.native.words import (
    JobParameter,
    JobProperty,
    JobResult,
    ProgramFormat,
    Status,
)
from qdmi_qiskit.errors import (
    ProtocolError,
    QdmiError,
    RejectedError,
    SubmitUnknownError,
    UnavailableError,
)

MOST_PROGRAMS = 10_000
"""Programs of one job worth asking for; more are sent as several jobs."""

_REFUSALS = (
    Status.ERROR_BADSTATE,
    Status.ERROR_INVALIDARGUMENT,
    Status.ERROR_NOTSUPPORTED,
    Status.ERROR_NOTIMPLEMENTED,
    Status.ERROR_PERMISSIONDENIED,
    Status.ERROR_OUTOFRANGE,
)
"""Answers to a submit after which nothing can have been queued."""


def most_programs(channel: Channel, wire: ProgramFormat) -> int:
    """Return how many programs one job takes; asks by setting none, which sends nothing."""
    if not channel.library.programs:
        return 1
    job = channel.new_job()
    try:
        low, high = 1, MOST_PROGRAMS
        if _takes(job, wire, high):
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _takes(job, wire, middle) else (low, middle)
        return low
    finally:
        job.free()


def _takes(job: JobHandle, wire: ProgramFormat, count: int) -> bool:
    return not failed(job.call("device_job_set_programs", wire, count, None, None))


def takes_seed(channel: Channel) -> bool:
    """Whether job parameter CUSTOM1 can be set; a null value asks without setting."""
    job = channel.new_job()
    try:
        return not failed(job.call("device_job_set_parameter", JobParameter.CUSTOM1, 4, None))
    finally:
        job.free()


def cancels(channel: Channel) -> bool:
    """Whether jobs can be canceled; asks by canceling one that was never submitted."""
    job = channel.new_job()
    try:
        code = job.call("device_job_cancel")
        return code not in (Status.ERROR_NOTSUPPORTED, Status.ERROR_NOTIMPLEMENTED)
    finally:
        job.free()


def submitted(
    channel: Channel,
    wire: ProgramFormat,
    payloads: Sequence[str | bytes],
    shots: int,
    settings: Mapping[JobParameter, bytes],
    *,
    here: bool,
) -> JobHandle:
    """Submit programs as one native job.

    Args:
        channel: An open session.
        wire: Format of all programs.
        payloads: One or more where the library takes lists.
        shots: Of each.
        settings: The vendor's own parameters.
        here: Whether the job runs in this machine, so that a failed submit leaves nothing.

    Raises:
        RejectedError: The library refuses a program.
        SubmitUnknownError: It reports an error after which the job may exist.
    """
    job = channel.new_job()
    try:
        _set_programs(job, wire, [_data(wire, payload) for payload in payloads])
        _set(job, JobParameter.SHOTSNUM, struct.pack("N", shots))
        for parameter, value in settings.items():
            _set(job, parameter, value)
        _submit(job, here)
    except BaseException:
        job.free()
        raise
    return job


def _submit(job: JobHandle, here: bool) -> None:
    code = job.call("device_job_submit")
    if not failed(code):
        return
    library = job.library
    if code in _REFUSALS or here:
        kinds: dict[Status, type[QdmiError]] = {**PROGRAM, Status.ERROR_FATAL: RejectedError}
        raise fault(code, f"{library} refuses the job", kinds)
    error = SubmitUnknownError(
        f"{library} answers {said(code)} to a submit: the job may exist; look before sending again"
    )
    raise marked(error, code)


def _data(wire: ProgramFormat, payload: str | bytes) -> bytes:
    if wire.binary:
        if not isinstance(payload, bytes):
            raise RejectedError(f"a program in {wire.name} is bytes, not {type(payload).__name__}")
        return payload
    if not isinstance(payload, str) or "\0" in payload:
        raise RejectedError(f"a program in {wire.name} is text without NUL")
    return payload.encode() + b"\0"


def _set_programs(job: JobHandle, wire: ProgramFormat, programs: Sequence[bytes]) -> None:
    if job.library.programs:
        sizes = (c_size_t * len(programs))(*(len(each) for each in programs))
        array = (c_char_p * len(programs))(*programs)  # their addresses; NUL means nothing here
        code = job.call("device_job_set_programs", wire, len(programs), sizes, array)
        if failed(code):
            raise fault(code, f"{job.library} refuses a program", PROGRAM)
        return
    if len(programs) != 1:
        raise ProtocolError("this library takes one program per job; the planner sent more")
    _set(job, JobParameter.PROGRAMFORMAT, struct.pack("=i", wire))
    _set(job, JobParameter.PROGRAM, programs[0])


def _set(job: JobHandle, parameter: JobParameter, value: bytes) -> None:
    code = job.call("device_job_set_parameter", parameter, len(value), value)
    if failed(code):
        what = f"{job.library} refuses job parameter {parameter.name.lower()}"
        raise fault(code, what, PROGRAM)


def outcome(job: JobHandle, index: int, width: int | None = None, shots: int | None = None) -> Rows:
    """Return the shots of one program: in order where the library has them, else a histogram.

    Args:
        job: Done.
        index: Of the program.
        width: Characters of a shot; None: whatever there are.
        shots: How many are expected; None: whatever there are.

    Returns:
        bool, shape `(shots, width)`, columns in the order of the library's text.
    """
    what = f"{job.library}: the shots of program {index}"
    expected = 0 if width is None or shots is None else shots * (width + 1)
    data = _result(job, index, JobResult.SHOTS, what, expected)
    if data is not None and len(data) > 1:
        return rows(data, what, width)
    what = f"{job.library}: the histogram of program {index}"
    keys = _result(job, index, JobResult.HIST_KEYS, what)
    values = _result(job, index, JobResult.HIST_VALUES, what)
    if keys is None or values is None:
        raise ProtocolError(f"{job.library} returns neither shots nor a histogram")
    words = rows(keys, what, width)
    if len(values) != len(words) * ctypes.sizeof(c_size_t):
        raise ProtocolError(f"{what} has {len(words)} keys and {len(values)} bytes of counts")
    return np.repeat(words, np.frombuffer(values, np.uintp).astype(np.int64), axis=0)


def _result(
    job: JobHandle, index: int, result: JobResult, what: str, expected: int = 0
) -> bytes | None:
    def ask(size: int, value: Any, needed: Any) -> int:
        last = byref(needed) if isinstance(needed, c_size_t) else needed
        which = (index, result) if job.library.programs else (result,)
        return job.call("device_job_get_results", *which, size, value, last)

    # A result that a library does not have is a wrong argument in QDMI, whatever the version.
    return raw(ask, what, lenient=result is not JobResult.HIST_VALUES, expected=expected)


def job_id(job: JobHandle) -> str:
    """Return the vendor's id; empty if there is none.

    Raises:
        SubmitUnknownError: The library sends behind our back, and says now that it failed.
    """
    try:
        return str(job.ask(JobProperty.ID) or "")
    except UnavailableError as error:
        raise SubmitUnknownError(
            f"{job.library} took the job and then did not say its id ({error}): the job "
            "may exist; look before sending again"
        ) from error
