"""A device snapshot as a Target: errors, durations, lives, bounds, control flow, size."""

from __future__ import annotations

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, IfElseOp, Measure, Parameter
from qiskit.circuit.library import CZGate, RZGate
from qiskit.transpiler import Target, generate_preset_pass_manager

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import RejectedError
from qdmi_qiskit.isa import IsaChecker
from qdmi_qiskit.model import Capabilities, DeviceSpec, Figures, Operation, Site
from qdmi_qiskit.target import target_from
from qdmi_qiskit.testing.poor import PoorSession

HAS_BOUNDS = hasattr(Target, "gate_has_angle_bounds")


def spec_of(*operations: Operation, sites: int = 3, **fields) -> DeviceSpec:
    return DeviceSpec(
        name="made up",
        version="1",
        sites=fields.pop("known", tuple(Site(k) for k in range(sites))),
        operations=operations,
        capabilities=Capabilities(formats=("qiskit",)),
        **fields,
    )


def test_errors_are_one_minus_fidelity_and_durations_are_seconds():
    target = target_from(
        spec_of(
            Operation("cz", 2, (), {(0, 2): Figures(40e-9, 0.99), (2, 1): Figures(None, 0.98)}),
            Operation("measure", 1, (), {(0,): Figures(1e-6, 0.97), (1,): Figures()}),
            dt=1e-9,
        )
    )
    assert target["cz"][0, 2].error == pytest.approx(0.01)
    assert target["cz"][0, 2].duration == 40e-9
    assert target["cz"][2, 1].duration is None
    assert target["cz"][2, 1].error == pytest.approx(0.02)
    assert target["measure"][0,].error == pytest.approx(0.03)
    assert target["measure"][1,] is None  # nothing is known, which is not zero
    assert set(target["cz"]) == {(0, 2), (2, 1)}
    assert (target.dt, target.num_qubits) == (1e-9, 3)
    assert isinstance(target.operation_from_name("measure"), Measure)
    assert isinstance(target.operation_from_name("cz"), CZGate)
    assert target.build_coupling_map("cz").get_edges() == [(0, 2), (2, 1)]


def test_lives_are_seconds_and_unknown_stays_unknown():
    known = (Site(0, "A", t1=50e-6, t2=40e-6, frequency=4.9e9), Site(1, "B"))
    properties = target_from(spec_of(known=known)).qubit_properties
    assert (properties[0].t1, properties[0].t2) == (50e-6, 40e-6)
    assert properties[0].frequency == 4.9e9
    assert (properties[1].t1, properties[1].t2, properties[1].frequency) == (None, None, None)


def test_dt_is_none_where_the_device_has_none():
    assert target_from(spec_of(Operation("x", 1))).dt is None
    assert QDMIProvider().get_backend("aer", num_qubits=2).target.dt is None


def test_an_operation_without_sites_is_everywhere():
    target = target_from(spec_of(Operation("x", 1), Operation("cx", 2)))
    assert target.instruction_supported("x", (2,))
    assert target.instruction_supported("cx", (2, 0))
    assert target["x"] == {None: None}


def test_parameters_have_the_devices_names_and_are_fresh():
    target = target_from(spec_of(Operation("r", 1, ("angle", "phase")), Operation("rz", 1)))
    assert [str(p) for p in target.operation_from_name("r").params] == ["angle", "phase"]
    (angle,) = target.operation_from_name("rz").params
    assert isinstance(angle, Parameter)
    assert target.operation_from_name("rz") is not RZGate(angle)


def test_control_flow_is_by_name():
    names = ("if_else", "while_loop", "for_loop", "switch_case")
    target = target_from(spec_of(*(Operation(name, None) for name in names)))
    assert set(names) <= set(target.operation_names)
    assert target.operation_from_name("if_else") is IfElseOp
    assert target.instruction_supported("while_loop", (0, 2))


def test_a_gate_of_the_vendor_comes_from_the_session():
    gate = Gate("zigzag", 2, [Parameter("t")])
    target = target_from(
        spec_of(Operation("zigzag", 2, ("t",), {(0, 1): Figures()})), {gate.name: gate}
    )
    assert target.operation_from_name("zigzag").num_qubits == 2
    assert target.instruction_supported("zigzag", (0, 1))


def test_what_nobody_knows_is_left_out():
    target = target_from(spec_of(Operation("x", 1), Operation("frobnicate", 1)))
    assert list(target.operation_names) == ["x"]


@pytest.mark.skipif(not HAS_BOUNDS, reason="this Qiskit has no angle bounds")
@pytest.mark.parametrize("sites", [None, {(0,): Figures()}])
def test_angle_bounds_reach_the_target_and_the_check(sites):
    target = target_from(
        spec_of(Operation("rz", 1, ("a",), sites, bounds=((-math.pi, math.pi),)), Operation("x", 1))
    )
    assert target.gate_has_angle_bounds("rz")
    assert not target.gate_has_angle_bounds("x")
    checker = IsaChecker(target, "bounded")
    good, bad = QuantumCircuit(1), QuantumCircuit(1)
    good.rz(3.0, 0)
    bad.rz(4.0, 0)
    checker.check(good)
    with pytest.raises(RejectedError, match=r"rz\(4\.0\) on qubit 0"):
        checker.check(bad)
    if sites is not None:
        elsewhere = QuantumCircuit(2)
        elsewhere.rz(3.0, 1)
        with pytest.raises(RejectedError, match="on qubit 1"):
            checker.check(elsewhere)


def test_blocks_of_control_flow_are_checked_on_the_outer_qubits():
    target = target_from(
        spec_of(
            Operation("x", 1, (), {(0,): Figures(), (2,): Figures()}),
            Operation("measure", 1),
            Operation("if_else", None),
        )
    )
    checker = IsaChecker(target, "gappy")

    def conditional(qubit):
        circuit = QuantumCircuit(3, 1)
        circuit.measure(0, 0)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(qubit)
        return circuit

    checker.check(conditional(2))
    with pytest.raises(RejectedError, match="x on qubit 1"):
        checker.check(conditional(1))


def test_the_target_of_a_device_of_1000_qubits_transpiles():
    n = 1000
    one = {(k,): Figures(30e-9, 0.999) for k in range(n)}
    two = {pair: Figures(200e-9, 0.99) for k in range(n - 1) for pair in ((k, k + 1), (k + 1, k))}
    target = target_from(
        spec_of(
            Operation("rz", 1, ("a",), one),
            Operation("sx", 1, (), one),
            Operation("cz", 2, (), two),
            Operation("measure", 1, (), one),
            sites=n,
        )
    )
    circuit = QuantumCircuit(n, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(n - 2, n - 1)
    circuit.measure([0, n - 1], [1, 0])
    manager = generate_preset_pass_manager(1, target=target, initial_layout=range(n))
    isa = manager.run(circuit)
    IsaChecker(target, "large").check(isa)
    assert isa.num_qubits == n
    assert isa.count_ops()["cz"] == 2


def test_a_backend_has_what_the_spec_says():
    backend = QDMIBackend(PoorSession())
    target = backend.target
    assert target.num_qubits == backend.num_qubits == 5
    assert set(target.operation_names) == {"cx", "measure", "rz", "sx", "x"}
    assert target["cx"][1, 2].error == pytest.approx(0.009)
    assert target["rz"][0,].duration == 0.0
    assert backend.dt == 1e-9
    assert backend.coupling_map.size() == 5
    assert backend.instruction_durations.get("cx", [0, 1], "s") == pytest.approx(180e-9)
