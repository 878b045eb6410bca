"""A reader of IQM's JSON that shares no code with the encoder: back to a Qiskit circuit."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import iSwapGate
from qiskit_aer import AerSimulator


def parsed(program, values=None, task=0):
    """The circuits of a program as dictionaries."""
    width = len(program.slots.atoms.parameters)
    table = np.empty((1, 0)) if values is None else np.asarray(values, float).reshape(-1, width)
    return [json.loads(text) for text in program.circuits(table, task)]


def names(circuit):
    return [each["name"] for each in circuit["instructions"]]


def replayed(circuit):
    """The circuit in Qiskit, one classical bit per measurement key in a register of that name."""
    places = sorted({q for each in circuit["instructions"] for q in each["locus"]})
    qubit = {name: k for k, name in enumerate(places)}
    keys = [each["args"]["key"] for each in circuit["instructions"] if each["name"] == "measure"]
    assert len(keys) == len(set(keys)), f"keys {keys} are not unique"
    registers = {key: ClassicalRegister(1, f"k{k}") for k, key in enumerate(keys)}
    out = QuantumCircuit(QuantumRegister(len(places), "q"), *registers.values())
    feedback, away = {}, set()
    for each in circuit["instructions"]:
        at, args = [qubit[name] for name in each["locus"]], each["args"]
        match each["name"]:
            case "prx":
                assert isinstance(args["angle"], float)
                assert isinstance(args["phase"], float)
                out.r(args["angle"], args["phase"], at[0])
            case "cz":
                out.cz(*at)
            case "move":  # takes |10> to |01> with some phase, which the way back undoes
                home = tuple(at) in away
                matrix = iSwapGate().to_matrix()
                out.unitary(matrix.conj().T if home else matrix, at)
                away ^= {tuple(at)}
            case "measure":
                out.measure(at[0], registers[args["key"]][0])
                if "feedback_key" in args:
                    assert args["feedback_key"] not in feedback
                    feedback[args["feedback_key"]] = registers[args["key"]][0]
            case "cc_prx":
                with out.if_test((feedback[args["feedback_key"]], 1)):
                    out.r(args["angle"], args["phase"], at[0])
            case "reset":
                out.reset(at)
            case "barrier":
                out.barrier(at)
            case "delay":
                out.delay(args["duration"], at[0], unit="s")
            case other:
                raise AssertionError(f"unknown operation {other}")
    return out, keys


def sampled(circuit, shots=1, seed=7):
    """Run the circuit: key -> rows of one number, as the server's measurements."""
    replay, keys = replayed(circuit)
    scratch = ClassicalRegister(replay.num_qubits, "scratch")  # Aer drops jumps before nothing
    replay.add_register(scratch)
    replay.measure(range(replay.num_qubits), scratch)
    result = AerSimulator().run(replay, shots=shots, memory=True, seed_simulator=seed).result()
    words = [word.split()[1:][::-1] for word in result.get_memory()]
    return {key: [[int(word[k])] for word in words] for k, key in enumerate(keys)}


def moves_are_closed(circuit):
    """Every MOVE has a partner on the same locus, with nothing on the qubit between them."""
    away = {}
    for each in circuit["instructions"]:
        if each["name"] == "move":
            q, r = each["locus"]
            if away.get(r) == q:
                del away[r]
            else:
                assert r not in away, f"{r} is taken by {away[r]}"
                away[r] = q
        else:
            assert not set(each["locus"]) & set(away.values()), f"{each} while {away}"
    return not away


def pulses_per_qubit(circuit):
    """The largest number of prx on one qubit with nothing else between them."""
    runs = {}
    for each in circuit["instructions"]:
        for q in each["locus"]:
            runs.setdefault(q, []).append(each["name"])
    return max(
        (1 + sum(a == b == "prx" for a, b in pairwise(run)) for run in runs.values()), default=0
    )
