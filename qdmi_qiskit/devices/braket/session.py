"""A session on one device in the cloud."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from qdmi_qiskit.answers import parsed, understood, utf8
from qdmi_qiskit.device import Session
from qdmi_qiskit.devices.braket import cache
from qdmi_qiskit.devices.braket.action import action_of, check_total, checked, cost, debiased, token
from qdmi_qiskit.devices.braket.capability import (
    FORMAT,
    PROGRAM_SET,
    Device,
    action,
    dialect_of,
)
from qdmi_qiskit.devices.braket.emit import Dialect, write
from qdmi_qiskit.devices.braket.faults import anonymous
from qdmi_qiskit.devices.braket.figures import table
from qdmi_qiskit.devices.braket.gates import GATES
from qdmi_qiskit.devices.braket.job import BraketJob
from qdmi_qiskit.devices.braket.lookup import connect, region_of, tasks
from qdmi_qiskit.devices.braket.options import CloudOptions
from qdmi_qiskit.devices.braket.results import Part
from qdmi_qiskit.devices.braket.spec import spec_from
from qdmi_qiskit.devices.braket.states import device_state
from qdmi_qiskit.devices.braket.transport import Transport
from qdmi_qiskit.errors import ConfigError, RejectedError, UnavailableError
from qdmi_qiskit.model import DeviceSpec, DeviceState, Task
from qdmi_qiskit.vocabulary import teach_transpiler

_INTERVAL = 1.0
_TASK_ARN = re.compile(r"arn:aws[\w-]*:braket:[\w-]*:\d*:quantum-task/[\w-]+")


class BraketSession(Session):
    """One device, one region, one account."""

    def __init__(self, arn: str, transport: Transport, options: CloudOptions) -> None:
        self._arn, self._transport, self._options = arn, transport, options
        self._lock = threading.Lock()
        self._device: Device
        self._dialect: Dialect
        self._spec: DeviceSpec
        self._opened = False  # whether the snapshot of the opening was given out
        self._paid: dict[str, float] = {}  # client token -> estimated price
        self._spent = 0.0
        self._adopt(cache.device(self._cache_key, options.cache_seconds) or self._fetch()[0])
        if GATES.keys() & self._dialect.words.keys():
            teach_transpiler()

    def __repr__(self) -> str:
        return f"<BraketSession {self._device.name!r} in {self._transport.region}>"

    @property
    def _cache_key(self) -> tuple[str, ...]:
        return self._arn, self._transport.endpoint, self._options.profile or ""

    @property
    def encoders(self) -> Mapping[str, Callable[[Any], Any]]:
        return {FORMAT: partial(write, dialect=self._dialect)}

    @property
    def gates(self) -> Mapping[str, Any]:
        return {name: gate for name, gate in GATES.items() if name in self._dialect.words}

    @property
    def held(self) -> bool:
        return self._options.reservation_arn is not None

    def spec(self) -> DeviceSpec:
        """Return a snapshot; the first may be of a document on disk, later ones are asked for."""
        with self._lock:
            opened, self._opened = self._opened, True
        if opened:
            self._refresh()
        return self._spec

    def refresh(self) -> None:
        with self._lock:
            self._opened = True

    def _refresh(self) -> tuple[str, Any]:
        device, status, queues = self._fetch()
        with self._lock:
            if device == self._device:
                self._spec = replace(self._spec, taken_at=datetime.now(UTC))
            else:
                self._adopt(device)
        return status, queues

    def _adopt(self, device: Device) -> None:
        with understood(f"the capability document of {device.name}"):
            self._read(device)

    def _read(self, device: Device) -> None:
        options = self._options
        self._device = device
        verbatim, experimental = options.verbatim, options.experimental
        self._dialect = dialect_of(device, verbatim=verbatim, experimental=experimental)
        self._spec = spec_from(
            device,
            verbatim=verbatim,
            experimental=experimental,
            reserved=options.reservation_arn is not None,
            debias=options.debias,
            program_sets=options.program_sets,
            per_task=0.0 if device.simulator else options.price_per_task,
        )

    def _fetch(self) -> tuple[Device, str, Any]:
        """Ask the service; return the device, its status and its queues."""
        said = self._transport.call("get_device", "asking for the device", deviceArn=self._arn)
        with understood("the service's answer about the device"):
            device = Device(
                arn=str(said["deviceArn"]),
                name=utf8(said["deviceName"]),
                provider=utf8(said["providerName"]),
                simulator=said["deviceType"] == "SIMULATOR",
                document=table(parsed(said["deviceCapabilities"], "the capability document")),
            )
            status = utf8(said["deviceStatus"])
        cache.keep_device(self._cache_key, device)
        return device, status, said.get("deviceQueueInfo")

    def status(self) -> DeviceState:
        status, queues = self._refresh()
        with understood("what the service says of the queue"):
            return device_state(
                status,
                queues,
                self._device.service.get("executionWindows"),
                busy_above=self._options.busy_above,
                reserved=self._options.reservation_arn is not None,
            )

    def estimate(self, tasks: Sequence[Task]) -> float | None:
        """Return what `tasks` would cost as one job, in the currency of `spec().price`."""
        price = self._spec.price
        return None if price is None else cost(price, sum(t.shots * t.points for t in tasks))

    def submit(self, tasks: Sequence[Task], *, key: str) -> BraketJob:
        sources, executables = checked(tasks, self._spec.capabilities)
        check_total(executables, tasks[0].shots, action(self._device, PROGRAM_SET))
        name, shots = token(key), tasks[0].shots * executables
        request = self._request(max(source.qubits for source in sources))
        bucket, prefix = self._transport.destination()
        self._reserve(name, self.estimate(tasks))
        try:
            arn = self._transport.create(
                clientToken=name,
                deviceArn=self._arn,
                shots=shots,
                action=action_of(tasks, sources),
                outputS3Bucket=bucket,
                outputS3KeyPrefix=prefix,
                **request,
            )
        except (RejectedError, UnavailableError, ConfigError):
            with self._lock:
                self._spent -= self._paid.pop(name, 0.0)
            raise
        layout = _layout(tasks, sources)
        return self._job(arn, self._transport, layout=layout, shots=shots, price=self._spec.price)

    def _request(self, qubits: int) -> dict[str, Any]:
        options, request = self._options, dict[str, Any]()
        parameters = {**(debiased(qubits) if options.debias else {}), **options.device_parameters}
        if parameters:
            request["deviceParameters"] = json.dumps(parameters)
        if options.tags:
            request["tags"] = options.tags
        if options.reservation_arn:
            kind = "RESERVATION_TIME_WINDOW_ARN"
            request["associations"] = [{"arn": options.reservation_arn, "type": kind}]
        if options.experimental:
            request["experimentalCapabilities"] = {"enabled": "ALL"}
        return request

    def _reserve(self, name: str, price: float | None) -> None:
        """Note what a task costs, once for each key; refuse one that is beyond the budget."""
        most = self._options.max_cost
        with self._lock:
            if name in self._paid:
                return
            if most is not None and price is None:
                raise ConfigError(
                    f"max_cost={most}, but {self._spec.name} does not say what a task costs: leave "
                    "out max_cost"
                )
            if most is not None and self._spent + (price or 0.0) > most * (1 + 1e-12):
                raise ConfigError(
                    f"this task would cost {price:.4f}, and {self._spent:.4f} of max_cost={most} "
                    "is spent: nothing was sent; raise max_cost or ask for fewer shots"
                )
            self._paid[name] = price or 0.0
            self._spent += price or 0.0

    def count(self, jobs: Mapping[str, Sequence[Task]]) -> None:
        prices = {token(key): self.estimate(tasks) or 0.0 for key, tasks in jobs.items()}
        with self._lock:
            for name, price in prices.items():
                if name not in self._paid:
                    self._paid[name] = price
                    self._spent += price

    @property
    def spent(self) -> float:
        """What the tasks of this session are estimated to cost, in the currency of the price."""
        return self._spent

    def _job(self, arn: str, transport: Transport, **known: Any) -> BraketJob:
        given = self._options.poll_interval
        interval = given or self._device.poll_interval or _INTERVAL
        return BraketJob(transport, arn, interval=interval, steady=given is not None, **known)

    def job(self, job_id: str) -> BraketJob:
        return self._found(job_id, None)

    def tasks(self, since: datetime | None = None, most: int = 100) -> list[dict[str, Any]]:
        """List the account's tasks on this device, whoever sent them, the newest first.

        Args:
            since: Only those made at this time or later; without it the service may send many
                pages, of a hundred each.
            most: How many to return.

        Returns:
            For each `id` (which `job` takes), `status` in Braket's words, `shots`,
            `submitted_at` and `tags`.
        """
        return tasks(self._transport, self._arn, since, most)

    def follow(self, job_id: str, tasks: Sequence[Task]) -> BraketJob:
        sources, _ = checked(tasks, self._spec.capabilities)
        return self._found(job_id, _layout(tasks, sources))

    def _found(self, job_id: str, layout: Sequence[Part] | None) -> BraketJob:
        if not _TASK_ARN.fullmatch(job_id):
            raise ConfigError(f"{anonymous(job_id)!r} is no ARN of a quantum task: check the id")
        region = region_of(job_id)
        here = region in ("", self._transport.region)
        transport = self._transport if here else connect(self._options, region)
        job = self._job(job_id, transport, layout=layout)
        if job.look().get("deviceArn") == self._arn:
            job.price = self._spec.price
        return job

    def close(self) -> None:
        self._transport.close()


def _layout(tasks: Sequence[Task], sources: Sequence[Any]) -> list[Part]:
    """Return which outcome belongs to which task."""
    return [
        Part(source.columns, task.points, repeated=not source.inputs)
        for source, task in zip(sources, tasks, strict=True)
    ]
