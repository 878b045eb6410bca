"""An open QDMI session, and the jobs that must be freed before it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from ctypes import byref, c_size_t, c_void_p
from typing import Any

from qdmi_qiskit.devices.native import release
from qdmi_qiskit.devices.native.faults import failed, fault
from qdmi_qiskit.devices.native.handle import JobHandle
from qdmi_qiskit.devices.native.library import Library, check_version
from qdmi_qiskit.devices.native.queries import Asked, answer, answers
from qdmi_qiskit.devices.native.words import (
    DeviceProperty,
    OperationProperty,
    SessionParameter,
    SiteProperty,
    Status,
)
from qdmi_qiskit.errors import ConfigError, ProtocolError, QdmiError, UnavailableError


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
        release.sessions.add(self)

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

        return answer(ask, prop.kind, Asked(self.library, prop), lenient=self._old)

    def site(self, site: int, prop: SiteProperty) -> Any:
        """Return a property of a site; None where the device does not say."""

        def ask(size: int, value: Any, needed: Any) -> int:
            return self._ask("device_session_query_site_property", site, prop, size, value, needed)

        return answer(ask, prop.kind, Asked(self.library, prop), lenient=self._old)

    def sites(self, sites: Sequence[int], prop: SiteProperty) -> list[Any]:
        """Return a property of each of many sites; None where the device does not say."""
        found: list[Any] = []
        if prop.kind not in ("text", "handles", "enums"):
            with self._lock:
                self._check_open()
                query = self.library.function("device_session_query_site_property")

                def ask(site: int, *room: Any) -> int:
                    code: int = query(self.handle, site, prop, *room)
                    return code

                found = answers(ask, sites, prop.kind, Asked(self.library, prop))
        return found + [self.site(site, prop) for site in sites[len(found) :]]

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

        return answer(ask, prop.kind, Asked(self.library, prop), lenient=self._old or bool(sites))

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

    def let_go(self) -> bool:
        """Close it; return that there is nothing more to do."""
        self.close()
        return True

    @property
    def freed(self) -> bool:
        """Whether it was freed."""
        return self._freed

    @property
    def _old(self) -> bool:
        return not self.library.programs

    def _ask(self, name: str, *arguments: Any) -> int:
        with self._lock:
            *front, needed = arguments
            last = byref(needed) if isinstance(needed, c_size_t) else needed
            return self._call(name, *front, last)

    def _call(self, name: str, *arguments: Any) -> int:
        self._check_open()
        return self.library.call(name, self.handle, *arguments)

    def _check_open(self) -> None:
        if self._freed:
            raise UnavailableError(f"this session of {self.library} is closed: open another")

    def _job(self, handle: c_void_p) -> JobHandle:
        if not handle.value:
            raise ProtocolError(f"{self.library} made a job without a handle: report it")
        release.start()
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
        release.sessions.discard(self)
        if self.library.here:
            self.library.functions["device_session_free"](self.handle)
        if self._parent is not None:
            self._parent.close()


def _status(code: int) -> Status:
    return Status(code) if code in Status.__members__.values() else Status.ERROR_FATAL
