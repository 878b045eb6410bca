"""UCCSD from coupled-cluster amplitudes, and circuits lowered to devices.

Source: excitations and their circuits by Qiskit Nature.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit, generate_preset_pass_manager

from qdmi_qiskit.chemistry.extras import needed
from qdmi_qiskit.passes import own_plugins, pass_manager

if TYPE_CHECKING:
    from qdmi_qiskit.chemistry.problem import Problem

Parameters = Mapping[str, float]
"""Name of a circuit parameter -> its value, radians."""

_BASIS = ["rz", "sx", "x", "cx"]


def uccsd(problem: Problem, *, prune: float = 1e-6) -> tuple[QuantumCircuit, dict[str, float]]:
    """Build UCCSD, Hartree-Fock state included, and its start from coupled cluster.

    Parameters follow the amplitudes: -t1[i, a] for singles, t2[i, j, a, b] for alpha-beta and
    t2[i, j, a, b] - t2[i, j, b, a] for same-spin doubles, clipped to [-1, 1]; the signs are those
    of Nature's excitation operators under Jordan-Wigner. The first excitations, as long as they
    act on determinants that all have the electrons they move, are written as one rotation and a CX
    for every other qubit, which is the same state for a fifth of the gates.

    Args:
        problem: A closed-shell problem.
        prune: Excitations with a smaller amplitude are left out. Those that symmetry forbids
            stay at zero in VQE too: their gradient vanishes.

    Returns:
        The circuit without measurements, and parameter name -> start value.

    Raises:
        ValueError: The problem is an open shell.
        MissingPluginError: The extra `chemistry` is not installed.
    """
    with needed("chemistry", "qiskit_nature", "qiskit_algorithms"):
        from qiskit_nature.second_q.circuit.library import UCC, HartreeFock
        from qiskit_nature.second_q.circuit.library.ansatzes.utils import (
            generate_fermionic_excitations,
        )
        from qiskit_nature.second_q.mappers import JordanWignerMapper

    if problem.amplitudes is None:
        raise ValueError(f"{problem.name} is an open shell: there is no UCCSD start")
    electrons, orbitals = problem.electrons, problem.num_orbitals
    excitations = [
        (excitation, amplitude)
        for order in (1, 2)
        for excitation in generate_fermionic_excitations(order, orbitals, electrons)
        if abs(amplitude := _amplitude(problem, problem.amplitudes, *excitation)) > prune
    ]
    with warnings.catch_warnings():
        # Nature 0.8 still stands on two classes that leave in Qiskit 3.
        for name in (r"blueprintcircuit\.BlueprintCircuit", r"n_local\.NLocal"):
            warnings.filterwarnings("ignore", rf".*{name}``", DeprecationWarning)
        mapper = JordanWignerMapper()
        ansatz = UCC(
            orbitals,
            electrons,
            lambda **_: [excitation for excitation, _ in excitations],
            mapper,
            initial_state=HartreeFock(orbitals, electrons, mapper),
        )
        factors = ansatz.decompose()  # a flip for each electron, then one factor per excitation
        names = [parameter.name for parameter in ansatz.parameters]
    circuit = QuantumCircuit(problem.num_qubits, name="uccsd")
    reached, moves = {problem.hf_determinant}, iter(excitation for excitation, _ in excitations)
    for one in factors.data:
        operation, qubits = one.operation, [factors.find_bit(q).index for q in one.qubits]
        if operation.name == "PauliEvolution":
            move = next(moves)
            sign = _sign(operation.operator, move, reached) if reached else None
            if sign is not None:
                reached |= {_moved(each, move) for each in reached}
                circuit.compose(_rotation(2 * sign * operation.time, move, circuit), inplace=True)
                continue
            reached = set()  # from here on only the general exponential will do
        circuit.append(operation, qubits)
    values = [float(np.clip(amplitude, -1, 1)) for _, amplitude in excitations]
    return circuit, dict(zip(names, values, strict=True))


Move = tuple[tuple[int, ...], tuple[int, ...]]
"""An excitation: from which spin orbitals to which."""


def _moved(determinant: int, move: Move) -> int:
    return determinant ^ sum(1 << qubit for qubits in move for qubit in qubits)


def _sign(operator: Any, move: Move, reached: Iterable[int]) -> float | None:
    """Return s where exp(-i t H)|D> = cos t |D> + s sin t |D'> for all of `reached`; else None.

    That holds for the H of an excitation where every determinant has the electrons that move and
    room for them, and passes the same parity of others on the way.
    """
    full, free = (sum(1 << qubit for qubit in qubits) for qubits in move)
    if any(each & full != full or each & free for each in reached):
        return None
    signs = set()
    for each in reached:
        element = 0j  # <D'|H|D>: a Y gives i, and every Z or Y on an electron a minus
        for text, coefficient in operator.to_list():
            electrons = sum(
                letter in "ZY" and each >> qubit & 1 for qubit, letter in enumerate(reversed(text))
            )
            element += coefficient * 1j ** text.count("Y") * (-1) ** electrons
        signs.add(round((-1j * element).real, 9))
    return signs.pop() if len(signs) == 1 and signs <= {1.0, -1.0} else None


def _rotation(angle: Any, move: Move, like: QuantumCircuit) -> QuantumCircuit:
    """Return what moves electrons that are sure to be there: one angle, and CX for the others."""
    full, (pivot, *free) = move
    circuit = QuantumCircuit(like.num_qubits)
    circuit.ry(angle, pivot)
    for qubit in (*free, *full):
        circuit.cx(pivot, qubit)
    return circuit


def _amplitude(
    problem: Problem,
    amplitudes: tuple[Any, Any],
    occupied: tuple[int, ...],
    virtual: tuple[int, ...],
) -> float:
    t1, t2 = amplitudes
    orbitals, filled = problem.num_orbitals, problem.electrons[0]
    i, a = occupied[0] % orbitals, virtual[0] % orbitals - filled
    if len(occupied) == 1:
        return float(-t1[i, a])
    j, b = occupied[1] % orbitals, virtual[1] % orbitals - filled
    same_spin = occupied[0] // orbitals == occupied[1] // orbitals
    return float(t2[i, j, a, b] - t2[i, j, b, a] if same_spin else t2[i, j, a, b])


def bind(circuit: QuantumCircuit, parameters: Parameters) -> QuantumCircuit:
    """Bind all parameters by name: lowering may reorder them."""
    values = {parameter: parameters[parameter.name] for parameter in circuit.parameters}
    bound: QuantumCircuit = circuit.assign_parameters(values)
    return bound


def lower(
    circuit: QuantumCircuit, backend: Any, *, seed: int | None = None, trials: int = 1
) -> QuantumCircuit:
    """Transpile in two stages: to one- and two-qubit gates first, then to the device.

    The first stage knows no coupling map and synthesises the exponentials of UCCSD well; in one
    go the router would see several times more gates. Measure before lowering, never after: a
    routed circuit has its qubits elsewhere.

    Args:
        circuit: Logical circuit. With its parameters bound it needs about half of the gates.
        backend: Any backend with a `target`.
        seed: Of the transpiler.
        trials: Layouts to try, each with a seed of its own; the one with the fewest two-qubit
            gates is taken.
    """
    with own_plugins():
        gates = generate_preset_pass_manager(3, basis_gates=_BASIS, seed_transpiler=seed or 0)
    plain = gates.run(circuit)
    tries = [
        pass_manager(backend.target, 3, seed_transpiler=None if seed is None else seed + k).run(
            plain
        )
        for k in range(trials)
    ]
    fewest: QuantumCircuit = min(tries, key=lambda isa: isa.num_nonlocal_gates())
    return fewest
