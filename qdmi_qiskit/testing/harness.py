"""What a plug-in author supplies to be checked: how to open the device, and its noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import uuid4

import numpy as np
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.bits import num_bytes, to_ints
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.formats import encoder
from qdmi_qiskit.model import Bits, Capabilities, DeviceSpec, Program, Shots, Task, Values
from qdmi_qiskit.passes import pass_manager
from qdmi_qiskit.plan import Request
from qdmi_qiskit.run import seeds, start

SEED = 1729
REASONS = ("notimpl:", "notyet:", "never:")


@dataclass(eq=False)
class Harness:
    """A device under test. Session and snapshot are opened at first use and kept.

    Attributes:
        open: Opens the device; called once, and once more by the check of `close`.
        tolerance: Share of shots that noise may spoil in a circuit without superposition, 0 to 1.
        shots: Shots of an ordinary check; fewer or more where the device asks for that.
        most_shots: A limit above this many shots is believed rather than tried.
        timeout: Seconds that one job may take.
        secrets: Strings that were given to `open` and must show up nowhere.
        xfail: Names of checks that are expected to fail, each with a reason that starts with
            `notimpl:` (we could), `notyet:` (the vendor must) or `never:`. Strict: an expected
            failure that passes is a failure.
    """

    open: Callable[[], Session]
    tolerance: float = 0.0
    shots: int = 64
    most_shots: int = 10_000
    timeout: float = 600.0
    secrets: Sequence[str] = ()
    xfail: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, reason in self.xfail.items():
            if not reason.startswith(REASONS):
                raise ConfigError(
                    f"xfail[{name!r}]={reason!r}: wanted a reason that starts with "
                    f"{', '.join(REASONS)}"
                )

    @cached_property
    def session(self) -> Session:
        """The open session."""
        return self.open()

    @cached_property
    def spec(self) -> DeviceSpec:
        """The snapshot that every check uses."""
        return self.session.spec()

    @property
    def capabilities(self) -> Capabilities:
        """What the device declares."""
        return self.spec.capabilities

    @cached_property
    def backend(self) -> QDMIBackend:
        """The device as a Qiskit backend."""
        return QDMIBackend(self.session)

    @property
    def target(self) -> Target:
        """What circuits are transpiled for."""
        return self.backend.target

    @property
    def usable_shots(self) -> int:
        """`shots`, as near as the device allows."""
        caps = self.capabilities
        limits = [n for n in (caps.max_shots, caps.max_total_shots) if n is not None]
        return max(min([self.shots, *limits]), caps.min_shots)

    def transpiled(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Return the circuit in the device's own gates."""
        return pass_manager(self.target, 1, seed_transpiler=SEED).run(circuit)

    def program(self, circuit: QuantumCircuit) -> Program:
        """Transpile and encode."""
        return self.encoded(self.transpiled(circuit))

    def encoded(self, isa: QuantumCircuit) -> Program:
        """Encode what is transpiled already."""
        return encoder(self.capabilities.formats, self.session.encoders)(isa)

    def task(
        self,
        circuit: QuantumCircuit,
        *,
        shots: int | None = None,
        values: Values | None = None,
        seed: int | None = None,
    ) -> Task:
        """Return a task for a circuit; seeded where the device takes seeds."""
        if seed is None and self.capabilities.seeds:
            seed = SEED
        given: dict[str, Any] = {} if values is None else {"values": values}
        count = self.usable_shots if shots is None else shots
        return Task(self.program(circuit), count, seed=seed, **given)

    def submit(self, *tasks: Task) -> Job:
        """Submit tasks as one job under a fresh key; no two tasks share a seed."""
        own = [
            task if task.seed is None else replace(task, seed=task.seed + k)
            for k, task in enumerate(tasks)
        ]
        return self.session.submit(own, key=uuid4().hex)

    def outcome(self, job: Job) -> tuple[Shots, ...]:
        """Wait for a job, and return its result."""
        status = job.wait(self.timeout)
        assert status.final, f"wait() returned {status}: return only when the job is final"
        return job.result()

    def run(self, *tasks: Task) -> tuple[Shots, ...]:
        """Submit tasks as one job, wait, and return one outcome for each."""
        found = self.outcome(self.submit(*tasks))
        assert len(found) == len(tasks), (
            f"result() has {len(found)} entries for {len(tasks)} tasks: return one for each"
        )
        return found

    def sample(
        self,
        circuits: Iterable[tuple[QuantumCircuit, Values | None]],
        *,
        shots: int | None = None,
        sweeps: bool | None = None,
    ) -> tuple[Shots, ...]:
        """Run circuits over values by the road of `SamplerV2`: through the planner.

        Args:
            circuits: Any circuits, each with a table of values or None.
            shots: At each point.
            sweeps: False binds every point here even if the device sweeps.
        """
        requests = []
        for circuit, values in circuits:
            isa = self.transpiled(circuit)
            table = np.empty((1, 0)) if values is None else values
            requests.append(Request(isa, table, shots or self.usable_shots, isa.num_clbits))
        spec = self.spec
        if sweeps is not None:
            spec = replace(spec, capabilities=replace(spec.capabilities, sweeps=sweeps))
        run = start(self.session, spec, requests, seeds=seeds(SEED))
        return run.result(self.timeout)

    def expect(self, circuit: QuantumCircuit, word: int, todo: str) -> None:
        """Run a circuit that has one possible outcome, and compare.

        Args:
            circuit: Any circuit.
            word: The outcome, bit k of it being classical bit k.
            todo: What to do about another one.
        """
        (shots,) = self.run(self.task(circuit))
        self.compare(shots, word, todo)

    def compare(self, shots: Shots, word: int, todo: str, *, point: int = 0) -> None:
        """Assert that nearly all shots of one point are `word`."""
        seen = words(shots, point)
        assert seen, f"the device discarded all {shots.bits.shape[1]} shots of a simple circuit"
        share = sum(each == word for each in seen) / len(seen)
        commonest = max(set(seen), key=seen.count)
        width = shots.num_bits
        assert share >= 1 - self.tolerance, (
            f"wanted {word:0{width}b} (bit 0 rightmost) in at least {1 - self.tolerance:.0%} of "
            f"shots of point {point}, got it in {share:.0%}; commonest is "
            f"{commonest:0{width}b}: {todo}"
        )


def valid_rows(shots: Shots, point: int = 0) -> Bits:
    """Return the packed shots of one point that count."""
    number = shots.bits.shape[1] if shots.valid is None else int(shots.valid[point])
    return shots.bits[point, :number]


def words(shots: Shots, point: int = 0) -> list[int]:
    """Return the shots of one point that count as integers, after a look at their layout."""
    assert_layout(shots, len(shots.bits), shots.bits.shape[1])
    return to_ints(valid_rows(shots, point))


def assert_layout(shots: Shots, points: int, number: int) -> None:
    """Assert that packed shots have the dtype and shape that the contract wants."""
    assert shots.bits.dtype == np.uint8, (
        f"Shots.bits has dtype {shots.bits.dtype}: make it uint8, eight bits to a byte"
    )
    want = (points, number, num_bytes(shots.num_bits))
    assert shots.bits.shape == want, (
        f"Shots.bits has shape {shots.bits.shape}, wanted {want} (points, shots, bytes): pack "
        "with qdmi_qiskit.bits.from_bools, from_hex or from_counts"
    )
