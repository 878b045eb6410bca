"""The values that cross the device boundary. Frozen data, SI units, no behaviour.

Every number is in SI units (seconds, hertz). `None` always means "the device
does not say", never zero. Words are QDMI's: sites, operations, the seven job
states and the six device states (Source: QDMI 1.2, `qdmi/constants.h`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

_FINAL = frozenset(("done", "canceled", "failed"))

Bits = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


class JobStatus(Enum):
    """Where a job is: QDMI's seven states. The last three are final."""

    CREATED = "created"
    SUBMITTED = "submitted"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether the status can no longer change."""
        return self._value_ in _FINAL  # asked for every job: the words are quicker than the members


class DeviceStatus(Enum):
    """What a device is doing: QDMI's six states."""

    OFFLINE = "offline"
    IDLE = "idle"
    BUSY = "busy"
    ERROR = "error"
    MAINTENANCE = "maintenance"
    CALIBRATION = "calibration"

    @property
    def operational(self) -> bool:
        """Whether a job sent now is expected to run."""
        return self in (DeviceStatus.IDLE, DeviceStatus.BUSY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """A device at one moment: status, queue, next window.

    Attributes:
        status: One of QDMI's six states.
        queue_length: Jobs waiting ahead of a new one.
        next_window: Seconds until the device next takes jobs; 0 while it does.
        message: The vendor's own words.
    """

    status: DeviceStatus
    queue_length: int | None = None
    next_window: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """One qubit position. `index` is the index Qiskit sees, `name` the vendor's label.

    Attributes:
        index: 0 to n - 1, without gaps.
        name: The vendor's label, such as `"QB3"`.
        t1: Relaxation time in seconds.
        t2: Dephasing time in seconds.
        frequency: Transition frequency in hertz.
        prob_meas1_prep0: Probability of reading 1 after preparing 0.
        prob_meas0_prep1: Probability of reading 0 after preparing 1.
    """

    index: int
    name: str = ""
    t1: float | None = None
    t2: float | None = None
    frequency: float | None = None
    prob_meas1_prep0: float | None = None
    prob_meas0_prep1: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Calibration of one operation on one tuple of sites.

    Attributes:
        duration: Seconds.
        fidelity: Average gate fidelity, 0 to 1; for a measurement the assignment fidelity.
    """

    duration: float | None = None
    fidelity: float | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, under Qiskit's name for it.

    Attributes:
        name: Qiskit's name (`"cz"`, `"r"`, `"if_else"`), or one that `Session.gates` knows.
        num_sites: How many sites it acts on; `None` if that varies from use to use.
        parameters: Names of its angles, in Qiskit's order, radians.
        sites: Each allowed tuple of site indices with its calibration; `None`: everywhere.
        bounds: For each parameter the closed interval it may lie in; `None`: any angle.
    """

    name: str
    num_sites: int | None
    parameters: tuple[str, ...] = ()
    sites: Mapping[tuple[int, ...], Figures] | None = None
    bounds: tuple[tuple[float, float] | None, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a device does better than the poorest device.

    The defaults describe that poorest device: one program, one job, nothing to
    cancel or find again. Declare only what you do better; the planner supplies
    the rest.

    Attributes:
        formats: Program formats, best first (`"qiskit"`, `"qasm3"`, `"qasm2"`, `"qpy"`, or one
            of `Session.encoders`).
        min_shots: Fewest shots per executable.
        max_shots: Most shots per executable; `None`: no limit.
        max_executables: Most programs x points in one job; `None`: no limit.
        max_total_shots: Most shots x executables in one job.
        max_jobs: Most jobs worth having in flight at once.
        max_qubits: Most sites one program may use; `None`: all of them.
        sweeps: Takes a parametrised program and a table of values.
        mixed_shots: Tasks of one job may differ in shots.
        ordered_shots: Memory comes in the order taken; else only a histogram is meant.
        cancel: `Job.cancel` works.
        retrieve: `Session.job(id)` finds a job again.
        submit_key: The same key returns the same job.
        detached: Jobs go on without the process that sent them, and another one finds them by
            `Session.job`. Their runs are kept in the journal unless the user says no.
        seeds: `Task.seed` makes outcomes reproducible.
        expectations: `Session.expectations` computes exact values.
        bases: A task may name a basis to measure after its program.
    """

    formats: tuple[str, ...]
    min_shots: int = 1
    max_shots: int | None = None
    max_executables: int | None = 1
    max_total_shots: int | None = None
    max_jobs: int | None = None
    max_qubits: int | None = None
    sweeps: bool = False
    mixed_shots: bool = False
    ordered_shots: bool = False
    cancel: bool = False
    retrieve: bool = False
    submit_key: bool = False
    detached: bool = False
    seeds: bool = False
    expectations: bool = False
    bases: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which calibration the figures belong to.

    Attributes:
        id: The vendor's identifier of the calibration set.
        time: When it was taken.
    """

    id: str
    time: datetime | None = None

    @property
    def age(self) -> float | None:
        """Seconds since it was taken; without a time zone that is UTC. None: not known."""
        if self.time is None:
            return None
        taken = self.time if self.time.tzinfo else self.time.replace(tzinfo=UTC)
        return (datetime.now(UTC) - taken).total_seconds()


@dataclass(frozen=True, slots=True)
class Price:
    """What the vendor charges, as the vendor states it.

    Attributes:
        per_task: Price of one job, in `currency`.
        per_shot: Price of one shot, in `currency`.
        currency: ISO 4217 code.
    """

    per_task: float = 0.0
    per_shot: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """A snapshot of a device: what it is, what it can do, how well.

    Compares by value, pickles, and goes to JSON and back (`qdmi_qiskit.spec_json`).

    Attributes:
        name: The device's name without its scheme.
        version: The vendor's version of the device or its software.
        sites: Its qubits, `sites[k].index == k`.
        operations: What it executes, with figures.
        capabilities: What it does better than the poorest device.
        simulator: Whether outcomes are computed rather than measured.
        calibration: Which calibration the figures belong to.
        price: What a run costs, where the vendor says.
        dt: Time resolution in seconds, if durations are multiples of one.
        taken_at: When this snapshot was taken.
    """

    name: str
    version: str
    sites: tuple[Site, ...]
    operations: tuple[Operation, ...]
    capabilities: Capabilities
    simulator: bool = False
    calibration: Calibration | None = None
    price: Price | None = None
    dt: float | None = None
    taken_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def num_qubits(self) -> int:
        """How many sites there are."""
        return len(self.sites)


@dataclass(frozen=True, slots=True)
class Program:
    """An executable in one of the device's formats.

    Attributes:
        format: One of `Capabilities.formats`.
        payload: The program itself; treated as read-only.
        num_bits: Classical bits one shot returns; bit 0 is the least significant.
        parameters: Names still to be bound, in the order of the columns of `Task.values`.
    """

    format: str
    payload: Any
    num_bits: int
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Basis:
    """A product basis: each qubit is measured along X, Y or Z.

    Attributes:
        qubits: Which are measured, ascending, shape `(measured,)`.
        x: bool, the same shape; with z: (1, 0) is X, (0, 1) is Z, (1, 1) is Y.
        z: bool, the same shape.
    """

    qubits: npt.NDArray[np.intp]
    x: npt.NDArray[np.bool_]
    z: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Task:
    """A program, the points at which to run it, and how often at each.

    Attributes:
        program: What to run.
        shots: How often at each point.
        values: float64, shape `(points, len(program.parameters))`. A program with
            nothing to bind has one point: shape `(1, 0)`.
        seed: Seeds the task's outcomes where the device supports it. Two tasks of a
            run never share one; a device that sweeps derives one stream per point from it.
        basis: What to measure after the program, only where the device declares `bases`. Bit
            `program.num_bits + j` of the outcome belongs to `basis.qubits[j]`.
    """

    program: Program
    shots: int
    values: Values = field(default_factory=lambda: np.empty((1, 0)))
    seed: int | None = None
    basis: Basis | None = None

    @property
    def num_bits(self) -> int:
        """Classical bits of one shot, those of the basis above those of the program."""
        return self.program.num_bits + (0 if self.basis is None else len(self.basis.qubits))

    @property
    def points(self) -> int:
        """How many executables this task stands for."""
        return int(self.values.shape[0])


@dataclass(frozen=True, slots=True)
class Shots:
    """The outcome of one task.

    Attributes:
        bits: uint8, shape `(points, shots, ceil(num_bits / 8))`, most significant byte
            first, unused high bits zero: the layout of `qiskit.primitives.BitArray`.
        num_bits: Classical bits per shot.
        valid: int64, shape `(points,)`: how many shots of each point count; they come
            first, the rows after them are zero and mean nothing. `None`: all of them.
            Heralding and post-selection discard shots.
        failures: Why executables failed while the rest of their job did not: from the point to
            the vendor's words. Their shots are not valid.
    """

    bits: Bits
    num_bits: int
    valid: npt.NDArray[np.int64] | None = None
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PauliSum:
    """A real linear combination of Pauli operators.

    Term k is `coefficients[k]` times the product over qubits q of I, X, Z or Y for
    `(x[k, q], z[k, q])` = (0, 0), (1, 0), (0, 1) or (1, 1). No phase is implied: both set is Y.

    Attributes:
        x: bool, shape `(terms, qubits)`; column q belongs to qubit q of the circuit.
        z: bool, the same shape.
        coefficients: float64, shape `(terms,)`.
    """

    x: npt.NDArray[np.bool_]
    z: npt.NDArray[np.bool_]
    coefficients: Values
