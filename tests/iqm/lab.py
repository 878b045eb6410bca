"""Architectures and specs of the synthetic devices."""

from __future__ import annotations

from functools import cache

from qiskit.transpiler import generate_preset_pass_manager

from qdmi_qiskit.devices.iqm.architecture import architecture_from
from qdmi_qiskit.devices.iqm.encode import Encoder
from qdmi_qiskit.devices.iqm.spec import spec_from
from qdmi_qiskit.devices.iqm.star import StarRouter
from qdmi_qiskit.target import target_from
from tests.iqm import recorded

LIMITS = {"max_executions_per_job": 100_000, "max_instructions_per_circuit": 5000}


@cache
def architecture(kind):
    raw = {
        "garnet": recorded.garnet,
        "dead": lambda: recorded.garnet(dead=("QB11",)),
        "star": recorded.star,
    }[kind]()
    return architecture_from(raw)


@cache
def spec(kind):
    found = architecture(kind)
    metrics, calibration = recorded.figures(found.raw)
    label = calibration["dut_label"]
    return spec_from(
        kind, found, label=label, metrics=metrics, calibration=calibration, limits=LIMITS
    )


@cache
def target(kind):
    return target_from(spec(kind))


@cache
def encoder(kind):
    return Encoder(architecture(kind), StarRouter() if kind == "star" else None)


def transpiled(circuit, kind="garnet", level=2, **options):
    manager = generate_preset_pass_manager(level, target=target(kind), seed_transpiler=5, **options)
    return manager.run(circuit)
