"""Which way each task of a job takes through Aer.

* `states`: noiseless and random only at the end. One simulation per point for all tasks that
  share a circuit, whatever they measure; outcomes are drawn here. (`terminal`)
* `memory`: everything else. Aer draws the shots.

What would return too much at once runs in pieces. (`pieces`, `series`)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister
from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveProbabilities, SaveStatevector

from qdmi_qiskit.devices.aer.job import Part, read_memory
from qdmi_qiskit.devices.aer.pieces import are_small, batches, fit, sharing, state_of, unit_of
from qdmi_qiskit.devices.aer.programs import bindings, settled
from qdmi_qiskit.devices.aer.series import Series
from qdmi_qiskit.devices.aer.terminal import Terminal, draw, outcome_table, turned
from qdmi_qiskit.model import Bits, Shots, Task, Values

BLOCK = 2**22
"""Amplitudes that one native run returns at most: 64 MiB."""
DRAWN = 2**20
"""Outcomes drawn at once."""
_LABEL = "_qdmi"

NoiseOf = Callable[[Sequence[QuantumCircuit]], Any]


class States:
    """The native runs of the last few circuits whose bases were measured.

    An estimator asks twice: a pilot, then the rest. The circuit is compared by identity; who
    submits a basis does not change the circuit afterwards (`Task.program` is read-only).
    """

    def __init__(self, size: int = 4) -> None:
        self._size, self._lock = size, Lock()
        self._found: dict[tuple[int, bytes], tuple[QuantumCircuit, Any]] = {}

    def get(self, circuit: QuantumCircuit, values: Values, start: Callable[[], Any]) -> Any:
        """Return what `start` returned for this circuit and these values, now or before."""
        key = id(circuit), values.tobytes()
        with self._lock:
            if key not in self._found:
                while len(self._found) >= self._size:
                    self._found.pop(next(iter(self._found)))
                self._found[key] = circuit, start()  # holds the circuit, so its id stays its own
            return self._found[key][1]


def parts(
    simulator: AerSimulator,
    tasks: Sequence[Task],
    *,
    states: States | None,
    noise: NoiseOf,
) -> list[Part]:
    """Start the native runs of a job.

    Args:
        simulator: Configured.
        tasks: Checked.
        states: Those taken before; None where none may be taken: noise, or a method without.
        noise: Returns Aer's noise model for the circuits whose shots it draws, None for the
            simulator's own.
    """
    if are_small(tasks):
        return _started(simulator, tasks, states=states, noise=noise)
    units = [unit_of(tasks, indices, states is not None) for indices in sharing(tasks)]
    if fit(units):
        return _started(simulator, tasks, states=states, noise=noise)
    # The user may change a circuit before its turn comes.
    copies = {id(task.program.payload): task.program.payload.copy() for task in tasks}
    tasks = [
        replace(task, program=replace(task.program, payload=copies[id(task.program.payload)]))
        for task in tasks
    ]
    few = None if states is None else States(1)
    start = partial(_started, simulator, states=few, noise=noise)
    series = Series(tasks, batches(tasks, units), start)
    return [Part((series,), tuple(range(len(tasks))), list)]


def _started(
    simulator: AerSimulator, tasks: Sequence[Task], *, states: States | None, noise: NoiseOf
) -> list[Part]:
    found: list[Part] = []
    drawn: dict[int, list[int]] = {}
    for indices in sharing(tasks):
        state = state_of(tasks, indices) if states is not None else None
        if state is None or states is None:
            for index in indices:
                drawn.setdefault(tasks[index].shots, []).append(index)
        else:
            found.append(_state_part(simulator, tasks, indices, state, states))
    if not drawn:
        return found
    circuits = {k: settled(_with_basis(tasks[k])) for some in drawn.values() for k in some}
    model = noise(list(circuits.values()))  # one for all: to build it takes longer than most runs
    for shots, numbers in drawn.items():
        some = [circuits[k] for k in numbers]
        found.append(_memory_part(simulator, tasks, tuple(numbers), some, shots, model))
    return found


def _state_part(
    simulator: AerSimulator,
    tasks: Sequence[Task],
    indices: tuple[int, ...],
    state: Terminal,
    states: States,
) -> Part:
    first = tasks[indices[0]]
    marked = state.circuit
    if first.basis is None:
        order = sorted({qubit for qubit, _ in state.measured})
        marked.append(SaveProbabilities(len(order), _LABEL), order)
        natives = _in_blocks(simulator, marked, first.values)
        read = partial(_read_probabilities, task=first, state=state, order=order)
        return Part(natives, indices, read)
    marked.append(SaveStatevector(marked.num_qubits, _LABEL), marked.qubits)
    natives, qubits = states.get(
        first.program.payload,
        first.values,
        lambda: (_in_blocks(simulator, marked, first.values), state.qubits),
    )
    if set(qubits) >= set(state.qubits):  # the bases asked for before may have needed fewer
        state = replace(state, qubits=qubits)
    else:
        natives = _in_blocks(simulator, marked, first.values)
    some = [tasks[index] for index in indices]
    return Part(natives, indices, partial(_read_states, tasks=some, state=state))


def _in_blocks(simulator: AerSimulator, marked: QuantumCircuit, values: Values) -> tuple[Any, ...]:
    binds = bindings(marked, values)
    step = max(BLOCK >> marked.num_qubits, 1)
    return tuple(
        _run(simulator, [marked], [{k: v[a : a + step] for k, v in binds.items()}], 1)
        for a in range(0, len(values), step)
    )


def _run(
    simulator: AerSimulator,
    circuits: list[QuantumCircuit],
    binds: list[dict[Any, list[float]]],
    shots: int,
    **options: Any,
) -> Any:
    table = binds if any(binds) else None
    return simulator.run(circuits, parameter_binds=table, shots=shots, **options)


def _read_probabilities(
    experiments: Sequence[Any], *, task: Task, state: Terminal, order: list[int]
) -> list[Shots]:
    chances = np.stack([getattr(experiment.data, _LABEL) for experiment in experiments])
    table = outcome_table(state.measured, order, state.num_bits)
    return [Shots(_drawn(chances, table, task), task.num_bits)]


def _drawn(chances: Values, table: Bits, task: Task) -> Bits:
    """Return packed outcomes; a few points at a time, as indices take more than what is packed."""
    generator = np.random.default_rng(task.seed)
    found = np.empty((len(chances), task.shots, table.shape[1]), np.uint8)
    step = max(DRAWN // task.shots, 1)
    for a in range(0, len(chances), step):
        found[a : a + step] = table[draw(chances[a : a + step], task.shots, generator)]
    return found


def _read_states(
    experiments: Sequence[Any], *, tasks: Sequence[Task], state: Terminal
) -> list[Shots]:
    states = np.stack([np.asarray(getattr(e.data, _LABEL)) for e in experiments])
    return [_measured(states, task, state) for task in tasks]


def _measured(states: npt.NDArray[np.complex128], task: Task, state: Terminal) -> Shots:
    basis = task.basis
    assert basis is not None  # noqa: S101 - only tasks with a basis come here
    place = {site: k for k, site in enumerate(state.qubits)}
    sites = [place[site] for site in basis.qubits.tolist()]
    x, z = np.zeros((2, len(state.qubits)), bool)
    x[sites], z[sites] = basis.x, basis.z
    chances = _marginal(turned(states, x, z), sites, len(state.qubits))
    pairs = tuple((site, state.num_bits + j) for j, site in enumerate(sites))
    table = outcome_table(pairs, sorted(sites), task.num_bits)
    return Shots(_drawn(chances, table, task), task.num_bits)


def _marginal(chances: Values, sites: list[int], num_qubits: int) -> Values:
    """Sum over the qubits that are not measured; bit j then belongs to the j-th lowest site."""
    if len(sites) == num_qubits:
        return chances
    cube = chances.reshape(len(chances), *(2,) * num_qubits)
    axes = tuple(num_qubits - q for q in range(num_qubits) if q not in set(sites))
    summed: Values = cube.sum(axis=axes).reshape(len(chances), -1)
    return summed


def _memory_part(
    simulator: AerSimulator,
    tasks: Sequence[Task],
    indices: tuple[int, ...],
    circuits: list[QuantumCircuit],
    shots: int,
    model: Any,
) -> Part:
    some = [tasks[index] for index in indices]
    binds = [bindings(task.program.payload, task.values) for task in some]
    options: dict[str, Any] = {"memory": True}
    if model is not None:
        options["noise_model"] = model
    if some[0].seed is not None:
        # One run has one seed in Aer, which derives the others: seed + 2113 k for program k.
        options["seed_simulator"] = some[0].seed
    widths = [circuit.num_clbits for circuit in circuits]
    native = _run(simulator, circuits, binds, shots, **options)
    return Part((native,), indices, partial(read_memory, tasks=some, widths=widths))


def _with_basis(task: Task) -> QuantumCircuit:
    circuit: QuantumCircuit = task.program.payload
    basis = task.basis
    if basis is None:
        return circuit
    whole: QuantumCircuit = circuit.copy()
    register = ClassicalRegister(len(basis.qubits), _LABEL)
    whole.add_register(register)
    for bit, (qubit, x, z) in enumerate(
        zip(basis.qubits.tolist(), basis.x.tolist(), basis.z.tolist(), strict=True)
    ):
        if x and z:
            whole.sdg(qubit)
        if x:
            whole.h(qubit)
        whole.measure(qubit, register[bit])
    return whole
