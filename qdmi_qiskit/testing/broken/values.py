"""Devices that are wrong in seeds, exact values, errors, or in Qiskit's interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdmi_qiskit.device import Job
from qdmi_qiskit.model import (
    PauliSum,
    Program,
    Shots,
    Task,
    Values,
)
from qdmi_qiskit.testing.broken.wrong import (
    SECRET,
    Wrong,
    fails,
    mapped,
    reversed_bits,
)


@fails("seeds_as_declared")
class IgnoresSeed(Wrong):
    """The seed is declared and ignored."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        self.calls = getattr(self, "calls", 0) + 1
        return [replace(task, seed=self.calls) for task in tasks]


@fails("seeds_as_declared")
class OneSeed(Wrong):
    """Every seed is the same."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [replace(task, seed=1) for task in tasks]


@fails("noise_differs_between_points")
class FrozenNoise(Wrong):
    """Every point of a sweep has the same noise."""

    bend_shots = mapped(lambda bits: np.repeat(bits[:1], len(bits), axis=0))


@fails("ordered_shots_as_declared")
class Sorted(Wrong):
    """Shots come from a histogram but are declared ordered."""

    bend_shots = mapped(lambda bits: np.sort(bits, axis=1))


@fails("bases_as_declared")
class BlindToBases(Wrong):
    """Every basis is measured along Z."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [
            task
            if task.basis is None
            else replace(task, basis=replace(task.basis, x=task.basis.x & False))
            for task in tasks
        ]


@fails("bases_as_declared")
class BasesBackwards(Wrong):
    """The last qubit of a basis comes in its lowest bit."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        self.widths = [0 if task.basis is None else len(task.basis.qubits) for task in tasks]
        return tasks

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        return tuple(
            reversed_bits(shots) if width == shots.num_bits else shots
            for shots, width in zip(outcome, self.widths, strict=True)
        )


@fails("expectations_as_declared")
class WrongSign(Wrong):
    """Y has the wrong sign."""

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        bent = [
            replace(each, coefficients=each.coefficients * (-1) ** (each.x & each.z).sum(axis=1))
            for each in observables
        ]
        return self.inner.expectations(program, values, bent)


@fails("expectations_as_declared")
class WrongQubit(Wrong):
    """Observables are read from the other end."""

    def expectations(
        self, program: Program, values: Values, observables: Sequence[PauliSum]
    ) -> Values:
        bent = [replace(each, x=each.x[:, ::-1], z=each.z[:, ::-1]) for each in observables]
        return self.inner.expectations(program, values, bent)


@fails("garbage_is_rejected")
class VendorError(Wrong):
    """A refused program raises the vendor's error."""

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        if "qdmi_no_such_gate" in tasks[0].program.payload.count_ops():
            raise KeyError("acme: error 1234")
        return super().submit(tasks, key=key)


@fails("garbage_is_rejected")
class RunsAnything(Wrong):
    """Gates that the device does not know are skipped."""

    def bend_tasks(self, tasks: Sequence[Task]) -> Sequence[Task]:
        bent = []
        for task in tasks:
            plain = task.program.payload.copy_empty_like()
            for each in task.program.payload.data:
                if each.operation.name != "qdmi_no_such_gate":
                    plain.append(each)
            bent.append(replace(task, program=replace(task.program, payload=plain)))
        return bent


@fails("device_works_after_garbage")
class BreaksForGood(Wrong):
    """After a refusal nothing works any more."""

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        if "qdmi_no_such_gate" in tasks[0].program.payload.count_ops():
            self.broken = True
        if hasattr(self, "broken"):
            raise RuntimeError("acme: out of order")
        return super().submit(tasks, key=key)


@fails("secrets_stay_secret")
class Talkative(Wrong):
    """The token is in the repr of the session."""

    def __repr__(self) -> str:
        return f"Talkative(token={SECRET!r})"


@fails("sampler_keeps_registers_apart")
class LongWordsReversed(Wrong):
    """In words of more than nine bits, bit 0 is the most significant."""

    def bend_shots(self, shots: Shots) -> Shots:
        return reversed_bits(shots) if shots.num_bits > 9 else shots


@fails("sampler_sweeps")
class TransposedPoints(Wrong):
    """A table of four points is read by columns."""

    def bend_shots(self, shots: Shots) -> Shots:
        turn = [0, 2, 1, 3] if len(shots.bits) == 4 else slice(None)
        return replace(shots, bits=shots.bits[turn])


@fails("estimator_signs")
class UpsideDown(Wrong):
    """Outcomes 0 and 1 are exchanged."""

    def bend_shots(self, shots: Shots) -> Shots:
        used = np.array(
            [(1 << shots.num_bits) - 1 >> 8 * k & 255 for k in range(shots.bits.shape[-1])][::-1]
        )
        return replace(shots, bits=shots.bits ^ used.astype(np.uint8))


@fails("backend_run_counts")
class ReversedForOne(Wrong):
    """Bit 0 is the most significant in jobs of one task."""

    def bend(self, outcome: tuple[Shots, ...]) -> tuple[Shots, ...]:
        return tuple(map(reversed_bits, outcome)) if len(outcome) == 1 else outcome
