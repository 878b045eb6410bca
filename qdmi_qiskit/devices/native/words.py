"""QDMI's numbers: every enumeration of the device interface, with the type of each property.

Sources: `qdmi/constants.h` of QDMI 1.3.3 and 1.4.0. Both are one table: 1.4 only added and
withdrew members. QDMI 1.2 has a prefix of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

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


class DeviceProperty(IntEnum):
    """What a device is asked."""

    NAME = 0
    VERSION = 1
    STATUS = 2
    LIBRARYVERSION = 3
    QUBITSNUM = 4
    SITES = 5
    OPERATIONS = 6
    COUPLINGMAP = 7
    NEEDSCALIBRATION = 8  # until 1.3
    PULSESUPPORT = 9  # until 1.3
    LENGTHUNIT = 10
    LENGTHSCALEFACTOR = 11
    DURATIONUNIT = 12
    DURATIONSCALEFACTOR = 13
    MINATOMDISTANCE = 14
    SUPPORTEDPROGRAMFORMATS = 15
    CHILDDEVICES = 16  # since 1.3.1
    QUEUELENGTH = 17  # since 1.3.3
    ID = 18  # since 1.4
    CUSTOM1 = _CUSTOM
    CUSTOM2 = _CUSTOM + 1
    CUSTOM3 = _CUSTOM + 2
    CUSTOM4 = _CUSTOM + 3
    CUSTOM5 = _CUSTOM + 4


class SiteProperty(IntEnum):
    """What a site is asked. Times and lengths are raw: times scale factor, in the unit."""

    INDEX = 0
    T1 = 1
    T2 = 2
    NAME = 3
    XCOORDINATE = 4
    YCOORDINATE = 5
    ZCOORDINATE = 6
    ISZONE = 7
    XEXTENT = 8
    YEXTENT = 9
    ZEXTENT = 10
    MODULEINDEX = 11
    SUBMODULEINDEX = 12


class OperationProperty(IntEnum):
    """What an operation is asked, in general or on some sites."""

    NAME = 0
    QUBITSNUM = 1
    PARAMETERSNUM = 2
    DURATION = 3
    FIDELITY = 4
    INTERACTIONRADIUS = 5
    BLOCKINGRADIUS = 6
    IDLINGFIDELITY = 7
    ISZONED = 8
    SITES = 9
    MEANSHUTTLINGSPEED = 10


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


class JobProperty(IntEnum):
    """What a job is asked."""

    ID = 0
    PROGRAMFORMAT = 1
    PROGRAM = 2  # until 1.3
    SHOTSNUM = 3
    QUEUEPOSITION = 4
    PROGRAMSNUM = 5  # since 1.4


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

Kind = Literal["text", "size", "uint", "int", "real", "flag", "enum", "handles", "enums"]
"""C types: `char*`, `size_t`, `uint64_t`, `int64_t`, `double`, `bool`, an enumeration, and packed
arrays of handles and of enumerations."""

DEVICE: dict[DeviceProperty, Kind] = {
    DeviceProperty.NAME: "text",
    DeviceProperty.VERSION: "text",
    DeviceProperty.STATUS: "enum",
    DeviceProperty.LIBRARYVERSION: "text",
    DeviceProperty.QUBITSNUM: "size",
    DeviceProperty.SITES: "handles",
    DeviceProperty.OPERATIONS: "handles",
    DeviceProperty.COUPLINGMAP: "handles",
    DeviceProperty.NEEDSCALIBRATION: "size",
    DeviceProperty.PULSESUPPORT: "enum",
    DeviceProperty.LENGTHUNIT: "text",
    DeviceProperty.LENGTHSCALEFACTOR: "real",
    DeviceProperty.DURATIONUNIT: "text",
    DeviceProperty.DURATIONSCALEFACTOR: "real",
    DeviceProperty.MINATOMDISTANCE: "uint",
    DeviceProperty.SUPPORTEDPROGRAMFORMATS: "enums",
    DeviceProperty.CHILDDEVICES: "handles",
    DeviceProperty.QUEUELENGTH: "size",
    DeviceProperty.ID: "text",
    DeviceProperty.CUSTOM1: "text",  # as far as we ask for them
}

SITE: dict[SiteProperty, Kind] = {
    SiteProperty.INDEX: "size",
    SiteProperty.T1: "uint",
    SiteProperty.T2: "uint",
    SiteProperty.NAME: "text",
    SiteProperty.XCOORDINATE: "int",
    SiteProperty.YCOORDINATE: "int",
    SiteProperty.ZCOORDINATE: "int",
    SiteProperty.ISZONE: "flag",
    SiteProperty.XEXTENT: "uint",
    SiteProperty.YEXTENT: "uint",
    SiteProperty.ZEXTENT: "uint",
    SiteProperty.MODULEINDEX: "uint",
    SiteProperty.SUBMODULEINDEX: "uint",
}

OPERATION: dict[OperationProperty, Kind] = {
    OperationProperty.NAME: "text",
    OperationProperty.QUBITSNUM: "size",
    OperationProperty.PARAMETERSNUM: "size",
    OperationProperty.DURATION: "uint",
    OperationProperty.FIDELITY: "real",
    OperationProperty.INTERACTIONRADIUS: "uint",
    OperationProperty.BLOCKINGRADIUS: "uint",
    OperationProperty.IDLINGFIDELITY: "real",
    OperationProperty.ISZONED: "flag",
    OperationProperty.SITES: "handles",
    OperationProperty.MEANSHUTTLINGSPEED: "uint",
}

JOB: dict[JobProperty, Kind] = {
    JobProperty.ID: "text",
    JobProperty.PROGRAMFORMAT: "enum",
    JobProperty.SHOTSNUM: "size",
    JobProperty.QUEUEPOSITION: "size",
    JobProperty.PROGRAMSNUM: "size",
}
