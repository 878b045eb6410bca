"""What a run would take, and when it would start: figures with their sources, nothing sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from statistics import median
from typing import Any

from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target

from qdmi_qiskit.model import DeviceSpec, DeviceState, Price, Task
from qdmi_qiskit.plan import Chunk, Request, plan
from qdmi_qiskit.sizes import SIZES, size_of

_FREE = frozenset({"barrier", "global_phase"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take.

    Attributes:
        shots: In all.
        executables: Circuits times points.
        device_jobs: How many jobs the device gets.
        duration: Seconds on the device, waiting left out; None: unknown.
        price: In `currency`; None: unknown.
        currency: ISO 4217 code.
        sources: For each figure by name, where it comes from.
    """

    shots: int
    executables: int
    device_jobs: int
    duration: float | None
    price: float | None
    currency: str | None
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of a device.

    Attributes:
        length: Jobs ahead of a new one; None: unknown.
        position: Of the job that was asked about; None: unknown, or none was.
        expected_start: When a job sent now would start; None: unknown.
        sources: For each figure that is known, where it comes from.
    """

    length: int | None
    position: int | None
    expected_start: datetime | None
    sources: Mapping[str, str]


def queue_from(state: DeviceState, position: int | None, waits: Sequence[float]) -> Queue:
    """Return what is known of a queue.

    Args:
        state: Of the device now.
        position: Of a job, as the vendor says.
        waits: Seconds that earlier jobs waited.
    """
    sources, start = {}, None
    if state.queue_length is not None:
        sources["length"] = "device"
    if position is not None:
        sources["position"] = "device"
    now = datetime.now(UTC)
    if state.next_window:
        start, sources["expected_start"] = state.next_window, "device: its next window"
    elif state.queue_length == 0 and state.status.operational:
        start, sources["expected_start"] = 0.0, "device: nobody waits"
    elif waits:
        start = median(waits)
        sources["expected_start"] = f"journal: median wait of the latest {len(waits)} jobs"
    when = None if start is None else now + timedelta(seconds=start)
    return Queue(state.queue_length, position, when, sources)


def is_estimator_pub(pub: Any) -> bool:
    """Whether a pub has observables: the second entry is no table of numbers."""
    if isinstance(pub, EstimatorPub):
        return True
    if not isinstance(pub, tuple | list) or len(pub) < 2:
        return False
    second = pub[1]
    while isinstance(second, list | tuple) and second:
        second = second[0]
    if isinstance(second, Mapping):  # of values: keys are parameters; of a sum: Pauli words
        return bool(second) and all(
            isinstance(key, str) and not set(key) - set("IXYZ01+-rl") for key in second
        )
    return (
        isinstance(second, str)
        or "quantum_info" in type(second).__module__
        or (type(second).__name__ == "ObservablesArray")
    )


def planned(spec: DeviceSpec, requests: Sequence[Request[QuantumCircuit]]) -> tuple[Chunk, ...]:
    """Return the device jobs that requests become, without their programs."""
    sizes = [replace(request, circuit=size_of(request)) for request in requests]
    return plan(sizes, spec.capabilities, SIZES)


class Considered(Sequence[Sequence[Task]]):
    """The tasks of each device job that requests become, planned only if somebody looks."""

    def __init__(self, spec: DeviceSpec, requests: Callable[[], Sequence[Request[Any]]]) -> None:
        """Ask for the requests when they are needed."""
        self._spec, self._requests = spec, requests

    @cached_property
    def _jobs(self) -> list[tuple[Task, ...]]:
        return [chunk.tasks for chunk in planned(self._spec, self._requests())]

    def __len__(self) -> int:
        return len(self._jobs)

    def __getitem__(self, index: Any) -> Any:
        return self._jobs[index]


def is_free(spec: DeviceSpec) -> bool:
    """Whether nobody charges: a simulator in this process, which states no price."""
    return spec.price is None and spec.simulator and not spec.capabilities.detached


def charged(price: Price, chunks: Sequence[Chunk]) -> float:
    """Return what device jobs cost."""
    shots = sum(task.points * task.shots for chunk in chunks for task in chunk.tasks)
    return price.per_task * len(chunks) + price.per_shot * shots


def forecast(
    spec: DeviceSpec,
    target: Target,
    requests: Sequence[Request[QuantumCircuit]],
    *,
    at_most: bool = False,
) -> Estimate:
    """Return what requests would take.

    Args:
        spec: The device.
        target: Its durations.
        requests: ISA circuits with points and shots.
        at_most: The shots are a bound.
    """
    chunks = planned(spec, requests)
    executables = sum(len(request.values) for request in requests)
    shots = sum(len(request.values) * request.shots for request in requests)
    paths = [_seconds(request.circuit, target) for request in requests]
    duration: float | None = 0.0
    for path, request in zip(paths, requests, strict=True):
        if path is None or duration is None:
            duration = None
            break
        duration += path * request.shots * len(request.values)
    bound = "bound for every state, pilot included" if at_most else "asked for"
    sources = {"shots": bound, "executables": "plan", "device_jobs": "plan"}
    price, currency = None, None
    if spec.price is not None:
        price, currency = charged(spec.price, chunks), spec.price.currency
        sources["price"] = f"price list of {spec.name}"
    elif is_free(spec):
        price, sources["price"] = 0.0, "a simulator of this process charges nothing"
    else:
        sources["price"] = "unknown: the device states no price"
    if spec.simulator:
        duration = None
        sources["duration"] = "unknown: a simulator"
    elif duration is None:
        sources["duration"] = "unknown: the device does not state all durations"
    else:
        which = "" if spec.calibration is None else f" of calibration {spec.calibration.id}"
        sources["duration"] = f"durations{which}; reset and overhead left out"
    return Estimate(shots, executables, len(chunks), duration, price, currency, sources)


def _seconds(circuit: QuantumCircuit, target: Target) -> float | None:
    """Return the longest path through a circuit; None if some duration is unknown."""
    clock = [0.0] * (circuit.num_qubits or 1)
    for instruction in circuit.data:
        name = instruction.operation.name
        where = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        length: float | None = 0.0
        if name == "delay":
            return None
        if name not in _FREE:
            places = target[name] if name in target.operation_names else {}
            length = getattr((places or {}).get(where), "duration", None)
        if length is None:
            return None
        end = max((clock[site] for site in where), default=0.0) + length
        for site in where:
            clock[site] = end
    return max(clock)
