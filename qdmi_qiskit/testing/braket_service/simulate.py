"""Execution on the default simulator of amazon-braket-sdk, seeded and without its text.

Two things of the simulator are replaced: the source of random numbers, which it does not let one
seed, and the formatting of measurements as lists of strings, which costs more than the simulation.
Everything between, from parsing to columns, is the simulator's own.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

_LOCK = threading.Lock()
MOST = {False: 24, True: 11}  # qubits that gates touch; more would not fit a laptop


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one executable led to.

    Attributes:
        rows: uint8 of shape `(shots, measured bits)`; None: no shots.
        qubits: The measured qubit of each column.
        values: Result types: dictionaries with `type` and `value`.
    """

    rows: npt.NDArray[np.uint8] | None
    qubits: list[int]
    values: list[dict[str, Any]]


def execute(
    source: str,
    inputs: Mapping[str, float],
    shots: int,
    *,
    density: bool = False,
    seed: tuple[Any, ...] = (),
) -> Outcome:
    """Execute a program.

    Args:
        source: OpenQASM 3 text, accepted by `dialect.read`.
        inputs: Values of its inputs.
        shots: 0: exact result types.
        density: On the density matrix simulator, with noise.
        seed: What makes this execution differ from others.

    Raises:
        Exception: Whatever the simulator says.
    """
    text = repr((seed, source, sorted(inputs.items()), shots)).encode()
    ir = importlib.import_module("braket.ir.openqasm")
    program = ir.Program(source=source, inputs=dict(inputs) or None)
    with _LOCK:
        simulator = _simulator(density)
        simulator.source = np.random.default_rng(list(hashlib.sha256(text).digest()))
        simulator.most, simulator.labels = MOST[density], None
        found = simulator.run_openqasm(program, shots=shots)
        labels = simulator.labels
    rows = None if not shots else np.asarray(found.measurements).astype(np.uint8)
    qubits = [int(qubit) if labels is None else labels[qubit] for qubit in found.measuredQubits]
    if found.resultTypes and shots:
        values = _from_rows(found.resultTypes, rows, qubits)
    else:
        values = [{"type": _plain(each.type.dict()), "value": _plain(each.value)}
                  for each in found.resultTypes or ()]  # fmt: skip
    return Outcome(rows, qubits, values)


@cache
def _simulator(density: bool) -> Any:
    """Return the simulator; it is made once, since it compiles what it uses."""
    name = "density_matrix_simulator" if density else "state_vector_simulator"
    module = importlib.import_module(f"braket.default_simulator.{name}")
    base = module.DensityMatrixSimulator if density else module.StateVectorSimulator
    return type("Seeded", (_Seeded, base), {})()


class _Seeded:
    """What is put before a simulator's own methods."""

    source: np.random.Generator
    most: int
    labels: list[int] | None

    @cached_property
    def properties(self) -> Any:
        """The simulator's own document, which it builds anew for each program."""
        return super().properties  # type: ignore[misc]

    def _parse_program_with_shots(self, program: Any, shots: int) -> Any:
        """Leave qubits that are measured but never touched out of the state."""
        context = super()._parse_program_with_shots(program, shots)  # type: ignore[misc]
        if not context.is_branched and not context.circuit.results:
            self.labels = _narrowed(context.circuit)
        return context

    def initialize_simulation(self, **options: Any) -> Any:
        """Return the simulator's own state, with our source of random numbers."""
        if options["qubit_count"] > self.most:
            words = f"{options['qubit_count']} qubits; at most {self.most} are simulated here"
            raise ValueError(words)
        simulation = super().initialize_simulation(**options)  # type: ignore[misc]
        simulation._rng_generator = self.source  # noqa: SLF001 - there is no other way
        return simulation

    @staticmethod
    def _formatted_measurements(
        simulation: Any, measured_qubits: list[int] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return rows of bits as an array; the first qubit is the highest bit of a sample."""
        width = simulation.qubit_count
        samples = np.asarray(simulation.retrieve_samples(), np.int64)[:, None]
        rows = (samples >> np.arange(width - 1, -1, -1) & 1).astype(np.uint8)
        if not measured_qubits:
            return rows
        # A qubit that no gate touches is outside of the state, and 0.
        wide = np.pad(rows, ((0, 0), (0, max(0, max(measured_qubits) + 1 - width))))
        return np.asarray(wide[:, measured_qubits])


def _narrowed(circuit: Any) -> list[int]:
    """Number the qubits anew, those that gates touch first, and let the state have only those.

    Returns:
        The old number of each qubit.
    """
    touched = sorted({qubit for each in circuit.instructions for qubit in each.targets})
    idle = sorted(circuit.qubit_set.difference(touched))
    if not touched:
        touched, idle = idle[:1], idle[1:]
    labels = [*touched, *idle]
    place = {label: number for number, label in enumerate(labels)}
    for each in circuit.instructions:
        each._targets = tuple(place[qubit] for qubit in each.targets)  # noqa: SLF001
    for register in circuit.classical_registers:
        register.sources = [None if q is None else place[q] for q in register.sources]
    circuit.qubit_set = set(range(len(labels)))
    width = property(lambda _self: len(touched))
    circuit.__class__ = type("Narrow", (type(circuit),), {"num_qubits": width})
    return labels


def _from_rows(
    results: list[Any], rows: npt.NDArray[np.uint8] | None, qubits: list[int]
) -> list[dict[str, Any]]:
    """Return result types computed from shots, by the SDK's own functions."""
    import json

    module = importlib.import_module("braket.tasks.gate_model_quantum_task_result")
    text = json.dumps({"results": [each.dict() for each in results]})
    calculate = module.GateModelQuantumTaskResult._calculate_result_types  # noqa: SLF001
    return [
        {"type": _plain(each.type.dict()), "value": _plain(each.value)}
        for each in calculate(text, np.asarray(rows, int), qubits)
    ]


def _plain(found: Any) -> Any:
    """Return a value as JSON has it; complex numbers become pairs."""
    if isinstance(found, dict):
        return {name: _plain(each) for name, each in found.items()}
    if isinstance(found, np.ndarray | list | tuple):
        return [_plain(each) for each in found]
    if isinstance(found, complex | np.complexfloating):
        return [float(found.real), float(found.imag)]
    return found.item() if isinstance(found, np.generic) else found
