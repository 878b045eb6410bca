"""A session on one device of a QDMI library."""

from __future__ import annotations

import struct
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.native.channel import Channel
from qdmi_qiskit.devices.native.facts import RawDevice, facts_from, formats_of
from qdmi_qiskit.devices.native.formats import WIRES, bits_noted, noted, offered, unsaid
from qdmi_qiskit.devices.native.job import NativeJob, Part, Wanted
from qdmi_qiskit.devices.native.profiles import Profile
from qdmi_qiskit.devices.native.programs import cancels, most_programs, submitted, takes_seed
from qdmi_qiskit.devices.native.release import release
from qdmi_qiskit.devices.native.spec import Reading, reading, spec_from
from qdmi_qiskit.devices.native.words import (
    DeviceProperty,
    JobParameter,
    JobProperty,
    ProgramFormat,
)
from qdmi_qiskit.errors import ConfigError, ProtocolError, UnsupportedError
from qdmi_qiskit.model import Capabilities, DeviceSpec, DeviceState, DeviceStatus, Task

_STATES = tuple(DeviceStatus)
"""QDMI's order is ours: OFFLINE 0 to CALIBRATION 5."""


class NativeSession(Session):
    """One device of one library."""

    def __init__(
        self,
        channel: Channel,
        name: str,
        profile: Profile,
        settings: Mapping[JobParameter, bytes],
        most_sites: int | None,
        only: str | None = None,
    ) -> None:
        """Wrap an open session.

        Args:
            channel: The session.
            name: What the device was opened as.
            profile: What QDMI leaves open, as it is for this library.
            settings: The vendor's own job parameters.
            most_sites: Sites to offer.
            only: The one program format to use, of those that the device takes.
        """
        self._channel, self._name, self._profile = channel, name, profile
        self._settings, self._most, self._only = settings, most_sites, only
        self._lock = threading.RLock()
        self._raw: RawDevice | None = None
        weakref.finalize(self, release, channel).atexit = False

    def __repr__(self) -> str:
        return f"<NativeSession {self._name} on {self._channel.library}>"

    @property
    def raw(self) -> RawDevice:
        """All that the device says of itself, in QDMI's words and units."""
        with self._lock:
            if self._raw is None:
                self._raw = facts_from(self._channel, self._most, self._profile.calibration)
            return self._raw

    @cached_property
    def _reading(self) -> Reading:
        found, left_out = reading(self.raw, self._profile), unsaid(self._formats, self._profile)
        said = tuple(each for each in found.operations if each.name not in left_out)
        return replace(found, operations=said)

    @cached_property
    def _formats(self) -> tuple[str, ...]:
        found = offered(formats_of(self._channel), self._profile)
        if self._only is None:
            return found
        if self._only not in found:
            there = ", ".join(found) or "none that is written here"
            raise ConfigError(f"{self._name} takes no programs in {self._only!r}, but {there}")
        return (self._only,)

    @cached_property
    def _cancels(self) -> bool:
        return bool(self._formats) and cancels(self._channel)

    @cached_property
    def _capabilities(self) -> Capabilities:
        formats = self._formats
        wire = WIRES[formats[0]] if formats else None
        library = self._channel.library
        return Capabilities(
            formats=formats,
            max_executables=1 if wire is None else most_programs(self._channel, wire),
            ordered_shots=self._profile.ordered,
            cancel=self._cancels,
            retrieve=wire is not None and library.retrieves and self._retrieves(),
            seeds=wire is not None and self._profile.seed and takes_seed(self._channel),
        )

    def _retrieves(self) -> bool:
        if self._profile.retrieve is not None:
            return self._profile.retrieve
        try:
            self._channel.find_job("qdmi-qiskit-asks-whether-jobs-are-found").free()
        except UnsupportedError:
            return False
        except Exception:  # noqa: BLE001 - there is no such job; that it was looked for is enough
            return True
        return True

    @cached_property
    def gates(self) -> Mapping[str, Any]:
        from qdmi_qiskit.devices.native.gates import gates_of  # Qiskit: only for its circuits

        return gates_of(self._reading.operations)

    @cached_property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        from qdmi_qiskit.devices.native.writers import writers  # as above

        return writers(self._formats, self.raw, self._reading, self._profile)

    def spec(self) -> DeviceSpec:
        with self._lock:
            return spec_from(
                self.raw,
                self._reading,
                self._name,
                self._capabilities,
                self._profile.simulator,
            )

    def facts(self) -> Mapping[str, Any]:
        return self.raw.document()

    def refresh(self) -> None:
        with self._lock:
            self._raw = None
            for name in ("_reading", "_formats", "_cancels", "_capabilities", "gates", "encoders"):
                self.__dict__.pop(name, None)

    def status(self) -> DeviceState:
        value = self._channel.device(DeviceProperty.STATUS)
        if value is None:
            return DeviceState(status=DeviceStatus.IDLE)
        if not 0 <= value < len(_STATES):
            raise ProtocolError(f"{self._channel.library} says its device is in state {value}")
        length = self._channel.device(DeviceProperty.QUEUELENGTH)
        return DeviceState(status=_STATES[value], queue_length=length)

    def submit(self, tasks: Sequence[Task], *, key: str) -> NativeJob:
        wire = self._wire(tasks)
        order = self._profile.bit_order
        if order is None:
            prefix = self._channel.library.prefix
            raise ConfigError(
                f"QDMI does not say in which order a library writes classical bits, and nobody has "
                f"tried {prefix!r}: find out with an x on one qubit of two, and open the device "
                'with bit_order="highest_first" (Qiskit\'s order) or "lowest_first"'
            )
        # One native job has one seed for all programs, which would make their noise the same.
        groups = [[task] for task in tasks] if tasks[0].seed is not None else [list(tasks)]
        wanted = [[self._wanted(task) for task in group] for group in groups]
        parts: list[Part] = []
        try:
            for group in groups:
                handle = submitted(
                    self._channel,
                    wire,
                    [task.program.payload for task in group],
                    group[0].shots,
                    self._told(group[0].seed),
                    here=self._profile.here,
                )
                parts.append(Part(handle, wanted[len(parts)]))
        except BaseException:
            for part in parts:
                part.handle.call("device_job_cancel")
            raise
        return NativeJob(parts, order, cancels=self._cancels, here=self._profile.here)

    def _wanted(self, task: Task) -> Wanted:
        program = task.program
        bits: tuple[int, ...] | None = None
        if WIRES[program.format] is ProgramFormat.IQMJSON:
            bits = self.encoders[program.format].bits(program.payload)  # type: ignore[attr-defined]
        elif noted(program.format, self._profile):
            bits = bits_noted(program.payload)
        return Wanted(task.shots, program.num_bits, bits)

    def _wire(self, tasks: Sequence[Task]) -> ProgramFormat:
        name, shots = tasks[0].program.format, tasks[0].shots
        for task in tasks:
            if task.program.format != name or task.shots != shots or task.points != 1:
                raise ProtocolError(
                    f"a QDMI job has one format and one number of shots, here {name} and {shots}; "
                    f"the planner sent {task.program.format} and {task.shots} as well, or a sweep"
                )
        if name not in self._formats:
            raise UnsupportedError(f"{self._name} takes no programs in {name}")
        return WIRES[name]

    def _told(self, seed: int | None) -> Mapping[JobParameter, bytes]:
        if seed is None:
            return self._settings
        own = struct.pack("=i", seed % (2**31 - 1) + 1)
        return {**self._settings, JobParameter.CUSTOM1: own}

    def job(self, job_id: str) -> NativeJob:
        if not self._capabilities.retrieve:
            return super().job(job_id)  # type: ignore[return-value]  # raises
        parts = []
        for each in job_id.split("+"):
            handle = self._channel.find_job(each)
            number = handle.ask(JobProperty.PROGRAMSNUM) or 1
            shots = handle.ask(JobProperty.SHOTSNUM)
            parts.append(Part(handle, [Wanted(shots, None)] * number))
        order = self._profile.bit_order or "highest_first"
        return NativeJob(parts, order, cancels=self._cancels, here=self._profile.here)

    def close(self) -> None:
        self._channel.close()
