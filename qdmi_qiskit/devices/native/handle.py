"""A job of a library: its handle, which may be freed once, and not while it is used."""

from __future__ import annotations

import threading
from ctypes import byref, c_int, c_size_t
from typing import TYPE_CHECKING, Any

from qdmi_qiskit.devices.native import release
from qdmi_qiskit.devices.native.faults import failed, fault
from qdmi_qiskit.devices.native.queries import Asked, answer
from qdmi_qiskit.devices.native.words import JobProperty, Status
from qdmi_qiskit.errors import ProtocolError, QdmiError, UnavailableError
from qdmi_qiskit.model import JobStatus

if TYPE_CHECKING:
    from qdmi_qiskit.devices.native.channel import Channel

STATES = tuple(JobStatus)
"""QDMI's order is ours: CREATED 0 to FAILED 6."""


class JobHandle:
    """One job of a session. Freed by `free` or, behind everybody's back, by `release.release`."""

    def __init__(self, channel: Channel, handle: int) -> None:
        self.channel, self.library, self._handle = channel, channel.library, handle
        self._freeing = threading.Lock()
        self._users: list[None] = []  # adding and taking away are atomic, which counting is not
        self._unwanted, self._freed = False, False
        release.jobs.add(self)

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function of the job; it cannot be freed meanwhile."""
        self._users.append(None)
        try:
            if self._unwanted:
                raise UnavailableError("this job's handle was freed: its outcome was fetched")
            return self.library.call(name, self._handle, *arguments)
        finally:
            self._users.pop()
            if self._unwanted and not self._users:
                self._free()

    def check(self) -> JobStatus:
        """Ask how far the job is."""
        state = c_int(-1)
        code = self.call("device_job_check", byref(state))
        if failed(code):
            raise fault(code, f"{self.library} does not say how its job is")
        return self._state(state.value)

    def program_status(self, index: int) -> JobStatus | None:
        """Ask how far one program is; None where only the job as a whole is known."""
        if not self.library.programs:
            return None
        state = c_int(-1)
        code = self.call("device_job_get_program_status", index, byref(state))
        return None if failed(code) else self._state(state.value)

    def ask(self, prop: JobProperty) -> Any:
        """Return a property of the job; None where the device does not say."""

        def ask(size: int, value: Any, needed: Any) -> int:
            last = byref(needed) if isinstance(needed, c_size_t) else needed
            code = self.call("device_job_query_property", prop, size, value, last)
            # The position of a job that is not queued is a bad state, which is no error.
            return Status.ERROR_NOTSUPPORTED if code == Status.ERROR_BADSTATE else code

        what = Asked(self.library, prop)
        return answer(ask, prop.kind, what, lenient=not self.library.programs)

    def _state(self, value: int) -> JobStatus:
        if not 0 <= value < len(STATES):
            raise ProtocolError(f"{self.library} says its job is in state {value}")
        return STATES[value]

    @property
    def freed(self) -> bool:
        """Whether it was freed, or will be as soon as the last call returns."""
        return self._unwanted

    def free(self) -> None:
        """Free the job as soon as nobody uses it; only for one that is final or not submitted."""
        self._unwanted = True
        if not self._users:
            self._free()

    def let_go(self) -> bool:
        """Free the job if it is final; return whether there is nothing more to do."""
        if self._unwanted or not self.library.here:
            return True
        try:
            if not self.check().final:
                return False
        except QdmiError:
            return True  # a job that cannot be asked is left as it is: freeing it could block
        self.free()
        return True

    def _free(self) -> None:
        with self._freeing:
            if self._freed:
                return
            self._freed = True
        release.jobs.discard(self)
        if self.library.here:
            self.library.functions["device_job_free"](self._handle)
        self.channel.job_freed()
