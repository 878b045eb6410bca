"""Answers in the shapes that an IQM server gives; every number is made up."""

from __future__ import annotations

SET = "5f0b1c2d-0000-4000-8000-000000000001"
OTHER_SET = "5f0b1c2d-0000-4000-8000-000000000002"
QC_ID = "11111111-2222-4333-8444-555555555555"
JOB = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
LATTICE = (
    "1-2 1-4 2-5 3-4 8-3 4-5 4-9 5-6 5-10 6-7 6-11 7-12 8-9 8-13 9-10 9-14 10-11 10-15 "
    "11-12 11-16 12-17 13-14 14-15 14-18 15-16 15-19 16-17 16-20 18-19 19-20"
)
GARNET_EDGES = [tuple(map(int, edge.split("-"))) for edge in LATTICE.split()]


def gate(name, loci, *, more=None, override=None):
    """One entry of `gates`, with one implementation or several."""
    implementations = {name: {"loci": [list(locus) for locus in loci]}}
    for other, places in (more or {}).items():
        implementations[other] = {"loci": [list(locus) for locus in places]}
    return {
        "implementations": implementations,
        "default_implementation": name,
        "override_default_implementation": override or {},
    }


def dynamic(qubits, edges, *, dead=(), feedback=True, calibration_set=SET):
    """A lattice; dead qubits are in no locus."""
    alive = [q for q in qubits if q not in dead]
    ones = [(q,) for q in alive]
    pairs = [pair for pair in edges if not set(pair) & set(dead)]
    gates = {
        "prx": gate("drag_crf", ones),
        "cz": gate("crf", pairs),
        "measure": gate("constant", ones),
        "reset_wait": gate("reset_wait", ones),  # of no use to us, and no reason to fail
    }
    if feedback:
        gates["cc_prx"] = gate("prx_composite", ones)
    return {
        "calibration_set_id": calibration_set,
        "qubits": alive,
        "computational_resonators": [],
        "gates": gates,
    }


def garnet(*, dead=(), **options):
    qubits = [f"QB{k}" for k in range(1, 21)]
    edges = [(f"QB{a}", f"QB{b}") for a, b in GARNET_EDGES]
    return dynamic(qubits, edges, dead=dead, **options)


def star(*, calibration_set=SET):
    """Six qubits around a resonator; QB6 has a CZ but no MOVE."""
    qubits = [f"QB{k}" for k in range(1, 7)]
    ones = [(q,) for q in qubits]
    return {
        "calibration_set_id": calibration_set,
        "qubits": qubits,
        "computational_resonators": ["CR1"],
        "gates": {
            "prx": gate("drag_crf", ones),
            "cz": gate("crf", [(q, "CR1") for q in qubits]),
            "move": gate("tgss", [(q, "CR1") for q in qubits[:5]]),
            "measure": gate("constant", ones),
        },
    }


def observation(field, value, unit="1", **extra):
    return {
        "dut_field": field,
        "value": value,
        "unit": unit,
        "uncertainty": None,
        "invalid": False,
        "observation_id": 1,
        "created_timestamp": "2026-11-20T10:00:00Z",
        "modified_timestamp": "2026-11-20T10:00:00Z",
        **extra,
    }


def observation_set(kind, observations, calibration_set=SET):
    return {
        "observation_set_type": kind,
        "observation_set_id": calibration_set,
        "describes_id": calibration_set,
        "invalid": False,
        "dut_label": "M000_W0_A00",
        "created_timestamp": "2026-11-20T10:00:00.000000Z",
        "end_timestamp": None,
        "observations": observations,
    }


def figures(raw):
    """Metrics and a calibration set for an architecture: figures grow with the qubit's number."""
    metrics, settings = [], []
    for k, q in enumerate(raw["qubits"], start=1):
        metrics += [
            observation(f"characterization.model.{q}.t1_time", (30 + k) * 1e-6, "s"),
            observation(f"characterization.model.{q}.t2_time", (8 + k / 10) * 1e-6, "s"),
            observation(f"metrics.rb.prx.drag_crf.{q}.fidelity:par=d2", 0.999 - k * 1e-5),
            observation(f"metrics.ssro.measure.constant.{q}.fidelity", 0.97 + k * 1e-3),
            observation(f"metrics.ssro.measure.constant.{q}.error_0_to_1", 0.01 + k * 1e-4),
            observation(f"metrics.ssro.measure.constant.{q}.error_1_to_0", 0.03 + k * 1e-4),
        ]
        settings += [
            observation(f"controllers.{q}.drive.frequency", 4.2e9 + k * 1e6, "Hz"),
            observation(f"gates.prx.drag_crf.{q}.duration", 20e-9, "s"),
            observation(f"gates.measure.constant.{q}.duration", 1e-6, "s"),
        ]
    for name, how in (("cz", "crf"), ("move", "tgss")):
        loci = raw["gates"].get(name, gate(how, []))["implementations"][how]["loci"]
        for k, locus in enumerate(loci):
            place = "__".join(locus)
            metrics.append(
                observation(f"metrics.irb.{name}.{how}.{place}.fidelity:par=d2", 0.995 - k * 1e-4)
            )
            settings.append(
                observation(
                    f"gates.{name}.{how}.{place}.duration", 40e-9 if name == "cz" else 96e-9, "s"
                )
            )
    chosen = raw["calibration_set_id"]
    return (
        observation_set("quality-metric-set", metrics, chosen),
        observation_set("calibration-set", settings, chosen),
    )


def job(status, **extra):
    """What the server says of a job."""
    return {
        "id": JOB,
        "type": "circuit",
        "status": status,
        "queue_position": None,
        "qc": {"id": QC_ID},
        "tag": None,
        "compilation": None,
        "execution": None,
        "messages": [],
        "errors": [],
        "timeline": [],
        "artifacts": [],
        **extra,
    }
