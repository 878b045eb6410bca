"""From IQM's JSON to a `DeviceSpec`: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from qdmi_qiskit.detour import cost, is_better
from qdmi_qiskit.devices.iqm.architecture import Architecture, Detour, Locus
from qdmi_qiskit.devices.iqm.observations import Observations, probability
from qdmi_qiskit.model import (
    Calibration,
    Capabilities,
    DeviceSpec,
    Figures,
    Operation,
    Site,
)

Places = dict[tuple[int, ...], Figures]

_BENCHMARK = {"prx": "rb", "measure": "ssro"}  # the others have interleaved benchmarking


def spec_from(
    name: str,
    architecture: Architecture,
    *,
    label: str = "",
    metrics: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
) -> DeviceSpec:
    """Build the snapshot of a quantum computer.

    Args:
        name: Its alias.
        architecture: What is calibrated.
        label: Of the chip.
        metrics: The quality metric set, where there is one.
        calibration: The calibration set, where it can be read.
        limits: What one job may hold.
    """
    known = Observations(metrics, calibration)
    index = {qubit: k for k, qubit in enumerate(architecture.qubits)}
    return DeviceSpec(
        name=name,
        version=label or "unknown",
        sites=tuple(_site(k, qubit, architecture, known) for qubit, k in index.items()),
        operations=tuple(_operations(architecture, index, known)),
        capabilities=capabilities_from(limits),
        simulator=name.endswith(":mock"),
        calibration=Calibration(
            architecture.calibration_set,
            _time((calibration or {}).get("created_timestamp")),
        ),
    )


def capabilities_from(limits: Mapping[str, Any] | None) -> Capabilities:
    """Return what one job may hold; a limit that the server does not state is none."""
    stated = limits or {}

    def limit(name: str) -> int | None:
        value = stated.get(name)
        return value if isinstance(value, int) and value > 0 else None

    return Capabilities(
        formats=("iqm",),
        max_executables=limit("max_circuits_per_job"),
        max_shots=limit("max_shots_per_circuit"),
        max_total_shots=limit("max_executions_per_job"),
        sweeps=True,
        ordered_shots=True,
        cancel=True,
        retrieve=True,
        detached=True,
    )


def _site(index: int, name: str, architecture: Architecture, known: Observations) -> Site:
    model = f"characterization.model.{name}"
    how = architecture.gate("measure").loci[(name,)]
    readout = f"metrics.ssro.measure.{how}.{name}"
    return Site(
        index,
        name,
        t1=_positive(known.get(f"{model}.t1_time")),
        t2=_positive(known.get(f"{model}.t2_time", f"{model}.t2_echo_time")),
        frequency=_positive(known.get(f"controllers.{name}.drive.frequency", f"{model}.frequency")),
        prob_meas1_prep0=known.probability(f"{readout}.error_0_to_1"),
        prob_meas0_prep1=known.probability(f"{readout}.error_1_to_0"),
    )


def _operations(
    architecture: Architecture, index: Mapping[str, int], known: Observations
) -> Iterable[Operation]:
    qubits = tuple(index)
    yield Operation("r", 1, ("theta", "phi"), _alone("prx", qubits, architecture, index, known))
    # Virtual: a change of the phases that follow. It takes no time and makes no error.
    virtual: Places = {(k,): Figures(0.0, 1.0) for k in index.values()}
    yield Operation("rz", 1, ("phi",), virtual)
    if pairs := _pairs(architecture, index, known):
        yield Operation("cz", 2, (), pairs)
    yield Operation("measure", 1, (), _alone("measure", qubits, architecture, index, known))
    idle: Places = {(k,): Figures() for k in index.values()}
    yield Operation("delay", 1, ("duration",), idle)
    if architecture.resettable:
        how = "reset" if architecture.gate("reset").loci else "cc_prx"
        resets = _alone(how, architecture.resettable, architecture, index, known)
        yield Operation("reset", 1, (), resets)
    if architecture.gate("cc_prx").loci:
        yield Operation("if_else", None)


def _alone(
    gate: str,
    qubits: Sequence[str],
    architecture: Architecture,
    index: Mapping[str, int],
    known: Observations,
) -> Places:
    return {(index[q],): figures_of(gate, (q,), architecture, known) for q in qubits}


def _pairs(architecture: Architecture, index: Mapping[str, int], known: Observations) -> Places:
    places: Places = {}
    for locus in architecture.gate("cz").loci:
        if not set(locus) & set(architecture.resonators):
            a, b = (index[name] for name in locus)
            places[a, b] = places[b, a] = figures_of("cz", locus, architecture, known)
    real = set(places)
    for (first, second), detour in architecture.detours():
        pair = index[first], index[second]
        if pair not in real:
            figures = _fictional(detour, architecture, known)
            if pair not in places or is_better(figures, places[pair]):
                places[pair] = figures
    return places


def _fictional(detour: Detour, architecture: Architecture, known: Observations) -> Figures:
    """Return what MOVE, CZ, MOVE cost."""
    cz = figures_of("cz", detour.gate, architecture, known)
    move = figures_of("move", detour.move, architecture, known)
    return cost(cz, move)


def figures_of(gate: str, locus: Locus, architecture: Architecture, known: Observations) -> Figures:
    """Return the figures of the implementation that the server takes on this locus."""
    how = architecture.gate(gate).loci.get(locus)
    if how is None:
        return Figures()
    benchmark = f"metrics.{_BENCHMARK.get(gate, 'irb')}.{gate}.{how}"
    duration = known.of_locus(f"gates.{gate}.{how}", locus, "duration")
    fidelity = probability(known.of_locus(benchmark, locus, "fidelity"))
    return Figures(duration if duration is not None and duration >= 0 else None, fidelity)


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
