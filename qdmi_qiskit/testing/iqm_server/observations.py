"""Architectures and observation sets as IQM Server writes them.

Unless told otherwise, some observations of a grid are useless, as some always are: an invalid one
(the fidelity of prx on QB7), NaN (cz on QB13, QB14), null (the readout errors of QB9, T2 echo of
QB3), a missing one (T1 of QB5), and ones that are no numbers at all. QDMI-on-IQM 1.5 cannot open a
machine that has NaN or null.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid5

from qdmi_qiskit.testing.iqm_server.calibration import Calibration
from qdmi_qiskit.testing.iqm_server.chips import Chip

# Which experiment measures the fidelity of which gate.
_EXPERIMENTS = {
    "prx": ("rb", ":par=d2"),
    "cz": ("irb", ":par=d2"),
    "move": ("irb", ""),
    "measure": ("ssro", ""),
    "measure_fidelity": ("ssro", ""),
}
# Field, value, unit, and whether it is invalid.
Observation = tuple[str, Any, str, bool]


def static_architecture(chip: Chip) -> list[dict[str, Any]]:
    """Return the list of one that the server answers."""
    return [
        {
            "dut_label": f"M000_{chip.alias}",
            "qubits": list(chip.qubits),
            "computational_resonators": list(chip.resonators),
            "connectivity": [list(pair) for pair in chip.couplers],
        }
    ]


def dynamic_architecture(calibration: Calibration) -> dict[str, Any]:
    """Return what is calibrated, and how."""
    return {
        "calibration_set_id": str(calibration.id),
        "qubits": calibration.components(calibration.chip.qubits),
        "computational_resonators": calibration.components(calibration.chip.resonators),
        "gates": {
            name: {
                "implementations": {
                    key: {"loci": [list(locus) for locus in loci]}
                    for key, loci in gate.implementations.items()
                },
                "default_implementation": gate.default,
                "override_default_implementation": {
                    ",".join(locus): key for locus, key in gate.overrides.items()
                },
            }
            for name, gate in calibration.gates.items()
        },
    }


def calibration_set(calibration: Calibration) -> dict[str, Any]:
    """Return the settings: frequencies, durations and much that concerns no client."""
    return _observation_set(calibration, "calibration-set", _settings(calibration))


def metric_set(calibration: Calibration) -> dict[str, Any]:
    """Return how well the set works."""
    return _observation_set(calibration, "quality-metric-set", _metrics(calibration))


def _observation_set(
    calibration: Calibration, kind: str, observations: Iterator[Observation]
) -> dict[str, Any]:
    time = calibration.created.isoformat()
    own = calibration.id
    metrics = kind == "quality-metric-set"
    label = static_architecture(calibration.chip)[0]["dut_label"]
    first = 100_000 * calibration.number + (50_000 if metrics else 0)
    return {
        "observation_set_type": kind,
        "describes_id": str(own) if metrics else None,
        "invalid": False,
        "dut_label": label,
        "observation_set_id": str(uuid5(own, "metrics") if metrics else own),
        "created_timestamp": time,
        "end_timestamp": time,
        "observations": [
            {
                "dut_field": name,
                "value": value,
                "unit": unit,
                "uncertainty": None,
                "invalid": invalid,
                "observation_id": first + number,
                "created_timestamp": time,
                "modified_timestamp": time,
            }
            for number, (name, value, unit, invalid) in enumerate(observations)
        ],
    }


def _settings(calibration: Calibration) -> Iterator[Observation]:
    for name, site in calibration.sites.items():
        if site.frequency is not None:
            yield f"controllers.{name}.drive.frequency", site.frequency, "Hz", False
    for (gate, implementation, locus), figures in calibration.figures.items():
        prefix = f"gates.{gate}.{implementation}.{'__'.join(locus)}"
        if figures.duration is not None:
            yield f"{prefix}.duration", figures.duration, "s", False
        if gate == "measure":
            yield f"{prefix}.acquisition_type", "threshold", "", False
            yield f"{prefix}.weights", [0.5, -0.25], "", False
            yield f"{prefix}.integrated", True, "", False


def _metrics(calibration: Calibration) -> Iterator[Observation]:
    for name, site in calibration.sites.items():
        model = f"characterization.model.{name}"
        times: Mapping[str, float | None] = {"t1_time": site.t1, "t2_time": site.t2}
        for field, value in times.items():
            if value is not None:
                yield f"{model}.{field}", value, "s", False
        echo = None if calibration.spoilt and name == "QB3" else 1.7 * (site.t2 or 0.0)
        yield f"{model}.t2_echo_time", echo, "s", False
    for (gate, implementation, locus), figures in calibration.figures.items():
        if gate not in _EXPERIMENTS:
            continue
        experiment, suffix = _EXPERIMENTS[gate]
        prefix = f"metrics.{experiment}.{gate}.{implementation}.{'__'.join(locus)}"
        if figures.fidelity is not None:
            yield f"{prefix}.fidelity{suffix}", figures.fidelity, "", False
        elif gate == "prx":
            yield f"{prefix}.fidelity{suffix}", 0.017, "", True
        else:
            yield f"{prefix}.fidelity{suffix}", math.nan, "", False
        if experiment == "ssro":
            site = calibration.sites[locus[0]]
            spoilt = calibration.spoilt and locus == ("QB9",)
            yield (
                f"{prefix}.error_0_to_1",
                None if spoilt else site.prob_meas1_prep0,
                "",
                False,
            )
            yield (
                f"{prefix}.error_1_to_0",
                None if spoilt else site.prob_meas0_prep1,
                "",
                False,
            )
    if calibration.spoilt:
        yield "metrics.ghz_state.QB1__QB2__QB4.coherence_lower_bound", 0.91, "", False
        yield "metrics.qndness.measure.constant.QB2.repeatability", math.inf, "", False
