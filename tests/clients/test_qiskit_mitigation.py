"""qiskit-mitigation plans, our sampler executes, qiskit-mitigation evaluates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import QDMIProvider, SamplerV2
from tests.clients.installed import MARKS, client

library = client("qiskit_mitigation")
programs = client("samplomatic.quantum_program")

pytestmark = MARKS
LABELS = ["ZZI", "IXX", "ZZZ"]
RANDOMIZATIONS, SHOTS = 24, 400


def state():
    circuit = QuantumCircuit(3)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    circuit.ry(0.9, 2)
    circuit.cx(1, 2)
    circuit.ry(-0.3, 1)
    return circuit


def corner():
    """The first three qubits of grid20: TREX measures every qubit of a device."""
    whole = QDMIProvider().get_backend("replay:grid20").spec
    operations = [
        replace(each, sites={k: v for k, v in (each.sites or {}).items() if max(k) < 3})
        for each in whole.operations
    ]
    return replace(whole, sites=whole.sites[:3], operations=tuple(operations))


def executed(program, backend, seed):
    """What IBM's Executor answers a program, from one call of our sampler.

    The templates are in rz and sx: they are translated once and bound late.
    """
    pubs, flips = [], []
    readout = len(program.items) > 1  # TREX and its calibration
    for item in program.items:
        template = transpile(
            item.circuit,
            backend,
            optimization_level=0,
            initial_layout=range(item.circuit.num_qubits),
        )
        rounds, *bases = item.shape
        values = np.empty((*item.shape, len(template.parameters)))
        flipped = []
        for index in np.ndindex(*bases):
            chosen = {name: value[index] for name, value in item.samplex_arguments.items()}
            inputs = item.samplex.inputs().bind(**chosen)
            drawn = item.samplex.sample(inputs, num_randomizations=rounds, rng=seed)
            columns = {name.name: k for k, name in enumerate(item.circuit.parameters)}
            order = [columns[parameter.name] for parameter in template.parameters]
            values[(slice(None), *index)] = drawn["parameter_values"][:, order]
            if readout:
                flipped.append(drawn["measurement_flips._meas"])
        if readout:
            flips.append(np.stack(flipped, axis=1).reshape(*item.shape, *flipped[0].shape[1:]))
        pubs.append((template, values))
    found = SamplerV2(backend, seed=seed).run(pubs, shots=program.shots).result()
    return programs.QuantumProgramResult(
        [
            {"_meas": pub.data["_meas"].to_bool_array(order="little")}
            | ({"measurement_flips._meas": flips[k]} if readout else {})
            for k, pub in enumerate(found)
        ]
    )


def values_on(backend, *, trex, basis=("rz", "sx", "cz")):
    isa = backend.pass_manager(1, seed_transpiler=1, initial_layout=[2, 1, 0]).run(state())
    observables = [SparsePauliOp(label).apply_layout(isa.layout) for label in LABELS]
    # Of `r` its boxes make another gate (below): give them what they write themselves.
    plain = transpile(isa, basis_gates=list(basis), optimization_level=0)
    task, readout = library.MitigationTask(), library.TREX() if trex else None
    program = task.prepare(
        plain,
        observables,
        None,
        custom_boxing_options={"measure_annotations": "all"},
        shots_per_randomization=SHOTS,
        num_randomizations=RANDOMIZATIONS,
        trex=readout,
    )
    if readout is not None:
        program = readout.prepare(RANDOMIZATIONS, program)
    return task.postprocess(executed(program, backend, 9)).data.evs


def exact():
    whole = Statevector(state())
    return np.real([whole.expectation_value(SparsePauliOp(label)) for label in LABELS])


def test_values_without_noise_are_exact():
    sigma = 1 / np.sqrt(RANDOMIZATIONS * SHOTS)  # the largest of any Pauli string
    backend = QDMIProvider().get_backend("aer", num_qubits=3)
    found = values_on(backend, trex=False)
    assert np.abs(found - exact()).max() < 4 * sigma


def test_readout_is_mitigated_on_a_recorded_device():
    backend = QDMIProvider().get_backend("aer", noise=corner())
    raw, mitigated = (values_on(backend, trex=trex) for trex in (False, True))
    before, after = (np.abs(values - exact()) for values in (raw, mitigated))
    assert after.mean() < before.mean() / 2


@pytest.mark.xfail(
    reason="samplomatic 0.21 makes another gate of an `r` behind a twirled `cz`: "
    "r(0.7, 0.3), cz, r(0.4, 0.1) on two qubits has other probabilities, rz, rx, rz the right ones"
)
def test_values_of_circuits_in_r_are_exact():
    backend = QDMIProvider().get_backend("aer", num_qubits=3)
    sigma = 1 / np.sqrt(RANDOMIZATIONS * SHOTS)
    found = values_on(backend, trex=False, basis=("r", "rz", "cz"))
    assert np.abs(found - exact()).max() < 4 * sigma
