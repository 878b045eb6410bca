"""An open QDMI session, and the jobs that must be freed before it."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from ctypes import byref, c_int, c_size_t, c_void_p
from typing import Any

from qdmi_qiskit.devices.native import words
from qdmi_qiskit.devices.native.faults import failed, fault
from qdmi_qiskit.devices.native.library import Library, check_version, loaded
from qdmi_qiskit.devices.native.queries import answer
from qdmi_qiskit.devices.native.words import (
    DeviceProperty,
    JobProperty,
    OperationProperty,
    SessionParameter,
    SiteProperty,
    Status,
)
from qdmi_qiskit.errors import ConfigError, ProtocolError, QdmiError, UnavailableError
from qdmi_qiskit.model import JobStatus

STATES = tuple(JobStatus)
"""QDMI's order is ours: CREATED 0 to FAILED 6."""


class Channel:
    """One initialised device session.

    It is freed when it was closed and its last job is freed, never before: freeing a session
    invalidates its jobs.
    """

    def __init__(
        self,
        library: Library,
        settings: Mapping[SessionParameter, bytes],
        parent: Channel | None = None,
    ) -> None:
        """Open a session.

        Args:
            library: Initialised.
            settings: Parameters as the library wants them; kept nowhere.
            parent: The session whose child device this one opens; closed with it.
        """
        self.library, self._parent = library, parent
        self._lock = threading.RLock()
        self._jobs, self._closed, self._freed = 0, False, False
        handle = c_void_p()
        code = library.call("device_session_alloc", byref(handle))
        if failed(code):
            raise fault(code, f"{library} opens no session")
        if not handle.value:
            raise ProtocolError(f"{library} opened a session without a handle: report it")
        self.handle: int = handle.value
        try:
            self._open(settings)
        except BaseException:
            self._free()
            raise
        _open_channels.add(self)

    def _open(self, settings: Mapping[SessionParameter, bytes]) -> None:
        for parameter, value in settings.items():
            code = self.library.call(
                "device_session_set_parameter", self.handle, parameter, len(value), value
            )
            if failed(code):
                kinds: dict[Status, type[QdmiError]] = {Status.ERROR_NOTSUPPORTED: ConfigError}
                name = parameter.name.lower()
                raise fault(code, f"{self.library} takes no session parameter {name}", kinds)
        code = self.library.call("device_session_init", self.handle)
        if failed(code):
            hint = {
                Status.ERROR_FATAL: "; is its service reachable, and the account allowed?",
                Status.ERROR_PERMISSIONDENIED: "; check the credentials",
            }
            raise fault(code, f"{self.library} cannot open the device{hint.get(_status(code), '')}")
        version = self.device(DeviceProperty.LIBRARYVERSION)
        if version is None:
            raise ProtocolError(f"{self.library} does not say which QDMI it implements: report it")
        check_version(self.library, version)

    def device(self, prop: DeviceProperty) -> Any:
        """Return a property of the device; None where it does not say."""

        def ask(size: int, value: Any, needed: Any) -> int:
            return self._ask("device_session_query_device_property", prop, size, value, needed)

        return answer(ask, words.DEVICE[prop], self._what(prop), lenient=self._old)

    def site(self, site: int, prop: SiteProperty) -> Any:
        """Return a property of a site; None where the device does not say."""

        def ask(size: int, value: Any, needed: Any) -> int:
            return self._ask("device_session_query_site_property", site, prop, size, value, needed)

        return answer(ask, words.SITE[prop], self._what(prop), lenient=self._old)

    def operation(
        self, operation: int, prop: OperationProperty, sites: tuple[int, ...] = ()
    ) -> Any:
        """Return a property of an operation, on some sites; None where the device does not say.

        Asked about sites, libraries answer INVALIDARGUMENT to tuples that they do not have.
        """
        array = (c_void_p * len(sites))(*sites) if sites else None

        def ask(size: int, value: Any, needed: Any) -> int:
            return self._ask(
                "device_session_query_operation_property",
                *(operation, len(sites), array, 0, None, prop, size, value, needed),
            )

        kind = words.OPERATION[prop]
        return answer(ask, kind, self._what(prop), lenient=self._old or bool(sites))

    def new_job(self) -> JobHandle:
        """Return a job that is not submitted yet."""
        handle = c_void_p()
        with self._lock:
            code = self._call("device_session_create_device_job", byref(handle))
        if failed(code):
            raise fault(code, f"{self.library} makes no job")
        return self._job(handle)

    def find_job(self, job_id: str) -> JobHandle:
        """Return a job that was submitted before."""
        handle = c_void_p()
        with self._lock:
            code = self._call(
                "device_session_retrieve_device_job_by_id", job_id.encode(), byref(handle)
            )
        if failed(code):
            kinds: dict[Status, type[QdmiError]] = {Status.ERROR_INVALIDARGUMENT: ConfigError}
            raise fault(code, f"{self.library} finds no job {job_id!r}", kinds)
        return self._job(handle)

    def close(self) -> None:
        """Free the session now, or when its last job is freed."""
        if not self.library.here:
            return
        with self._lock:
            self._closed = True
            self._free_if_last()

    @property
    def freed(self) -> bool:
        """Whether it was freed."""
        return self._freed

    @property
    def _old(self) -> bool:
        return not self.library.programs

    def _what(self, prop: Any) -> str:
        kind = type(prop).__name__.removesuffix("Property").lower()
        return f"{self.library}, {kind} property {prop.name}"

    def _ask(self, name: str, *arguments: Any) -> int:
        with self._lock:
            *front, needed = arguments
            last = byref(needed) if isinstance(needed, c_size_t) else needed
            return self._call(name, *front, last)

    def _call(self, name: str, *arguments: Any) -> int:
        if self._freed:
            raise UnavailableError(f"this session of {self.library} is closed: open another")
        return self.library.call(name, self.handle, *arguments)

    def _job(self, handle: c_void_p) -> JobHandle:
        if not handle.value:
            raise ProtocolError(f"{self.library} made a job without a handle: report it")
        _start_reaper()
        with self._lock:
            self._jobs += 1
        return JobHandle(self, handle.value)

    def job_freed(self) -> None:
        """Note that a job of this session was freed."""
        with self._lock:
            self._jobs -= 1
            self._free_if_last()

    def _free_if_last(self) -> None:
        if self._closed and not self._jobs and not self._freed:
            self._free()

    def _free(self) -> None:
        self._freed = True
        _open_channels.discard(self)
        if self.library.here:
            self.library.functions["device_session_free"](self.handle)
        if self._parent is not None:
            self._parent.close()


class JobHandle:
    """One job of a library. Freed by `free` or, behind everybody's back, by `release`."""

    def __init__(self, channel: Channel, handle: int) -> None:
        self.channel, self._handle = channel, handle
        self._lock = threading.Lock()
        self._users, self._unwanted, self._freed = 0, False, False
        _open_jobs.add(self)

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function of the job; it cannot be freed meanwhile."""
        with self._lock:
            if self._unwanted:
                raise UnavailableError("this job's handle was freed: its outcome was fetched")
            self._users += 1
        try:
            return self.channel.library.call(name, self._handle, *arguments)
        finally:
            with self._lock:
                self._users -= 1
                last = self._unwanted and not self._users
            if last:
                self._free()

    def check(self) -> JobStatus:
        """Ask how far the job is."""
        state = c_int(-1)
        code = self.call("device_job_check", byref(state))
        if failed(code):
            raise fault(code, f"{self.channel.library} does not say how its job is")
        return self._state(state.value)

    def program_status(self, index: int) -> JobStatus | None:
        """Ask how far one program is; None where only the job as a whole is known."""
        if not self.channel.library.programs:
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

        what = f"{self.channel.library}, job property {prop.name}"
        return answer(ask, words.JOB[prop], what, lenient=not self.channel.library.programs)

    def _state(self, value: int) -> JobStatus:
        if not 0 <= value < len(STATES):
            raise ProtocolError(f"{self.channel.library} says its job is in state {value}")
        return STATES[value]

    @property
    def freed(self) -> bool:
        """Whether it was freed, or will be as soon as the last call returns."""
        return self._unwanted

    def free(self) -> None:
        """Free the job as soon as nobody uses it; only for one that is final or not submitted."""
        with self._lock:
            if self._unwanted:
                return
            self._unwanted = True
            now = not self._users
        if now:
            self._free()

    def _free(self) -> None:
        with self._lock:
            if self._freed:
                return
            self._freed = True
        _open_jobs.discard(self)
        if self.channel.library.here:
            self.channel.library.functions["device_job_free"](self._handle)
        self.channel.job_freed()


_open_channels: set[Channel] = set()
_open_jobs: set[JobHandle] = set()
_unwanted: queue.SimpleQueue[JobHandle | Channel] = queue.SimpleQueue()
_starting = threading.Lock()
_reaper: list[int] = []


def release(unwanted: JobHandle | Channel) -> None:
    """Free what nobody holds any more, a job when it is final. Never blocks: for finalisers.

    Freeing a job that runs may block until it ends, so a thread waits for that.
    """
    if not unwanted.freed:
        _unwanted.put(unwanted)


def _start_reaper() -> None:
    with _starting:
        if os.getpid() not in _reaper:
            _reaper[:] = [os.getpid()]
            threading.Thread(target=_reap, name="qdmi-native-free", daemon=True).start()


def _reap() -> None:
    waiting: list[JobHandle | Channel] = []
    pause = 0.01
    while True:
        with suppress(queue.Empty):
            while True:
                waiting.append(_unwanted.get(timeout=pause if waiting else None))
                pause = 0.01
        waiting = [each for each in waiting if not _freed(each)]
        pause = min(2 * pause, 5.0)


def _freed(unwanted: JobHandle | Channel) -> bool:
    if isinstance(unwanted, JobHandle):
        return _freed_if_final(unwanted)
    unwanted.close()
    return True


def _freed_if_final(handle: JobHandle) -> bool:
    if handle.freed or not handle.channel.library.here:
        return True
    try:
        if not handle.check().final:
            return False
    except QdmiError:
        return True  # a job that cannot be asked is left as it is: freeing it could block
    handle.free()
    return True


def _status(code: int) -> Status:
    return Status(code) if code in Status.__members__.values() else Status.ERROR_FATAL


@atexit.register
def _at_exit() -> None:
    """Free what is final, then sessions, then libraries; what still runs is left to run."""
    for handle in [each for each in _open_jobs if each.channel.library.here]:
        _freed_if_final(handle)
    for channel in [each for each in _open_channels if each.library.here]:
        channel.close()
    busy = {channel.library for channel in _open_channels}
    for library in loaded():
        # mqt-core may have sessions of its own on the same library, and ends it by itself.
        if library.here and library not in busy and "mqt.core.qdmi" not in sys.modules:
            library.functions["device_finalize"]()
