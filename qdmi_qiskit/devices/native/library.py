"""A C library that implements QDMI's device interface: loaded, told apart, initialised once."""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import POINTER, c_char_p, c_double, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from qdmi_qiskit.devices.native.faults import failed, fault
from qdmi_qiskit.errors import ConfigError, UnavailableError, UnsupportedError

_SIZE, _HANDLE = POINTER(c_size_t), POINTER(c_void_p)
_ANSWER = (c_size_t, c_void_p, _SIZE)

_COMMON: dict[str, tuple[Any, ...]] = {
    "device_initialize": (),
    "device_finalize": (),
    "device_session_alloc": (_HANDLE,),
    "device_session_set_parameter": (c_void_p, c_int, c_size_t, c_void_p),
    "device_session_init": (c_void_p,),
    "device_session_free": (c_void_p,),
    "device_session_query_device_property": (c_void_p, c_int, *_ANSWER),
    "device_session_query_site_property": (c_void_p, c_void_p, c_int, *_ANSWER),
    "device_session_query_operation_property": (
        *(c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_double), c_int),
        *_ANSWER,
    ),
    "device_session_create_device_job": (c_void_p, _HANDLE),
    "device_job_set_parameter": (c_void_p, c_int, c_size_t, c_void_p),
    "device_job_query_property": (c_void_p, c_int, *_ANSWER),
    "device_job_submit": (c_void_p,),
    "device_job_cancel": (c_void_p,),
    "device_job_check": (c_void_p, POINTER(c_int)),
    "device_job_wait": (c_void_p, c_size_t),
    "device_job_free": (c_void_p,),
}
_RETRIEVE = "device_session_retrieve_device_job_by_id"
_OPTIONAL: dict[str, tuple[Any, ...]] = {_RETRIEVE: (c_void_p, c_char_p, _HANDLE)}
_OLD: dict[str, tuple[Any, ...]] = {"device_job_get_results": (c_void_p, c_int, *_ANSWER)}
_NEW: dict[str, tuple[Any, ...]] = {
    "device_job_get_results": (c_void_p, c_size_t, c_int, *_ANSWER),
    "device_job_set_programs": (c_void_p, c_int, c_size_t, c_void_p, c_void_p),
    "device_job_get_program_status": (c_void_p, c_size_t, POINTER(c_int)),
}
_TELLING = "device_job_set_programs"
_VOID = frozenset({"device_session_free", "device_job_free"})

_loading = threading.Lock()
_loaded: dict[tuple[str, str], Library] = {}


class Library:
    """One library under one prefix; there is one object of it in a process.

    Attributes:
        path: The file, links resolved.
        prefix: Of its functions.
        programs: Whether it has QDMI 1.4's binary interface: lists of programs, and results by
            index. It differs from the one before, and no function says which it is: the symbol
            that only 1.4 has tells.
        functions: By QDMI's names without the prefix, arguments typed.
        retrieves: Whether it can find jobs again at all.
        here: Whether this is the process that initialised it, and no fork of that.
    """

    def __init__(self, path: str, prefix: str) -> None:
        self.path, self.prefix = path, prefix
        self._name = f"QDMI library {Path(path).name} ({prefix})"
        try:
            # Local: two libraries may bring two versions of the same dependency.
            native = ctypes.CDLL(path, mode=os.RTLD_LOCAL | os.RTLD_NOW)
        except OSError as error:
            raise ConfigError(f"the QDMI library {path} cannot be loaded: {error}") from error
        self.programs = hasattr(native, self._symbol(_TELLING))
        wanted = {**_COMMON, **(_NEW if self.programs else _OLD)}
        missing = [name for name in wanted if not hasattr(native, self._symbol(name))]
        if missing:
            raise ConfigError(
                f"{path} is no QDMI device library of version 1.2, 1.3 or 1.4 with prefix "
                f"{prefix!r}: it has no {self._symbol(missing[0])}"
                + (f" and lacks {len(missing) - 1} more functions" if len(missing) > 1 else "")
                + "; check the prefix"
            )
        self.functions: dict[str, Any] = {}
        for name, arguments in {**wanted, **_OPTIONAL}.items():
            if hasattr(native, self._symbol(name)):
                function = getattr(native, self._symbol(name))
                function.argtypes = arguments
                function.restype = None if name in _VOID else c_int
                self.functions[name] = function
        self.retrieves = _RETRIEVE in self.functions
        self.here = True
        code = self.functions["device_initialize"]()
        if failed(code):
            raise fault(code, f"{self} cannot be initialised")

    def __str__(self) -> str:
        return self._name

    def _symbol(self, name: str) -> str:
        return f"{self.prefix}_QDMI_{name}"

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function and return its status code; other threads of Python run meanwhile.

        Raises:
            UnavailableError: The process is a fork of the one that initialised the library.
        """
        code: int = self.function(name)(*arguments)
        return code

    def function(self, name: str) -> Any:
        """Return a function, for many calls at once.

        Raises:
            UnavailableError: As for `call`.
        """
        if not self.here:
            raise UnavailableError(
                f"{self} was opened before this process was forked, and its threads and "
                "connections did not come along: start processes with multiprocessing's 'spawn', "
                "or open the device first in the child"
            )
        return self.functions[name]


def _in_a_fork() -> None:
    for each in _loaded.values():
        each.here = False


os.register_at_fork(after_in_child=_in_a_fork)


def library(path: str | Path, prefix: str) -> Library:
    """Return the library of a file, loaded and initialised at the first call in this process.

    Raises:
        ConfigError: There is no such file, or it is no QDMI device library.
        UnavailableError: It cannot be initialised.
    """
    if not prefix.isidentifier():
        raise ConfigError(f"prefix {prefix!r} cannot begin a C function's name")
    found = Path(path).expanduser()
    if not found.is_absolute():
        raise ConfigError(f"library {str(path)!r}: give an absolute path, it is native code")
    if not found.is_file():
        raise ConfigError(f"there is no QDMI library {found}: install what provides it")
    key = str(found.resolve()), prefix
    with _loading:
        if key not in _loaded:
            _loaded[key] = Library(*key)
        return _loaded[key]


def loaded() -> tuple[Library, ...]:
    """Return the libraries of this process."""
    return tuple(_loaded.values())


def supported(version: str) -> bool:
    """Whether a `LIBRARYVERSION` is one of QDMI's that we know.

    >>> [supported(v) for v in ("1.2.0", "1.3.3", "v1.4.0", "1.1.0", "1.5.0", "2.0")]
    [True, True, True, False, False, False]
    """
    parts = version.lstrip("v").split(".")
    return parts[0] == "1" and len(parts) > 1 and parts[1] in ("2", "3", "4")


def check_version(found: Library, version: str) -> None:
    """Pass if a version is known and fits the symbols.

    Raises:
        UnsupportedError: It is not; calling on would corrupt memory.
    """
    if not supported(version):
        raise UnsupportedError(
            f"{found} implements QDMI {version}, and this plug-in 1.2, 1.3 and 1.4: calling "
            "functions of another version could corrupt memory"
        )
    if (version.lstrip("v").split(".")[1] == "4") is not found.programs:
        has = "has" if found.programs else "lacks"
        raise UnsupportedError(
            f"{found} says it implements QDMI {version} but {has} the functions of 1.4: report it"
        )
