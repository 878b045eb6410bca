"""QDMI's numbers: every enumeration of the device interface, with the type of each property.

Sources: `qdmi/constants.h` of QDMI 1.3.3 and 1.4.0. Both are one table: 1.4 only added and
withdrew members. QDMI 1.2 has a prefix of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, Self

_CUSTOM = 999_999_995


class Status(IntEnum):
    """What a function returns."""

    WARN_GENERAL = 1
    SUCCESS = 0
    ERROR_FATAL = -1
    ERROR_OUTOFMEM = -2
    ERROR_NOTIMPLEMENTED = -3
    ERROR_LIBNOTFOUND = -4
    ERROR_NOTFOUND = -5
    ERROR_OUTOFRANGE = -6
    ERROR_INVALIDARGUMENT = -7
    ERROR_PERMISSIONDENIED = -8
    ERROR_NOTSUPPORTED = -9
    ERROR_BADSTATE = -10
    ERROR_TIMEOUT = -11


class SessionParameter(IntEnum):
    """What a session is told before it is initialised."""

    BASEURL = 0
    TOKEN = 1
    AUTHFILE = 2
    AUTHURL = 3
    USERNAME = 4
    PASSWORD = 5
    CHILDDEVICE = 6
    CUSTOM1 = _CUSTOM
    CUSTOM2 = _CUSTOM + 1
    CUSTOM3 = _CUSTOM + 2
    CUSTOM4 = _CUSTOM + 3
    CUSTOM5 = _CUSTOM + 4


Kind = Literal["text", "size", "uint", "int", "real", "flag", "enum", "handles", "enums"]
"""C types: `char*`, `size_t`, `uint64_t`, `int64_t`, `double`, `bool`, an enumeration, and packed
arrays of handles and of enumerations."""


class Property(IntEnum):
    """Something that is asked.

    Attributes:
        kind: The type of the answer.
    """

    kind: Kind

    def __new__(cls, number: int, kind: Kind = "text") -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.kind = kind
        return member


class DeviceProperty(Property):
    """What a device is asked."""

    NAME = 0, "text"
    VERSION = 1, "text"
    STATUS = 2, "enum"
    LIBRARYVERSION = 3, "text"
    QUBITSNUM = 4, "size"
    SITES = 5, "handles"
    OPERATIONS = 6, "handles"
    COUPLINGMAP = 7, "handles"
    NEEDSCALIBRATION = 8, "size"  # until 1.3
    PULSESUPPORT = 9, "enum"  # until 1.3
    LENGTHUNIT = 10, "text"
    LENGTHSCALEFACTOR = 11, "real"
    DURATIONUNIT = 12, "text"
    DURATIONSCALEFACTOR = 13, "real"
    MINATOMDISTANCE = 14, "uint"
    SUPPORTEDPROGRAMFORMATS = 15, "enums"
    CHILDDEVICES = 16, "handles"  # since 1.3.1
    QUEUELENGTH = 17, "size"  # since 1.3.3
    ID = 18, "text"  # since 1.4
    CUSTOM1 = _CUSTOM, "text"
    CUSTOM2 = _CUSTOM + 1
    CUSTOM3 = _CUSTOM + 2
    CUSTOM4 = _CUSTOM + 3
    CUSTOM5 = _CUSTOM + 4


class SiteProperty(Property):
    """What a site is asked. Times and lengths are raw: times scale factor, in the unit."""

    INDEX = 0, "size"
    T1 = 1, "uint"
    T2 = 2, "uint"
    NAME = 3, "text"
    XCOORDINATE = 4, "int"
    YCOORDINATE = 5, "int"
    ZCOORDINATE = 6, "int"
    ISZONE = 7, "flag"
    XEXTENT = 8, "uint"
    YEXTENT = 9, "uint"
    ZEXTENT = 10, "uint"
    MODULEINDEX = 11, "uint"
    SUBMODULEINDEX = 12, "uint"


class OperationProperty(Property):
    """What an operation is asked, in general or on some sites."""

    NAME = 0, "text"
    QUBITSNUM = 1, "size"
    PARAMETERSNUM = 2, "size"
    DURATION = 3, "uint"
    FIDELITY = 4, "real"
    INTERACTIONRADIUS = 5, "uint"
    BLOCKINGRADIUS = 6, "uint"
    IDLINGFIDELITY = 7, "real"
    ISZONED = 8, "flag"
    SITES = 9, "handles"
    MEANSHUTTLINGSPEED = 10, "uint"


class JobParameter(IntEnum):
    """What a job is told before it is submitted."""

    PROGRAMFORMAT = 0  # until 1.3
    PROGRAM = 1  # until 1.3
    SHOTSNUM = 2
    CUSTOM1 = _CUSTOM
    CUSTOM2 = _CUSTOM + 1
    CUSTOM3 = _CUSTOM + 2
    CUSTOM4 = _CUSTOM + 3
    CUSTOM5 = _CUSTOM + 4


class JobProperty(Property):
    """What a job is asked."""

    ID = 0, "text"
    PROGRAMFORMAT = 1, "enum"
    PROGRAM = 2  # until 1.3
    SHOTSNUM = 3, "size"
    QUEUEPOSITION = 4, "size"
    PROGRAMSNUM = 5, "size"  # since 1.4


class JobResult(IntEnum):
    """What a job returns."""

    SHOTS = 0
    HIST_KEYS = 1
    HIST_VALUES = 2
    STATEVECTOR_DENSE = 3
    PROBABILITIES_DENSE = 4


class ProgramFormat(IntEnum):
    """What a program is written in."""

    QASM2 = 0
    QASM3 = 1
    QIRBASESTRING = 2
    QIRBASEMODULE = 3
    QIRADAPTIVESTRING = 4
    QIRADAPTIVEMODULE = 5
    CALIBRATION = 6  # until 1.3
    QPY = 7
    IQMJSON = 8
    BATCHJOB = 9  # until 1.3

    @property
    def binary(self) -> bool:
        """Whether programs are bytes; text ends with exactly one NUL that counts."""
        return self in _BINARY


_BINARY = (ProgramFormat.QIRBASEMODULE, ProgramFormat.QIRADAPTIVEMODULE, ProgramFormat.QPY)
