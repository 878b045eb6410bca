"""What a replay has to share with what was recorded; used with every vendor's devices."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
from qiskit.circuit import Gate
from qiskit.quantum_info import Operator

from qdmi_qiskit import spec_json
from qdmi_qiskit.devices.replay import driver
from qdmi_qiskit.target import target_from

ANGLES = (0.37, 1.21, -0.83, 2.2)


def recorded(session, folder, name="device"):
    """Record an open session as `qdmi record` does, and return the file."""
    file = folder / f"{name}.json"
    file.write_text(spec_json.dumps(session.spec()))
    return file


def said(target):
    """Everything that a Target says, as values that compare; gates by their matrices."""
    operations = {}
    for name in target.operation_names:
        gate = target.operation_from_name(name)
        places = target[name]
        figures = None
        if places is not None:
            figures = {
                place: None if each is None else (each.duration, each.error)
                for place, each in places.items()
            }
        # Qiskit 2.1 knows no bounds.
        bounded = hasattr(target, "gate_has_angle_bounds") and target.gate_has_angle_bounds(name)
        operations[name] = (figures, _matrix(gate), bounded)
    qubits = [(q.t1, q.t2, q.frequency) for q in target.qubit_properties]
    return target.num_qubits, target.dt, target.description, qubits, operations


def _matrix(gate):
    if not isinstance(gate, Gate):
        return getattr(gate, "name", gate)
    bound = gate.to_mutable()
    bound.params = list(ANGLES[: len(gate.params)])
    if gate.name == "cu2":  # Qiskit makes no matrix of a controlled gate without its angles
        return gate.name
    return np.round(Operator(bound).data, 12).tolist()


def assert_a_twin(session, gates, file):
    """The device behind `session` and a replay of `file` look the same; so do copies of it."""
    real, twin = session.spec(), driver.open(str(file))
    spec = twin.spec()
    same = ("name", "version", "sites", "operations", "calibration", "dt", "taken_at")
    recording = spec_json.load(file)
    for field in same:
        assert getattr(spec, field) == getattr(recording, field), field
        assert field == "taken_at" or getattr(spec, field) == getattr(real, field), field
    assert said(target_from(spec, twin.gates)) == said(target_from(real, gates))
    assert spec.simulator
    assert spec.price is None
    for again in (pickle.loads(pickle.dumps(twin)), copy.deepcopy(twin)):  # noqa: S301
        assert again.spec() == spec
        assert said(target_from(again.spec(), again.gates)) == said(target_from(real, gates))
    limits, ours = real.capabilities, spec.capabilities
    assert (ours.min_shots, ours.max_qubits) == (limits.min_shots, limits.max_qubits)
    assert ours.max_shots is not None
    if limits.max_shots is not None:
        assert ours.max_shots == min(limits.max_shots, 1_000_000)
    assert replace(ours, sweeps=False) != ours  # the abilities are the simulator's
