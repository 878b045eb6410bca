"""Checks of the snapshot: plain data, SI units, a Target that keeps its word."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import spec_json
from qdmi_qiskit.errors import QdmiError
from qdmi_qiskit.formats import ENCODERS
from qdmi_qiskit.model import DeviceState, DeviceStatus, Figures, Operation
from qdmi_qiskit.plan import Request
from qdmi_qiskit.run import seeds, start
from qdmi_qiskit.target import target_from
from qdmi_qiskit.testing.harness import SEED, Harness

_LONGEST_OPERATION = 1.0
_LONGEST_LIFE = 1000.0
_LONGEST_CIRCUIT = 1e9  # operations within T1: ions reach 1e7, microseconds for seconds give more


def check_spec_is_plain_data(harness: Harness) -> None:
    """It pickles, and compares by value."""
    try:
        again = pickle.loads(pickle.dumps(harness.spec))  # noqa: S301 - what was just dumped
    except Exception as error:
        raise AssertionError(
            f"spec() cannot be pickled ({error}): put values into it, no client and no lock"
        ) from error
    assert again == harness.spec, (
        "spec() differs from its own copy: let every field compare by value"
    )


def check_spec_is_the_same_when_asked_again(harness: Harness) -> None:
    """Two snapshots of one calibration differ in the time at which they were taken."""
    first, second = harness.session.spec(), harness.session.spec()
    if first.calibration != second.calibration:
        return  # a real device was calibrated between the two calls
    assert replace(first, taken_at=second.taken_at) == second, (
        "two calls of spec() differ in more than taken_at: take them from one calibration set"
    )


def check_spec_goes_through_json(harness: Harness) -> None:
    """It can be recorded to a file and read back."""
    try:
        again = spec_json.loads(spec_json.dumps(harness.spec))
    except QdmiError as error:
        raise AssertionError(f"spec() cannot be recorded as JSON: {error}") from error
    assert again == harness.spec, "spec() changes on its way through JSON: use the model's types"


def check_sites_are_numbered_from_zero(harness: Harness) -> None:
    """`sites[k].index == k`."""
    indices = [site.index for site in harness.spec.sites]
    assert indices == list(range(len(indices))), (
        f"site indices are {indices}: count from 0 without gaps, put the vendor's label into name"
    )


def _figures(harness: Harness) -> Iterator[tuple[str, Figures]]:
    for operation in harness.spec.operations:
        for sites, figures in (operation.sites or {}).items():
            yield f"{operation.name} on {sites}", figures


def check_times_are_in_seconds(harness: Harness) -> None:
    """Durations, T1, T2, dt are seconds and frequencies hertz."""
    durations = [(where, figures.duration) for where, figures in _figures(harness)]
    for where, duration in durations:
        assert duration is None or 0 <= duration < _LONGEST_OPERATION, (
            f"{where} takes {duration} s: is that nanoseconds?"
        )
    shortest = min((d for _, d in durations if d), default=None)
    for site in harness.spec.sites:
        for name, time in (("T1", site.t1), ("T2", site.t2)):
            if time is None:
                continue
            assert 0 < time <= _LONGEST_LIFE, f"{name} of site {site.index} is {time} s: SI?"
            assert shortest is None or time / shortest < _LONGEST_CIRCUIT, (
                f"{name} of site {site.index} is {time} s, the shortest operation takes "
                f"{shortest} s: is one of them in microseconds?"
            )
        assert site.frequency is None or site.frequency > 1e3, (
            f"the frequency of site {site.index} is {site.frequency} Hz: is that gigahertz?"
        )
    dt = harness.spec.dt
    assert dt is None or 0 < dt < 1e-3, f"dt is {dt} s: is that nanoseconds?"


def check_probabilities_are_fractions(harness: Harness) -> None:
    """Fidelities and readout errors lie between 0 and 1."""
    for where, figures in _figures(harness):
        assert figures.fidelity is None or 0 <= figures.fidelity <= 1, (
            f"the fidelity of {where} is {figures.fidelity}: is that percent?"
        )
    for site in harness.spec.sites:
        for name in ("prob_meas1_prep0", "prob_meas0_prep1"):
            value = getattr(site, name)
            assert value is None or 0 <= value <= 1, (
                f"{name} of site {site.index} is {value}: is that percent?"
            )


def check_operations_fit_the_sites(harness: Harness) -> None:
    """Names are unique, places exist, and bounds belong to angles."""
    names = [operation.name for operation in harness.spec.operations]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"operations {twice} are listed twice: merge their sites"
    for operation in harness.spec.operations:
        for place in operation.sites or {}:
            assert len(set(place)) == len(place) == operation.num_sites, (
                f"{operation.name} takes {operation.num_sites} sites but is listed on {place}"
            )
            assert all(0 <= site < harness.spec.num_qubits for site in place), (
                f"{operation.name} is listed on {place}; sites are 0 to "
                f"{harness.spec.num_qubits - 1}: translate the vendor's labels"
            )
        if operation.bounds is not None:
            assert len(operation.bounds) == len(operation.parameters), (
                f"{operation.name} has {len(operation.parameters)} angles and "
                f"{len(operation.bounds)} bounds: give one (or None) for each"
            )
            for bound in operation.bounds:
                assert bound is None or bound[0] <= bound[1], f"{operation.name}: bounds {bound}"


def check_capabilities_make_sense(harness: Harness) -> None:
    """Limits are positive and consistent, and there is a format that we write."""
    caps = harness.capabilities
    known = {*ENCODERS, *harness.session.encoders}
    assert known & set(caps.formats), (
        f"formats {caps.formats} are none of {sorted(known)}: add an encoder to Session.encoders"
    )
    assert caps.min_shots >= 1, f"min_shots={caps.min_shots}: wanted at least 1"
    for name in ("max_shots", "max_executables", "max_total_shots", "max_jobs", "max_qubits"):
        limit = getattr(caps, name)
        assert limit is None or limit >= 1, f"{name}={limit}: say None for no limit"
    for name in ("max_shots", "max_total_shots"):
        limit = getattr(caps, name)
        assert limit is None or limit >= caps.min_shots, (
            f"{name}={limit} is less than min_shots={caps.min_shots}: no job could be sent"
        )
    assert caps.retrieve or not caps.detached, (
        "detached is declared, but no job can be found again: set retrieve=True, or detached=False"
    )
    price = harness.spec.price
    assert price is None or min(price.per_task, price.per_shot) >= 0, f"{price}: below zero"
    assert price is None or len(price.currency) == 3, f"{price.currency}: wanted a code as 'EUR'"


def check_operations_are_known(harness: Harness) -> None:
    """Every operation can be put into a circuit."""
    target = target_from(harness.spec, harness.session.gates)
    known = {*target.operation_names, "barrier"}
    strange = sorted({op.name for op in harness.spec.operations} - known)
    assert not strange, (
        f"operations {strange} are neither Qiskit's nor in Session.gates: translate the name, give "
        "the gate in Session.gates, or leave the operation out"
    )
    assert target.num_qubits == harness.spec.num_qubits, "the Target has another number of qubits"
    assert "measure" in target.operation_names, (
        "spec() lists no operation 'measure': nothing could be read out"
    )


def check_every_gate_runs(harness: Harness) -> None:
    """Each gate of a fixed size can be submitted, on one of its places."""
    gates = [
        operation
        for operation in harness.spec.operations
        if operation.name in harness.target.operation_names
        and operation.num_sites is not None
        and (operation.sites is not None or operation.num_sites <= harness.spec.num_qubits)
    ]
    requests = {operation.name: _alone(harness, operation) for operation in gates}
    try:
        _send(harness, *requests.values())
    except QdmiError:
        for name, request in requests.items():  # which one is it?
            try:
                _send(harness, request)
            except QdmiError as error:
                raise AssertionError(
                    f"spec() lists {name}, but the device refuses it: {error}. Leave it out of "
                    "spec(), restrict its sites or bounds, or fix the encoder"
                ) from error


def _alone(harness: Harness, operation: Operation) -> Request[QuantumCircuit]:
    size = operation.num_sites or 0
    place = next(iter(operation.sites), ()) if operation.sites else tuple(range(size))
    gate = harness.target.operation_from_name(operation.name)
    bounds = operation.bounds or (None,) * len(gate.params)
    angles = [_angle(bound) for bound in bounds]
    circuit = QuantumCircuit(harness.spec.num_qubits, max(size, 1))
    if operation.name == "measure":
        circuit.measure(place[0], 0)
    elif operation.name == "delay":
        circuit.delay(100e-9, place[0], unit="s")
    else:
        bound = gate.to_mutable()
        bound.params = angles
        circuit.append(bound, place)
    reads = harness.spec.operations[
        [op.name for op in harness.spec.operations].index("measure")
    ].sites
    readable = [site for site in place if reads is None or (site,) in reads]
    if operation.name != "measure":
        circuit.measure(readable, range(len(readable)))
    shots = max(harness.capabilities.min_shots, 1)
    return Request(circuit, np.empty((1, 0)), shots, circuit.num_clbits)


def _angle(bound: tuple[float, float] | None) -> float:
    """Return a quarter turn, which even a Clifford simulator takes, or what bounds allow."""
    if bound is None or bound[0] <= np.pi / 2 <= bound[1]:
        return float(np.pi / 2)
    return (bound[0] + bound[1]) / 2


def _send(harness: Harness, *requests: Request[QuantumCircuit]) -> None:
    run = start(harness.session, harness.spec, requests, seeds=seeds(SEED))
    outcome = run.result(harness.timeout)
    points = chain.from_iterable(shots.bits for shots in outcome)
    assert all(len(point) for point in points), "a gate ran, but no shots came back"


def check_status_is_one_of_six(harness: Harness) -> None:
    """`Session.status` speaks QDMI."""
    state = harness.session.status()
    assert isinstance(state, DeviceState), f"status() returned {state!r}: wanted a DeviceState"
    assert isinstance(state.status, DeviceStatus), (
        f"status() says {state.status!r}: map the vendor's word to a DeviceStatus"
    )
    for name in ("queue_length", "next_window"):
        value = getattr(state, name)
        assert value is None or value >= 0, f"{name} is {value}: say None if it is not known"
